"""Confidence intervals of the accuracy: Wilson score interval and bootstrap over groups."""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

IntervalMethod = Literal["wilson", "group_bootstrap", "wilson_by_group"]

LEVEL = 0.95
WIDEST = 0.1
"""A wider interval of the accuracy (more than five points either way) causes a warning."""

_NUM_RESAMPLES = 2000
_SEED = 0


@dataclass(frozen=True)
class Interval:
    """A 95 % confidence interval of the accuracy on photos of the same kind.

    Attributes:
        low: Lower end, in [0, 1].
        high: Upper end, in [0, 1].
        method: "wilson" for independent photos; "group_bootstrap" for photos in groups;
            "wilson_by_group" if all groups have the same accuracy, so that a bootstrap over groups
            would have no spread.
    """

    low: float
    high: float
    method: IntervalMethod


def wilson_interval(successes: float, total: int) -> tuple[float, float]:
    """Compute the 95 % Wilson score interval (low, high) of a proportion; (0, 1) for no trials.

    Unlike the normal approximation p ± 1.96 sqrt(p (1 - p) / n), it is accurate for few trials and
    for proportions near 0 and 1. E. B. Wilson, "Probable inference, the law of succession, and
    statistical inference", Journal of the American Statistical Association 22, 1927.

    Args:
        successes: Number of successful trials; may be fractional.
        total: Number of trials.

    Raises:
        ValueError: ``successes`` is not between 0 and ``total``.
    """
    if not 0 <= successes <= total:
        raise ValueError(f"successes is {successes}; it must be from 0 to total, which is {total}")
    if total == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    share = successes / total
    centre = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z / (1 + z**2 / total) * math.sqrt(share * (1 - share) / total + (z / (2 * total)) ** 2)
    # For proportions of 0 and 1, one end is exactly 0 or 1; this removes its rounding error.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == total else min(1.0, centre + half)
    return low, high


def is_rough(num_independent: int) -> bool:
    """Return whether there are too few photos, or groups, for more than a rough accuracy.

    That is so if the interval is wider than ``WIDEST`` even when all answers are right: below 35.
    """
    low, high = wilson_interval(num_independent, num_independent)
    return high - low > WIDEST


def accuracy_interval(correct: np.ndarray, group_indices: np.ndarray | None) -> Interval:
    """Compute the 95 % confidence interval of the accuracy.

    Photos of one group show the same object, so their answers tend to be right or wrong together.
    For such photos the Wilson interval would be too narrow.

    Args:
        correct: Whether each answer is right, bool (num_images,), at least one.
        group_indices: Group of each photo, int (num_images,), from 0 without gaps. ``None`` if the
            photos are independent.
    """
    if group_indices is None:
        return Interval(*wilson_interval(int(correct.sum()), len(correct)), method="wilson")
    size = np.bincount(group_indices)
    right = np.bincount(group_indices, weights=correct)
    if np.ptp(right / size) == 0:
        ends = wilson_interval(float(correct.mean()) * len(size), len(size))
        return Interval(*ends, method="wilson_by_group")
    return Interval(*_group_bootstrap(right, size), method="group_bootstrap")


def _group_bootstrap(right: np.ndarray, size: np.ndarray) -> tuple[float, float]:
    """Compute the percentile interval of a bootstrap that resamples whole groups.

    A. C. Davison and D. V. Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8.
    The seed is fixed, so that the same answers always give the same interval.
    """
    rng = np.random.default_rng(_SEED)
    shares = np.empty(_NUM_RESAMPLES)
    for resample in range(_NUM_RESAMPLES):
        drawn = rng.integers(len(size), size=len(size))
        shares[resample] = right[drawn].sum() / size[drawn].sum()
    low, high = np.quantile(shares, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
