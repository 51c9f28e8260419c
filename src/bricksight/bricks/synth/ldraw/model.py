"""A model of the user's own: one file, or an MPD with several."""

from pathlib import Path

from bricksight.bricks.synth.ldraw.errors import LDrawError
from bricksight.bricks.synth.ldraw.geometry import Shelf, look_up_name
from bricksight.bricks.synth.ldraw.parser import LDrawFile, parse, split_sections
from bricksight.bricks.synth.ldraw.storage import decode, read_limited


class Model:
    """Where the files of a model look: in its own sections, its folder, then the library.

    The library's files keep to the library: a section called ``stud.dat`` changes no brick.
    """

    def __init__(self, path: Path, library: Shelf) -> None:
        """Reads the model.

        Raises:
            LDrawError: the file cannot be read, or a line of its own is malformed.
        """
        self._folder = path.parent
        self._library = library
        self._files: dict[str, LDrawFile | None] = {}
        text = decode(read_limited(path))
        sections = split_sections(text)
        for name, (before, section) in sections.items():
            file = parse(section, f"{path}: {name}", lines_before=before)
            self._files.setdefault(look_up_name(name), file)
        self.main = next(iter(self._files.values()), None) or parse(text, str(path))

    def find(self, name: str) -> tuple[LDrawFile, Shelf] | None:
        """Returns the file and where that one looks, or ``None``.

        Raises:
            LDrawError: it is malformed or cannot be read.
        """
        key = look_up_name(name)
        if key not in self._files:
            path = _inside(self._folder, key)
            self._files[key] = None if path is None else _read(path)
        file = self._files[key]
        return self._library.find(name) if file is None else (file, self)

    @property
    def places(self) -> str:
        """Where was looked, for a message."""
        return f"the model, the folder {self._folder}, or {self._library.places}"


def _read(path: Path) -> LDrawFile:
    return parse(decode(read_limited(path)), str(path))


def _inside(folder: Path, key: str) -> Path | None:
    """Returns the file of a folder that has the name, in whatever case; never one outside."""
    path = folder
    for name in key.split("/"):
        if not path.is_dir():
            return None
        try:
            spelt = sorted(entry.name for entry in path.iterdir() if entry.name.lower() == name)
        except OSError as error:
            raise LDrawError(
                f"{path} cannot be read ({error.strerror or error}). Check its permissions."
            ) from error
        if not spelt:
            return None
        path = path / spelt[0]
    return path if path.is_file() else None
