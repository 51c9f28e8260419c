"""Loss of softmax regression and its gradient, on all cores."""

import functools
from typing import NamedTuple

import numpy as np

from bricksight._support.threads import num_cores, thread_map
from bricksight.bundle import Head
from bricksight.heads.losses import outlier_exposure

_ROWS_AT_ONCE = 4096
"""Rows per chunk; threads compute chunks side by side."""


class _ChunkLoss(NamedTuple):
    """What a chunk of rows adds to the loss, and to its gradient by kernel and bias."""

    loss: float
    gradient: np.ndarray
    bias_gradient: np.ndarray


class Objective:
    """Weighted mean cross entropy over all rows, plus an L2 penalty on the kernel.

    The penalty is on the difference from ``start``. Outliers add ``outlier_exposure``. The
    variables are one float64 vector, the bias first.
    """

    def __init__(
        self,
        rows: np.ndarray,
        labels: np.ndarray,
        weights: np.ndarray,
        l2: float,
        *,
        num_classes: int,
        outliers: np.ndarray | None = None,
        start: Head | None = None,
    ) -> None:
        """Take the rows.

        Args:
            rows: float32 (num_rows, num_features).
            labels: int (num_rows,).
            weights: float32 (num_rows,), of sum 1.
            l2: weight of half the squared kernel.
            num_classes: how many classes there are.
            outliers: float32 (num_outlier_rows, num_features).
            start: initial values; zero by default.
        """
        self._rows = rows
        self._labels = labels
        self._weights = weights
        self._outliers = outliers
        self._chunks = [
            slice(first, first + _ROWS_AT_ONCE) for first in range(0, len(rows), _ROWS_AT_ONCE)
        ]
        self._l2 = np.float32(l2)
        self._shape = (rows.shape[1], num_classes)
        self._start = np.zeros(self._shape, np.float32) if start is None else start.kernel
        bias = np.zeros(num_classes) if start is None else start.bias
        self.start = np.concatenate([bias, self._start.ravel()]).astype(np.float64)

    def __call__(self, values: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the loss and its gradient, float64 as ``start``."""
        kernel, bias = self.unpack(values)
        head = Head(kernel=kernel, bias=bias)
        change = kernel - self._start
        loss = float(self._l2) / 2 * float(np.sum(change**2))
        gradient, bias_gradient = self._l2 * change, np.zeros_like(bias)
        for part in self._of_chunks(head):
            loss += part.loss
            gradient += part.gradient
            bias_gradient += part.bias_gradient
        return loss, np.concatenate([bias_gradient, gradient.ravel()]).astype(np.float64)

    def _of_chunks(self, head: Head) -> list[_ChunkLoss]:
        """Return what each chunk adds, in order, so that the sum is reproducible."""
        if len(self._chunks) == 1:
            parts = [self._of_chunk(head, self._chunks[0])]
        else:
            compute = functools.partial(self._of_chunk, head)
            with thread_map(compute, self._chunks, num_threads=num_cores()) as found:
                parts = list(found)
        if self._outliers is not None:
            loss, residual = outlier_exposure(head, self._outliers)
            parts.append(_ChunkLoss(loss, self._outliers.T @ residual, residual.sum(axis=0)))
        return parts

    def _of_chunk(self, head: Head, chunk: slice) -> _ChunkLoss:
        rows, weights = self._rows[chunk], self._weights[chunk]
        residual = head.probabilities(rows)
        of_label = (np.arange(len(rows)), self._labels[chunk])
        loss = -float(weights @ np.log(np.maximum(residual[of_label], np.float32(1e-30))))
        residual[of_label] -= 1
        residual *= weights[:, None]
        return _ChunkLoss(loss, rows.T @ residual, residual.sum(axis=0))

    def unpack(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the kernel, float32 (num_features, num_classes), and the bias."""
        bias, kernel = np.split(values.astype(np.float32), [self._shape[1]])
        return kernel.reshape(self._shape), bias
