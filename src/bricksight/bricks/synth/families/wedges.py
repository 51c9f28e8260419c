"""Plates that are no rectangle: wedges, and plates with a cut or a round corner."""

from collections.abc import Iterable

import numpy as np

from bricksight.bricks.synth.geometry.mesh import Solid, loft
from bricksight.bricks.synth.geometry.outlines import (
    Point,
    Polygon,
    arc,
    circle_ring,
    rounded_bottom,
    rounded_top,
    with_convex_faces,
)
from bricksight.bricks.synth.geometry.primitives import (
    PITCH,
    PLATE_HEIGHT,
    SEAM,
    STUD_RADIUS,
    SUNK,
    TUBE_RADIUS,
    WALL,
    grid,
    mirrored,
    moved,
    shell,
    stud,
    with_recesses,
)


def wedge_plate(rows: int, narrow: float, wide: float, *, left: bool = False) -> list[Solid]:
    """Returns a plate whose left side slants; ``wide`` studs at the far end, ``narrow`` in front.

    Args:
        rows: Length in studs.
        narrow: Width of the front end in studs.
        wide: Width of the far end in studs.
        left: Return the mirror image.
    """
    x, z, front = wide * PITCH / 2, rows * PITCH / 2, (wide / 2 - narrow) * PITCH
    outline = Polygon(((front, -z), (x, -z), (x, z), (-x, z)))
    solids = plate_within(outline, round(wide), rows)
    return [mirrored(solid) for solid in solids] if left else solids


def trapezoid_plate() -> list[Solid]:
    """Returns a plate two studs long whose both sides slant, four studs wide at the far end."""
    front, back = PITCH, 38.5
    outline = Polygon(((-front, -PITCH), (front, -PITCH), (back, PITCH), (-back, PITCH)))
    return plate_within(outline, 4, 2)


def cut_plate(columns: int, cut: int) -> list[Solid]:
    """Returns a square plate without its corner at the front right, ``cut`` studs each way."""
    end, leg = columns * PITCH / 2, cut * PITCH
    outline = Polygon(((-end, -end), (end - leg, -end), (end, leg - end), (end, end), (-end, end)))
    return plate_within(outline, columns, columns)


def rounded_plate(columns: int) -> list[Solid]:
    """Returns a square plate whose far right corner is round; its near left stud is the origin."""
    end, radius = columns * PITCH / 2, (columns - 1) * PITCH
    corner = arc((end - radius, end - radius), radius, 0, 90, steps=16)
    outline = Polygon(((-end, -end), (end, -end), *corner, (-end, end)))
    offset = end - PITCH / 2
    return [moved(solid, offset, 0, offset) for solid in plate_within(outline, columns, columns)]


def plate_within(outline: Polygon, columns: int, rows: int) -> list[Solid]:
    """Returns a plate with the studs and tubes that have room in its outline.

    Where studs of the plate below would meet a wall, the wall has a gap.

    Args:
        outline: Without dents, from the front left corner to the right.
        columns: Of the grid of studs that the outline is cut from, centred on the origin.
        rows: Likewise.
    """
    studs = [centre for centre in grid(columns, rows) if _room(outline, centre) > TUBE_RADIUS]
    tubes = [centre for centre in grid(columns - 1, rows - 1) if _room(outline, centre) > WALL]
    walls = _walls(outline, grid(columns, rows))
    if walls:
        body = loft([outline.ring(WALL), *rounded_top(outline, 0.0)])
    else:
        body = shell(outline, PLATE_HEIGHT)
    features = [*map(stud, studs), *(_tube_within(outline, centre) for centre in tubes)]
    return [with_convex_faces(with_recesses(body, studs, WALL)), *walls, *features]


def _inwards(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Returns the unit vector from a side into the outline."""
    along = (end - start) / np.linalg.norm(end - start)
    return np.array([-along[1], along[0]])


def _sides(outline: Polygon) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    corners = np.array(outline.corners)
    return zip(corners, np.roll(corners, -1, axis=0), strict=True)


def _room(outline: Polygon, centre: Point) -> float:
    """Returns how far the nearest side is, negative if the point is outside."""
    return min(float((centre - start) @ _inwards(start, end)) for start, end in _sides(outline))


def _walls(outline: Polygon, studs: list[Point]) -> list[Solid]:
    """Returns the pieces of the wall; none if it has no gap."""
    inner = np.array(outline.shrunk(WALL).corners)
    pieces: list[list[tuple[np.ndarray, np.ndarray]]] = [[]]
    for (start, end), inside in zip(_sides(outline.shrunk(SEAM)), inner, strict=True):
        pieces[-1].append((start, inside))
        across = _inwards(start, end) * (WALL - SEAM)
        for gap in _gaps(start, end, studs):
            pieces[-1].append((gap[0], gap[0] + across))
            pieces.append([(gap[1], gap[1] + across)])
    if len(pieces) == 1:
        return []
    pieces[0] = pieces.pop() + pieces[0]
    return [_wall(piece) for piece in pieces]


def _gaps(
    start: np.ndarray, end: np.ndarray, studs: list[Point]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Returns where studs of the plate below would meet the wall of a side, in order."""
    length = float(np.linalg.norm(end - start))
    along = (end - start) / length
    gaps = []
    for centre in studs:
        middle = float((centre - start) @ along)
        depth = float((centre - start) @ _inwards(start, end))
        fits = STUD_RADIUS < middle < length - STUD_RADIUS
        if fits and -STUD_RADIUS < depth < WALL + STUD_RADIUS - 2 * SEAM:
            gaps.append(start + middle * along)
    gaps.sort(key=lambda middle: float(middle @ along))
    return [(middle - STUD_RADIUS * along, middle + STUD_RADIUS * along) for middle in gaps]


def _wall(piece: list[tuple[np.ndarray, np.ndarray]]) -> Solid:
    outline = [outside for outside, _ in piece] + [inside for _, inside in reversed(piece)]
    section = Polygon(tuple((float(x), float(z)) for x, z in outline))
    rings = [*rounded_bottom(section, PLATE_HEIGHT), section.ring(WALL - 2 * SUNK)]
    return with_convex_faces(loft(rings))


def _tube_within(outline: Polygon, centre: Point) -> Solid:
    """Returns a tube, flattened where it would stick out of the outline."""
    top, bottom = WALL - SUNK, PLATE_HEIGHT - SEAM
    rings = [
        _held_back(circle_ring(radius, y, centre=centre), outline, margin)
        for radius, y, margin in (
            (TUBE_RADIUS, top, WALL / 2),
            (TUBE_RADIUS, bottom, WALL / 2),
            (STUD_RADIUS, bottom, WALL + SEAM),
            (STUD_RADIUS, top, WALL + SEAM),
        )
    ]
    return loft(rings, closed=True)


def _held_back(ring: np.ndarray, outline: Polygon, margin: float) -> np.ndarray:
    """Returns the ring with all points at least ``margin`` inside the outline."""
    flat = ring[:, [0, 2]].copy()
    for start, end in _sides(outline):
        inwards = _inwards(start, end)
        depth = (flat - start) @ inwards
        flat += np.maximum(0.0, margin - depth)[:, None] * inwards
    return np.insert(flat, 1, ring[0, 1], axis=1)
