"""Atomic writes, checksums, and the cache folder."""

import atexit
import contextlib
import errno
import functools
import hashlib
import logging
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import platformdirs

from bricksight._support.filesystem.disk import advice_on, reason_of, write_probe
from bricksight._support.filesystem.locks import remove_if_left_behind, temporary_folder
from bricksight.errors import BricksightError, CacheError, OutputError

_LOGGER = logging.getLogger(__name__)

_CHUNK_BYTES = 1 << 20

Result = TypeVar("Result")


@contextlib.contextmanager
def writing(place: Path | str) -> Iterator[None]:
    """Convert a failed write in the block to an ``OutputError`` with path and reason.

    Args:
        place: The path that the block writes, as the user gave it.

    Raises:
        OutputError: The block cannot write: no permission, full disk, name too long. Errors of
            libraries with such a cause are converted too.
    """
    try:
        yield
    except BricksightError:
        raise
    except Exception as error:
        reason = reason_of(error, Path(place))
        if reason is None:
            raise
        raise _output_error(place, *reason) from error


def _output_error(place: Path | str, number: int, reason: str) -> OutputError:
    rejected = OutputError(f"{place} cannot be written ({reason}). {advice_on(number)}")
    rejected.place, rejected.number, rejected.strerror = str(place), number, reason
    return rejected


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path that is renamed to ``path`` when the block succeeds.

    The block may create a file or a folder there. If it fails, nothing is left. Readers of ``path``
    see the old or the new content, never a partial one. A non-empty folder is not replaced.

    Raises:
        OutputError: ``path`` cannot be written.
    """
    with writing(path), folder_made(path.parent, named=path):
        require_replaceable(path)
        with temporary_folder(path.parent, path.name) as holder, under_its_own_name(path, holder):
            part = holder / path.name
            yield part
            part.replace(path)


def require_replaceable(path: Path) -> None:
    """Raise an error if a path exists and cannot or must not be replaced by a new file.

    Raises:
        OutputError: The path is a device or a pipe, or belongs to another user.
        OSError: The file is immutable.
    """
    try:
        there = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return
    kind = stat.S_IFMT(there.st_mode)
    if kind not in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
        raise OutputError(
            f"{path} is a device or a pipe, which is not replaced. Name the path of a file."
        )
    if sys.platform == "win32" or kind != stat.S_IFREG:
        return
    folder = path.parent.stat()
    owners = (there.st_uid, folder.st_uid, 0)
    if folder.st_mode & stat.S_ISVTX and os.geteuid() not in owners:
        raise OutputError(
            f"{path} belongs to another user and cannot be replaced. Name another path."
        )
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND))
    except OSError as error:
        if error.errno == errno.EPERM:  # immutable (chattr +i), for every user
            raise


@contextlib.contextmanager
def folder_made(folder: Path, *, named: Path | None = None) -> Iterator[Path]:
    """Create a folder and its parents; if the block fails, the empty ones are removed again.

    Args:
        folder: The folder; it may exist.
        named: The path to mention in errors; ``folder`` by default.
    """
    missing = [one for one in (folder, *folder.parents) if not os.path.lexists(one)]
    nearest_folder(folder, named=named or folder)
    with writing(named or folder):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    except BaseException:
        for one in missing:
            with contextlib.suppress(OSError):
                one.rmdir()
        raise


def nearest_folder(folder: Path, *, named: Path) -> Path:
    """Return the folder, or its nearest existing parent.

    Raises:
        OutputError: The nearest existing parent is not a folder.
    """
    above = next(one for one in (folder, *folder.absolute().parents) if os.path.lexists(one))
    if not above.is_dir():
        raise OutputError(f"{named} cannot be created: {above} is not a folder. Name another path.")
    return above


@contextlib.contextmanager
def under_its_own_name(path: Path, holder: Path) -> Iterator[None]:
    """Make errors about the temporary folder ``holder`` mention ``path`` instead."""
    try:
        yield
    except OutputError as error:
        if error.place and Path(error.place).is_relative_to(holder):
            raise _output_error(path, error.number, error.strerror or "") from error
        raise


def cache_root() -> Path:
    """Return the path of the cache folder, which may not exist yet.

    The environment variable ``BRICKSIGHT_CACHE_DIR`` overrides the default.
    """
    root = os.environ.get("BRICKSIGHT_CACHE_DIR") or platformdirs.user_cache_dir("bricksight")
    with contextlib.suppress(RuntimeError):  # the home folder is unknown
        return Path(root).expanduser()
    return Path(root)


def cache_dir(*parts: str) -> Path:
    """Return a sub-folder of the cache, created if necessary.

    If the cache cannot be written, for example because the disk is full, a temporary folder of this
    process is used instead, with one warning.

    Raises:
        CacheError: No temporary folder can be created either.
    """
    cache = _cache(cache_root())
    try:
        return cache.folder(*parts)
    except OSError as error:
        cache.give_up(error)
    try:
        return cache.folder(*parts)
    except OSError as error:
        raise CacheError(
            f"The cache folder {cache.root} cannot be created ({error.strerror or error}). "
            "Set BRICKSIGHT_CACHE_DIR to a folder that you may write to."
        ) from error


def give_up_cache(error: Exception) -> None:
    """After a failed write, continue this process without the cache and warn once."""
    _cache(cache_root()).give_up(error)


def in_cache(write: Callable[[Path], Result], *parts: str) -> Result:
    """Call ``write(cache_dir(*parts))``; if the cache fails, retry in a temporary folder.

    Raises:
        OutputError: The temporary folder cannot be written either.
    """
    folder = cache_dir(*parts)
    try:
        return write(folder)
    except OutputError as error:
        give_up_cache(error)  # no effect if ``write`` has called it already
        again = cache_dir(*parts)
        if again == folder:
            raise
    return write(again)


@functools.cache
def _cache(root: Path) -> "_Cache":
    return _Cache(root)


class _Cache:
    """The cache folder, or a temporary folder that replaces it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._is_tried = self._is_given_up = False

    def folder(self, *parts: str) -> Path:
        """Return a sub-folder, created if necessary; the first call tests writing."""
        folder = self.root.joinpath(*parts)
        folder.mkdir(parents=True, exist_ok=True)
        if not self._is_tried:
            with temporary_folder(self.root, "bricksight") as holder:
                write_probe(holder / "probe")
            self._is_tried = True
        return folder

    def give_up(self, error: Exception) -> None:
        """Switch to a temporary folder and warn; only the first call has an effect."""
        if self._is_given_up:
            return
        reason = getattr(error, "strerror", "") or error
        _LOGGER.warning(
            "The cache folder %s cannot be written (%s). This run continues without the cache. "
            "Free disk space, or set BRICKSIGHT_CACHE_DIR to another folder.",
            self.root,
            reason,
        )
        self._is_given_up, self._is_tried = True, False
        self.root = Path(tempfile.mkdtemp(prefix="bricksight-cache-"))
        atexit.register(shutil.rmtree, self.root, ignore_errors=True)


def remove_left_behind_in_cache() -> int:
    """Remove temporary folders of killed runs from the cache; returns their number."""
    held = [Path(name) / one for name, ones, _ in os.walk(cache_root()) for one in ones]
    return sum(remove_if_left_behind(folder) for folder in held)


def read_whole(path: Path, *, most_bytes: int) -> bytes:
    """Read a regular file of at most ``most_bytes``.

    Pipes and devices are refused, because reading from them may never end.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not a regular file, or larger than ``most_bytes``.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # open() itself reports a folder
        raise ValueError("it is not a regular file")
    with path.open("rb") as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise ValueError(f"it is larger than {most_bytes >> 20} MiB")
    return content


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
