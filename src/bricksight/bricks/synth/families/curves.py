"""Curved slopes, bricks with a curved top, and arches."""

from collections.abc import Sequence

import numpy as np

from bricksight.bricks.synth.geometry.mesh import Solid, drill
from bricksight.bricks.synth.geometry.outlines import Point, Polygon, Rectangle, arc, cavity
from bricksight.bricks.synth.geometry.primitives import (
    BRICK_HEIGHT,
    PIN_RADIUS,
    PITCH,
    PLATE_HEIGHT,
    STUD_RADIUS,
    SUNK,
    TUBE_RADIUS,
    WALL,
    Slant,
    footprint,
    grid,
    hollowed,
    moved,
    open_stud,
    prism,
    slanted_post,
    stud,
    tube,
)

_LIP = 4.0
_ARC_STEPS = 14


def curved_slope(columns: int, floors: Sequence[float], top: float) -> list[Solid]:
    """Returns a part without studs whose top is an arc from a lip in front up to the back.

    Args:
        columns: Width in studs, 1 or 2.
        floors: Height of the lower side under each stud from front to back, as on a staircase.
        top: Height of the back edge.
    """
    x, back = columns * PITCH / 2, len(floors) * PITCH / 2
    rise = floors[0] - _LIP - top
    radius = (4 * back**2 + rise**2) / (2 * rise)
    spread = float(np.degrees(np.arcsin(2 * back / radius)))
    curve = arc((back, top + radius), radius, -90 - spread, -90, steps=_ARC_STEPS)
    treads = _treads(floors)
    stairs = [(z, floor) for near, far, floor in reversed(treads) for z in (far, near)]
    body = prism(Polygon((*curve, *stairs)), -x, x, axis="x")
    holders: list[Solid] = []
    for near, far, floor in treads:
        single = far - near == PITCH
        start, end = floor - _LIP, _height(curve, far) + WALL
        if single:
            start = end = min(floor - WALL, _height(curve, near) + WALL)
        rings = cavity(Rectangle(-x, x, near, far).shrunk(WALL), floor, floor)
        share = (rings[0][:, 2] - near) / (far - near)
        rings[0][:, 1] = start + share * (end - start)
        body = drill(body, rings[::-1], blind=True)
        if columns > 1:
            radii = (PIN_RADIUS,) if single else (TUBE_RADIUS, STUD_RADIUS)
            slant = Slant(far, end - SUNK, (start - end) / (far - near))
            holders.append(slanted_post((0.0, (near + far) / 2), radii, slant, floor))
    return [body, *holders]


def _treads(floors: Sequence[float]) -> list[tuple[float, float, float]]:
    """Returns near end, far end and height of each step of a staircase centred on z = 0."""
    treads: list[tuple[float, float, float]] = []
    for number, floor in enumerate(floors):
        near = (number - len(floors) / 2) * PITCH
        far = near + PITCH
        if treads and treads[-1][2] == floor:
            near, *_ = treads.pop()
        treads.append((near, far, floor))
    return treads


def _height(curve: list[Point], z: float) -> float:
    return float(np.interp(z, *np.transpose(curve)))


def vaulted_brick() -> list[Solid]:
    """Returns a 2x2 brick with a half-round top and two open studs along it."""
    radius, spring = PITCH, BRICK_HEIGHT - _LIP
    vault = arc((0.0, spring), radius, 180, 360, steps=2 * _ARC_STEPS)
    profile = Polygon(((-PITCH, BRICK_HEIGHT), *vault, (PITCH, BRICK_HEIGHT)))
    body = prism(profile, -PITCH, PITCH, axis="x")
    hollow = footprint(2, 2).shrunk(WALL)
    rings = cavity(hollow, spring, BRICK_HEIGHT)[::-1]
    for angle in np.radians(_VAULT_DEGREES):
        z, y = (radius - WALL) * np.cos(angle), spring - (radius - WALL) * np.sin(angle)
        rings.append(hollow._replace(z0=-z, z1=z).ring(y))
    body = drill(body, rings, blind=True)
    return [body, *map(open_stud, grid(2, 1)), tube((0.0, 0.0), WALL + SUNK, BRICK_HEIGHT)]


_VAULT_DEGREES = (15, 30, 45, 60, 75)


def rounded_brick() -> list[Solid]:
    """Returns a 2x3 brick with four studs whose third row falls in a quarter circle."""
    spring, end = BRICK_HEIGHT - _LIP, 2 * PITCH
    curve = arc((PITCH, spring), PITCH, -90, 0, steps=_ARC_STEPS)
    profile = Polygon(((-PITCH, BRICK_HEIGHT), (-PITCH, 0.0), *curve, (end, BRICK_HEIGHT)))
    body = prism(profile, -PITCH, PITCH, axis="z")
    hollow = Rectangle(-PITCH, end, -PITCH, PITCH).shrunk(WALL)
    rings = cavity(hollow, spring, BRICK_HEIGHT)[::-1]
    for angle in np.radians((*_VAULT_DEGREES, 90)):
        x, y = PITCH + (PITCH - WALL) * np.cos(angle), spring - (PITCH - WALL) * np.sin(angle)
        rings.append(hollow._replace(x1=x).ring(y))
    body = drill(body, rings, blind=True)
    tubes = [tube((x, 0.0), WALL, BRICK_HEIGHT) for x in (0.0, PITCH)]
    return [body, *map(stud, grid(2, 2)), *tubes]


def hooked_brick() -> list[Solid]:
    """Returns a 1x2 brick of four plates with a curved front and a stud on a ledge behind."""
    bottom, ledge, spring, knee = 32.0, 8.0, 20.0, -PITCH / 2
    front = knee - PITCH
    step = ledge + PLATE_HEIGHT
    curve = arc((knee, spring), PITCH, 180, 270, steps=_ARC_STEPS)
    hook = ((knee, ledge), (-knee, ledge), (-knee, step), (knee, step))
    profile = Polygon(((front, bottom), *curve, *hook, (knee, bottom)))
    half = PITCH / 2
    body = prism(profile, -half, half, axis="x")
    body = hollowed(body, Rectangle(-half, half, front, knee).shrunk(WALL), spring, bottom)
    body = hollowed(body, Rectangle(-half, half, knee, -knee).shrunk(WALL), step - WALL, step)
    return [body, moved(stud((0.0, 0.0)), 0, ledge, 0)]


def arch(columns: int, height: float) -> list[Solid]:
    """Returns a bridge one stud wide on two legs of one stud, its opening round above.

    Args:
        columns: Length in studs.
        height: Of the brick.
    """
    x, span, crown = columns * PITCH / 2, (columns - 2) * PITCH / 2, 8.0
    rise = min(span, height - crown)
    circle = arc((0.0, 0.0), span, 0, -180, steps=2 * _ARC_STEPS)
    opening = [(px, crown + rise * (1 + py / span)) for px, py in circle]
    if crown + rise < height:
        opening = [(span, height), *opening, (-span, height)]
    profile = Polygon(((-x, height), (-x, 0.0), (x, 0.0), (x, height), *opening))
    body = prism(profile, -PITCH / 2, PITCH / 2, axis="z")
    for side in (-1, 1):
        middle = side * (x - PITCH / 2)
        leg = Rectangle(middle - PITCH / 2, middle + PITCH / 2, -PITCH / 2, PITCH / 2)
        body = hollowed(body, leg.shrunk(WALL), WALL, height)
    return [body, *map(stud, grid(columns, 1))]
