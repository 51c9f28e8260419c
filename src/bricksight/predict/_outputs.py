"""The one place where what a model gives is taken for probabilities, or refused."""

import numpy as np

from bricksight.errors import BundleError

_TOLERANCE = 0.01
"""Of each probability and of their sum: what float16 and a softmax of few bits may lose."""


def require_probabilities(
    outputs: np.ndarray, *, num_rows: int, num_labels: int, source: str, step: float = 0.0
) -> np.ndarray:
    """Returns a model's outputs as probabilities, float32 (num_rows, num_labels).

    Args:
        outputs: what the model gave for ``num_rows`` images.
        num_rows: how many rows are expected.
        num_labels: how many columns are expected.
        source: file and runtime, for the message.
        step: distance of two outputs that follow each other where a model has quantised them; each
            may be half of it off.

    Raises:
        BundleError: they have another shape, are not finite, not in [0, 1], or do not sum to 1.
    """
    if outputs.ndim != 2 or outputs.shape[1] != num_labels:
        raise BundleError(
            f"{source} gives outputs of the shape {outputs.shape}, but there are {num_labels} "
            "labels: the labels belong to another model."
        )
    if len(outputs) != num_rows or outputs.dtype.kind != "f":
        raise BundleError(
            f"{source} gives {outputs.dtype} of the shape {outputs.shape} for {num_rows} images; "
            "expected a row of floating-point numbers for each."
        )
    sums = outputs.sum(axis=1)
    allowed = _TOLERANCE + num_labels * step / 2
    # Written so that NaN fails.
    right = (
        (outputs.min(axis=1) >= -_TOLERANCE)
        & (outputs.max(axis=1) <= 1 + _TOLERANCE + step)
        & (np.abs(sums - 1) <= allowed)
    )
    if not right.all():
        row = outputs[int(np.argmin(right))]
        raise BundleError(
            f"{source} gives {_shown(row)} for a photo, which sum to {row.sum():.4g}. Expected "
            "probabilities: finite, from 0 to 1, with a sum of 1. The file is damaged, was made "
            "for other inputs, or ends in something else than a softmax."
        )
    return outputs.astype(np.float32, copy=False)


def _shown(row: np.ndarray) -> str:
    values = ", ".join(f"{value:.4g}" for value in row[:4].tolist())
    return values if len(row) <= 4 else f"{values}, ... ({len(row)} values)"
