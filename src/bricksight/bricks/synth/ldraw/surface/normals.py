"""Flattened geometry to a mesh that is smooth where the part is, and sharp where it is not."""

from dataclasses import dataclass

import numpy as np

from bricksight.bricks.synth.geometry.mesh import CREASE_DEGREES, Mesh
from bricksight.bricks.synth.ldraw.geometry import Geometry
from bricksight.bricks.synth.ldraw.surface.weld import points_on_segments, weld
from bricksight.bricks.synth.ldraw.surface.winding import orient

_LEAST_HEIGHT = 1e-4
"""LDU; a triangle that is lower has no direction worth having."""
_MOST_BENT_DEGREES = 60.0
"""A corner keeps its flat normal where the smooth one is further off, as at the tip of a cone."""
_FACES_AT_AN_EDGE = 4
"""Where more meet in one edge, only so many are compared with each other."""


@dataclass(frozen=True)
class _Spans:
    """Pieces of the sides of triangles, cut where a corner of another triangle lies on them.

    Attributes:
        triangle: int64, (num_spans,).
        start, end: int64, (num_spans,), points; the triangle lies to the left.
        start_corner, end_corner: int64, (num_spans,). Corner ``c`` of triangle ``t`` is
            ``3 * t + c``; the cuts follow after all of these.
        cut_triangle: int64, (num_cuts,): the triangle that each cut belongs to.
    """

    triangle: np.ndarray
    start: np.ndarray
    end: np.ndarray
    start_corner: np.ndarray
    end_corner: np.ndarray
    cut_triangle: np.ndarray


def build_mesh(geometry: Geometry) -> tuple[Mesh, np.ndarray]:
    """Returns the mesh and the colour code of each triangle, int32, (num_triangles,).

    Points within 0.01 LDU are one. Triangles without height and repeated triangles are dropped.
    Across an edge the shading is broken where a line of type 2 lies on it, smooth where one of type
    5 does, and elsewhere smooth if the faces meet at less than ``CREASE_DEGREES``.
    """
    lines = (geometry.edges, geometry.smooth_edges)
    everything = np.concatenate([array.reshape(-1, 3) for array in (geometry.triangles, *lines)])
    points, where = weld(everything)
    corners, sharp, smooth = np.split(
        where, np.cumsum([3 * len(geometry.triangles), 2 * len(geometry.edges)])
    )
    triangles = corners.reshape(-1, 3)
    kept = _worth_keeping(points, triangles)
    triangles = orient(points, triangles[kept], geometry.trusted[kept])
    spans = _spans(points, triangles)
    groups = _smooth_groups(points, triangles, spans, (sharp.reshape(-1, 2), smooth.reshape(-1, 2)))
    return _shaded(points, triangles, spans, groups), geometry.colours[kept]


def _worth_keeping(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Returns the rows of triangles that have a height and stand for the first time."""
    a, b, c = np.moveaxis(points[triangles], 1, 0)
    longest = np.maximum.reduce([np.linalg.norm(side, axis=1) for side in (b - a, c - b, a - c)])
    double_areas = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    solid = np.flatnonzero(double_areas > _LEAST_HEIGHT * np.maximum(longest, _LEAST_HEIGHT))
    # A second one in the same place, also if it looks the other way, would fight with the first.
    low, middle, high = np.sort(triangles[solid], axis=1).T
    order = np.lexsort((high, middle, low))
    rows = np.stack([low, middle, high], axis=1)[order]
    repeated = np.zeros(len(solid), dtype=bool)
    repeated[order[1:]] = (rows[1:] == rows[:-1]).all(axis=1)
    kept: np.ndarray = solid[~repeated]
    return kept


def _spans(points: np.ndarray, triangles: np.ndarray) -> _Spans:
    num_sides = triangles.size
    starts, ends = triangles.reshape(-1), np.roll(triangles, -1, axis=1).reshape(-1)
    keys = _edge_keys(starts, ends, len(points))
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    open_sides = np.flatnonzero(counts[inverse.reshape(-1)] == 1)
    segments = np.stack([starts, ends], axis=1)[open_sides]
    numbers, cuts, along = points_on_segments(points, segments, np.unique(segments))

    corners = np.arange(num_sides)
    next_corners = corners - corners % 3 + (corners + 1) % 3
    station = np.concatenate([starts, cuts, ends])
    corner = np.concatenate([corners, num_sides + np.arange(len(cuts)), next_corners])
    side = np.concatenate([corners, open_sides[numbers], corners])
    first, second = _in_a_row(num_sides, open_sides[numbers], along)
    return _Spans(
        triangle=side[first] // 3,
        start=station[first],
        end=station[second],
        start_corner=corner[first],
        end_corner=corner[second],
        cut_triangle=open_sides[numbers] // 3,
    )


def _in_a_row(num: int, owners: np.ndarray, along: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the pairs of stations that follow each other on segments that are cut.

    Stations are numbered: the starts of all segments, the cuts, the ends.

    Args:
        num: Number of segments.
        owners: int64, (num_cuts,), the segment of each cut.
        along: float64, (num_cuts,), where it lies on it, between 0 and 1.
    """
    owner = np.concatenate([np.arange(num), owners, np.arange(num)])
    place = np.concatenate([np.zeros(num), along, np.ones(num)])
    order = np.lexsort((place, owner))
    follows = owner[order[1:]] == owner[order[:-1]]
    return order[:-1][follows], order[1:][follows]


def _edge_keys(starts: np.ndarray, ends: np.ndarray, num_points: int) -> np.ndarray:
    keys: np.ndarray = np.minimum(starts, ends) * num_points + np.maximum(starts, ends)
    return keys


def _line_keys(
    points: np.ndarray, lines: np.ndarray, triangles: np.ndarray, edge_keys: np.ndarray
) -> np.ndarray:
    """Returns the keys of edges that lines lie on, cut where corners lie inside a line."""
    keys = _edge_keys(lines[:, 0], lines[:, 1], len(points))
    _, first = np.unique(keys, return_index=True)
    lines, keys = lines[first], keys[first]
    loose = lines[~np.isin(keys, edge_keys)]
    numbers, cuts, along = points_on_segments(points, loose, np.unique(triangles))
    station = np.concatenate([loose[:, 0], cuts, loose[:, 1]])
    start, end = _in_a_row(len(loose), numbers, along)
    pieces = _edge_keys(station[start], station[end], len(points))
    return np.concatenate([keys, pieces])


def _smooth_groups(
    points: np.ndarray,
    triangles: np.ndarray,
    spans: _Spans,
    lines: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Returns for each corner and cut the number of the group that shares a normal."""
    keys = _edge_keys(spans.start, spans.end, len(points))
    sharp, smooth = (_line_keys(points, ends, triangles, keys) for ends in lines)
    normals = _unit(_area_vectors(points, triangles))
    order = np.argsort(keys, kind="stable")
    firsts, seconds = [], []
    for step in range(1, _FACES_AT_AN_EDGE):
        i, j = order[:-step], order[step:]
        same = (keys[i] == keys[j]) & (spans.start[i] == spans.end[j])
        i, j = i[same], j[same]
        bend = np.einsum("pi,pi->p", normals[spans.triangle[i]], normals[spans.triangle[j]])
        blunt = bend > np.cos(np.radians(CREASE_DEGREES))
        joined = (blunt | np.isin(keys[i], smooth)) & ~np.isin(keys[i], sharp)
        i, j = i[joined], j[joined]
        firsts += [spans.start_corner[i], spans.end_corner[i]]
        seconds += [spans.end_corner[j], spans.start_corner[j]]
    num_corners = triangles.size + len(spans.cut_triangle)
    return _components(num_corners, np.concatenate(firsts), np.concatenate(seconds))


def _components(num: int, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns for each of ``num`` things the least one that pairs lead to, int64, (num,)."""
    labels = np.arange(num)
    while True:
        one, other = labels[first], labels[second]
        if (one == other).all():
            return labels
        np.minimum.at(labels, np.maximum(one, other), np.minimum(one, other))
        while (labels[labels] != labels).any():
            labels = labels[labels]


def _shaded(points: np.ndarray, triangles: np.ndarray, spans: _Spans, groups: np.ndarray) -> Mesh:
    """Returns the mesh; a point is repeated for each normal that it has.

    Normals are weighted by angle and area: by angle, so that it does not matter how a face was cut
    into triangles; by area, so that a flat face stays flat beside a narrow rounding.
    """
    areas = _area_vectors(points, triangles)
    weighted = (_angles(points, triangles)[:, :, None] * areas[:, None]).reshape(-1, 3)
    weighted = np.concatenate([weighted, np.pi * areas[spans.cut_triangle]])
    sums = np.stack(
        [np.bincount(groups, weights=weighted[:, i], minlength=len(groups)) for i in range(3)], 1
    )
    flat = np.repeat(_unit(areas), 3, axis=0)
    own = groups[: triangles.size]
    smooth = _unit(sums[own])
    bent = np.einsum("ci,ci->c", smooth, flat) < np.cos(np.radians(_MOST_BENT_DEGREES))
    smooth[bent] = flat[bent]
    own = np.where(bent, len(groups) + np.arange(triangles.size), own)
    _, first, inverse = np.unique(own, return_index=True, return_inverse=True)
    return Mesh(points[triangles.reshape(-1)[first]], smooth[first], inverse.reshape(-1, 3))


def _area_vectors(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    a, b, c = np.moveaxis(points[triangles], 1, 0)
    vectors: np.ndarray = np.cross(b - a, c - a) / 2
    return vectors


def _angles(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Returns the angle at each corner in radians, float64, (num_triangles, 3)."""
    corners = points[triangles]
    ahead = _unit(np.roll(corners, -1, axis=1) - corners)
    behind = -np.roll(ahead, 1, axis=1)
    angles: np.ndarray = np.arccos(np.clip(np.einsum("tci,tci->tc", ahead, behind), -1, 1))
    return angles


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    units: np.ndarray = vectors / np.maximum(lengths, 1e-300)
    return units
