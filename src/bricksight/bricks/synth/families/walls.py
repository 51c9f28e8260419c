"""Panels and brackets: a plate that carries an upright wall."""

import numpy as np

from bricksight.bricks.synth.geometry.mesh import Solid
from bricksight.bricks.synth.geometry.outlines import Point, Polygon, arc
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
    moved,
    open_stud,
    prism,
    shell,
    stud,
    tipped,
    with_recesses,
)

_CORNER_RADIUS = 2.0
_PANEL_BASE = BRICK_HEIGHT - PLATE_HEIGHT


def panel(columns: int, *, rounded: bool) -> list[Solid]:
    """Returns a tile with a wall along its far side, one brick high.

    Args:
        columns: Length in studs.
        rounded: Round the upper corners of the wall.
    """
    x, depth = columns * PITCH / 2 - SEAM, PITCH / 2
    radius = _CORNER_RADIUS if rounded else 0.0
    wall = _sheet((-x, x), 0.0, _PANEL_BASE + SUNK, (radius, radius))
    return [*_base(columns), prism(wall, depth - WALL, depth - SEAM, axis="z")]


def corner_panel() -> list[Solid]:
    """Returns a tile of one stud with walls along its left and its far side."""
    edge, inner, foot = PITCH / 2 - SEAM, PITCH / 2 - WALL, _PANEL_BASE + SUNK
    far = _sheet((-edge, edge), 0.0, foot, (0.0, _CORNER_RADIUS))
    left = _sheet((-edge, inner + SUNK), SEAM, foot, (_CORNER_RADIUS, 0.0))
    walls = [prism(far, inner, edge, axis="z"), prism(left, SEAM - edge, -inner, axis="x")]
    return [*_base(1), *walls]


def bracket(columns: int, wall_columns: int, wall_rows: int, *, up: bool) -> list[Solid]:
    """Returns a plate one stud deep with a wall in front that carries open studs.

    Args:
        columns: Length of the plate in studs.
        wall_columns: Length of the wall in studs.
        wall_rows: Height of the wall in studs.
        up: Whether the wall rises from the plate's lower side or hangs from its upper side.
    """
    front = -PITCH / 2
    hollow = footprint(columns, 1).shrunk(WALL)
    outline = footprint(columns, 1)._replace(z0=front - SUNK)
    studs = grid(columns, 1)
    plate = with_recesses(shell(outline, PLATE_HEIGHT, hollow=hollow), studs, WALL)
    overhangs = wall_columns > columns
    x = wall_columns * PITCH / 2 - (0.0 if overhangs else SEAM)
    radius = 0.0 if overhangs else _CORNER_RADIUS
    start, step = (PLATE_HEIGHT, -PITCH) if up else (0.0, PITCH)
    joined = start + np.copysign(SEAM, step)
    sheet = _sheet((-x, x), start + wall_rows * step, joined, (radius, radius))
    wall = prism(sheet, front - WALL, front, axis="z")
    side_studs = [
        moved(tipped(open_stud((0.0, 0.0))), x, start + (row + 0.5) * step, front - WALL)
        for row in range(wall_rows)
        for x, _ in grid(wall_columns, 1)
    ]
    return [plate, *map(stud, studs), *grips(columns, 1, PLATE_HEIGHT), wall, *side_studs]


def _base(columns: int) -> list[Solid]:
    solids = [shell(footprint(columns, 1), PLATE_HEIGHT), *grips(columns, 1, PLATE_HEIGHT)]
    return [moved(solid, 0, _PANEL_BASE, 0) for solid in solids]


def _sheet(
    span: tuple[float, float], free: float, joined: float, radii: tuple[float, float]
) -> Polygon:
    """Returns the front view of a wall.

    Args:
        span: Its left and right edge.
        free: Height of the free edge.
        joined: Height of the edge at the plate.
        radii: Of the left and the right corner of the free edge; 0 leaves it square.
    """
    towards = 1 if joined > free else -1
    points: list[Point] = [(span[1], joined), (span[0], joined)]
    for end, radius, inwards in zip(span, radii, (1, -1), strict=True):
        if radius == 0.0:
            points.append((end, free))
            continue
        centre = (end + inwards * radius, free + towards * radius)
        quarter = arc(centre, radius, 180, 180 + towards * 90, steps=6)
        corner = [(2 * centre[0] - x if inwards < 0 else x, y) for x, y in quarter]
        points += corner[::inwards]
    return Polygon(tuple(points))
