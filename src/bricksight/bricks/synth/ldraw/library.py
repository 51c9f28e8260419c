"""A library of LDraw parts: from a number to a mesh."""

import hashlib
import os
import re
from dataclasses import replace
from functools import cached_property
from pathlib import Path, PurePath

from bricksight.bricks.synth.ldraw.cache import (
    Entry,
    digest_of,
    entry_path,
    read_entry,
    write_entry,
)
from bricksight.bricks.synth.ldraw.colours import LDrawColour, direct_colour, parse_colours
from bricksight.bricks.synth.ldraw.errors import LDrawError
from bricksight.bricks.synth.ldraw.geometry import Geometry, Shelf, flatten, look_up_name
from bricksight.bricks.synth.ldraw.model import Model
from bricksight.bricks.synth.ldraw.parser import LDrawFile, parse
from bricksight.bricks.synth.ldraw.part import LDrawPart
from bricksight.bricks.synth.ldraw.storage import decode, open_storage
from bricksight.bricks.synth.ldraw.surface.normals import build_mesh
from bricksight.config import user_path

ENVIRONMENT_VARIABLE = "LDRAWDIR"

_PLACES = ("parts/", "p/", "unofficial/parts/", "unofficial/p/", "models/")
_SERIES = re.compile(r"[a-z]*\d+")
_MOST_NEAREST = 6
_MOST_FILES = 10_000  # of one part


def find_library(path: Path | None = None) -> "Library":
    """Returns the library of parts.

    Args:
        path: Folder or ``complete.zip``; by default what the environment variable LDRAWDIR names.

    Raises:
        LDrawError: no library is named, or there is none.
    """
    named = path or os.environ.get(ENVIRONMENT_VARIABLE)
    if not named:
        raise LDrawError(
            "No library of LDraw parts is named. Get it from "
            "https://library.ldraw.org/library/updates/complete.zip and name the file, or the "
            f"folder that it was unpacked to, with --ldraw or in {ENVIRONMENT_VARIABLE}."
        )
    return Library(user_path(named, "The library of LDraw parts"))


class Library:
    """A library of LDraw parts; opening it lists its files and reads none.

    Each file is read once, and what primitives draw is kept, as long as the library is. Threads may
    share it; at worst two of them do the same work. Pickled, it is opened anew.
    """

    def __init__(self, root: Path) -> None:
        """Lists the files.

        Raises:
            LDrawError: there is no library.
        """
        self._given = root
        self._storage = open_storage(root)
        self._files: dict[str, LDrawFile] = {}
        self._primitives: dict[str, Geometry] = {}
        self._scanned: dict[str, tuple[str, tuple[str, ...]]] = {}

    def __reduce__(self) -> "tuple[type[Library], tuple[Path]]":
        return Library, (self._given,)

    @property
    def root(self) -> Path:
        """The folder or archive."""
        return self._storage.root

    @property
    def places(self) -> str:
        """Where sub-files are looked for, for a message."""
        return f"the library {self.root}"

    def __contains__(self, number: object) -> bool:
        """Whether there is a part with the number, such as "3001" or "3001.dat"."""
        return isinstance(number, str) and self._key(_file_name(number)) is not None

    def numbers(self) -> tuple[str, ...]:
        """Returns the numbers of all official parts in lower case, old ones and aliases too."""
        names = (key.removeprefix("parts/") for key in self._storage if key.startswith("parts/"))
        return tuple(sorted(name[:-4] for name in names if "/" not in name and name[-4:] == ".dat"))

    def nearest(self, number: str) -> tuple[str, ...]:
        """Returns official numbers of the same series, such as 3040b for 3040."""
        series = _SERIES.match(number.strip().lower())
        if series is None:
            return ()
        return tuple(
            other
            for other in self.numbers()
            if (match := _SERIES.match(other)) and match[0] == series[0]
        )

    def title(self, number: str) -> str:
        """Returns what a part is called, read from the first line of its file alone if possible.

        Raises:
            LDrawError: there is no such part, or it cannot be read.
        """
        key = self._require(number)
        words = next(iter(decode(self._storage.read(key)).splitlines()), "").split()
        if len(words) > 1 and words[1][0] not in "~=!":
            return " ".join(words[1:])
        return self._follow(self._file(key))[0].title

    def part(self, number: str) -> LDrawPart:
        """Returns a part, from the cache if its files have not changed.

        Args:
            number: Such as "3001" or "3001.dat", in any case.

        Raises:
            LDrawError: there is no such part, or one of its files is missing or malformed.
            CacheError: the cache folder cannot be used.
        """
        key = self._require(number)
        path = entry_path(self.root, key)
        entry = read_entry(path)
        if entry is None or entry.digest != self._digest(entry.names):
            part, others = self._assemble(self._file(key), self)
            names = tuple(sorted({_file_name(number), *others}))
            entry = Entry(part, names, self._digest(names))
            write_entry(path, entry)
        return entry.part

    def fingerprint(self, number: str) -> str:
        """Returns the SHA-256 over the files that a part is made of, wherever the library lies.

        They are searched for references alone, which takes a hundredth of the time of the part.

        Raises:
            LDrawError: there is no such part, or one of its files is missing.
        """
        found: dict[str, str] = {}
        waiting = [_file_name(number)]
        while waiting:
            name = waiting.pop()
            if name in found:
                continue
            if len(found) > _MOST_FILES:
                raise LDrawError(
                    f"{number} of the library {self.root} is made of more than {_MOST_FILES:,} "
                    "files. Take a simpler part."
                )
            if self._key(name) is None:
                self.part(number)  # names the file and the line that refers to it
            found[name], references = self._scan(name)
            waiting += references
        return digest_of(f"{name}\0{found[name]}".encode() for name in sorted(found))

    def model(self, path: Path) -> LDrawPart:
        """Returns a file of the user's own: ``.dat``, ``.ldr``, or ``.mpd``, of which the first.

        Its sub-files are looked for in the MPD, beside it, then in the library. Never cached.

        Raises:
            LDrawError: the file or one of those that it refers to is missing or malformed.
        """
        model = Model(path, self)
        part, _ = self._assemble(model.main, model)
        return replace(part, name=path.stem, moved_from=())

    @cached_property
    def colours(self) -> dict[int, LDrawColour]:
        """Every colour of ``LDConfig.ldr`` by its code.

        Raises:
            LDrawError: the file is missing or malformed.
        """
        name = self._storage.path("ldconfig.ldr")
        if name is None:
            raise LDrawError(
                f"{self.root} has no LDConfig.ldr, which defines the colours. "
                "Fetch it from https://library.ldraw.org/library/official/LDConfig.ldr."
            )
        return parse_colours(decode(self._storage.read("ldconfig.ldr")), name)

    def colour(self, code: int) -> LDrawColour:
        """Returns a colour by its code, or one that spells out itself (0x2RRGGBB).

        Raises:
            LDrawError: it is not defined.
        """
        colour = self.colours.get(code) or direct_colour(code)
        if colour is None:
            raise LDrawError(
                f"The colour {code} is not defined in the library {self.root}. "
                "Expected a code of LDConfig.ldr, or 0x2RRGGBB."
            )
        return colour

    def find(self, name: str) -> tuple[LDrawFile, Shelf] | None:
        """Returns a file by the name that others refer to it, and where that one looks."""
        key = self._key(look_up_name(name))
        return None if key is None else (self._file(key), self)

    def _key(self, name: str) -> str | None:
        return next((place + name for place in _PLACES if self._storage.path(place + name)), None)

    def _require(self, number: str) -> str:
        key = self._key(_file_name(number))
        if key is None:
            nearest = self.nearest(number)[:_MOST_NEAREST]
            others = f"Of the same series it has {', '.join(nearest)}. " if nearest else ""
            raise LDrawError(
                f"The library {self.root} has no part {number!r}. {others}Check the number "
                "(ldraw.org/parts), or put the file into unofficial/parts of the library."
            )
        return key

    def _file(self, key: str) -> LDrawFile:
        if key not in self._files:
            text = decode(self._storage.read(key))
            self._files[key] = parse(text, self._storage.path(key) or key)
        return self._files[key]

    def _scan(self, name: str) -> tuple[str, tuple[str, ...]]:
        """Returns a file's SHA-256 and the names that it refers to."""
        if name not in self._scanned:
            content = self._storage.read(self._require(name))
            lines = (line.split(maxsplit=14) for line in decode(content).splitlines())
            references = {look_up_name(w[14]) for w in lines if len(w) == 15 and w[0] == "1"}
            self._scanned[name] = (hashlib.sha256(content).hexdigest(), tuple(references))
        return self._scanned[name]

    def _follow(self, file: LDrawFile) -> tuple[LDrawFile, tuple[str, ...]]:
        """Returns what an old number or alias leads to, and the numbers on the way."""
        passed: list[str] = []
        while (target := file.stands_for) is not None and _stem(file) not in passed:
            passed.append(_stem(file))
            found = self.find(target)
            if found is None:
                break
            file = found[0]
        return file, tuple(passed)

    def _digest(self, names: tuple[str, ...]) -> str:
        keys = map(self._key, names)
        return digest_of(None if key is None else self._storage.read(key) for key in keys)

    def _assemble(self, file: LDrawFile, shelf: Shelf) -> tuple[LDrawPart, frozenset[str]]:
        """Returns the part, and the names of all files that it was made of but the first."""
        known = dict(self._primitives)
        geometry = flatten(file, shelf, known)
        # What primitives draw is kept for other parts; the rest is rarely asked for again.
        primitives = [file.name for file in tuple(self._files.values()) if file.is_primitive]
        self._primitives |= {name: known[name] for name in primitives if name in known}
        if len(geometry.triangles):
            mesh, colour_codes = build_mesh(geometry)
        if not len(geometry.triangles) or not len(mesh.triangles):
            raise LDrawError(
                f"{file.name} draws no surface; expected are triangles or quadrilaterals, in it or "
                "in files that it refers to. Take another part."
            )
        target, moved_from = self._follow(file)
        part = LDrawPart(
            name=_stem(target),
            title=target.title,
            category=target.category,
            keywords=target.keywords,
            moved_from=moved_from,
            mesh=mesh,
            colour_codes=colour_codes,
        )
        return part, geometry.names


def _file_name(number: str) -> str:
    return look_up_name(number).removesuffix(".dat") + ".dat"


def _stem(file: LDrawFile) -> str:
    return PurePath(file.name).stem
