"""Quadrilaterals to triangles."""

import numpy as np

_ALIKE = 0.01
"""Cosines of folds that differ by less are taken as equal; the shorter diagonal decides."""

_ORDERS = ((0, 1, 2, 3), (0, 2, 1, 3), (0, 1, 3, 2))
"""Order as written, and the two that undo a crossing of sides."""


def split_quads(quads: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns two triangles for each quadrilateral, split where it folds least.

    A concave one is split inside. Where two sides cross (a bow tie) two corners are exchanged; its
    winding then means nothing.

    Args:
        quads: float64, (num_quads, 4, 3).

    Returns:
        Triangles, float64, (2 * num_quads, 3, 3); the quadrilateral that each is from, int64,
        (2 * num_quads,); whether a quadrilateral was a bow tie, bool, (num_quads,).
    """
    folds = np.stack([_folds(quads[:, order]) for order in _ORDERS], axis=1)
    crossed = folds[:, 0].max(axis=1) < 0
    # The one whose sides do not cross is flat with both diagonals.
    order = np.where(crossed, folds.min(axis=2).argmax(axis=1), 0)
    rows = np.arange(len(quads))
    quads = quads[rows[:, None], np.array(_ORDERS)[order]]
    first, second = folds[rows, order].T
    lengths = np.linalg.norm(quads[:, :2] - quads[:, 2:], axis=2)
    shorter = lengths[:, 0] <= lengths[:, 1]
    along_first = np.where(np.abs(first - second) < _ALIKE, shorter, first > second)
    corners = np.where(along_first[:, None], (0, 1, 2, 0, 2, 3), (0, 1, 3, 1, 2, 3))
    triangles = quads[rows[:, None], corners].reshape(-1, 3, 3)
    return triangles, np.repeat(rows, 2), crossed


def _folds(quads: np.ndarray) -> np.ndarray:
    """Returns the cosine between the two triangles for each diagonal, float64, (num_quads, 2).

    0 where a triangle has no area, which a flat and whole split is preferred to.
    """
    a, b, c, d = np.moveaxis(quads, 1, 0)
    cosines = []
    for first, second in (((a, b, c), (a, c, d)), ((a, b, d), (b, c, d))):
        n0, n1 = (np.cross(q - p, r - p) for p, q, r in (first, second))
        lengths = np.linalg.norm(n0, axis=1) * np.linalg.norm(n1, axis=1)
        dots = np.einsum("qi,qi->q", n0, n1)
        cosines.append(np.where(lengths > 1e-12, dots / np.maximum(lengths, 1e-12), 0.0))
    return np.stack(cosines, axis=1)
