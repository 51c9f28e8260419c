"""Temporary folders that are locked by their process; those of killed processes are removed.

filelock is not used: on a disk without locks it falls back to marker files, which a killed process
leaves behind, so that its folders would never be removed.
"""

import contextlib
import functools
import hashlib
import os
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

LOCK = ".bricksight-lock"
"""Lock file in each temporary folder; it is locked as long as its process runs."""

_CLAIMED = ".claimed"
_RANDOM_LENGTH = len("xxxxxxxx")  # what mkdtemp adds
_MAX_NAME_BYTES = 180  # with what is added still fewer than the 255 of most file systems
_ATTEMPTS = 100

if sys.platform == "win32":
    import msvcrt

    _BEYOND_THE_TEXT = 1 << 30  # Windows lets nobody read what is locked

    def try_lock(descriptor: int) -> bool:
        """Try to lock an open file; returns whether it succeeded."""
        os.lseek(descriptor, _BEYOND_THE_TEXT, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def try_lock(descriptor: int) -> bool:
        """Try to lock an open file; returns whether it succeeded."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


class TakenError(Exception):
    """Another process or thread has locked the folder; the argument is its path."""


@contextlib.contextmanager
def temporary_folder(parent: Path, name: str) -> Iterator[Path]:
    """Yield a new hidden folder in ``parent``; it is removed when the block ends.

    Temporary folders of killed processes in ``parent`` are removed first. ``name`` is part of the
    folder's name.
    """
    remove_left_behind(parent)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_hidden(name), dir=parent))
        with contextlib.suppress(TakenError, FileNotFoundError):  # removed as if left behind
            descriptor = _hold(folder)
            break
    with _until_the_end(folder, descriptor):
        yield folder


@contextlib.contextmanager
def claimed_folder(parent: Path, name: str) -> Iterator[Path]:
    """Yield an empty hidden folder that only one process can have for a given ``name``.

    It is removed when the block ends.

    Raises:
        TakenError: Another process has it.
    """
    remove_left_behind(parent)
    folder = parent / (_hidden(name).rstrip(".") + _CLAIMED)
    for _ in range(_ATTEMPTS):
        is_new = _is_made(folder)
        with contextlib.suppress(FileNotFoundError):  # its previous owner is just removing it
            descriptor = _hold(folder, is_sure=not is_new)
            break
    else:
        raise TakenError(folder)
    with _until_the_end(folder, descriptor):
        _empty(folder)
        yield folder


def remove_left_behind(parent: Path) -> None:
    """Remove temporary folders of killed processes in ``parent``, once per process and folder."""
    _remove_left_behind(parent.absolute())


@functools.lru_cache(maxsize=1024)
def _remove_left_behind(parent: Path) -> None:
    with contextlib.suppress(OSError), os.scandir(parent) as entries:
        for folder in [Path(entry.path) for entry in entries if _may_be_ours(entry)]:
            remove_if_left_behind(folder)


def remove_if_left_behind(folder: Path) -> bool:
    """Remove one of our temporary folders if it is not locked; returns whether it was removed."""
    if not is_temporary(folder):
        return False
    try:
        descriptor = _hold(folder, is_sure=True)
    except (OSError, TakenError):
        return False
    with _until_the_end(folder, descriptor):
        return True


def is_temporary(folder: Path) -> bool:
    """Return whether a folder is one of our temporary folders."""
    try:
        return stat.S_ISREG((folder / LOCK).lstat().st_mode) and not folder.is_symlink()
    except OSError:
        return False


def _may_be_ours(entry: "os.DirEntry[str]") -> bool:
    name = entry.name
    is_named_so = name.endswith(_CLAIMED) or name[-_RANDOM_LENGTH - 1 : -_RANDOM_LENGTH] == "."
    return name.startswith(".") and is_named_so and entry.is_dir(follow_symlinks=False)


def short_name(name: str) -> str:
    """Shorten a long name to its beginning and a hash, so that something can be appended."""
    content = os.fsencode(name)
    if len(content) <= _MAX_NAME_BYTES:
        return name
    digest = hashlib.sha256(content).hexdigest()[:16]
    return f"{content[:_MAX_NAME_BYTES].decode(errors='ignore')}-{digest}"


def _hidden(name: str) -> str:
    return f".{short_name(name)}."


def _is_made(folder: Path) -> bool:
    """Create a folder; returns ``False`` if it exists already."""
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    return True


def _empty(folder: Path) -> None:
    """Remove the files of a killed process from a folder that is locked now."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != LOCK:
            path.unlink()


def _hold(folder: Path, *, is_sure: bool = False) -> int:
    """Lock a folder; returns the file descriptor that holds the lock until it is closed.

    Args:
        folder: A temporary folder.
        is_sure: Whether the folder counts as taken if the file system does not support locks, as
            some network drives.

    Raises:
        TakenError: Another process has locked it.
        FileNotFoundError: Another process has just removed it.
    """
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(folder / LOCK, flags, 0o600)
    try:
        if not _is_locked(descriptor, is_sure=is_sure):
            raise TakenError(folder)
        there = (folder / LOCK).stat()
        if not os.path.samestat(os.fstat(descriptor), there):
            raise FileNotFoundError(folder)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _is_locked(descriptor: int, *, is_sure: bool) -> bool:
    try:
        return try_lock(descriptor)
    except OSError:
        return not is_sure


@contextlib.contextmanager
def _until_the_end(folder: Path, descriptor: int) -> Iterator[None]:
    try:
        yield
    finally:
        # Renamed first, so that no other process writes into the folder during the removal.
        doomed = folder.with_name(f"{_hidden(folder.name.strip('.'))}{secrets.token_hex(4)}")
        try:
            folder.rename(doomed)
        except OSError:  # Windows cannot rename a folder with open files
            doomed = folder
        shutil.rmtree(doomed, ignore_errors=True)
        os.close(descriptor)
        if sys.platform == "win32":
            shutil.rmtree(doomed, ignore_errors=True)
