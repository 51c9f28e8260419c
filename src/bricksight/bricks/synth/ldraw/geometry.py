"""A file and all that it refers to, flattened to triangles and edge lines."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from bricksight._support.text import shortened
from bricksight.bricks.synth.ldraw.errors import LDrawError
from bricksight.bricks.synth.ldraw.parser import (
    FURTHEST,
    MAX_SHAPES,
    OWN_COLOUR,
    LDrawFile,
    Reference,
)

MAX_DEPTH = 64
"""Files within files."""


@dataclass(frozen=True)
class Geometry:
    """Everything that one file draws, in its own coordinates.

    Attributes:
        triangles: float64, (num_triangles, 3, 3), in LDU, counter-clockwise seen from outside.
        colours: int32, (num_triangles,); 16 where the colour is inherited.
        trusted: bool, (num_triangles,): the winding is certified all the way down.
        edges: float64, (num_edges, 2, 3): where the surface has a sharp edge.
        smooth_edges: float64, (num_smooth_edges, 2, 3): where flat faces stand for a curve.
        names: Every file it was made of, as it is looked up.
    """

    triangles: np.ndarray
    colours: np.ndarray
    trusted: np.ndarray
    edges: np.ndarray
    smooth_edges: np.ndarray
    names: frozenset[str]

    @property
    def size(self) -> int:
        """Number of triangles and lines."""
        return len(self.triangles) + len(self.edges) + len(self.smooth_edges)

    @property
    def is_near(self) -> bool:
        """Whether all coordinates are numbers that a part may have."""
        lines = (self.triangles, self.edges, self.smooth_edges)
        return all(np.abs(points).max(initial=0) < FURTHEST for points in lines)


class Shelf(Protocol):
    """Where a file looks for the files that it refers to."""

    def find(self, name: str) -> "tuple[LDrawFile, Shelf] | None":
        """Returns the file and where that one looks, or ``None``."""

    @property
    def places(self) -> str:
        """Where was looked, for a message."""


def look_up_name(name: str) -> str:
    """Returns a file name as it is compared: lower case, forward slashes, no blanks around it."""
    return name.strip().lower().replace("\\", "/").removeprefix("./")


def flatten(
    file: LDrawFile, shelf: Shelf, known: dict[str, Geometry], chain: tuple[str, ...] = ()
) -> Geometry:
    """Returns what a file draws with all that it refers to.

    Args:
        file: Where to begin.
        shelf: Where it looks for files.
        known: Results by name of the file; looked at and added to.
        chain: Names of the files that led here.

    Raises:
        LDrawError: a file is missing or malformed, refers to itself, or the whole is too large.
    """
    if (done := known.get(file.name)) is not None:
        return done
    _check_chain(file, chain)
    pieces = [
        Geometry(
            file.triangles, file.colours, file.trusted, file.edges, file.smooth_edges, frozenset()
        )
    ]
    size = pieces[0].size
    for reference in file.references:
        found = shelf.find(reference.name)
        if found is None:
            raise _refused(
                file,
                reference,
                f"the sub-file {shortened(reference.name)!r} is not in {shelf.places}. "
                "Add the file, or fetch the whole library again.",
            )
        child, child_shelf = found
        geometry = flatten(child, child_shelf, known, (*chain, file.name))
        size += 1 + geometry.size
        if size > MAX_SHAPES:
            raise _refused(
                file,
                reference,
                f"with {shortened(reference.name)!r} it has {size:,} triangles, lines and "
                f"references; {MAX_SHAPES:,} are the limit. Take a part of it, or a simpler one.",
            )
        piece = _placed(geometry, reference, keep_trust=reference.trusted or child.is_part)
        if not piece.is_near:
            raise _refused(
                file,
                reference,
                f"it places {shortened(reference.name)!r} further out than {FURTHEST:,.0f} LDU. "
                "Correct the line, or fetch the file again.",
            )
        pieces.append(piece)
    result = _joined(pieces)
    known[file.name] = result
    return result


def _refused(file: LDrawFile, reference: Reference, found: str) -> LDrawError:
    return LDrawError(f"{file.name}, line {reference.line}: {found}")


def _check_chain(file: LDrawFile, chain: tuple[str, ...]) -> None:
    if file.name in chain:
        circle = shortened(" → ".join((*chain[chain.index(file.name) :], file.name)), limit=1000)
        raise LDrawError(
            f"{file.name} refers to itself: {circle}. "
            "Remove one of these references, or fetch the files again."
        )
    if len(chain) >= MAX_DEPTH:
        raise LDrawError(
            f"{file.name} is reached through {len(chain)} files within files, from {chain[0]} on; "
            f"{MAX_DEPTH} are the limit. Write the model with fewer levels."
        )


def _placed(geometry: Geometry, reference: Reference, *, keep_trust: bool) -> Geometry:
    transposed, offset = reference.linear.T, reference.offset
    triangles = geometry.triangles @ transposed + offset
    if _mirrors(reference.linear) != reference.inverted:
        triangles = triangles[:, ::-1]
    colours = geometry.colours
    if reference.colour != OWN_COLOUR:
        colours = np.where(colours == OWN_COLOUR, np.int32(reference.colour), colours)
    return Geometry(
        triangles=triangles,
        colours=colours,
        trusted=geometry.trusted if keep_trust else np.zeros_like(geometry.trusted),
        edges=geometry.edges @ transposed + offset,
        smooth_edges=geometry.smooth_edges @ transposed + offset,
        names=geometry.names | {look_up_name(reference.name)},
    )


def _mirrors(linear: np.ndarray) -> bool:
    """Whether a placement turns the winding round.

    Old parts squeeze flat primitives to nothing across their plane. The axis that is lost is taken
    to point the way it would without a turn, as LDView does.
    """
    lost = np.linalg.norm(linear, axis=0) < 1e-9
    if lost.sum() == 1:
        axis = int(lost.argmax())
        across = np.cross(linear[:, axis - 2], linear[:, axis - 1])
        linear = linear.copy()
        linear[:, axis] = across * np.sign(across[np.abs(across).argmax()])
    return bool(np.linalg.det(linear) < 0)


def _joined(pieces: Iterable[Geometry]) -> Geometry:
    columns = list(pieces)
    return Geometry(
        triangles=np.concatenate([piece.triangles for piece in columns]),
        colours=np.concatenate([piece.colours for piece in columns]),
        trusted=np.concatenate([piece.trusted for piece in columns]),
        edges=np.concatenate([piece.edges for piece in columns]),
        smooth_edges=np.concatenate([piece.smooth_edges for piece in columns]),
        names=frozenset().union(*(piece.names for piece in columns)),
    )
