"""The files of a library: a folder or an archive, found whatever their case."""

import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bricksight._support.text import shortened
from bricksight.bricks.synth.ldraw.errors import LDrawError

MAX_FILE_BYTES = 64 << 20
"""A file of this size has about a million lines; a part may draw half as many shapes."""

_FOLDERS = ("parts", "p", "models", "unofficial")
_SUFFIXES = (".dat", ".ldr", ".mpd")
_MAX_FOLDERS = 4
_MAX_FILES = 500_000  # of a library; LDraw's has 30,000
# complete.zip is deflated. Other ways of packing ask for as much memory as the file says.
_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class StoredFile(NamedTuple):
    """One file: where it is, and what reads it."""

    path: str
    read: Callable[[], bytes]


class Storage:
    """Files by their path below the library, in lower case with forward slashes."""

    def __init__(self, root: Path, files: dict[str, StoredFile]) -> None:
        self.root = root
        self._files = files

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def path(self, key: str) -> str | None:
        """Returns the path as it is spelt, or ``None`` if there is no such file."""
        file = self._files.get(key)
        return None if file is None else file.path

    def read(self, key: str) -> bytes:
        """Returns the content of a file that exists.

        Raises:
            LDrawError: it cannot be read, or is far too large.
        """
        return self._files[key].read()


def open_storage(root: Path) -> Storage:
    """Returns the files of a library, whose names are read now and whose content is not.

    Args:
        root: A folder with ``parts`` and ``p``, or one with the folder ``ldraw`` or the file
            ``complete.zip`` in it, or such an archive.

    Raises:
        LDrawError: it is none of these.
    """
    for candidate in (root, root / "ldraw", root / "complete.zip"):
        if candidate.is_file():
            files = _list_archive(candidate)
        elif candidate.is_dir():
            files = _list_folder(candidate)
        else:
            continue
        if any(key.startswith("parts/") for key in files):
            return Storage(candidate, files)
    what = "holds no file parts/….dat" if root.exists() else "does not exist"
    raise LDrawError(
        f"{root} {what}; expected a library of LDraw parts, a folder with 'parts' and 'p' or "
        "complete.zip. Get it from https://library.ldraw.org/library/updates/complete.zip."
    )


def _list_folder(root: Path) -> dict[str, StoredFile]:
    files: dict[str, StoredFile] = {}
    seen: set[tuple[int, int]] = set()

    def walk(folder: str, prefix: str) -> None:
        about = Path(folder).stat()
        # By links a folder may be reached in more ways than there is time for.
        if (about.st_dev, about.st_ino) in seen:
            return
        seen.add((about.st_dev, about.st_ino))
        with os.scandir(folder) as entries:
            # In order, so that of two names that differ by case it is always the same that counts.
            for entry in sorted(entries, key=lambda entry: entry.name):
                name = entry.name.lower()
                if entry.is_dir():
                    if (prefix or name in _FOLDERS) and prefix.count("/") < _MAX_FOLDERS:
                        walk(entry.path, f"{prefix}{name}/")
                elif name.endswith(_SUFFIXES):
                    read = partial(read_limited, Path(entry.path))
                    _add(files, prefix + name, StoredFile(entry.path, read), root)

    try:
        walk(str(root), "")
    except OSError as error:
        raise _unreadable(str(error.filename or root), error) from error
    return files


def _list_archive(root: Path) -> dict[str, StoredFile]:
    try:
        archive = zipfile.ZipFile(root)
    except _DAMAGE as error:
        raise _unreadable(str(root), error) from error
    files: dict[str, StoredFile] = {}
    for info in archive.infolist():
        key = info.filename.lower().replace("\\", "/").removeprefix("ldraw/")
        if key.endswith(_SUFFIXES):
            path = f"{root}/{info.filename}"
            read = partial(_read_packed, archive, info, path)
            _add(files, key, StoredFile(path, read), root)
    return files


def _add(files: dict[str, StoredFile], key: str, file: StoredFile, root: Path) -> None:
    files.setdefault(key, file)
    if len(files) > _MAX_FILES:
        raise LDrawError(
            f"{root} has more than {_MAX_FILES:,} files; a library of LDraw parts has 30,000. "
            "Name the folder that holds 'parts' and 'p' alone."
        )


# What Python's reader of archives runs into when one is damaged. RuntimeError: the archive has a
# password.
_DAMAGE = (
    OSError, zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, ValueError, OverflowError,
    struct.error, LookupError,
)  # fmt: skip


def _read_packed(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: str) -> bytes:
    _check_size(path, info.file_size)
    if info.compress_type not in _PACKED:
        raise LDrawError(
            f"{shortened(path)} is packed by method {info.compress_type} of zip; expected "
            "deflate, as in complete.zip. Pack the archive again."
        )
    try:
        return archive.read(info)
    except _DAMAGE as error:
        raise _unreadable(path, error) from error


def read_limited(path: Path) -> bytes:
    """Returns the content of a regular file.

    Raises:
        LDrawError: it cannot be read, is a device or a pipe, or is far too large.
    """
    try:
        # A pipe that nobody writes to would be waited for; a device has no end.
        if not path.is_file():
            raise LDrawError(f"{path} is no regular file. Remove it, or fetch the file again.")
        _check_size(str(path), path.stat().st_size)
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise _unreadable(str(path), error) from error
    _check_size(str(path), len(content))
    return content


def decode(content: bytes) -> str:
    """Returns the text of a file: UTF-8, or Latin-1 where it is not that."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _check_size(path: str, size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise LDrawError(
            f"{shortened(path)} has {size:,} bytes; an LDraw file may have "
            f"{MAX_FILE_BYTES:,}. Check whether it is one."
        )


def _unreadable(path: str, error: Exception) -> LDrawError:
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return LDrawError(
        f"{shortened(path)} cannot be read ({shortened(reason)}). "
        "Check the file, or fetch it again."
    )
