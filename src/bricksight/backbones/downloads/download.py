"""Files over HTTP: whole or absent, and never fetched twice because a connection broke.

pooch, which the Python science stack uses for this, cannot resume: its ``HTTPDownloader`` hides the
server's answer, and only that tells whether a rest was sent (206) or the file from its start (200),
and how long the whole is. So this is written on requests, which pooch uses as well.
"""

import base64
import contextlib
import hashlib
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from bricksight._support.optional import require
from bricksight._support.text import shortened
from bricksight.backbones.backbone import Progress
from bricksight.backbones.downloads.lock import locked

if TYPE_CHECKING:
    import requests

_CHUNK_BYTES = 1 << 18
_TIMEOUT_SECONDS = (10, 30)  # to connect; between two pieces
_ANSWER_SECONDS = 60  # until the headers of the file itself are there, all redirections followed
_ATTEMPTS = 4  # in a row that brought less than a chunk
_PAUSE_SECONDS = 0.5  # doubled with each
_MAX_REDIRECTIONS = 10

_MAX_BYTES = 4 << 30  # the largest image networks of TensorFlow Hub have 3.7 GB
_MAX_UNANNOUNCED_BYTES = 256 << 20  # of a server that does not say how much will come
_SLOWEST_BYTES_PER_SECOND = 4 << 10
_WINDOW_SECONDS = 8  # in which that is measured
_LONGEST_SECONDS = 6 * 3600  # of one run; the next one goes on where it stopped


class DownloadError(Exception):
    """Why a file could not be had; a sentence without its full stop, without the address."""


class _Retry(Exception):  # noqa: N818  (a signal, not an error)
    """The connection broke or the server asks for patience; trying again may help."""


@dataclass
class _Partial:
    """The beginning of a file on disk, and what says which file it is the beginning of."""

    path: Path
    validator: str | None = None

    @property
    def _validator_path(self) -> Path:
        return self.path.with_name(f"{self.path.name}.etag")

    def __post_init__(self) -> None:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            validator = self._validator_path.read_text(encoding="ascii")
            self.validator = validator if validator.isprintable() and validator else None
        if self.validator is None:
            # Without a validator a partial file cannot be resumed.
            self.path.unlink(missing_ok=True)

    @property
    def num_bytes(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def restart(self, validator: str | None) -> None:
        self.path.unlink(missing_ok=True)
        self.validator = validator
        self._validator_path.write_text(validator or "", encoding="utf-8")

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self._validator_path.unlink(missing_ok=True)


def download(
    url: str,
    target: Path,
    *,
    is_whole: Callable[[Path], bool] = Path.exists,
    md5: str | None = None,
    auth: tuple[str, str] | None = None,
    progress: Progress | None = None,
) -> None:
    """Write the file at ``url`` to ``target``, which is whole or absent.

    A broken connection is taken up again where it broke, now or in a later run, if the server can
    and the file there is still the same. Processes that want the same file wait for each other.

    Args:
        url: http or https; redirections are followed, but none from https to http.
        target: where to; nothing is fetched if it is there already and whole.
        is_whole: says whether a file is, the one that is there and the one that comes.
        md5: checksum in hexadecimal digits, if known. A server that states one is believed too.
        auth: user name and password for the server of ``url`` alone.
        progress: told after each piece.

    Raises:
        DownloadError: the file could not be had, or is not what it should be.
    """
    try:
        with locked(target.with_name(f".{target.name}.lock")):
            if not is_whole(target):
                partial = _Partial(target.with_name(f"{target.name}.part"))
                stated = _fetch(url, partial, auth, progress)
                _verify(partial, is_whole, md5 or stated)
                partial.path.replace(target)
                partial.remove()
    except OSError as error:
        raise DownloadError(f"{target} cannot be written ({error.strerror or error})") from error


def _fetch(
    url: str, partial: _Partial, auth: tuple[str, str] | None, progress: Progress | None
) -> str | None:
    """Fills ``partial``; returns the MD5 that the server stated, if it did."""
    failures = 0
    give_up = time.monotonic() + _LONGEST_SECONDS
    while True:
        before = partial.num_bytes
        try:
            return _attempt(url, partial, auth, _told(progress, give_up))
        except _Retry as error:
            # A server that gives a byte and breaks off is not taken up again for ever.
            failures = 1 if partial.num_bytes >= before + _CHUNK_BYTES else failures + 1
            if failures >= _ATTEMPTS:
                raise DownloadError(f"{error}, after {_ATTEMPTS} attempts") from error
            time.sleep(_PAUSE_SECONDS * 2 ** (failures - 1))


def _told(progress: Progress | None, give_up: float) -> Progress:
    """Return what is told after each piece: ``progress``, and the watch on the time."""

    def tell(num_bytes: int, total: int | None) -> None:
        if time.monotonic() > give_up:
            raise DownloadError(
                f"it has taken {_LONGEST_SECONDS // 3600} hours, {num_bytes:,} bytes have come; "
                "run the command again to go on from there"
            )
        if progress:
            progress(num_bytes, total)

    return tell


def _attempt(
    url: str, partial: _Partial, auth: tuple[str, str] | None, progress: Progress
) -> str | None:
    # Loaded here: it takes 0.2 s.
    requests = require("requests", extra="train", feature="Downloading a backbone")
    import urllib3  # noqa: PLC0415  (comes with requests)

    # The bytes are wanted as they lie on the server: lengths and ranges refer to those.
    headers = {"Accept-Encoding": "identity"}
    if partial.num_bytes and partial.validator:
        headers |= {"Range": f"bytes={partial.num_bytes}-", "If-Range": partial.validator}
    try:
        with requests.Session() as session:
            answer = _within(_ANSWER_SECONDS, lambda: _ask(session, url, headers, auth))
            with answer as response:
                _check_answer(response, partial)
                _receive(response, partial, progress)
                return _stated_md5(response)
    except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError) as error:
        raise _Retry(_reason(error)) from error
    except (requests.RequestException, ValueError) as error:  # ValueError: of addresses
        raise DownloadError(shortened(str(error))) from error


def _ask(
    session: "requests.Session", url: str, headers: dict[str, str], auth: tuple[str, str] | None
) -> "requests.Response":
    """Return the answer that the redirections lead to, its body unread.

    ``Session.get`` would read the body of each redirection whole, however long it is.
    """
    requests = require("requests", extra="train", feature="Downloading a backbone")

    for _ in range(_MAX_REDIRECTIONS + 1):
        request = session.prepare_request(requests.Request("GET", url, headers, auth=auth))
        settings = session.merge_environment_settings(url, {}, True, None, None)
        adapter = session.get_adapter(request.url or url)
        response = adapter.send(request, timeout=_TIMEOUT_SECONDS, **settings)
        target = session.get_redirect_target(response)
        if target is None:
            return response
        response.close()
        came_from, url = url, urljoin(url, target)
        _refuse_unsafe_redirection(came_from, url)
        if urlsplit(url)[:2] != urlsplit(came_from)[:2]:
            auth = None
    raise DownloadError(f"the server redirects more than {_MAX_REDIRECTIONS} times")


def _within(seconds: float, ask: Callable[[], Any]) -> Any:
    """Return what ``ask`` returns, or gives up waiting for it.

    The timeout of a socket begins again with each byte, so headers could come for hours.
    """
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(ask())
        except BaseException as error:  # noqa: BLE001  (raised again where it is waited for)
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if not outcome:
        raise DownloadError(f"the server has not answered within {seconds:g} seconds")
    (answer,) = outcome
    if isinstance(answer, BaseException):
        raise answer
    return answer


def _refuse_unsafe_redirection(url: str, target: str) -> None:
    scheme = urlsplit(url).scheme
    if urlsplit(target).scheme not in ({"https"} if scheme == "https" else {"http", "https"}):
        raise DownloadError(
            f"the server redirects from {scheme} to {shortened(without_secrets(target))}, "
            "which is not safe"
        )


def without_secrets(url: str) -> str:
    """Return an address without user name, password and query, to be shown."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _check_answer(response: "requests.Response", partial: _Partial) -> None:
    status = f"the server answers {response.status_code} {shortened(response.reason or '')}".strip()
    if response.status_code == 416:
        partial.remove()
        raise _Retry(status)
    if response.status_code == 429 or response.status_code >= 500:
        raise _Retry(status)
    if response.status_code == 206:
        _check_range(response, partial)
    elif response.status_code != 200:
        raise DownloadError(f"{status} instead of the file")


def _check_range(response: "requests.Response", partial: _Partial) -> None:
    """Refuses a part of the file that is not the rest that was asked for."""
    stated = response.headers.get("Content-Range", "")
    match = re.fullmatch(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})", stated)
    begins = partial.num_bytes
    if "Range" in response.request.headers and match and int(match[1]) == begins:
        return
    asked = f"the bytes from {begins:,} on" if begins else "the whole file"
    partial.remove()
    raise DownloadError(
        f"the server answers 206 with the range {shortened(stated)!r}; {asked} was asked for"
    )


def _receive(response: "requests.Response", partial: _Partial, progress: Progress) -> None:
    """Appends the answer to ``partial``, or begins it anew if the answer is the whole file."""
    if response.status_code != 206:
        headers = response.headers
        # A weak ETag (W/...) may stay the same while bytes change.
        etag = headers.get("ETag", "")
        validator = etag if etag.startswith('"') else headers.get("Last-Modified")
        partial.restart(validator)
    total = _total_bytes(response)
    _check_size(partial, total)
    most = _MAX_UNANNOUNCED_BYTES if total is None else total
    with partial.path.open("ab") as file:
        for chunk in _chunks(response):
            file.write(chunk)
            progress(file.tell(), total)
            if file.tell() > most:
                break
    if partial.num_bytes > most:
        partial.remove()
        announced = f"{total:,}" if total is not None else "no number of"
        raise DownloadError(
            f"more than {most:,} bytes come; the server announced {announced} bytes"
        )
    if total is not None and partial.num_bytes != total:
        raise _Retry(f"{partial.num_bytes} of {total} bytes came")
    if not partial.num_bytes:
        partial.remove()
        raise DownloadError("the file on the server is empty")


def _check_size(partial: _Partial, total: int | None) -> None:
    """Refuses what is far too large, and what the disk has no room for."""
    if total is None:
        return
    if total > _MAX_BYTES:
        raise DownloadError(f"the file has {total:,} bytes; {_MAX_BYTES:,} are the limit")
    free = shutil.disk_usage(partial.path.parent).free
    if total - partial.num_bytes > free:
        raise DownloadError(
            f"the file has {total:,} bytes, and {partial.path.parent} has room for {free:,}"
        )


def _chunks(response: "requests.Response") -> Iterator[bytes]:
    """Yield what comes as it comes; a server that is very slow for a while is given up."""
    since, num_bytes = time.monotonic(), 0
    while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=False):
        yield chunk
        num_bytes += len(chunk)
        seconds = time.monotonic() - since
        if seconds >= _WINDOW_SECONDS:
            if num_bytes < _SLOWEST_BYTES_PER_SECOND * seconds:
                raise DownloadError(
                    f"the server has sent {num_bytes:,} bytes in {seconds:.0f} seconds, less than "
                    f"{_SLOWEST_BYTES_PER_SECOND:,} a second; try again later"
                )
            since, num_bytes = time.monotonic(), 0


def _total_bytes(response: "requests.Response") -> int | None:
    if response.status_code == 206:
        stated = response.headers["Content-Range"].rpartition("/")[2]
    else:
        stated = response.headers.get("Content-Length", "")
    return int(stated) if re.fullmatch(r"[0-9]{1,15}", stated) else None


def _stated_md5(response: "requests.Response") -> str | None:
    """Return the MD5 that Google's storage sends along, where Kaggle and Keras keep files."""
    match = re.search(r"\bmd5=([A-Za-z0-9+/]{22}==)", response.headers.get("X-Goog-Hash", ""))
    return base64.b64decode(match[1]).hex() if match else None


def _verify(partial: _Partial, is_whole: Callable[[Path], bool], md5: str | None) -> None:
    if md5 is not None and (digest := _md5_of(partial.path)) != md5:
        partial.remove()
        raise DownloadError(f"the file has the MD5 checksum {digest}, expected {md5}")
    if not is_whole(partial.path):
        partial.remove()
        raise DownloadError("what came is no whole file of its kind")


def _md5_of(path: Path) -> str:
    hasher = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            hasher.update(chunk)
    return hasher.hexdigest()


def _reason(error: Exception) -> str:
    """Return the innermost reason, the part of these long errors that says something."""
    text = str(error)
    match = re.search(r"\[Errno -?\d+\] ([^'\")]+)", text)
    return f"no connection ({match[1] if match else shortened(text)})"
