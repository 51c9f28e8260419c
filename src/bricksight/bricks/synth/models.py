"""A part ready for a scene: its bodies, and how it may lie; found by its number."""

import functools
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bricksight._support.text import shortened, some
from bricksight.bricks.synth.geometry.mesh import Mesh
from bricksight.bricks.synth.geometry.poses import Pose, stable_poses
from bricksight.bricks.synth.ldraw import LDrawColour, Library, find_library
from bricksight.bricks.synth.ldraw.errors import LDrawError
from bricksight.bricks.synth.ldraw.library import ENVIRONMENT_VARIABLE
from bricksight.bricks.synth.ldraw.parser import OWN_COLOUR
from bricksight.bricks.synth.parts import PARTS
from bricksight.bricks.synth.scenes.colours import Colour, Surface
from bricksight.errors import ConfigError

_NUMBER = re.compile(r"[a-z]?[0-9]+[a-z0-9]*", re.IGNORECASE)
_SMALLEST = 0.1  # LDU; 0.04 mm
_LARGEST = 100_000.0  # LDU; 40 m
_FLATTEST = 1e-4  # of its length; a sticker has 0.006
_SURFACES: dict[str, Surface] = {
    "chrome": "chrome",
    "pearlescent": "pearl",
    "rubber": "rubber",
    "metal": "metal",
    "matte_metallic": "metal",
}


@dataclass(frozen=True)
class Body:
    """Triangles of one colour; ``None`` is the colour that the part is moulded in."""

    mesh: Mesh
    colour: Colour | None


@dataclass(frozen=True)
class Model:
    """A part.

    Attributes:
        label: The class, and its folder of photos.
        number: The part's number.
        title: What it is.
        bodies: What it is made of; printed parts have several.
        mesh: All of it, for its shape.
    """

    label: str
    number: str
    title: str
    bodies: tuple[Body, ...]
    mesh: Mesh

    @property
    def vertices(self) -> np.ndarray:
        """float64, (num_vertices, 3), LDU, y down."""
        return self.mesh.vertices

    @functools.cached_property
    def size(self) -> float:
        """Its diagonal, LDU."""
        lowest, highest = self.mesh.extent
        return float(np.linalg.norm(highest - lowest))

    @functools.cached_property
    def poses(self) -> list[Pose]:
        """As :func:`bricksight.bricks.synth.geometry.poses.stable_poses` returns them."""
        return stable_poses(self.mesh)


_OWN = {label.partition("_")[0]: label for label in PARTS}


def part_number(label: str) -> str | None:
    """Returns the part number that a class begins with, as "3001" of "3001_brick_2x4"."""
    found = _NUMBER.match(label)
    return found.group().lower() if found else None


class Models(Mapping[str, Model]):
    """Class → part; each part is read when it is first asked for, then kept."""

    def __init__(self, numbers: Mapping[str, str], library: Library | None) -> None:
        """Takes class → number, and where parts are looked for before our own."""
        self._numbers, self._library = numbers, library
        self._read: dict[str, Model] = {}

    def __getitem__(self, label: str) -> Model:
        """Returns the part of a class.

        Raises:
            LDrawError: it cannot be read.
        """
        if label not in self._read:
            self._read[label] = _model(label, self._numbers[label], self._library)
        return self._read[label]

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    def origin(self, label: str) -> str:
        """Returns what a part's shape comes from: "own parts", or a digest of LDraw's files.

        Raises:
            LDrawError: one of the part's files is missing or cannot be read.
        """
        number, library = self._numbers[label], self._library
        if library is None or number not in library:
            return "own parts"
        return f"LDraw {library.fingerprint(number)[:12]}"


def find_models(labels: Sequence[str], ldraw: Path | None) -> Models:
    """Returns the part of each class, by the number that the class begins with; none is read yet.

    Where there is an LDraw library that has it, its part is taken, otherwise our own. A number that
    the library has in one other variant alone, as 30237 for 30237a, stands for that; the model's
    ``number`` tells.

    Args:
        labels: Classes.
        ldraw: The library, a folder or ``complete.zip``; ``None`` for what LDRAWDIR names, if it
            names one.

    Raises:
        ConfigError: a class begins with no part number, or there is no such part.
        LDrawError: the library cannot be read.
    """
    library = _library(ldraw)
    numbers = _known_numbers(labels, library)
    strangers = [label for label in labels if label not in numbers]
    if strangers:
        where = f"in {library.root}" if library else "elsewhere, as --ldraw names no library"
        raise ConfigError(
            f"No part is known for {some(strangers)}. Classes begin with a part number, such as "
            f"3001 or 3001_brick_2x4; there is no such number among our own {len(PARTS)} parts, "
            f"nor {where}."
        )
    return Models(numbers, library)


def known_numbers(labels: Sequence[str], ldraw: Path | None) -> dict[str, str]:
    """Returns class → number of the part that is taken, of those whose part is known.

    Raises:
        LDrawError: the library cannot be read.
    """
    return _known_numbers(labels, _library(ldraw))


def _known_numbers(labels: Sequence[str], library: Library | None) -> dict[str, str]:
    found = {label: _known(part_number(label), library) for label in labels}
    return {label: number for label, number in found.items() if number is not None}


def _known(number: str | None, library: Library | None) -> str | None:
    if number is None:
        return None
    if number in _OWN or (library is not None and number in library):
        return number
    variants = library.nearest(number) if library is not None else ()
    return variants[0] if len(variants) == 1 else None


def _library(path: Path | None) -> Library | None:
    return find_library(path) if path or os.environ.get(ENVIRONMENT_VARIABLE) else None


def _model(label: str, number: str, library: Library | None) -> Model:
    if library is None or number not in library:
        own = PARTS[_OWN[number]]
        mesh, title = own.mesh(), own.label.partition("_")[2].replace("_", " ")
        return Model(label, number, title, bodies=(Body(mesh, None),), mesh=mesh)
    part = library.part(number)
    _require_solid(part.mesh, f"The part {number} of {library.root}")
    bodies = tuple(
        Body(mesh, None if code == OWN_COLOUR else _fixed(library.colour(code)))
        for code, mesh in part.by_colour().items()
    )
    return Model(label, number, part.title, bodies=bodies, mesh=part.mesh)


def _require_solid(mesh: Mesh, what: str) -> None:
    """Refuses what cannot lie on a table, or is no size that a part has."""
    lowest, highest = mesh.extent
    longest, furthest = float((highest - lowest).max()), float(np.abs(mesh.extent).max())
    if longest < _SMALLEST or furthest > _LARGEST:
        raise LDrawError(
            f"{shortened(what)} is {longest:g} LDU long, up to {furthest:g} from its origin; "
            f"expected {_SMALLEST:g} to {_LARGEST:,.0f}. Take another part."
        )
    middle = mesh.vertices - mesh.vertices.mean(axis=0)
    axes = np.linalg.eigh(middle.T @ middle)[1]
    if np.ptp(middle @ axes, axis=0).min() < _FLATTEST * longest:
        raise LDrawError(
            f"{shortened(what)} is flat, so it cannot lie on a table in any way but one. Take a "
            "part that has a volume."
        )


def _fixed(colour: LDrawColour) -> Colour:
    """Returns what a print, or a second material, is of."""
    code = "#{:02x}{:02x}{:02x}".format(*colour.rgb)
    transparent = colour.alpha < 1
    surface: Surface = "transparent" if transparent else _SURFACES.get(colour.finish, "solid")
    return Colour(colour.name, code, weight=0, surface=surface)
