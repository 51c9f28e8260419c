"""Check that the outputs of a model are probabilities."""

import numpy as np

from bricksight.errors import BundleError

_TOLERANCE = 0.01
"""Allowed error of each probability and of their sum, from float16 or a quantised softmax."""


def require_probabilities(
    outputs: np.ndarray, *, num_rows: int, num_labels: int, source: str, step: float = 0.0
) -> np.ndarray:
    """Return the outputs of a model as probabilities: float32 (num_rows, num_labels).

    Args:
        outputs: Outputs of the model for ``num_rows`` images.
        num_rows: Expected number of rows.
        num_labels: Expected number of columns.
        source: File and runtime, for messages.
        step: Distance of neighbouring values if the outputs are quantised, else 0. Each output may
            be off by half of it.

    Raises:
        BundleError: The outputs have another shape or dtype, are not finite or not in [0, 1], or
            do not sum to 1.
    """
    if outputs.ndim != 2 or outputs.shape[1] != num_labels:
        raise BundleError(
            f"{source} gives outputs of shape {outputs.shape}, but there are {num_labels} labels. "
            "The labels belong to another model."
        )
    if len(outputs) != num_rows or outputs.dtype.kind != "f":
        raise BundleError(
            f"{source} gives {outputs.dtype} of shape {outputs.shape} for {num_rows} images; "
            "expected one row of floating-point numbers for each image."
        )
    sums = outputs.sum(axis=1)
    allowed = _TOLERANCE + num_labels * step / 2
    # NaN fails all three comparisons.
    right = (
        (outputs.min(axis=1) >= -_TOLERANCE)
        & (outputs.max(axis=1) <= 1 + _TOLERANCE + step)
        & (np.abs(sums - 1) <= allowed)
    )
    if not right.all():
        row = outputs[int(np.argmin(right))]
        raise BundleError(
            f"{source} gives {_shown(row)} for a photo, with a sum of {row.sum():.4g}. Expected "
            "probabilities: finite, from 0 to 1, with a sum of 1. The file is damaged, needs other "
            "preprocessing, or does not end in a softmax."
        )
    return outputs.astype(np.float32, copy=False)


def _shown(row: np.ndarray) -> str:
    values = ", ".join(f"{value:.4g}" for value in row[:4].tolist())
    return values if len(row) <= 4 else f"{values}, ... ({len(row)} values)"
