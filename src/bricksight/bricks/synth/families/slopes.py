"""Slopes: bricks with a front that falls to a lip, or that leans out."""

import numpy as np

from bricksight.bricks.synth.geometry.mesh import Solid, drill, loft
from bricksight.bricks.synth.geometry.outlines import (
    BEVEL,
    Point,
    Rectangle,
    cavity,
    circle_ring,
    rounded_bottom,
    rounded_top,
)
from bricksight.bricks.synth.geometry.primitives import (
    BRICK_HEIGHT,
    PIN_RADIUS,
    PITCH,
    STUD_HEIGHT,
    STUD_RADIUS,
    SUNK,
    TUBE_RADIUS,
    WALL,
    Slant,
    footprint,
    grid,
    hollowed,
    pin,
    slanted_post,
    stud,
    with_recesses,
)

_LIP = 4.0


def slope(columns: int, depth: int, *, gripping: bool = True) -> list[Solid]:
    """Returns a brick with one row of studs and a front that falls to a lip.

    Args:
        columns: Width in studs.
        depth: From front to back in studs: 2 makes a slope of 45 degrees, 3 one of 27.
        gripping: Whether it has tubes or pins below.
    """
    ridge, knee = -PITCH / 2, BRICK_HEIGHT - _LIP
    run = (depth - 1) * PITCH
    outline = Rectangle(-columns * PITCH / 2, columns * PITCH / 2, ridge - run, PITCH / 2)
    hollow = outline.shrunk(WALL)
    shell = loft(
        [
            hollow._replace(z0=ridge).ring(WALL),
            hollow.ring(knee),
            *cavity(hollow, knee, BRICK_HEIGHT)[1:],
            *rounded_bottom(outline, BRICK_HEIGHT),
            outline.ring(knee),
            *_slope_top(outline, ridge, run / knee),
        ]
    )
    studs = [(x, 0.0) for x, _ in grid(columns, 1)]
    radii = (TUBE_RADIUS, STUD_RADIUS) if columns > 1 else (PIN_RADIUS,)
    feet = [
        slanted_post((x, z), radii, Slant(ridge, WALL / 2, knee / run), BRICK_HEIGHT)
        for x, _ in grid(max(columns - 1, 1), 1)
        for z in (ridge - PITCH * step for step in range(depth - 1))
    ]
    return [with_recesses(shell, studs, WALL), *map(stud, studs), *(feet if gripping else [])]


def cheese(columns: int) -> list[Solid]:
    """Returns a low slope without studs, two thirds of a brick high; its lower side is y = 0."""
    knee, top, rate, groove = -4.0, -15.6, 0.6, 1.0
    outline = footprint(columns, 1)
    hollow = outline.shrunk(WALL)
    ceiling = hollow.ring(knee)
    ceiling[:, 1] = knee + 0.6 - rate * (ceiling[:, 2] - hollow.z0)
    shoulder = outline._replace(z0=outline.z0 + (knee - top - 1.6) / rate)
    crest = Rectangle(outline.x0 + 1.6, outline.x1 - 1.6, outline.z1 - 1.0, outline.z1)
    body = loft(
        [
            ceiling,
            *cavity(hollow, knee, 0.0)[1:],
            outline.shrunk(groove).ring(0.0),
            outline.shrunk(groove).ring(-groove),
            outline.ring(-groove),
            outline.ring(knee),
            shoulder.ring(top + 1.6),
            crest.ring(top, rounding=0.3),
        ]
    )
    middle = Slant(outline.z0, knee, rate)
    pins = [slanted_post(centre, (PIN_RADIUS,), middle, 0.0) for centre in grid(columns - 1, 1)]
    return [body, *pins]


def inverted_slope(columns: int, depth: int) -> list[Solid]:
    """Returns a brick whose front leans out, with a pocket on top of the overhang.

    Args:
        columns: Width in studs.
        depth: From front to back in studs: 2 makes 45 degrees, 3 makes 27.
    """
    x, heel, run = columns * PITCH / 2, -PITCH / 2, (depth - 1) * PITCH
    rate = (BRICK_HEIGHT - _LIP) / run
    foot = Rectangle(-x, x, heel, PITCH / 2)
    outline = foot._replace(z0=heel - run)
    body = loft(
        [
            *rounded_bottom(foot, BRICK_HEIGHT),
            outline.ring(_LIP),
            *rounded_top(outline, 0.0),
        ]
    )
    studs = [(x, 0.0) for x, _ in grid(columns, 1)]
    body = hollowed(body, foot.shrunk(WALL), WALL, BRICK_HEIGHT)
    body = with_recesses(body, studs, WALL)
    pocket = Rectangle(WALL - x, x - WALL, outline.z0 + WALL, heel)
    floor = pocket.ring(0.0)
    floor[:, 1] = rate * (floor[:, 2] - outline.z0)
    body = drill(body, [pocket.ring(0.0), floor], blind=True)
    raised = [
        _raised_stud((x, heel - PITCH * (row - 0.5)), outline.z0, rate)
        for x, _ in grid(columns, 1)
        for row in range(1, depth)
    ]
    pins = [pin(centre, WALL, BRICK_HEIGHT) for centre in grid(columns - 1, 1)]
    return [body, *map(stud, studs), *raised, *pins]


def _raised_stud(centre: Point, front: float, rate: float) -> Solid:
    """Returns an open stud that stands on the floor of a pocket."""
    rim = [circle_ring(radius, -STUD_HEIGHT, centre=centre) for radius in (STUD_RADIUS, PIN_RADIUS)]
    feet = [ring.copy() for ring in rim]
    for ring in feet:
        ring[:, 1] = SUNK + rate * (ring[:, 2] - front)
    return loft([feet[0], rim[0], rim[1], feet[1]], closed=True)


def _slope_top(outline: Rectangle, ridge: float, run_to_rise: float) -> list[np.ndarray]:
    """Returns rings from the upper end of the slope to the top, whose front edge is the ridge."""
    rings = rounded_top(outline._replace(z0=ridge), 0.0)
    # A rounded edge between a slope and the top lies further out than one at 90 degrees, which
    # the rings were made for: by so many bevels, and the lowest ring is on the slope.
    further = (run_to_rise, 0.2 + 0.366 * run_to_rise, 0.6)
    for ring, bevels in zip(rings, further, strict=True):
        ring[ring[:, 2] < 0, 2] -= BEVEL * bevels
    return rings
