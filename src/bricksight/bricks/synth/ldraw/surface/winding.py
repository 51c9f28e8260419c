"""Triangles of files that do not promise which side is outside.

Not trimesh's ``repair.fix_winding``: it knows of no certified triangles, turned 34 of the 87,800 of
90 official parts, and needs networkx.
"""

from collections import defaultdict, deque

import numpy as np


def orient(points: np.ndarray, triangles: np.ndarray, trusted: np.ndarray) -> np.ndarray:
    """Returns the triangles with those turned round that look the wrong way.

    A triangle without a certified winding takes that of a certified neighbour, and passes it on
    along its other edges. A patch without such a neighbour is turned so that it encloses a positive
    volume with the middle of the part: outwards, as far as that can be known.

    Args:
        points: float64, (num_points, 3).
        triangles: int64, (num_triangles, 3).
        trusted: bool, (num_triangles,): these stay.
    """
    if trusted.all():
        return triangles
    neighbours = _neighbours(triangles, ~trusted)
    turned = np.zeros(len(triangles), dtype=bool)
    done = trusted.copy()
    seeds = [row for row in neighbours if trusted[row]]
    _spread(seeds, neighbours, turned, done)
    middle = (points[triangles].min(axis=(0, 1)) + points[triangles].max(axis=(0, 1))) / 2
    for row in np.flatnonzero(~trusted).tolist():
        if done[row]:
            continue
        done[row] = True
        patch = np.array(_spread([row], neighbours, turned, done))
        ordered = np.where(turned[patch, None], triangles[patch, ::-1], triangles[patch])
        corners = points[ordered] - middle
        if np.einsum("ti,ti->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) < 0:
            turned[patch] ^= True
    return np.where(turned[:, None], triangles[:, ::-1], triangles)


def _neighbours(triangles: np.ndarray, wanted: np.ndarray) -> dict[int, list[tuple[int, bool]]]:
    """Returns for each triangle those across an edge that two share, and whether they disagree."""
    around: defaultdict[tuple[int, int], list[tuple[int, bool]]] = defaultdict(list)
    for row, corners in enumerate(triangles.tolist()):
        for start, end in zip(corners, corners[1:] + corners[:1], strict=True):
            around[min(start, end), max(start, end)].append((row, start < end))
    neighbours: defaultdict[int, list[tuple[int, bool]]] = defaultdict(list)
    for sharing in around.values():
        if len(sharing) == 2 and (wanted[sharing[0][0]] or wanted[sharing[1][0]]):
            (first, forward), (second, other_forward) = sharing
            # Two that look the same way walk along their edge in opposite directions.
            neighbours[first].append((second, forward == other_forward))
            neighbours[second].append((first, forward == other_forward))
    return neighbours


def _spread(
    seeds: list[int],
    neighbours: dict[int, list[tuple[int, bool]]],
    turned: np.ndarray,
    done: np.ndarray,
) -> list[int]:
    """Passes the winding of the seeds on; returns all that were reached."""
    reached, waiting = list(seeds), deque(seeds)
    while waiting:
        row = waiting.popleft()
        for other, disagree in neighbours.get(row, ()):
            if not done[other]:
                done[other] = True
                turned[other] = turned[row] ^ disagree
                reached.append(other)
                waiting.append(other)
    return reached
