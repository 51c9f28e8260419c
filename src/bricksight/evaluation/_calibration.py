"""Calibration of probabilities: reliability bins and expected calibration error.

A classifier is calibrated if, for instance, 80 % of answers with a probability of 80 % are right.
C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural networks", ICML 2017.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_NUM_BINS = 15


@dataclass(frozen=True)
class ReliabilityBin:
    """Answers whose probability is in (low, high].

    Attributes:
        low: Lower end, excluded.
        high: Upper end, included.
        count: Number of answers.
        confidence: Mean probability of the answers, ``None`` if there are none.
        accuracy: Share of right answers, ``None`` if there are none.
    """

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


def reliability_bins(confidence: np.ndarray, correct: np.ndarray) -> tuple[ReliabilityBin, ...]:
    """Return 15 reliability bins of equal width over (0, 1].

    Args:
        confidence: Probability of each answer, float (num_images,).
        correct: Whether each answer is right, bool (num_images,).
    """
    edges = np.linspace(0, 1, _NUM_BINS + 1)
    bin_of = np.digitize(confidence, edges[1:-1], right=True)
    bins = []
    for index in range(_NUM_BINS):
        inside = bin_of == index
        some = bool(inside.any())
        bins.append(
            ReliabilityBin(
                low=float(edges[index]),
                high=float(edges[index + 1]),
                count=int(inside.sum()),
                confidence=float(confidence[inside].mean()) if some else None,
                accuracy=float(correct[inside].mean()) if some else None,
            )
        )
    return tuple(bins)


def expected_calibration_error(bins: Sequence[ReliabilityBin]) -> float | None:
    """Compute the mean distance of confidence and accuracy, in [0, 1]; ``None`` without answers."""
    total = sum(one.count for one in bins)
    if total == 0:
        return None
    distances = (
        one.count * abs(one.confidence - one.accuracy)
        for one in bins
        if one.confidence is not None and one.accuracy is not None
    )
    return sum(distances) / total
