"""Bricks, plates and tiles: upright walls, whatever their outline."""

from collections.abc import Callable, Sequence

from bricksight.bricks.synth.geometry.mesh import Solid, loft
from bricksight.bricks.synth.geometry.outlines import (
    Outline,
    Point,
    Polygon,
    Rectangle,
    cavity,
    rounded_top,
    with_convex_faces,
)
from bricksight.bricks.synth.geometry.primitives import (
    BRICK_HEIGHT,
    PITCH,
    PLATE_HEIGHT,
    WALL,
    footprint,
    grid,
    grips,
    moved,
    open_stud,
    pin,
    post,
    shell,
    stud,
    tipped,
    turned,
    with_recesses,
)

_SIDE_STUD_Y = 10.0


def box(
    columns: int, rows: int, height: float, *, top: Callable[[Point], Solid] = stud
) -> list[Solid]:
    """Returns a hollow box with studs: a brick or, if low, a plate.

    Args:
        columns: Length in studs.
        rows: Width in studs.
        height: Without the studs.
        top: Makes a stud.
    """
    studs = grid(columns, rows)
    body = with_recesses(shell(footprint(columns, rows), height), studs, WALL)
    return [body, *map(top, studs), *grips(columns, rows, height)]


def tile(columns: int, rows: int) -> list[Solid]:
    """Returns a plate without studs that has a groove around its lower edge."""
    return [_grooved(footprint(columns, rows)), *grips(columns, rows, PLATE_HEIGHT)]


def plain_tile(columns: int, rows: int) -> list[Solid]:
    """Returns a plate without studs and without groove, as early tiles were."""
    return [shell(footprint(columns, rows), PLATE_HEIGHT), *grips(columns, rows, PLATE_HEIGHT)]


def jumper_1x2() -> list[Solid]:
    """Returns a tile with one open stud in the middle and four ribs below."""
    ribs = [
        post(Rectangle(x - 1.5, x + 1.5, min(z, 2 * z), max(z, 2 * z)), WALL, PLATE_HEIGHT)
        for x in (-PITCH / 4, PITCH / 4)
        for z in (-3.5, 3.5)
    ]
    return [_grooved(footprint(2, 1)), *ribs, open_stud((0.0, 0.0))]


def jumper_2x2() -> list[Solid]:
    """Returns a tile with one open stud in the middle."""
    return [*tile(2, 2), open_stud((0.0, 0.0))]


def side_stud_brick(
    columns: int, sides: Sequence[float], *, top: Callable[[Point], Solid] = stud
) -> list[Solid]:
    """Returns a brick one stud wide with a row of open studs on some sides.

    Args:
        columns: Length in studs.
        sides: Where the studs look, in degrees about the y axis: 0 is the front (-z).
        top: Makes the studs on top.
    """
    studs = [
        turned(moved(tipped(open_stud((0.0, 0.0))), x, _SIDE_STUD_Y, -PITCH / 2), degrees)
        for degrees in sides
        for x, _ in grid(columns, 1)
    ]
    return [*box(columns, 1, BRICK_HEIGHT, top=top), *studs]


def corner(height: float) -> list[Solid]:
    """Returns an L of three studs, the middle one at the origin."""
    studs = [(0.0, 0.0), (PITCH, 0.0), (0.0, PITCH)]
    return [*_slab(_corner_outline(), height, studs), *_corner_pins(height)]


def corner_tile() -> list[Solid]:
    """Returns an L-shaped tile, its corner at the origin."""
    return [_grooved(_corner_outline()), *_corner_pins(PLATE_HEIGHT)]


def _slab(outline: Outline, height: float, studs: list[Point]) -> list[Solid]:
    body = with_recesses(shell(outline, height), studs, WALL)
    return [with_convex_faces(body), *map(stud, studs)]


def _grooved(outline: Outline) -> Solid:
    groove = 1.0
    return with_convex_faces(
        loft(
            [
                *cavity(outline.shrunk(WALL), WALL, PLATE_HEIGHT),
                outline.shrunk(groove).ring(PLATE_HEIGHT),
                outline.shrunk(groove).ring(PLATE_HEIGHT - groove),
                outline.ring(PLATE_HEIGHT - groove),
                *rounded_top(outline, 0.0),
            ]
        )
    )


def _corner_outline() -> Polygon:
    near, far, dent = -PITCH / 2, 1.5 * PITCH, PITCH / 2
    # The points halfway along the dent keep its edges in the triangles around recesses.
    inner = ((far, dent), (PITCH, dent), (dent, dent), (dent, PITCH), (dent, far))
    return Polygon(((near, near), (far, near), *inner, (near, far)))


def _corner_pins(height: float) -> list[Solid]:
    return [pin(centre, WALL, height) for centre in ((PITCH / 2, 0.0), (0.0, PITCH / 2))]
