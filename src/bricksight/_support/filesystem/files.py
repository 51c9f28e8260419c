"""Files that are either whole or absent, and the folder of cached ones."""

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
    """Turn a failed write in the block into an ``OutputError`` with place and reason.

    Args:
        place: what the block writes, as the user named it.

    Raises:
        OutputError: the block cannot write: no permission, a full disk, a name too long. Errors of
            libraries that have such a cause are recognised too.
    """
    try:
        yield
    except BricksightError:
        raise
    except Exception as error:
        reason = reason_of(error, Path(place))
        if reason is None:
            raise
        raise _refused(place, *reason) from error


def _refused(place: Path | str, number: int, reason: str) -> OutputError:
    rejected = OutputError(f"{place} cannot be written ({reason}). {advice_on(number)}")
    rejected.place, rejected.number, rejected.strerror = str(place), number, reason
    return rejected


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside ``path`` that becomes ``path`` when the block ends well.

    The name may be used for a file or for a folder. A block that fails leaves nothing behind, and
    a reader sees the old file or the new one, never half of either. A folder that exists and is not
    empty is not replaced: the system refuses it.

    Raises:
        OutputError: the block or the system cannot write there.
    """
    with writing(path), folder_made(path.parent, named=path):
        require_replaceable(path)
        with temporary_folder(path.parent, path.name) as holder, under_its_own_name(path, holder):
            part = holder / path.name
            yield part
            part.replace(path)


def require_replaceable(path: Path) -> None:
    """Refuse a path that a new file cannot, or must not, replace.

    Raises:
        OutputError: it is a device, a pipe, or another user's.
        OSError: it is immutable.
    """
    try:
        there = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return
    kind = stat.S_IFMT(there.st_mode)
    if kind not in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
        raise OutputError(f"{path} is a device or a pipe; it is not replaced. Name a file.")
    if sys.platform == "win32" or kind != stat.S_IFREG:
        return
    folder = path.parent.stat()
    owners = (there.st_uid, folder.st_uid, 0)
    if folder.st_mode & stat.S_ISVTX and os.geteuid() not in owners:
        raise OutputError(f"{path} belongs to another user; it cannot be replaced. Name another.")
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND))
    except OSError as error:
        if error.errno == errno.EPERM:  # immutable (chattr +i), for every user
            raise


@contextlib.contextmanager
def folder_made(folder: Path, *, named: Path | None = None) -> Iterator[Path]:
    """Create a folder and its parents; if the block fails, removes those that are empty.

    Args:
        folder: may be there already.
        named: the path that errors mention; ``folder`` by default.
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
        OutputError: that is no folder.
    """
    above = next(one for one in (folder, *folder.absolute().parents) if os.path.lexists(one))
    if not above.is_dir():
        raise OutputError(f"{named} cannot be made: {above} is not a folder. Name another place.")
    return above


@contextlib.contextmanager
def under_its_own_name(path: Path, holder: Path) -> Iterator[None]:
    """Make errors about the temporary folder ``holder`` mention ``path`` instead."""
    try:
        yield
    except OutputError as error:
        if error.place and Path(error.place).is_relative_to(holder):
            raise _refused(path, error.number, error.strerror or "") from error
        raise


def cache_root() -> Path:
    """Return the path of the cache folder, which may not exist yet.

    ``BRICKSIGHT_CACHE_DIR`` names another place than the user's own cache folder.
    """
    root = os.environ.get("BRICKSIGHT_CACHE_DIR") or platformdirs.user_cache_dir("bricksight")
    with contextlib.suppress(RuntimeError):  # nobody knows the user's home
        return Path(root).expanduser()
    return Path(root)


def cache_dir(*parts: str) -> Path:
    """Return the folder for cached files; creates it if necessary.

    Where the cache cannot be written, because the disk is full or the folder is read-only, it is a
    temporary folder of this process, and a warning says so once.

    Raises:
        CacheError: not even a temporary folder can be made.
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
            f"The cache folder {cache.root} cannot be made ({error.strerror or error}). "
            "Set BRICKSIGHT_CACHE_DIR to a folder that can be written to."
        ) from error


def give_up_cache(error: Exception) -> None:
    """Make this process continue without the cache, after a failed write, and warns once."""
    _cache(cache_root()).give_up(error)


def in_cache(write: Callable[[Path], Result], *parts: str) -> Result:
    """Return ``write(cache_dir(*parts))``; retries in a temporary folder if the cache fails.

    Raises:
        OutputError: the temporary folder is full too.
    """
    folder = cache_dir(*parts)
    try:
        return write(folder)
    except OutputError as error:
        give_up_cache(error)  # does nothing if ``write`` has done so already
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
        """Return a sub-folder; creates it if necessary."""
        folder = self.root.joinpath(*parts)
        folder.mkdir(parents=True, exist_ok=True)
        if not self._is_tried:
            with temporary_folder(self.root, "bricksight") as holder:
                write_probe(holder / "probe")
            self._is_tried = True
        return folder

    def give_up(self, error: Exception) -> None:
        """Switch to a temporary folder and warns; does nothing the second time."""
        if self._is_given_up:
            return
        reason = getattr(error, "strerror", "") or error
        _LOGGER.warning(
            "The cache folder %s cannot be written (%s). This run goes on without it. Free space "
            "there, or set BRICKSIGHT_CACHE_DIR to another folder.",
            self.root,
            reason,
        )
        self._is_given_up, self._is_tried = True, False
        self.root = Path(tempfile.mkdtemp(prefix="bricksight-cache-"))
        atexit.register(shutil.rmtree, self.root, ignore_errors=True)


def remove_left_behind_in_cache() -> int:
    """Remove temporary folders of killed runs from the cache; returns how many."""
    held = [Path(name) / one for name, ones, _ in os.walk(cache_root()) for one in ones]
    return sum(remove_if_left_behind(folder) for folder in held)


def read_whole(path: Path, *, most_bytes: int) -> bytes:
    """Return the bytes of a regular file; a pipe is waited for and a device read without end.

    Raises:
        OSError: it cannot be read.
        ValueError: it is a pipe, a device or the like, or larger than ``most_bytes``.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # opening a folder tells that it is one
        raise ValueError("it is no regular file")
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
