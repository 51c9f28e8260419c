"""Find out why a file could not be written, from an error of the system or of a library."""

import errno
import os
import tempfile
from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
_OF_A_DISK = (*_FULL, *_FORBIDDEN, errno.ENAMETOOLONG, errno.EFBIG, errno.EIO)
_PROBE_BYTES = 1 << 16


def reason_of(error: BaseException, place: Path) -> tuple[int, str] | None:
    """Return errno and message if a failed write was caused by the disk, else ``None``.

    Libraries copy the system's message into their own errors (TensorFlow, HDF5), raise theirs while
    handling the system's (zipfile), or only report a failed stream (OpenVINO). In the last case, a
    test file is written.

    Args:
        error: The error that a library raised while writing.
        place: The path that was written; one of its parents exists.
    """
    if isinstance(error, OSError) and error.errno is not None:
        return _of_the_system(error, place)
    below = _cause(error)
    while below is not None:
        if isinstance(below, OSError) and below.errno in _OF_A_DISK:
            return _of_the_system(below, place)
        below = _cause(below)
    found = reason_in(str(error))
    if found is None and type(error) is RuntimeError:
        return _tried(place)
    return found


def reason_in(text: str) -> tuple[int, str] | None:
    """Return errno and message of the disk error that is quoted in a text, else ``None``."""
    for number in _OF_A_DISK:
        if os.strerror(number) in text:
            return number, os.strerror(number)
    return None


def advice_on(number: int) -> str:
    """Return advice for an errno of a failed write."""
    if number in _FULL:
        return "Free disk space, or name another path."
    if number in _FORBIDDEN:
        return "Name a path that you may write to."
    if number == errno.ENAMETOOLONG:
        return "Name a shorter path."
    return "Name another path."


def write_probe(path: Path) -> None:
    """Write and remove a new file of 64 KiB; permission bits alone are not reliable.

    Raises:
        OSError: The file cannot be written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        left = memoryview(bytes(_PROBE_BYTES))
        while left:
            left = left[os.write(descriptor, left) :]
    finally:
        os.close(descriptor)
        path.unlink(missing_ok=True)


def _cause(error: BaseException) -> BaseException | None:
    if error.__cause__ is not None or error.__suppress_context__:
        return error.__cause__
    return error.__context__


def _of_the_system(error: OSError, place: Path) -> tuple[int, str] | None:
    number = error.errno or 0
    words = error.strerror or os.strerror(number)
    named = error.filename2 or error.filename
    if not isinstance(named, str) or _is_below(named, place.parent):
        return number, words
    if number in _FULL or _is_below(named, Path(tempfile.gettempdir())):
        return number, f"{words}: {named}"
    return None  # the error is about another file


def _is_below(path: str, folder: Path) -> bool:
    return Path(path).absolute().is_relative_to(folder.absolute())


def _tried(place: Path) -> tuple[int, str] | None:
    above = next(parent for parent in place.absolute().parents if parent.is_dir())
    try:
        write_probe(above / f".bricksight-probe-{os.getpid()}")
    except OSError as error:
        return _of_the_system(error, place)
    return None
