"""List the class folders below ``image_dir``, their labels and their photos."""

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

LAYOUT = """Expected one folder per class, with its photos in it:
  photos/cat/001.jpg
  photos/cat/002.jpg
  photos/dog/001.jpg"""


_MAX_NAME_BYTES = 255
_CHECK_SUFFIX = "-check"


@dataclass(frozen=True)
class Listing:
    """Everything found below a folder; the paths in the lists are relative to it.

    Attributes:
        photos: Photos in class folders, not hashed yet.
        classes: Labels of all class folders, including those without photos.
        loose_photos: Photos directly in the folder, which have no class.
        hidden_folders: Hidden folders with photos, beside the class folders.
        found: Everything that is neither a photo nor a class folder.
    """

    photos: list[Photo] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    loose_photos: list[str] = field(default_factory=list)
    hidden_folders: list[str] = field(default_factory=list)
    found: Found = field(default_factory=Found)


def list_folder(image_dir: Path) -> Listing:
    """List the photos below ``image_dir``, with one class per folder of the first level.

    Raises:
        DataError: ``image_dir`` is not a folder or cannot be listed, or a class folder's name
            cannot be a line of the labels file.
    """
    require_folder(image_dir)
    walker = Walker(image_dir, text_only=True)
    loose_photos, folders = walker.top()
    # ``bricksight check .`` writes its contact sheets inside the folder.
    sheets = f"{image_dir.resolve().name}{_CHECK_SUFFIX}"
    folders = [one for one in folders if not _is_contact_sheets(one, sheets, walker)]
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
    """List the photos below a folder without class folders; their labels are empty.

    Raises:
        DataError: ``folder`` is not a folder or cannot be listed.
    """
    require_folder(folder)
    walker = Walker(folder, text_only=True)
    return Listing(
        photos=[Photo(folder / path, path, "") for path in walker.below()], found=walker.found
    )


def class_folders(image_dir: Path) -> list[str]:
    """Return the sorted names of the class folders in ``image_dir``; none if it does not exist."""
    return [folder.name for folder in Walker(image_dir, text_only=True).top()[1]]


def label_fault(label: str, image_dir: Path) -> str:
    """Return why a class folder in ``image_dir`` cannot be named ``label``, or "" if it can.

    An existing class folder of exactly this name is no fault. The reason is the predicate of a
    sentence whose subject is the label.
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
    """Raise an error if ``image_dir`` is not a folder or cannot be listed.

    Raises:
        DataError: The folder does not exist, is a file, or cannot be listed.
    """
    if not os.path.lexists(image_dir):
        raise DataError(f"The folder {image_dir} does not exist. {LAYOUT}")
    try:
        os.scandir(image_dir).close()
    except NotADirectoryError:
        raise DataError(f"{image_dir} is a file, not a folder of photos. {LAYOUT}") from None
    except OSError as error:
        raise DataError(
            f"The folder {image_dir} cannot be listed ({error.strerror or error}). "
            "Check its permissions."
        ) from error


def _is_contact_sheets(folder: Folder, name: str, walker: Walker) -> bool:
    if folder.path != name:
        return False
    walker.found.own[name] = "contact sheets of bricksight check"
    return True


def _hidden_with_photos(image_dir: Path) -> list[str]:
    """Return hidden folders with photos that may be meant as classes, such as ".5mm"."""
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
    """Return the label of each folder: its name in Unicode form NFC, without outer spaces.

    Raises:
        DataError: A label is not exactly one line of text, or two folders have the same label.
    """
    labels = [_label(name) for name in names]
    broken = [name for name, label in zip(names, labels, strict=True) if not _is_line(label)]
    if broken:
        raise DataError(
            f"These folders in {image_dir} cannot be classes: {', '.join(map(repr, broken))}. "
            "A class name must be one line of text. Rename the folders."
        )
    names_of: dict[str, list[str]] = defaultdict(list)
    for name, label in zip(names, labels, strict=True):
        names_of[label].append(name)
    clashes = {label: same for label, same in names_of.items() if len(same) > 1}
    if clashes:
        what = "; ".join(
            f"{' and '.join(map(ascii, same))} both give the label {label!r}"
            for label, same in clashes.items()
        )
        raise DataError(
            f"{pluralize(len(clashes), 'label')} would stand for more than one folder in "
            f"{image_dir}: {what}. Rename or merge these folders."
        )
    return labels


def _label(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip()


def _is_line(label: str) -> bool:
    return len(label.splitlines()) == 1
