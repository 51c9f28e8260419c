"""Points that are meant to be one, and points that lie on an edge of another triangle.

Not trimesh's ``merge_vertices``: it rounds to one grid, so that of 414,926 points of 90 official
parts 676 pairs within the tolerance stay apart, and with them seams; here none does.
"""

from collections.abc import Iterator

import numpy as np

from bricksight.bricks.synth.ldraw.errors import LDrawError

TOLERANCE = 0.01
"""LDU within which points are one.

Files carry three or four decimals and primitives are scaled up to a hundred times, so that the same
corner, reached on two ways, differs by up to 0.005. 0.01 LDU are 4 micrometres, less than a mould
holds.
"""

_CELL_BITS = 21
_PAIRS_AT_ONCE = 2_000_000
_MAX_PAIRS = 500_000_000  # a minute; of 91 official parts, the most had 86,000


def weld(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the points without repetition, and where each one is among them.

    Points that are at most :data:`TOLERANCE` apart along every axis share a cell of twice that size
    in one of eight grids, each shifted by half a cell along other axes. The points of a cell become
    one in one grid after the other.

    Args:
        points: float64, (num_points, 3), in LDU, at least one.

    Returns:
        float64, (num_distinct, 3), and int64, (num_points,).
    """
    kept = points
    where = np.arange(len(points))
    lowest = points.min(axis=0)
    # Beyond 41,943 LDU (17 m) cells become coarser, so that three of them fit into a key.
    size = max(2 * TOLERANCE, float((points - lowest).max()) / (2**_CELL_BITS - 2))
    for shift in np.ndindex(2, 2, 2):
        cells = np.floor((kept - lowest) / size + np.array(shift) / 2).astype(np.int64)
        keys = (cells[:, 0] << 2 * _CELL_BITS) | (cells[:, 1] << _CELL_BITS) | cells[:, 2]
        _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        kept, where = kept[first], inverse.reshape(-1)[where]
    return kept, where


def points_on_segments(
    points: np.ndarray, segments: np.ndarray, candidates: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns which points lie inside which segments.

    Args:
        points: float64, (num_points, 3), welded.
        segments: int64, (num_segments, 2), ends of each.
        candidates: int64, (num_candidates,), the points to look at.

    Returns:
        For each find: the segment, int64, (num_finds,); the point, int64, (num_finds,); how far
        along the segment, from 0 to 1, float64, (num_finds,).

    Raises:
        LDrawError: there are far too many pairs to look at.
    """
    finds = [
        _on_segments(points, segments, number, point)
        for number, point in _near(points, segments, candidates)
    ]
    if not finds:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    numbers, found, along = (np.concatenate(column) for column in zip(*finds, strict=True))
    return numbers, found, along


def _near(
    points: np.ndarray, segments: np.ndarray, candidates: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields pairs of segment and point that overlap along the longest axis, some at a time."""
    if not len(segments) or not len(candidates):
        return
    axis = int(np.ptp(points[candidates], axis=0).argmax())
    candidates = candidates[np.argsort(points[candidates, axis])]
    sorted_values = points[candidates, axis]
    ends = np.sort(points[segments, axis], axis=1)
    starts = np.searchsorted(sorted_values, ends[:, 0] - TOLERANCE)
    counts = np.searchsorted(sorted_values, ends[:, 1] + TOLERANCE) - starts
    totals = np.cumsum(counts)
    if totals[-1] > _MAX_PAIRS:
        raise LDrawError(
            f"The part has {len(segments):,} open edges that overlap in more places than can be "
            "looked at. Take a simpler one."
        )
    first = 0
    while first < len(segments):
        before = totals[first] - counts[first]
        last = max(first + 1, int(np.searchsorted(totals, before + _PAIRS_AT_ONCE)))
        numbers = np.repeat(np.arange(first, last), counts[first:last])
        skipped = np.repeat(totals[first:last] - counts[first:last] - before, counts[first:last])
        yield numbers, candidates[np.arange(len(numbers)) - skipped + starts[numbers]]
        first = last


def _on_segments(
    points: np.ndarray, segments: np.ndarray, numbers: np.ndarray, found: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    start = points[segments[:, 0]]
    way = points[segments[:, 1]] - start
    length = np.maximum(np.linalg.norm(way, axis=1), 1e-12)
    towards = points[found] - start[numbers]
    along = np.einsum("pi,pi->p", towards, way[numbers]) / length[numbers]
    off = np.linalg.norm(towards - (along / length[numbers])[:, None] * way[numbers], axis=1)
    inside = (along > TOLERANCE) & (along < length[numbers] - TOLERANCE)
    # Two welded ends may each be off by a cell.
    on = inside & (off < 2 * TOLERANCE)
    return numbers[on], found[on], (along / length[numbers])[on]
