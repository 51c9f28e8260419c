"""A folder of photos, one sub-folder a class: the labels, and the photos of each."""

import os
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from bricksight._support.filesystem.walk import (
    Folder,
    Found,
    Walker,
    is_of_system,
    is_passed_over,
    is_photo_name,
    is_text,
)
from bricksight._support.text import pluralize
from bricksight.dataset._examples import Photo
from bricksight.errors import DataError

LAYOUT = """Expected one folder a class, with its photos inside:
  photos/cat/001.jpg
  photos/cat/002.jpg
  photos/dog/001.jpg"""


_MAX_NAME_BYTES = 255
_CHECK_SUFFIX = "-check"


@dataclass(frozen=True)
class Listing:
    """Everything found below a folder; the paths in the lists are relative to it.

    Attributes:
        photos: Photos in class folders, not yet hashed.
        classes: Label of every class folder, with photos or without.
        loose_photos: Photos that lie beside the class folders, so without a class.
        hidden_folders: Hidden folders beside the class folders that hold photos.
        found: All else.
    """

    photos: list[Photo] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    loose_photos: list[str] = field(default_factory=list)
    hidden_folders: list[str] = field(default_factory=list)
    found: Found = field(default_factory=Found)


def list_folder(image_dir: Path) -> Listing:
    """Returns what lies below ``image_dir``; the first level of folders gives the classes.

    Raises:
        DataError: ``image_dir`` is no folder that can be listed, or the names of its class folders
            cannot be the lines of a labels file.
    """
    require_folder(image_dir)
    walker = Walker(image_dir, text_only=True)
    loose_photos, folders = walker.top()
    sheets = f"{image_dir.resolve().name}{_CHECK_SUFFIX}"  # of a check inside the folder
    folders = [one for one in folders if not _is_of_check(one, sheets, walker)]
    labels = _labels([one.name for one in folders], image_dir)
    photos = [
        Photo(image_dir / path, path, label)
        for folder, label in zip(folders, labels, strict=True)
        for path in walker.below(folder)
    ]
    own = set(walker.found.own)
    return Listing(
        photos=photos,
        classes=[label for one, label in zip(folders, labels, strict=True) if one.path not in own],
        loose_photos=loose_photos,
        hidden_folders=_hidden_with_photos(image_dir),
        found=walker.found,
    )


def list_photos(folder: Path) -> Listing:
    """Returns what lies below a folder that knows no classes; the photos have no label.

    Raises:
        DataError: it is no folder that can be listed.
    """
    require_folder(folder)
    walker = Walker(folder, text_only=True)
    return Listing(
        photos=[Photo(folder / path, path, "") for path in walker.below()], found=walker.found
    )


def class_folders(image_dir: Path) -> list[str]:
    """Returns the names of the class folders in a folder, sorted; none if there is no folder."""
    return [folder.name for folder in Walker(image_dir, text_only=True).top()[1]]


def label_fault(label: str, image_dir: Path) -> str:
    """Returns why the photos of a new folder in ``image_dir`` would not be of the class ``label``.

    The answer is "" if they would be, and else ends a sentence that begins with the label.
    """
    if label.strip() != label or label in ("", ".", "..") or set(label) & set("/\\\0"):
        return "must be the name of one folder"
    if not is_text(label) or not _is_line(label):
        return "must be one line of text, as the labels file has one line a class"
    if is_passed_over(label) or label == f"{image_dir.resolve().name}{_CHECK_SUFFIX}":
        return "would be skipped: folders of this name are hidden, or system folders"
    if len(label.encode()) > _MAX_NAME_BYTES:
        return f"is longer than the {_MAX_NAME_BYTES} bytes that a folder's name may have"
    same = [name for name in class_folders(image_dir) if _label(name) == _label(label)]
    if same and label not in same:
        return f"would be a second folder of the class of {same[0]!a}; name that one"
    return ""


def require_folder(image_dir: Path) -> None:
    """Refuses what is no folder, or cannot be listed.

    Raises:
        DataError: says which.
    """
    if not os.path.lexists(image_dir):
        raise DataError(f"The folder {image_dir} does not exist. {LAYOUT}")
    try:
        os.scandir(image_dir).close()
    except NotADirectoryError:
        raise DataError(f"{image_dir} is a file, not a folder of photos. {LAYOUT}") from None
    except OSError as error:
        raise DataError(
            f"The folder {image_dir} cannot be listed ({error.strerror or error})."
        ) from error


def _is_of_check(folder: Folder, name: str, walker: Walker) -> bool:
    if folder.path != name:
        return False
    walker.found.own[name] = "contact sheets of bricksight check"
    return True


def _hidden_with_photos(image_dir: Path) -> list[str]:
    """Returns the hidden folders that may be meant as classes, such as ".5mm"."""
    found = []
    with os.scandir(image_dir) as entries:
        for entry in entries:
            is_theirs = entry.name.startswith(".") and not is_of_system(entry.name)
            if is_theirs and is_text(entry.name) and _holds_photos(entry):
                found.append(entry.name)
    return sorted(found)


def _holds_photos(entry: "os.DirEntry[str]") -> bool:
    try:
        with os.scandir(entry.path) as inside:
            names = {one.name for one in inside}
    except OSError:
        return False
    return any(is_photo_name(name) and not is_passed_over(name) for name in names)


def _labels(names: list[str], image_dir: Path) -> list[str]:
    """Returns the line of the labels file that each folder stands for.

    Raises:
        DataError: a name gives no line or more than one, or two give the same.
    """
    labels = [_label(name) for name in names]
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
            f"{pluralize(len(clashes), 'line')} of the labels file would stand for more than one "
            f"folder in {image_dir}: {what}. Rename or merge these folders."
        )
    return labels


def _label(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip()


def _is_line(label: str) -> bool:
    return len(label.splitlines()) == 1
