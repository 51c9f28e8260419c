"""Whether a probability means what it says: of the answers given with 80 %, are 80 % right?

C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural networks", ICML 2017.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_NUM_BINS = 15


@dataclass(frozen=True)
class ReliabilityBin:
    """The answers whose probability is in (low, high].

    Attributes:
        low: lower end, not included.
        high: upper end, included.
        count: number of answers.
        confidence: their mean probability, ``None`` where there are none.
        accuracy: the share of them that is right, ``None`` where there are none.
    """

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


def reliability_bins(confidence: np.ndarray, correct: np.ndarray) -> tuple[ReliabilityBin, ...]:
    """Return 15 bins of equal width over (0, 1].

    Args:
        confidence: float (num_images,), the probability of each answer.
        correct: bool (num_images,), whether the answer is right.
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
    """Return the mean distance of confidence and accuracy, in [0, 1]; ``None`` without answers."""
    total = sum(one.count for one in bins)
    if total == 0:
        return None
    distances = (
        one.count * abs(one.confidence - one.accuracy)
        for one in bins
        if one.confidence is not None and one.accuracy is not None
    )
    return sum(distances) / total
