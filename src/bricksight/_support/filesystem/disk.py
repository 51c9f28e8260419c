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
    """Return errno and message if the disk is the cause of ``error``, else ``None``.

    Libraries copy the system's message into their own errors (TensorFlow, HDF5), raise theirs while
    handling the system's (zipfile), or only say that a stream failed (OpenVINO). In the last case
    a probe is written to the place.

    Args:
        error: what a library has raised while it wrote.
        place: what was written; something above it exists.
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
    """Return errno and message of the disk error that a text quotes, else ``None``."""
    for number in _OF_A_DISK:
        if os.strerror(number) in text:
            return number, os.strerror(number)
    return None


def advice_on(number: int) -> str:
    """Return what to do about an errno."""
    if number in _FULL:
        return "Free space there, or name another place."
    if number in _FORBIDDEN:
        return "Name a place that you may write to."
    if number == errno.ENAMETOOLONG:
        return "Name a shorter one."
    return "Name another place."


def write_probe(path: Path) -> None:
    """Write and removes a new file of 64 KiB; permission bits alone can be wrong.

    Raises:
        OSError: the system does not write there.
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
    return None  # something else that was read or written


def _is_below(path: str, folder: Path) -> bool:
    return Path(path).absolute().is_relative_to(folder.absolute())


def _tried(place: Path) -> tuple[int, str] | None:
    above = next(parent for parent in place.absolute().parents if parent.is_dir())
    try:
        write_probe(above / f".bricksight-probe-{os.getpid()}")
    except OSError as error:
        return _of_the_system(error, place)
    return None
