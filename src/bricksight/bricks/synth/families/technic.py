"""Technic parts: bricks and beams with holes, axles and pins."""

import numpy as np

from bricksight.bricks.synth.geometry.mesh import Solid, drill, loft
from bricksight.bricks.synth.geometry.outlines import (
    BEVEL,
    Polygon,
    Rectangle,
    arc,
    circle_ring,
    lying,
    with_convex_faces,
)
from bricksight.bricks.synth.geometry.primitives import (
    BRICK_HEIGHT,
    PITCH,
    SEAM,
    STUD_RADIUS,
    SUNK,
    TUBE_RADIUS,
    WALL,
    cross_ring,
    footprint,
    grid,
    half_pin,
    hollowed,
    laid,
    open_stud,
    pin,
    post,
    prism,
    shell,
    turned,
)

_AXIS_Y = 10.0
_COUNTERBORE = 8.0
_SHOULDER = 2.0
"""Depth of the counterbore."""
_BORE = 5.9
"""A little narrower than the true 6 LDU, so that a hole ends below the ceiling of the hollow."""


def technic_brick(columns: int) -> list[Solid]:
    """Returns a brick one stud wide with open studs and pin holes between them."""
    body = shell(footprint(columns, 1), BRICK_HEIGHT)
    face, inside = PITCH / 2, PITCH / 2 - WALL
    shoulder = face - _SHOULDER
    steps = [(_COUNTERBORE, face), (_COUNTERBORE, shoulder), (_BORE, shoulder), (_BORE, inside)]
    places = [x for x, _ in grid(columns - 1, 1)]
    for x in places:
        for side in (-1, 1):
            body = drill(body, [_upright_ring(radius, x, side * z) for radius, z in steps])
    end, inner = inside + SUNK, _BORE - 0.05
    rims = [(TUBE_RADIUS, -end), (TUBE_RADIUS, end), (inner, end), (inner, -end)]
    sleeves = [loft([_upright_ring(r, x, z) for r, z in rims], closed=True) for x in places]
    supports = [pin((x, 0.0), _AXIS_Y + TUBE_RADIUS, BRICK_HEIGHT) for x in places]
    return [body, *sleeves, *supports, *map(open_stud, grid(columns, 1))]


def technic_block(columns: int) -> list[Solid]:
    """Returns a brick one stud wide with open studs and pin holes under them, full above."""
    ceiling, slot = 20.0, Rectangle(-2.0, 2.0, WALL - PITCH / 2, PITCH / 2 - WALL)
    outline = footprint(columns, 1)
    body = hollowed(prism(outline, 0.0, BRICK_HEIGHT), outline.shrunk(WALL), ceiling, BRICK_HEIGHT)
    for x, _ in grid(columns - 1, 1):
        between = slot.shrunk(SEAM)._replace(x0=slot.x0 + x, x1=slot.x1 + x)
        body = drill(body, [between.ring(ceiling), between.ring(WALL)], blind=True)
    face, shoulder = PITCH / 2, PITCH / 2 - _SHOULDER
    steps = [(_COUNTERBORE, face), (_COUNTERBORE, shoulder), (STUD_RADIUS, shoulder)]
    steps += [(radius, -z) for radius, z in reversed(steps)]
    for x, _ in grid(columns, 1):
        body = drill(body, [_upright_ring(radius, x, z) for radius, z in steps])
    return [body, *map(open_stud, grid(columns, 1))]


def axle_brick() -> list[Solid]:
    """Returns a 1x2 brick with open studs and an axle hole through its long sides."""
    body = shell(footprint(2, 1), BRICK_HEIGHT)
    face, inside, half = PITCH / 2, PITCH / 2 - WALL, STUD_RADIUS
    for side in (-1, 1):
        body = drill(body, [_upright_cross(5.9, 2.2, side * z) for z in (face, inside)])
    end = inside + SUNK
    section = Rectangle(-half, half, WALL - SUNK, 17.0)
    block = loft(lying([section.ring(z) for z in (-end, end)], "z"))
    block = drill(block, [_upright_cross(5.8, 2.1, z) for z in (-end, end)])
    posts = [
        post(Rectangle(x, x + 2.5, z, z + 3.5), section.z1, BRICK_HEIGHT)
        for x in (-half, half - 2.5)
        for z in (SEAM - end, end - 3.5 - SEAM)
    ]
    return [body, block, *posts, *map(open_stud, grid(2, 1))]


def beam(holes: int) -> list[Solid]:
    """Returns a thick beam along z with round ends and holes along y."""
    top, radius = -PITCH / 2, PITCH / 2 - 1.0
    places = [z for _, z in grid(1, holes)]
    ends = arc((0.0, places[0]), radius, 180, 360, steps=24)
    ends += arc((0.0, places[-1]), radius, 0, 180, steps=24)
    body = prism(Polygon(tuple(ends)), top, -top)
    heights = (top, top + _SHOULDER, -top - _SHOULDER, -top)
    for z in places:
        steps = zip((_COUNTERBORE, STUD_RADIUS, STUD_RADIUS, _COUNTERBORE), heights, strict=True)
        first, *middle, last = [circle_ring(r, y, centre=(0.0, z)) for r, y in steps]
        shoulders = [circle_ring(_COUNTERBORE, y, centre=(0.0, z)) for y in heights[1:3]]
        body = drill(body, [first, shoulders[0], *middle, shoulders[1], last])
    for z in places[:-1]:
        pocket = _between_rims(z, radius)
        for side in (-1, 1):
            rings = [pocket.ring(side * y) for y in (-top, 2.0)]
            body = drill(body, rings, blind=True)
    return [with_convex_faces(body)]


def axle(studs: int, *, notched: bool = False) -> list[Solid]:
    """Returns an axle along x, a cross in section, with two notches around it if need be."""
    reach, half_width, end = STUD_RADIUS, 2.0, studs * PITCH / 2
    steps = [(BEVEL, end), (0.0, end - BEVEL)]
    if notched:
        steps += [(0.0, 11.0), (2.0, 11.0), (2.0, 8.0), (0.0, 8.0)]
    steps += [(inset, -x) for inset, x in reversed(steps)]
    rings = [cross_ring(reach - inset, half_width - min(inset, BEVEL) / 2, x) for inset, x in steps]
    return [with_convex_faces(loft(lying(rings, "x")))]


def collared_pin() -> list[Solid]:
    """Returns a pin along x: a slotted tube with a collar in the middle."""
    right = [laid(solid) for solid in half_pin()]
    return [*right, *(turned(solid, 180) for solid in right)]


def _upright_ring(radius: float, x: float, z: float) -> np.ndarray:
    """Returns a circle around an axis along z at the height of pin holes."""
    return lying([circle_ring(radius, z, centre=(x, _AXIS_Y))], "z")[0]


def _upright_cross(reach: float, half_width: float, z: float) -> np.ndarray:
    """Returns the cross of an axle hole along z at the height of pin holes."""
    x, y, depth = lying([cross_ring(reach, half_width, z)], "z")[0].T
    return np.stack([x, y + _AXIS_Y, depth], axis=1)


def _between_rims(z: float, radius: float) -> Polygon:
    """Returns the outline of the pocket between a hole of a beam and the next."""
    reach = np.degrees(np.arcsin(6.2 / radius))
    near = arc((0.0, z), radius, 90 - reach, 90 + reach, steps=10)
    far = arc((0.0, z + PITCH), radius, 270 - reach, 270 + reach, steps=10)
    return Polygon((*near, *far))
