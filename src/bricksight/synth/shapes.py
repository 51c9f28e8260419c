"""Families of parts, each built from measurements in LDraw units."""

import numpy as np

from bricksight.synth.mesh import Solid, drill, loft
from bricksight.synth.primitives import (
    BEVEL,
    PITCH,
    STUD_RADIUS,
    SUNK,
    TUBE_RADIUS,
    WALL,
    Point,
    Rectangle,
    cavity,
    circle_ring,
    open_stud,
    pin,
    rectangle_ring,
    rounded_bottom,
    rounded_rim,
    rounded_top,
    stud,
    tube,
    with_recesses,
)

BRICK_HEIGHT = 24.0
PLATE_HEIGHT = 8.0


def grid(columns: int, rows: int) -> list[Point]:
    """Returns points one stud pitch apart, centred on the origin; none if a side is 0."""
    xs = (np.arange(columns) - (columns - 1) / 2) * PITCH
    zs = (np.arange(rows) - (rows - 1) / 2) * PITCH
    return [(float(x), float(z)) for z in zs for x in xs]


def footprint(columns: int, rows: int) -> Rectangle:
    """Returns the outline of a part that many studs long and wide, centred on the origin."""
    x, z = columns * PITCH / 2, rows * PITCH / 2
    return Rectangle(-x, x, -z, z)


def box(columns: int, rows: int, height: float) -> list[Solid]:
    """Returns a hollow box with studs: a brick or, if low, a plate."""
    studs = grid(columns, rows)
    body = with_recesses(_shell(footprint(columns, rows), height), studs, WALL)
    return [body, *map(stud, studs), *_grips(columns, rows, height)]


def tile(columns: int, rows: int) -> list[Solid]:
    """Returns a plate without studs that has a groove around its lower edge."""
    outline, groove = footprint(columns, rows), 1.0
    shell = loft(
        [
            *cavity(outline.shrunk(WALL), WALL, PLATE_HEIGHT),
            rectangle_ring(outline.shrunk(groove), PLATE_HEIGHT),
            rectangle_ring(outline.shrunk(groove), PLATE_HEIGHT - groove),
            rectangle_ring(outline, PLATE_HEIGHT - groove),
            *rounded_top(outline, 0.0),
        ]
    )
    return [shell, *_grips(columns, rows, PLATE_HEIGHT)]


def slope_2x2() -> list[Solid]:
    """Returns a brick with one row of studs and a front that falls at 45 degrees to a lip."""
    lip, ridge = 4.0, -PITCH / 2
    knee = BRICK_HEIGHT - lip
    outline = Rectangle(-PITCH, PITCH, ridge - knee, PITCH / 2)
    hollow = outline.shrunk(WALL)
    shell = loft(
        [
            rectangle_ring(hollow._replace(z0=ridge), WALL),
            rectangle_ring(hollow, knee),
            *cavity(hollow, knee, BRICK_HEIGHT)[1:],
            *rounded_bottom(outline, BRICK_HEIGHT),
            rectangle_ring(outline, knee),
            *_slope_top(outline, ridge),
        ]
    )
    studs = [(-PITCH / 2, 0.0), (PITCH / 2, 0.0)]
    return [with_recesses(shell, studs, WALL), *map(stud, studs), _slope_tube(ridge)]


def round_brick_2x2() -> list[Solid]:
    """Returns a cylinder with an axle hole, and four feet instead of a closed lower edge."""
    radius, step = PITCH, BRICK_HEIGHT - 4.0
    counterbore = STUD_RADIUS + 0.8
    body = loft(
        [
            circle_ring(radius, step),
            *rounded_rim(radius, 0.0),
            _axle_ring(0.0),
            _axle_ring(step),
            circle_ring(counterbore, step),
            circle_ring(counterbore, BRICK_HEIGHT),
            circle_ring(TUBE_RADIUS, BRICK_HEIGHT),
            circle_ring(TUBE_RADIUS, WALL),
            circle_ring(radius - WALL, WALL),
            circle_ring(radius - WALL, step),
        ],
        closed=True,
    )
    quarters = [_foot(angle, step - SUNK, BRICK_HEIGHT) for angle in (0, 90, 180, 270)]
    return [body, *(_trimmed_stud(centre, radius) for centre in grid(2, 2)), *quarters]


def technic_brick_1x2() -> list[Solid]:
    """Returns a 1x2 brick with open studs and a pin hole through its long sides."""
    axis_y, counterbore = 10.0, 8.0
    # A little narrower than the true 6 LDU, so that the hole ends below the ceiling of the hollow.
    bore = 5.9
    body = _shell(footprint(2, 1), BRICK_HEIGHT)
    face, shoulder, inside = PITCH / 2, PITCH / 2 - 2.0, PITCH / 2 - WALL
    steps = [(counterbore, face), (counterbore, shoulder), (bore, shoulder), (bore, inside)]
    for side in (-1, 1):
        body = drill(body, [_upright_ring(radius, axis_y, side * z) for radius, z in steps])
    end, inner = inside + SUNK, bore - 0.05
    rims = [(TUBE_RADIUS, -end), (TUBE_RADIUS, end), (inner, end), (inner, -end)]
    sleeve = loft([_upright_ring(radius, axis_y, z) for radius, z in rims], closed=True)
    support = pin((0.0, 0.0), axis_y + TUBE_RADIUS, BRICK_HEIGHT)
    return [body, sleeve, support, *map(open_stud, grid(2, 1))]


def _shell(outline: Rectangle, height: float) -> Solid:
    return loft(
        [
            *cavity(outline.shrunk(WALL), WALL, height),
            *rounded_bottom(outline, height),
            *rounded_top(outline, 0.0),
        ]
    )


def _grips(columns: int, rows: int, height: float) -> list[Solid]:
    """Returns what holds the studs of the part below: tubes, or pins in a single row."""
    if min(columns, rows) == 1:
        return [pin(centre, WALL, height) for centre in grid(columns - 1, 1)]
    return [tube(centre, WALL, height) for centre in grid(columns - 1, rows - 1)]


def _slope_top(outline: Rectangle, ridge: float) -> list[np.ndarray]:
    """Returns rings from the upper end of the slope to the top, whose front edge is the ridge."""
    rings = rounded_top(outline._replace(z0=ridge), 0.0)
    # A rounded edge between two faces at 45 degrees lies further out than one between faces at 90,
    # which the rings were made for: by so many bevels, and the lowest ring is on the slope.
    for ring, further in zip(rings, (1.0, 0.566, 0.6), strict=True):
        ring[ring[:, 2] < 0, 2] -= BEVEL * further
    return rings


def _slope_tube(ridge: float) -> Solid:
    """Returns a tube whose upper end follows the slope, halfway through its thickness."""
    rings = [circle_ring(radius, 0.0, centre=(0.0, ridge)) for radius in (TUBE_RADIUS, STUD_RADIUS)]
    slanted = [ring.copy() for ring in rings]
    for ring in slanted:
        ring[:, 1] = WALL / 2 + np.maximum(0.0, ridge - ring[:, 2])
    for ring in rings:
        ring[:, 1] = BRICK_HEIGHT
    return loft([slanted[0], rings[0], rings[1], slanted[1]], closed=True)


def _axle_ring(y: float) -> np.ndarray:
    """Returns the cross of an axle hole at height ``y``, its tips rounded, float64, (24, 3)."""
    half_width, reach = 2.2, 5.9
    tip_angles = np.linspace(-1, 1, 5) * np.arcsin(half_width / reach)
    arm = [(reach * np.cos(angle), reach * np.sin(angle)) for angle in tip_angles]
    arm.append((half_width, half_width))
    points = []
    for quarter in range(4):
        turn = np.exp(0.5j * np.pi * quarter)
        points += [complex(x, z) * turn for x, z in arm]
    return np.array([(point.real, y, point.imag) for point in points])


def _upright_ring(radius: float, y: float, z: float) -> np.ndarray:
    """Returns a circle around an axis along z at height ``y``, float64, (SEGMENTS, 3)."""
    flat = circle_ring(radius, 0.0)
    return np.stack([flat[:, 0], y + flat[:, 2], np.full(len(flat), z)], axis=1)


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
