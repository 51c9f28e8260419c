"""The standard features of a LEGO-compatible part, and ways to place them, in LDraw units."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from bricksight.bricks.synth.geometry.mesh import Solid, drill, loft
from bricksight.bricks.synth.geometry.outlines import (
    BEVEL,
    Disc,
    Outline,
    Point,
    Rectangle,
    cavity,
    circle_ring,
    lying,
    rounded_bottom,
    rounded_top,
    with_convex_faces,
)

PITCH = 20.0
"""Distance from stud to stud."""
BRICK_HEIGHT = 24.0
PLATE_HEIGHT = 8.0
WALL = 4.0
STUD_RADIUS = 6.0
STUD_HEIGHT = 4.0
TUBE_RADIUS = 8.0
PIN_RADIUS = 4.0
SUNK = 1.0
"""How deep an added feature reaches into the body that carries it."""
SEAM = 0.02
"""How far a solid stands back from the face of another that it continues: no plane is shared."""

_RECESS_RADIUS = 3.2


def grid(columns: int, rows: int) -> list[Point]:
    """Returns points one stud pitch apart, centred on the origin; none if a side is 0."""
    xs = (np.arange(columns) - (columns - 1) / 2) * PITCH
    zs = (np.arange(rows) - (rows - 1) / 2) * PITCH
    return [(float(x), float(z)) for z in zs for x in xs]


def footprint(columns: int, rows: int) -> Rectangle:
    """Returns the outline of a part that many studs long and wide, centred on the origin."""
    x, z = columns * PITCH / 2, rows * PITCH / 2
    return Rectangle(-x, x, -z, z)


def stud(centre: Point) -> Solid:
    """Returns a stud that stands on y = 0."""
    base = circle_ring(STUD_RADIUS, SUNK, centre=centre)
    return loft([base, *rounded_top(Disc(STUD_RADIUS, centre), -STUD_HEIGHT)])


def open_stud(centre: Point) -> Solid:
    """Returns a stud with a hollow, as on Technic bricks."""
    base = circle_ring(STUD_RADIUS, SUNK, centre=centre)
    hollow = [
        circle_ring(PIN_RADIUS, -STUD_HEIGHT, centre=centre),
        circle_ring(PIN_RADIUS, -SUNK / 10, centre=centre),
    ]
    return loft([base, *rounded_top(Disc(STUD_RADIUS, centre), -STUD_HEIGHT), *hollow])


def tube(centre: Point, top: float, bottom: float) -> Solid:
    """Returns the tube between four studs, sunk into the ceiling at ``top``."""
    ends = [(TUBE_RADIUS, top - SUNK), (TUBE_RADIUS, bottom)]
    ends += [(STUD_RADIUS, bottom), (STUD_RADIUS, top - SUNK)]
    return loft([circle_ring(radius, y, centre=centre) for radius, y in ends], closed=True)


def pin(centre: Point, top: float, bottom: float) -> Solid:
    """Returns the pin between two studs of a part that is one stud wide."""
    return loft([circle_ring(PIN_RADIUS, y, centre=centre) for y in (top - SUNK, bottom)])


def post(section: Rectangle, top: float, bottom: float) -> Solid:
    """Returns an upright rib, sunk into the ceiling at ``top``, that may touch a wall."""
    low = bottom - SEAM
    return loft([section.ring(top - SUNK), *rounded_bottom(section, low)[::-1]])


def axle_ring(y: float) -> np.ndarray:
    """Returns the cross of an axle hole at height ``y``, its tips rounded, float64, (24, 3)."""
    return cross_ring(5.9, 2.2, y)


def cross_ring(reach: float, half_width: float, y: float) -> np.ndarray:
    """Returns a cross with rounded tips at height ``y``, float64, (24, 3)."""
    tip_angles = np.linspace(-1, 1, 5) * np.arcsin(half_width / reach)
    arm = [(reach * np.cos(angle), reach * np.sin(angle)) for angle in tip_angles]
    arm.append((half_width, half_width))
    points = []
    for quarter in range(4):
        turn = np.exp(0.5j * np.pi * quarter)
        points += [complex(x, z) * turn for x, z in arm]
    return np.array([(point.real, y, point.imag) for point in points])


def half_pin(sunk: float = 0.0) -> list[Solid]:
    """Returns a slotted pin that stands on y = 0 with half its collar.

    Args:
        sunk: How deep it reaches below y = 0.
    """
    collar, slot, end, lip = 2.0, 11.5, PITCH, STUD_RADIUS + 0.5
    steps = [(TUBE_RADIUS, sunk), (TUBE_RADIUS, -collar), (STUD_RADIUS, -collar)]
    steps += [(STUD_RADIUS, -slot), (PIN_RADIUS, -slot), (PIN_RADIUS, sunk)]
    foot = loft([circle_ring(radius, y) for radius, y in steps], closed=True)
    outer, inner, edge = STUD_RADIUS - SEAM, PIN_RADIUS + SEAM, end - 2.0
    section = [(inner, slot - SUNK), (outer, slot - SUNK), (outer, edge), (lip, edge)]
    section += [(lip, end - BEVEL), (outer, end), (inner, end)]
    rings = []
    for angle in np.radians(np.linspace(-73, 73, 19)):
        rings.append(np.array([(r * np.sin(angle), -y, r * np.cos(angle)) for r, y in section]))
    tongue = with_convex_faces(loft(rings))
    return [foot, tongue, turned(tongue, 180)]


def grips(columns: int, rows: int, height: float) -> list[Solid]:
    """Returns what holds the studs of the part below: tubes, or pins in a single row."""
    if min(columns, rows) == 1:
        return [pin(centre, WALL, height) for centre in grid(columns - 1, 1)]
    return [tube(centre, WALL, height) for centre in grid(columns - 1, rows - 1)]


class Slant(NamedTuple):
    """A plane that falls towards the front: at ``y`` from ``ridge`` on to the back."""

    ridge: float
    y: float
    rate: float

    def placed(self, ring: np.ndarray) -> np.ndarray:
        """Returns the ring moved up or down onto the plane."""
        heights = self.y + np.maximum(0.0, self.rate * (self.ridge - ring[:, 2]))
        return np.stack([ring[:, 0], heights, ring[:, 2]], axis=1)


def slanted_post(centre: Point, radii: tuple[float, ...], top: Slant, bottom: float) -> Solid:
    """Returns a tube or, of one radius, a pin whose upper end is slanted."""
    outer, inner = (circle_ring(radius, bottom, centre=centre) for radius in (radii[0], radii[-1]))
    if len(radii) == 1:
        return loft([top.placed(outer), outer])
    return loft([top.placed(outer), outer, inner, top.placed(inner)], closed=True)


def shell(outline: Outline, height: float, *, hollow: Outline | None = None) -> Solid:
    """Returns a box that is open below; ``hollow`` is the outline less the wall if not given."""
    return loft(
        [
            *cavity(hollow or outline.shrunk(WALL), WALL, height),
            *rounded_bottom(outline, height),
            *rounded_top(outline, 0.0),
        ]
    )


def prism(profile: Outline, low: float, high: float, *, axis: str = "y") -> Solid:
    """Returns a full body with one section all along and rounded ends.

    Args:
        profile: Of points (x, z) along "y", (x, y) along "z" and (z, y) along "x".
        low: Where it begins on the axis.
        high: Where it ends.
        axis: Name of the axis.
    """
    rings = [*rounded_bottom(profile, high), *rounded_top(profile, low)]
    return with_convex_faces(loft(rings if axis == "y" else lying(rings, axis)))


def hollowed(body: Solid, outline: Outline, ceiling: float, floor: float) -> Solid:
    """Returns the body with a hollow that is open below, in its flat face at height ``floor``."""
    return drill(body, cavity(outline, ceiling, floor)[::-1], blind=True)


def with_recesses(body: Solid, centres: Iterable[Point], ceiling: float) -> Solid:
    """Returns the body with the small hole that moulding leaves under each stud."""
    for centre in centres:
        rings = [circle_ring(_RECESS_RADIUS, y, centre=centre) for y in (ceiling, 1.5 * SUNK)]
        body = drill(body, rings, blind=True)
    return body


def moved(solid: Solid, x: float, y: float, z: float) -> Solid:
    """Returns the solid somewhere else."""
    return Solid(solid.vertices + np.array([x, y, z]), solid.faces)


def turned(solid: Solid, degrees: float) -> Solid:
    """Returns the solid turned about the y axis, from z towards x."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    rotation = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    return Solid(solid.vertices @ rotation.T, solid.faces)


def tipped(solid: Solid) -> Solid:
    """Returns the solid with what was up (-y) now in front (-z)."""
    x, y, z = solid.vertices.T
    return Solid(np.stack([x, -z, y], axis=1), solid.faces)


def laid(solid: Solid) -> Solid:
    """Returns the solid with what was up (-y) now on the right (x)."""
    x, y, z = solid.vertices.T
    return Solid(np.stack([-y, x, z], axis=1), solid.faces)


def inverted(solid: Solid) -> Solid:
    """Returns the solid turned upside down about the x axis."""
    return Solid(solid.vertices * (1, -1, -1), solid.faces)


def mirrored(solid: Solid) -> Solid:
    """Returns the mirror image, left for right (x)."""
    faces = tuple(tuple(loop[::-1] for loop in face) for face in solid.faces)
    return Solid(solid.vertices * (-1, 1, 1), faces)
