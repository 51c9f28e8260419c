"""Recursive search for photos in a folder: what counts as a photo, and what is skipped.

All commands that take a folder of photos use it. No file is opened here.
"""

import os
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from bricksight._support.filesystem.files import writing
from bricksight._support.filesystem.photo_names import PHOTO_EXTENSIONS, RENDERS_FILE
from bricksight._support.text import can_encode, printable

OWN_MARKER = ".bricksight"
"""Marker file of a folder that bricksight wrote, such as contact sheets; it is skipped."""

_MARKER_TEXT = "Written by bricksight. Images in this folder are not used as photos of a class.\n"

# Files and folders of file managers, archive programs, network storage and operating systems, in
# lower case. They hold thumbnails, earlier versions and deleted photos.
_SYSTEM_NAMES = frozenset(
    {
        "thumbs.db",
        "ehthumbs.db",
        "ehthumbs_vista.db",
        "desktop.ini",
        "zbthumbnail.info",
        "icon\r",
        "__macosx",
        "@eadir",
        "#recycle",
        "#snapshot",
        "@recycle",
        "@recently-snapshot",
        "@tmp",
        "~snapshot",
        "_gsdata_",
        "$recycle.bin",
        "recycler",
        "recycled",
        "system volume information",
        "lost+found",
        "network trash folder",
        "temporary items",
        "thevolumesettingsfolder",
        "thefindbycontentfolder",
        ".@__thumb",
        ".appledouble",
        ".cache",
        ".dropbox.cache",
        ".git",
        ".ipynb_checkpoints",
        ".picasaoriginals",
        ".recycle",
        ".snapshot",
        ".stversions",
        ".thumbnails",
    }
)

# File names that together identify a folder that bricksight wrote, and what it is.
_OWN = (
    ({OWN_MARKER}, "pictures that bricksight has written"),
    ({"manifest.json", "output_labels.txt"}, "a model folder"),
    ({"preprocess.json", "model.onnx", "golden"}, "an exported folder"),
    ({RENDERS_FILE}, "renders, which --extra_train_dir takes"),
)


@dataclass
class Found:
    """Files and folders other than photos; paths are relative to the root, separated by "/".

    Attributes:
        other_files: Files without the extension of a photo.
        special_files: Pipes, sockets and devices; reading from them may never end.
        bad_names: Files and folders whose names are not UTF-8, escaped for display.
        unreadable: Folder or link → why it cannot be listed or followed.
        loops: Links that lead to one of their parent folders.
        repeats: Links to folders that were listed before.
        own: Folder that bricksight wrote → what it is.
    """

    other_files: list[str] = field(default_factory=list)
    special_files: list[str] = field(default_factory=list)
    bad_names: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    loops: list[str] = field(default_factory=list)
    repeats: list[str] = field(default_factory=list)
    own: dict[str, str] = field(default_factory=dict)


class Folder(NamedTuple):
    """A folder to search.

    Attributes:
        path: Path relative to the root; links are not resolved.
        real: Absolute path with links resolved.
        is_link: Whether it is a link.
    """

    path: str
    real: str
    is_link: bool

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


class Walker:
    """Search for photos below a root folder.

    Hidden files and system files are skipped without notice. Folders that bricksight wrote are
    skipped and recorded in ``found``. Links to folders are followed, unless they lead to a parent
    or to a folder that was listed before. So each real folder is listed once. Folders may be nested
    to any depth, because there is no recursion.
    """

    def __init__(self, root: Path, *, text_only: bool = False) -> None:
        """Prepare a search; no folder is listed yet.

        Args:
            root: The root folder; it is searched even if it is hidden.
            text_only: Record names that are not UTF-8 in ``found.bad_names`` instead of returning
                them.
        """
        self.root = root
        self.found = Found()
        self._text_only = text_only
        self._top = Folder("", os.path.realpath(root), is_link=False)

    def top(self) -> tuple[list[str], list[Folder]]:
        """Return the photos directly in the root, and its sub-folders, sorted by name."""
        return self._list(self._top)

    def below(self, start: Folder | None = None) -> list[str]:
        """Return the paths of all photos in a folder and its sub-folders, relative to the root.

        The paths are sorted. Folders are searched before links, so that a photo is found by its
        real path.

        Args:
            start: A folder that ``top`` returned; the root by default.
        """
        photos: list[str] = []
        seen: set[str] = set()
        folders, links = [start or self._top], deque[Folder]()
        while folders or links:
            folder = folders.pop() if folders else links.popleft()
            if folder.real in seen:
                self.found.repeats.append(folder.path)
                continue
            seen.add(folder.real)
            here, inside = self._list(folder)
            photos += here
            folders += reversed([one for one in inside if not one.is_link])
            links += [one for one in inside if one.is_link]
        return sorted(photos, key=_by_folder)

    def _list(self, folder: Folder) -> tuple[list[str], list[Folder]]:
        """Return the photos and sub-folders of a folder; everything else is added to ``found``."""
        photos: list[str] = []
        folders: list[Folder] = []
        for entry, path in self._entries(folder):
            kind, reason = _kind_of(entry)
            if kind == "folder":
                folders += self._entered(entry, path, folder)
            elif kind == "unknown":
                self.found.unreadable[path] = reason
            elif kind == "special":
                self.found.special_files.append(path)
            elif is_photo_name(entry.name):
                photos.append(path)
            elif path != RENDERS_FILE:
                self.found.other_files.append(path)
        return photos, folders

    def _entries(self, folder: Folder) -> list[tuple["os.DirEntry[str]", str]]:
        """Return the entries of a folder that are not skipped, sorted by name, with their paths."""
        try:
            # os.path: pathlib would parse the whole path, which may have a thousand parts.
            with os.scandir(os.path.join(self.root, folder.path)) as listed:  # noqa: PTH118
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError as error:
            self.found.unreadable[folder.path or "."] = error.strerror or str(error)
            return []
        if folder.path and (what := _own_folder({entry.name for entry in entries})):
            self.found.own[folder.path] = what
            return []
        shown = []
        for entry in entries:
            path = f"{folder.path}/{entry.name}" if folder.path else entry.name
            if is_passed_over(entry.name):
                continue
            if self._text_only and not is_text(entry.name):
                self.found.bad_names.append(printable(path))
                continue
            shown.append((entry, path))
        return shown

    def _entered(self, entry: "os.DirEntry[str]", path: str, around: Folder) -> list[Folder]:
        """Return a list of the sub-folder, empty if it is a link to a parent folder."""
        if not _is_link(entry):
            return [Folder(path, os.path.join(around.real, entry.name), False)]  # noqa: PTH118  (hot)
        real = os.path.realpath(entry.path)
        if Path(around.real).is_relative_to(real):
            self.found.loops.append(path)
            return []
        return [Folder(path, real, True)]


def mark_as_own(folder: Path, *, among: Path) -> None:
    """Create an output folder inside a folder of photos and mark it, so that it is skipped.

    Nothing is done if it is outside of the folder of photos. A folder that is not empty is not
    marked.

    Args:
        folder: Output folder for images.
        among: The folder of photos.

    Raises:
        OutputError: The folder cannot be written.
    """
    if not folder.resolve().is_relative_to(among.resolve()):
        return
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if next(folder.iterdir(), None) is None:
            (folder / OWN_MARKER).write_text(_MARKER_TEXT, encoding="utf-8")


def photos_below(folder: Path) -> tuple[list[Path], Found]:
    """Return the photos in a folder and its sub-folders, sorted, and everything else found."""
    walker = Walker(folder)
    return [folder / path for path in walker.below()], walker.found


def is_photo_name(name: str) -> bool:
    """Return whether a file name has the extension of a photo."""
    return os.path.splitext(name)[1].lower() in PHOTO_EXTENSIONS  # noqa: PTH122  (hot)


def is_passed_over(name: str) -> bool:
    """Return whether a file or folder of this name is skipped: hidden or a system file."""
    return name.startswith(".") or is_of_system(name)


def is_of_system(name: str) -> bool:
    """Return whether the name is that of a known system file or folder."""
    return name.lower() in _SYSTEM_NAMES or name.lower().startswith(".trash")


def is_text(name: str) -> bool:
    """Return whether a name can be written as UTF-8."""
    return can_encode(name, "utf-8")


def _own_folder(names: set[str]) -> str:
    """Return what kind of bricksight folder has these files, "" for any other folder."""
    return next((what for held, what in _OWN if held <= names), "")


def _kind_of(
    entry: "os.DirEntry[str]",
) -> tuple[Literal["folder", "file", "special", "unknown"], str]:
    """Return the kind of an entry, and the reason if it is unknown."""
    try:
        if entry.is_dir():
            return "folder", ""
        if entry.is_file():
            return "file", ""
        entry.stat()  # raises for a broken link, for which is_dir and is_file return false
    except OSError as error:
        return "unknown", error.strerror or str(error)
    return "special", ""


def _is_link(entry: "os.DirEntry[str]") -> bool:
    is_junction = getattr(entry, "is_junction", None)  # of Windows, from Python 3.12 on
    return entry.is_symlink() or (is_junction is not None and is_junction())


def _by_folder(path: str) -> list[str]:
    return path.split("/")
