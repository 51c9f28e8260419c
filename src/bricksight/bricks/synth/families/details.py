"""Bricks and plates with worked sides, or with a pin."""

import numpy as np

from bricksight.bricks.synth.families.boxes import box
from bricksight.bricks.synth.geometry.mesh import Solid, loft
from bricksight.bricks.synth.geometry.outlines import (
    Point,
    Polygon,
    Rectangle,
    circle_ring,
    lying,
    with_convex_faces,
)
from bricksight.bricks.synth.geometry.primitives import (
    BRICK_HEIGHT,
    PITCH,
    PLATE_HEIGHT,
    SEAM,
    SUNK,
    WALL,
    footprint,
    grid,
    grips,
    half_pin,
    inverted,
    moved,
    open_stud,
    shell,
    stud,
    tipped,
)

_PIN_Y = 10.0
_SAW = 2.0
"""Depth of the grooves of a grille, half of their distance."""
_SHARP = 0.08
"""Rounding of its ribs."""


def grooved_brick() -> list[Solid]:
    """Returns a 1x2 brick with an upright groove in the middle of its front."""
    x, z, half, depth = PITCH, PITCH / 2, 4.0, 5.0
    groove = ((-half, -z), (-half, depth - z), (half, depth - z), (half, -z))
    outline = Polygon(((-x, -z), *groove, (x, -z), (x, z), (-x, z)))
    return [with_convex_faces(shell(outline, BRICK_HEIGHT)), *map(stud, grid(2, 1))]


def grille_brick() -> list[Solid]:
    """Returns a 1x2 brick with level grooves in front and upright ones behind."""
    x, z = PITCH, PITCH / 2
    valley, rooted = z - _SAW, z - _SAW - SUNK / 2
    outline = Rectangle(-x, x, -valley, valley)
    body = shell(outline, BRICK_HEIGHT, hollow=footprint(2, 1).shrunk(WALL))
    level = [(-z + depth, y) for y, depth in _saw(0.0, BRICK_HEIGHT)]
    front = Polygon((*level, (-rooted, BRICK_HEIGHT - SUNK), (-rooted, SUNK)))
    upright = [(place, z - depth) for place, depth in _saw(-x, x)]
    behind = Polygon((*upright, (x - SUNK, rooted), (SUNK - x, rooted)))
    ribs = [
        loft(lying([front.ring(end, rounding=_SHARP) for end in (SEAM - x, x - SEAM)], "x")),
        loft([behind.ring(end, rounding=_SHARP) for end in (SEAM, BRICK_HEIGHT - SEAM)]),
    ]
    solids = [body, *map(with_convex_faces, ribs), *map(stud, grid(2, 1))]
    return [*solids, *grips(2, 1, BRICK_HEIGHT)]


def log_brick() -> list[Solid]:
    """Returns a 1x2 brick whose long sides are those of two logs."""
    valley, ridge, half = 7.0, 9.9, PITCH / 2
    rise = ridge - valley
    radius = (half**2 + rise**2) / (2 * rise)
    xs = np.linspace(-PITCH, PITCH, 21)
    zs = ridge - radius + np.sqrt(radius**2 - (np.abs(xs) - half) ** 2)
    front = [(float(x), -float(z)) for x, z in zip(xs, zs, strict=True)]
    outline = Polygon((*front, *((-x, -z) for x, z in front)))
    # With as many points as the outside, or the triangles of the rim would cross where it is thin.
    wall = [(float(x), WALL - half) for x in xs if abs(x) <= PITCH - WALL]
    hollow = Polygon((*wall, *((-x, -z) for x, z in wall)))
    body = shell(outline, BRICK_HEIGHT, hollow=hollow)
    solids = [with_convex_faces(body), *map(stud, grid(2, 1))]
    return [*solids, *grips(2, 1, BRICK_HEIGHT)]


def pin_brick() -> list[Solid]:
    """Returns a 1x2 brick with a pin in front."""
    pegs = [moved(tipped(solid), 0, _PIN_Y, -PITCH / 2) for solid in half_pin(SUNK)]
    return [*box(2, 1, BRICK_HEIGHT), *pegs]


def pin_tile() -> list[Solid]:
    """Returns a 2x2 tile without groove and with a pin on top."""
    tube, *_ = grips(2, 2, PLATE_HEIGHT)
    return [shell(footprint(2, 2), PLATE_HEIGHT), tube, *half_pin(SUNK)]


def pin_plate() -> list[Solid]:
    """Returns a 2x2 plate with open studs and with a pin below, in a ring."""
    body, *studs, _ = box(2, 2, PLATE_HEIGHT, top=open_stud)
    steps = [(13.0, WALL - SUNK), (13.0, PLATE_HEIGHT), (11.0, PLATE_HEIGHT), (11.0, WALL - SUNK)]
    ring = loft([circle_ring(radius, y) for radius, y in steps], closed=True)
    depth = PLATE_HEIGHT - WALL + SUNK
    pegs = [moved(inverted(solid), 0, PLATE_HEIGHT, 0) for solid in half_pin(depth)]
    return [body, *studs, ring, *pegs]


def _saw(start: float, stop: float) -> list[Point]:
    """Returns the corners of a zigzag that begins and ends in a valley: (position, depth)."""
    teeth = round(abs(stop - start) / (2 * _SAW))
    positions = np.linspace(start, stop, 2 * teeth + 1)
    return [(float(place), 0.0 if i % 2 else _SAW) for i, place in enumerate(positions)]
