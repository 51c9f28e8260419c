"""Rings and the standard features of a LEGO-compatible part, in LDraw units.

One unit (LDU) is 0.4 mm. As in LDraw, y points down and the top of a part, without its studs, is at
y = 0.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from bricksight.synth.mesh import Solid, drill, loft

PITCH = 20.0
"""Distance from stud to stud."""
WALL = 4.0
STUD_RADIUS = 6.0
STUD_HEIGHT = 4.0
TUBE_RADIUS = 8.0
PIN_RADIUS = 4.0
BEVEL = 0.6
"""How far an outer edge is rounded off."""
SEGMENTS = 48
SUNK = 1.0
"""How deep an added feature reaches into the body that carries it."""

_RECESS_RADIUS = 3.2
_ROUNDING = ((0.0, 1.0), (0.366, 0.366), (1.0, 0.0))
"""Quarter round in two steps of 30 degrees: (inset, distance from the edge), in bevels."""

Point = tuple[float, float]
"""Position (x, z) seen from above."""


class Rectangle(NamedTuple):
    """Outline parallel to the axes, seen from above."""

    x0: float
    x1: float
    z0: float
    z1: float

    def shrunk(self, inset: float) -> "Rectangle":
        """Returns the rectangle with each side moved inwards."""
        return Rectangle(self.x0 + inset, self.x1 - inset, self.z0 + inset, self.z1 - inset)


def rectangle_ring(outline: Rectangle, y: float, *, rounding: float = BEVEL) -> np.ndarray:
    """Returns the rectangle at height ``y`` with rounded corners, float64, (12, 3)."""
    x0, x1, z0, z1 = outline
    quarter = rounding * np.array(_ROUNDING)[::-1]
    corners = [
        [x1, z0] + quarter * (-1, 1),
        [x1, z1] + quarter[::-1] * (-1, -1),
        [x0, z1] + quarter * (1, -1),
        [x0, z0] + quarter[::-1] * (1, 1),
    ]
    return np.insert(np.concatenate(corners), 1, y, axis=1)


def circle_ring(radius: float, y: float, *, centre: Point = (0.0, 0.0)) -> np.ndarray:
    """Returns a circle at height ``y``, float64, (SEGMENTS, 3)."""
    angles = np.arange(SEGMENTS) * (2 * np.pi / SEGMENTS)
    x, z = centre
    xs, zs = x + radius * np.cos(angles), z + radius * np.sin(angles)
    return np.stack([xs, np.full(SEGMENTS, y), zs], axis=1)


def rounded_top(outline: Rectangle, y: float) -> list[np.ndarray]:
    """Returns rings that round off the upper edge at height ``y``, from below."""
    return [_inset_ring(outline, y + BEVEL * drop, BEVEL * inset) for inset, drop in _ROUNDING]


def rounded_bottom(outline: Rectangle, y: float) -> list[np.ndarray]:
    """Returns rings that round off the lower edge at height ``y``, from below."""
    return [_inset_ring(outline, y - BEVEL * drop, BEVEL * inset) for inset, drop in _ROUNDING][
        ::-1
    ]


def rounded_rim(radius: float, y: float, *, centre: Point = (0.0, 0.0)) -> list[np.ndarray]:
    """Returns circles that round off the upper edge of a cylinder, from below."""
    return [
        circle_ring(radius - BEVEL * inset, y + BEVEL * drop, centre=centre)
        for inset, drop in _ROUNDING
    ]


def cavity(outline: Rectangle, ceiling: float, floor: float) -> list[np.ndarray]:
    """Returns the rings of a hollow that is open below, from its ceiling down to the rim."""
    lead_in = BEVEL / 2
    return [
        rectangle_ring(outline, ceiling),
        rectangle_ring(outline, floor - lead_in),
        rectangle_ring(outline.shrunk(-lead_in), floor),
    ]


def stud(centre: Point) -> Solid:
    """Returns a stud that stands on y = 0."""
    base = circle_ring(STUD_RADIUS, SUNK, centre=centre)
    return loft([base, *rounded_rim(STUD_RADIUS, -STUD_HEIGHT, centre=centre)])


def open_stud(centre: Point) -> Solid:
    """Returns a stud with a hollow, as on Technic bricks."""
    base = circle_ring(STUD_RADIUS, SUNK, centre=centre)
    hollow = [
        circle_ring(PIN_RADIUS, -STUD_HEIGHT, centre=centre),
        circle_ring(PIN_RADIUS, -SUNK / 10, centre=centre),
    ]
    return loft([base, *rounded_rim(STUD_RADIUS, -STUD_HEIGHT, centre=centre), *hollow])


def tube(centre: Point, top: float, bottom: float) -> Solid:
    """Returns the tube between four studs, sunk into the ceiling at ``top``."""
    ends = [(TUBE_RADIUS, top - SUNK), (TUBE_RADIUS, bottom)]
    ends += [(STUD_RADIUS, bottom), (STUD_RADIUS, top - SUNK)]
    return loft([circle_ring(radius, y, centre=centre) for radius, y in ends], closed=True)


def pin(centre: Point, top: float, bottom: float) -> Solid:
    """Returns the pin between two studs of a part that is one stud wide."""
    return loft([circle_ring(PIN_RADIUS, y, centre=centre) for y in (top - SUNK, bottom)])


def with_recesses(body: Solid, centres: Iterable[Point], ceiling: float) -> Solid:
    """Returns the body with the small hole that moulding leaves under each stud."""
    for centre in centres:
        rings = [circle_ring(_RECESS_RADIUS, y, centre=centre) for y in (ceiling, 1.5 * SUNK)]
        body = drill(body, rings, blind=True)
    return body


def _inset_ring(outline: Rectangle, y: float, inset: float) -> np.ndarray:
    return rectangle_ring(outline.shrunk(inset), y, rounding=max(BEVEL - inset, BEVEL / 4))
