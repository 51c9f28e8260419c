"""Download files over HTTP, atomically, and resume after a broken connection.

The usual library, pooch, cannot resume a download: its ``HTTPDownloader`` hides the server's
response, which alone shows whether the server sends the rest (206) or the whole file (200), and the
total size. So this file uses requests directly, as pooch does.
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
_TIMEOUT_SECONDS = (10, 30)  # to connect; between two reads
_ANSWER_SECONDS = 60  # until the response headers after all redirects
_ATTEMPTS = 4  # in a row that received less than a chunk
_PAUSE_SECONDS = 0.5  # before the second attempt; doubled for each further one
_MAX_REDIRECTIONS = 10

_MAX_BYTES = 4 << 30  # the largest image networks of TensorFlow Hub have 3.7 GB
_MAX_UNANNOUNCED_BYTES = 256 << 20  # if the server does not state the size
_SLOWEST_BYTES_PER_SECOND = 4 << 10
_WINDOW_SECONDS = 8  # over which the speed is measured
_LONGEST_SECONDS = 6 * 3600  # of one run; the next run resumes the download


class DownloadError(Exception):
    """The download failed; the message is a phrase without a full stop and without the URL."""


class _Retry(Exception):  # noqa: N818  (a signal, not an error)
    """The connection broke or the server is overloaded, so another attempt may succeed."""


@dataclass
class _Partial:
    """A partial file on disk, and the validator (ETag or date) of the file on the server."""

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
    """Download ``url`` to ``target``, atomically.

    After a broken connection the download is resumed, in this run or a later one, if the server
    supports it and the file has not changed. Processes that download the same file wait for each
    other.

    Args:
        url: http or https URL. Redirects are followed, except from https to http.
        target: File to write. If it exists and is complete, nothing is downloaded.
        is_whole: Returns whether a file is complete. It is also called on the downloaded file.
        md5: Expected checksum in hexadecimal digits, if known. Otherwise, a checksum that the
            server states is used.
        auth: User name and password for the server of ``url``; they are not sent to others.
        progress: Called after each chunk.

    Raises:
        DownloadError: The download failed, or the file is damaged.
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
    """Download to ``partial``, with several attempts; return the MD5 that the server stated."""
    failures = 0
    give_up = time.monotonic() + _LONGEST_SECONDS
    while True:
        before = partial.num_bytes
        try:
            return _attempt(url, partial, auth, _with_time_limit(progress, give_up))
        except _Retry as error:
            # An attempt that received less than a chunk counts as a failure. Otherwise a server
            # that sends a byte and disconnects would be asked for ever.
            failures = 1 if partial.num_bytes >= before + _CHUNK_BYTES else failures + 1
            if failures >= _ATTEMPTS:
                raise DownloadError(f"{error}, after {_ATTEMPTS} attempts") from error
            time.sleep(_PAUSE_SECONDS * 2 ** (failures - 1))


def _with_time_limit(progress: Progress | None, give_up: float) -> Progress:
    """Return a progress callback that also raises an error at the time ``give_up``."""

    def report(num_bytes: int, total: int | None) -> None:
        if time.monotonic() > give_up:
            raise DownloadError(
                f"only {num_bytes:,} bytes were received in {_LONGEST_SECONDS // 3600} hours; run "
                "the command again to resume the download"
            )
        if progress:
            progress(num_bytes, total)

    return report


def _attempt(
    url: str, partial: _Partial, auth: tuple[str, str] | None, progress: Progress
) -> str | None:
    # Imported here because it takes 0.2 s.
    requests = require("requests", extra="train", feature="Downloading a backbone")
    import urllib3  # noqa: PLC0415  (comes with requests)

    # Without compression, because lengths and ranges refer to the file on the server.
    headers = {"Accept-Encoding": "identity"}
    if partial.num_bytes and partial.validator:
        headers |= {"Range": f"bytes={partial.num_bytes}-", "If-Range": partial.validator}
    try:
        with requests.Session() as session:
            answer = _with_timeout(_ANSWER_SECONDS, lambda: _ask(session, url, headers, auth))
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
    """Follow redirects, and return the final response with its body unread.

    ``Session.get`` would read the body of each redirect, however long it is.
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
        previous_url, url = url, urljoin(url, target)
        _require_safe_redirection(previous_url, url)
        if urlsplit(url)[:2] != urlsplit(previous_url)[:2]:
            auth = None
    raise DownloadError(f"the server redirects more than {_MAX_REDIRECTIONS} times")


def _with_timeout(seconds: float, ask: Callable[[], Any]) -> Any:
    """Call ``ask`` in a thread, and raise a ``DownloadError`` if it takes too long.

    A socket's timeout restarts with each byte, so that a slow server could send headers for hours.
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


def _require_safe_redirection(url: str, target: str) -> None:
    scheme = urlsplit(url).scheme
    if urlsplit(target).scheme not in ({"https"} if scheme == "https" else {"http", "https"}):
        raise DownloadError(
            f"the server redirects from {scheme} to {shortened(without_secrets(target))}, "
            "which is not safe"
        )


def without_secrets(url: str) -> str:
    """Return a URL without user name, password and query, so that it can be shown."""
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
    """Raise an error unless a partial response begins where the file on disk ends."""
    stated = response.headers.get("Content-Range", "")
    match = re.fullmatch(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})", stated)
    begins = partial.num_bytes
    if "Range" in response.request.headers and match and int(match[1]) == begins:
        return
    asked = f"the bytes from {begins:,} on" if begins else "the whole file"
    partial.remove()
    raise DownloadError(
        f"the server answers 206 with the range {shortened(stated)!r}; expected {asked}"
    )


def _receive(response: "requests.Response", partial: _Partial, progress: Progress) -> None:
    """Append the response to ``partial``; restart ``partial`` if the response is the whole file."""
    if response.status_code != 206:
        headers = response.headers
        # A weak ETag (W/...) may stay the same although bytes change.
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
            f"the server sends more than {most:,} bytes, but announced {announced} bytes"
        )
    if total is not None and partial.num_bytes != total:
        raise _Retry(f"only {partial.num_bytes:,} of {total:,} bytes were received")
    if not partial.num_bytes:
        partial.remove()
        raise DownloadError("the file on the server is empty")


def _check_size(partial: _Partial, total: int | None) -> None:
    """Raise an error if the file is over the size limit, or larger than the free disk space."""
    if total is None:
        return
    if total > _MAX_BYTES:
        raise DownloadError(f"the file has {total:,} bytes; the limit is {_MAX_BYTES:,}")
    free = shutil.disk_usage(partial.path.parent).free
    if total - partial.num_bytes > free:
        raise DownloadError(
            f"the file has {total:,} bytes, but {partial.path.parent} has only {free:,} free"
        )


def _chunks(response: "requests.Response") -> Iterator[bytes]:
    """Yield the body in chunks; raise an error if the server is too slow for eight seconds."""
    since, num_bytes = time.monotonic(), 0
    while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=False):
        yield chunk
        num_bytes += len(chunk)
        seconds = time.monotonic() - since
        if seconds >= _WINDOW_SECONDS:
            if num_bytes < _SLOWEST_BYTES_PER_SECOND * seconds:
                raise DownloadError(
                    f"the server is too slow: {num_bytes:,} bytes in {seconds:.0f} seconds, less "
                    f"than {_SLOWEST_BYTES_PER_SECOND:,} per second; try again later"
                )
            since, num_bytes = time.monotonic(), 0


def _total_bytes(response: "requests.Response") -> int | None:
    if response.status_code == 206:
        stated = response.headers["Content-Range"].rpartition("/")[2]
    else:
        stated = response.headers.get("Content-Length", "")
    return int(stated) if re.fullmatch(r"[0-9]{1,15}", stated) else None


def _stated_md5(response: "requests.Response") -> str | None:
    """Return the MD5 in the headers of Google's storage, where Kaggle and Keras keep files."""
    match = re.search(r"\bmd5=([A-Za-z0-9+/]{22}==)", response.headers.get("X-Goog-Hash", ""))
    return base64.b64decode(match[1]).hex() if match else None


def _verify(partial: _Partial, is_whole: Callable[[Path], bool], md5: str | None) -> None:
    if md5 is not None and (digest := _md5_of(partial.path)) != md5:
        partial.remove()
        raise DownloadError(f"the file has the MD5 checksum {digest}; expected {md5}")
    if not is_whole(partial.path):
        partial.remove()
        raise DownloadError("the downloaded file is incomplete or of another type")


def _md5_of(path: Path) -> str:
    hasher = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            hasher.update(chunk)
    return hasher.hexdigest()


def _reason(error: Exception) -> str:
    """Return the innermost reason of a connection error, without the long text around it."""
    text = str(error)
    match = re.search(r"\[Errno -?\d+\] ([^'\")]+)", text)
    return f"no connection ({match[1] if match else shortened(text)})"
