"""What lies in a folder of photos: class folders, photos in them, and everything else."""

import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bricksight._text import counted
from bricksight.config import PHOTO_EXTENSIONS, RENDERS_FILE
from bricksight.dataset._records import Photo
from bricksight.errors import DataError

# Written by file managers and archive programs beside the photos, often with thumbnails in them.
_NOT_THE_USERS = frozenset(
    {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin"}
)

LAYOUT = """Expected one folder a class, with its photos inside:
  photos/cat/001.jpg
  photos/cat/002.jpg
  photos/dog/001.jpg"""


@dataclass(frozen=True)
class Listing:
    """Everything found below a folder; the paths in the lists are relative to it.

    Attributes:
        photos: Photos in class folders, not yet hashed.
        classes: Label of every class folder, with photos or without.
        loose_photos: Photos that lie beside the class folders, so without a class.
        other_files: Files whose names do not end like a photo's.
        bad_names: Files and folders whose names are not text in UTF-8.
        unreadable: Folder → why it cannot be listed.
        loops: Links that lead back to a folder around them.
    """

    photos: list[Photo] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    loose_photos: list[str] = field(default_factory=list)
    other_files: list[str] = field(default_factory=list)
    bad_names: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    loops: list[str] = field(default_factory=list)


def list_folder(image_dir: Path) -> Listing:
    """Returns what lies below ``image_dir``; the first level of folders gives the classes.

    Hidden files and what file managers leave behind are passed over. Links to folders are followed
    unless they lead back to a folder around them.

    Raises:
        DataError: ``image_dir`` is no folder that can be listed, or the names of its class folders
            cannot be the lines of a labels file.
    """
    _require_folder(image_dir)
    listing = Listing()
    folders = []
    for entry in _entries(image_dir, image_dir, listing):
        if _is_folder(entry):
            folders.append(entry)
        else:
            _take_file(entry, image_dir, "", listing)
    labels = _labels([entry.name for entry in folders], image_dir)
    listing.classes.extend(labels)
    around = (os.path.realpath(image_dir),)
    for entry, label in zip(folders, labels, strict=True):
        _walk(entry, image_dir, label, around, listing)
    return listing


def _require_folder(image_dir: Path) -> None:
    if not image_dir.exists():
        raise DataError(f"The folder {image_dir} does not exist. {LAYOUT}")
    if not image_dir.is_dir():
        raise DataError(f"{image_dir} is a file, not a folder of photos. {LAYOUT}")
    try:
        os.scandir(image_dir).close()
    except OSError as error:
        raise DataError(
            f"The folder {image_dir} cannot be listed ({error.strerror or error})."
        ) from error


def _walk(
    folder: os.DirEntry[str], image_dir: Path, label: str, around: tuple[str, ...], listing: Listing
) -> None:
    real = os.path.realpath(folder.path)
    if real in around:
        listing.loops.append(_relative(folder.path, image_dir))
        return
    for entry in _entries(Path(folder.path), image_dir, listing):
        if _is_folder(entry):
            _walk(entry, image_dir, label, (*around, real), listing)
        else:
            _take_file(entry, image_dir, label, listing)


def _entries(folder: Path, image_dir: Path, listing: Listing) -> Iterator[os.DirEntry[str]]:
    """Yields what a folder holds, by name, without what is hidden or not the user's."""
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        listing.unreadable[_relative(str(folder), image_dir)] = error.strerror or str(error)
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.name.lower() in _NOT_THE_USERS:
            continue
        if _is_utf8(entry.name):
            yield entry
        else:
            listing.bad_names.append(_printable(_relative(entry.path, image_dir)))


def _take_file(entry: os.DirEntry[str], image_dir: Path, label: str, listing: Listing) -> None:
    relative_path = _relative(entry.path, image_dir)
    path = Path(entry.path)
    if relative_path == RENDERS_FILE:
        return
    if not _can_be_opened(entry.path) or path.suffix.lower() not in PHOTO_EXTENSIONS:
        listing.other_files.append(relative_path)
    elif not label:
        listing.loose_photos.append(relative_path)
    else:
        listing.photos.append(Photo(path, relative_path, label))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return os.path.isdir(entry.path)  # noqa: PTH112  (Path.is_dir and entry.is_dir may raise)


def _can_be_opened(path: str) -> bool:
    """Returns whether to try: a pipe named .jpg would be waited for without end.

    A link to nothing counts; reading it fails, and then it is reported with its reason.
    """
    return os.path.isfile(path) or not os.path.exists(path)  # noqa: PTH110, PTH113  (never raise)


def _labels(names: list[str], image_dir: Path) -> list[str]:
    """Returns the line of the labels file that each folder stands for.

    Raises:
        DataError: a name gives no line or more than one, or two give the same.
    """
    labels = [unicodedata.normalize("NFC", name).strip() for name in names]
    broken = [name for name, label in zip(names, labels, strict=True) if not _is_line(label)]
    if broken:
        raise DataError(
            f"The labels file has one line a class, so these names of folders in {image_dir} "
            f"cannot be used: {', '.join(map(repr, broken))}. Rename them to one line of text."
        )
    names_of: dict[str, list[str]] = defaultdict(list)
    for name, label in zip(names, labels, strict=True):
        names_of[label].append(name)
    clashes = {label: same for label, same in names_of.items() if len(same) > 1}
    if clashes:
        what = "; ".join(
            f"{' and '.join(map(ascii, same))} both give {label!r}"
            for label, same in clashes.items()
        )
        raise DataError(
            f"{counted(len(clashes), 'line')} of the labels file would stand for more than one "
            f"folder in {image_dir}: {what}. Rename or merge these folders."
        )
    return labels


def _is_line(label: str) -> bool:
    return len(label.splitlines()) == 1


def _is_utf8(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _printable(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _relative(path: str, image_dir: Path) -> str:
    return Path(path).relative_to(image_dir).as_posix()
