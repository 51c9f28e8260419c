"""Round parts: bricks, plates, tiles and cones."""

import numpy as np

from bricksight.bricks.synth.geometry.mesh import Solid, loft
from bricksight.bricks.synth.geometry.outlines import (
    BEVEL,
    Disc,
    Point,
    Polygon,
    arc,
    circle_ring,
    rounded_top,
    with_convex_faces,
)
from bricksight.bricks.synth.geometry.primitives import (
    BRICK_HEIGHT,
    PIN_RADIUS,
    PITCH,
    PLATE_HEIGHT,
    SEAM,
    STUD_HEIGHT,
    STUD_RADIUS,
    SUNK,
    TUBE_RADIUS,
    WALL,
    axle_ring,
    cross_ring,
    grid,
    moved,
    stud,
    tube,
    turned,
)

_COUNTERBORE = STUD_RADIUS + 0.8
_FEET = (0, 90, 180, 270)
_STEP = BRICK_HEIGHT - 5.0
"""Where the narrower foot of a cone begins."""


def round_brick_2x2() -> list[Solid]:
    """Returns a cylinder with an axle hole, and four feet instead of a closed lower edge."""
    radius, step = PITCH, BRICK_HEIGHT - 4.0
    body = loft(
        [
            circle_ring(radius, step),
            *rounded_top(Disc(radius), 0.0),
            axle_ring(0.0),
            axle_ring(step),
            circle_ring(_COUNTERBORE, step),
            circle_ring(_COUNTERBORE, BRICK_HEIGHT),
            circle_ring(TUBE_RADIUS, BRICK_HEIGHT),
            circle_ring(TUBE_RADIUS, WALL),
            circle_ring(radius - WALL, WALL),
            circle_ring(radius - WALL, step),
        ],
        closed=True,
    )
    feet = [_foot(angle, step - SUNK, BRICK_HEIGHT) for angle in _FEET]
    return [body, *(_trimmed_stud(centre, radius) for centre in grid(2, 2)), *feet]


def round_plate_2x2() -> list[Solid]:
    """Returns a disc with an axle hole and four feet around a tube."""
    rim = [circle_ring(PITCH, WALL), *rounded_top(Disc(PITCH), 0.0)]
    body = loft([*rim, axle_ring(0.0), axle_ring(WALL)], closed=True)
    feet = [_pad(angle, 0.0) for angle in _FEET]
    studs = [_trimmed_stud(centre, PITCH) for centre in grid(2, 2)]
    return [body, *studs, *feet, tube((0.0, 0.0), WALL, PLATE_HEIGHT)]


def round_tile_2x2(*, cross: bool) -> list[Solid]:
    """Returns a disc with four feet around a tube or a cross."""
    body = loft([circle_ring(PITCH, WALL), *rounded_top(Disc(PITCH), 0.0)])
    feet = [_pad(angle, 1.0) for angle in _FEET]
    grip = tube((0.0, 0.0), WALL, PLATE_HEIGHT)
    if cross:
        arms = loft([cross_ring(9.2, 1.0, y) for y in (WALL - SUNK, PLATE_HEIGHT)])
        grip = turned(with_convex_faces(arms), 45)
    return [body, *feet, grip]


def lathed_brick(height: float, step: float, *, open_stud: bool) -> list[Solid]:
    """Returns a cylinder of one stud whose foot is narrower.

    Args:
        height: Without the stud.
        step: Where the foot begins.
        open_stud: Whether the stud is a tube through which one sees.
    """
    rings = [
        circle_ring(STUD_RADIUS, height),
        circle_ring(TUBE_RADIUS, height),
        circle_ring(TUBE_RADIUS, step),
        circle_ring(PITCH / 2, step),
        *rounded_top(Disc(PITCH / 2), 0.0),
        circle_ring(STUD_RADIUS, 0.0),
        *rounded_top(Disc(STUD_RADIUS), -STUD_HEIGHT),
    ]
    ceiling = circle_ring(STUD_RADIUS, min(WALL, step))
    if not open_stud:
        return [loft([ceiling, *rings])]
    bore = [circle_ring(PIN_RADIUS, y) for y in (-STUD_HEIGHT, min(WALL, step))]
    return [loft([*rings, *bore, ceiling], closed=True)]


def round_tile() -> list[Solid]:
    """Returns a disc of one stud with a groove around its lower edge."""
    groove, radius = 1.0, PITCH / 2
    steps = [(STUD_RADIUS, WALL), (STUD_RADIUS, PLATE_HEIGHT), (radius - groove, PLATE_HEIGHT)]
    steps += [(radius - groove, PLATE_HEIGHT - groove), (radius, PLATE_HEIGHT - groove)]
    rings = [circle_ring(r, y) for r, y in steps]
    return [loft([*rings, *rounded_top(Disc(radius), 0.0)])]


def cone() -> list[Solid]:
    """Returns a cone of one stud that narrows to its open stud."""
    ceiling = BRICK_HEIGHT / 2
    steps = [(STUD_RADIUS, ceiling), (STUD_RADIUS, BRICK_HEIGHT), (TUBE_RADIUS, BRICK_HEIGHT)]
    steps += [(TUBE_RADIUS, _STEP), (PITCH / 2, _STEP), (STUD_RADIUS, 0.0)]
    rings = [circle_ring(r, y) for r, y in steps]
    bore = [circle_ring(PIN_RADIUS, y) for y in (-STUD_HEIGHT, ceiling)]
    return [loft([*rings, *rounded_top(Disc(STUD_RADIUS), -STUD_HEIGHT), *bore], closed=True)]


def cone_2x2() -> list[Solid]:
    """Returns a cone two bricks high with four feet, an open stud and a tube down its middle."""
    height, brim = 2 * BRICK_HEIGHT, 2 * BRICK_HEIGHT - WALL
    outside = [(PITCH, brim), (PITCH / 2, 0.0), (STUD_RADIUS, 0.0)]
    inside = [(PIN_RADIUS, -STUD_HEIGHT), (PIN_RADIUS, WALL), (STUD_RADIUS, WALL)]
    inside += [(STUD_RADIUS, height), (TUBE_RADIUS, height), (TUBE_RADIUS, WALL + TUBE_RADIUS)]
    inside += [(PITCH - WALL, brim)]
    rings = [circle_ring(r, y) for r, y in outside]
    rings += rounded_top(Disc(STUD_RADIUS), -STUD_HEIGHT)
    rings += [circle_ring(r, y) for r, y in inside]
    feet = [moved(_pad(angle, 0.0), 0, height - PLATE_HEIGHT, 0) for angle in _FEET]
    return [loft(rings, closed=True), *feet]


def dish() -> list[Solid]:
    """Returns a shallow bowl two studs wide, its open stud on the outside."""
    steps = [(PITCH, PLATE_HEIGHT), (PITCH, 5.6), (16.0, 3.3), (12.0, 1.7), (STUD_RADIUS, 0.0)]
    outside = [circle_ring(r, y) for r, y in steps]
    steps = [(PIN_RADIUS, -STUD_HEIGHT), (PIN_RADIUS, 2.7), (STUD_RADIUS, 2.7)]
    steps += [(STUD_RADIUS, PLATE_HEIGHT), (TUBE_RADIUS, PLATE_HEIGHT), (TUBE_RADIUS, 2.7)]
    inside = [circle_ring(r, y) for r, y in [*steps, (16.0, 5.8)]]
    return [loft([*outside, *rounded_top(Disc(STUD_RADIUS), -STUD_HEIGHT), *inside], closed=True)]


def _trimmed_stud(centre: Point, radius: float) -> Solid:
    """Returns a stud cut off where it would stick out of a round part."""
    whole = stud(centre)
    vertices = whole.vertices.copy()
    distance = np.hypot(vertices[:, 0], vertices[:, 2])
    vertices[:, [0, 2]] *= np.minimum(1.0, (radius - 1.2 * BEVEL) / distance)[:, None]
    return Solid(vertices, whole.faces)


def _foot(angle_degrees: float, top: float, bottom: float) -> Solid:
    """Returns an eighth of a ring wall, centred on the angle."""
    outer, inner = PITCH, PITCH - WALL
    corners = [(inner, top), (outer, top), (outer, bottom - BEVEL), (outer - BEVEL, bottom)]
    corners.append((inner, bottom))
    rings = []
    for angle in np.radians(angle_degrees + np.linspace(-22.5, 22.5, 7)):
        rings.append(np.array([(r * np.cos(angle), y, r * np.sin(angle)) for r, y in corners]))
    return loft(rings)


def _pad(angle_degrees: float, groove: float) -> Solid:
    """Returns the foot of a round plate: a slice of a disc, straight inside, round outside."""
    inset = max(groove, BEVEL)
    edge, outer, chord = PLATE_HEIGHT - inset, PITCH - SEAM, PITCH - WALL
    steps = [(outer, chord, WALL - SUNK), (outer, chord, edge)]
    if groove:
        steps.append((outer - inset, chord + SEAM, edge))
    steps.append((outer - inset, chord + SEAM, PLATE_HEIGHT))
    rings = []
    for radius, straight, y in steps:
        half = np.degrees(np.arccos(straight / radius))
        rings.append(Polygon(tuple(arc((0.0, 0.0), radius, -half, half, steps=12))).ring(y))
    return turned(loft(rings), angle_degrees)
