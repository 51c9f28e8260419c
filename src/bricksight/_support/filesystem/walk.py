"""The one walk through folders of photos: what counts as a photo, and what is skipped.

Training, checking, classifying and everything else that takes a folder of photos goes through it.
No file is opened here.
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
"""What marks a folder of ours, such as one of contact sheets: its pictures are no photos."""

_MARKER_TEXT = "Written by bricksight, which takes nothing in this folder for photos of a class.\n"

# Of file managers, archive programs, network storage and operating systems; in lower case. They
# hold thumbnails, earlier versions, and photos that the user has deleted.
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

# Names that a folder of ours holds together, and what it then is.
_OWN = (
    ({OWN_MARKER}, "pictures that bricksight has written"),
    ({"manifest.json", "output_labels.txt"}, "a model folder"),
    ({"preprocess.json", "model.onnx", "golden"}, "an exported folder"),
    ({RENDERS_FILE}, "renders, which --extra_train_dir takes"),
)


@dataclass
class Found:
    """What a walk meets besides photos; paths are relative to its root, with "/" between folders.

    Attributes:
        other_files: Files whose names do not end like a photo's.
        special_files: Pipes, sockets and devices, which may keep a reader waiting for ever.
        bad_names: Files and folders whose names are not text in UTF-8, as they may be shown.
        unreadable: Folder or link → why it cannot be listed or followed.
        loops: Links that lead back to a folder around them.
        repeats: Links to folders that the walk has been in already.
        own: Folder that bricksight has written → what it is.
    """

    other_files: list[str] = field(default_factory=list)
    special_files: list[str] = field(default_factory=list)
    bad_names: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    loops: list[str] = field(default_factory=list)
    repeats: list[str] = field(default_factory=list)
    own: dict[str, str] = field(default_factory=dict)


class Folder(NamedTuple):
    """A folder to go into.

    Attributes:
        path: Below the root, as it is named there.
        real: Where it really is; links are resolved.
        is_link: Whether it is elsewhere.
    """

    path: str
    real: str
    is_link: bool

    @property
    def name(self) -> str:
        """Its own name, without the folders around it."""
        return self.path.rpartition("/")[2]


class Walker:
    """Goes through the folders below a root.

    Hidden files and system files are skipped silently; our own folders are skipped and noted in
    ``found``. Links to folders are followed unless they lead to a parent or to a folder that was
    listed before, so each real folder is listed once, however many links lead there. Folders may be
    nested as deep as the system allows, as there is no recursion.
    """

    def __init__(self, root: Path, *, text_only: bool = False) -> None:
        """Nothing is listed yet.

        Args:
            root: as the user names it; it is walked whatever its own name is.
            text_only: set names aside that are not UTF-8; a data set writes them to text files.
        """
        self.root = root
        self.found = Found()
        self._text_only = text_only
        self._top = Folder("", os.path.realpath(root), is_link=False)

    def top(self) -> tuple[list[str], list[Folder]]:
        """Return the photos that lie in the root itself, and the folders in it, by name."""
        return self._list(self._top)

    def below(self, start: Folder | None = None) -> list[str]:
        """Return the photos in a folder and in all folders below it, sorted, from the root on.

        Folders come before links to the same place, so that a photo keeps its own path.

        Args:
            start: one that ``top`` has returned; the root by default.
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
        """Return the photos and folders in a folder; all else goes into ``found``."""
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
        """Return the entries of a folder that are not skipped, by name, each with its path."""
        try:
            # As text: pathlib takes apart the whole path, which may have a thousand folders.
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
        """Return the folder, or nothing if it is a link that leads back up."""
        if not _is_link(entry):
            return [Folder(path, os.path.join(around.real, entry.name), False)]  # noqa: PTH118  (hot)
        real = os.path.realpath(entry.path)
        if Path(around.real).is_relative_to(real):
            self.found.loops.append(path)
            return []
        return [Folder(path, real, True)]


def mark_as_own(folder: Path, *, among: Path) -> None:
    """Make a folder that no walk goes into, if it is to lie in a folder of photos.

    One that holds anything already is left as it is.

    Args:
        folder: for pictures of ours.
        among: the folder of photos.

    Raises:
        OutputError: it cannot be written.
    """
    if not folder.resolve().is_relative_to(among.resolve()):
        return
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if next(folder.iterdir(), None) is None:
            (folder / OWN_MARKER).write_text(_MARKER_TEXT, encoding="utf-8")


def photos_below(folder: Path) -> tuple[list[Path], Found]:
    """Return the photos in a folder and all folders below it, sorted, and what else is there."""
    walker = Walker(folder)
    return [folder / path for path in walker.below()], walker.found


def is_photo_name(name: str) -> bool:
    """Return whether a file of this name is taken for a photo."""
    return os.path.splitext(name)[1].lower() in PHOTO_EXTENSIONS  # noqa: PTH122  (hot)


def is_passed_over(name: str) -> bool:
    """Return whether a file or folder of this name is skipped: hidden, or of a system."""
    return name.startswith(".") or is_of_system(name)


def is_of_system(name: str) -> bool:
    """Return whether a system is known to leave a file or folder of this name behind."""
    return name.lower() in _SYSTEM_NAMES or name.lower().startswith(".trash")


def is_text(name: str) -> bool:
    """Return whether a name can be written as UTF-8."""
    return can_encode(name, "utf-8")


def _own_folder(names: set[str]) -> str:
    """Return what a folder of ours with these names in it is, "" for any other."""
    return next((what for held, what in _OWN if held <= names), "")


def _kind_of(
    entry: "os.DirEntry[str]",
) -> tuple[Literal["folder", "file", "special", "unknown"], str]:
    """Return what lies behind a name and, where that cannot be told, why not."""
    try:
        if entry.is_dir():
            return "folder", ""
        if entry.is_file():
            return "file", ""
        entry.stat()  # a link to nothing: is_dir and is_file only say no
    except OSError as error:
        return "unknown", error.strerror or str(error)
    return "special", ""


def _is_link(entry: "os.DirEntry[str]") -> bool:
    is_junction = getattr(entry, "is_junction", None)  # of Windows, from Python 3.12 on
    return entry.is_symlink() or (is_junction is not None and is_junction())


def _by_folder(path: str) -> list[str]:
    return path.split("/")
