"""Files over HTTP: whole or absent, and never fetched twice because a connection broke.

pooch, which the Python science stack uses for this, cannot resume: its ``HTTPDownloader`` hides the
server's answer, and only that tells whether a rest was sent (206) or the file from its start (200),
and how long the whole is. So this is written on requests, which pooch uses as well.
"""

import base64
import contextlib
import hashlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bricksight.modules._lock import locked
from bricksight.modules._module import Progress

if TYPE_CHECKING:
    import requests

_CHUNK_BYTES = 1 << 18
_TIMEOUT_SECONDS = (10, 30)  # to connect; between two pieces
_ATTEMPTS = 4  # in a row without a byte gained
_PAUSE_SECONDS = 0.5  # doubled with each


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
        with contextlib.suppress(OSError):
            self.validator = self._validator_path.read_text(encoding="utf-8") or None
        if self.validator is None:
            # A beginning of nobody knows what cannot be continued.
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
    md5: str | None = None,
    auth: tuple[str, str] | None = None,
    progress: Progress | None = None,
) -> None:
    """Writes the file at ``url`` to ``target``, which is whole or absent.

    A broken connection is taken up again where it broke, now or in a later run, if the server can
    and the file there is still the same. Processes that want the same file wait for each other.

    Args:
        url: http or https; redirections are followed, but none from https to http.
        target: where to; nothing is fetched if it is there already.
        md5: checksum in hexadecimal digits, if known. A server that states one is believed too.
        auth: user name and password for the server of ``url`` alone.
        progress: told after each piece.

    Raises:
        DownloadError: the file could not be had, or is not what it should be.
    """
    try:
        with locked(target.with_name(f".{target.name}.lock")):
            if not target.exists():
                partial = _Partial(target.with_name(f"{target.name}.part"))
                stated = _fetch(url, partial, auth, progress)
                _verify(partial, md5 or stated)
                partial.path.replace(target)
                partial.remove()
    except OSError as error:
        raise DownloadError(f"{target} cannot be written ({error.strerror or error})") from error


def _fetch(
    url: str, partial: _Partial, auth: tuple[str, str] | None, progress: Progress | None
) -> str | None:
    """Fills ``partial``; returns the MD5 that the server stated, if it did."""
    failures = 0
    while True:
        before = partial.num_bytes
        try:
            return _attempt(url, partial, auth, progress)
        except _Retry as error:
            failures = 1 if partial.num_bytes > before else failures + 1
            if failures >= _ATTEMPTS:
                raise DownloadError(f"{error}, after {_ATTEMPTS} attempts") from error
            time.sleep(_PAUSE_SECONDS * 2 ** (failures - 1))


def _attempt(
    url: str, partial: _Partial, auth: tuple[str, str] | None, progress: Progress | None
) -> str | None:
    import requests  # noqa: PLC0415  (0.2 s that a run without downloads need not pay)
    import urllib3  # noqa: PLC0415  (as above)

    # The bytes are wanted as they lie on the server: lengths and ranges refer to those.
    headers = {"Accept-Encoding": "identity"}
    if partial.num_bytes and partial.validator:
        headers |= {"Range": f"bytes={partial.num_bytes}-", "If-Range": partial.validator}
    try:
        with requests.get(
            url, headers=headers, auth=auth, stream=True, timeout=_TIMEOUT_SECONDS
        ) as response:
            _check_answer(url, response, partial)
            _receive(response, partial, progress)
            return _stated_md5(response)
    except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError) as error:
        raise _Retry(_reason(error)) from error
    except requests.RequestException as error:
        raise DownloadError(str(error)) from error


def _check_answer(url: str, response: "requests.Response", partial: _Partial) -> None:
    if urlsplit(url).scheme == "https" and urlsplit(response.url).scheme != "https":
        raise DownloadError(f"the server leads from https to {response.url}, which is not safe")
    status = f"the server answers {response.status_code} {response.reason}"
    if response.status_code == 416:
        partial.remove()
        raise _Retry(status)
    if response.status_code == 429 or response.status_code >= 500:
        raise _Retry(status)
    if not response.ok:
        raise DownloadError(status)


def _receive(response: "requests.Response", partial: _Partial, progress: Progress | None) -> None:
    """Appends the answer to ``partial``, or begins it anew if the answer is the whole file."""
    if response.status_code != 206:
        headers = response.headers
        # A weak ETag (W/...) may stay the same while bytes change.
        etag = headers.get("ETag", "")
        validator = etag if etag.startswith('"') else headers.get("Last-Modified")
        partial.restart(validator)
    total = _total_bytes(response)
    with partial.path.open("ab") as file:
        for chunk in _chunks(response):
            file.write(chunk)
            if progress:
                progress(file.tell(), total)
    if total is not None and partial.num_bytes != total:
        raise _Retry(f"{partial.num_bytes} of {total} bytes came")


def _chunks(response: "requests.Response") -> Iterator[bytes]:
    yield from response.raw.stream(_CHUNK_BYTES, decode_content=False)


def _total_bytes(response: "requests.Response") -> int | None:
    if response.status_code == 206:
        match = re.fullmatch(r"bytes \d+-\d+/(\d+)", response.headers.get("Content-Range", ""))
    else:
        match = re.fullmatch(r"(\d+)", response.headers.get("Content-Length", ""))
    return int(match[1]) if match else None


def _stated_md5(response: "requests.Response") -> str | None:
    """Returns the MD5 that Google's storage sends along, where Kaggle and Keras keep files."""
    match = re.search(r"\bmd5=([A-Za-z0-9+/]{22}==)", response.headers.get("X-Goog-Hash", ""))
    return base64.b64decode(match[1]).hex() if match else None


def _verify(partial: _Partial, md5: str | None) -> None:
    if md5 is None:
        return
    digest = hashlib.md5(partial.path.read_bytes(), usedforsecurity=False).hexdigest()
    if digest != md5:
        partial.remove()
        raise DownloadError(f"the file has the MD5 checksum {digest}, expected {md5}")


def _reason(error: Exception) -> str:
    """Returns the innermost reason, the part of these long errors that says something."""
    text = str(error)
    match = re.search(r"\[Errno -?\d+\] ([^'\")]+)", text)
    return f"no connection ({match[1] if match else text})"
