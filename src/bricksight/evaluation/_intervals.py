"""How far a measured accuracy may be from the true one, given so few photos."""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

IntervalMethod = Literal["wilson", "group_bootstrap", "wilson_by_group"]

LEVEL = 0.95
WIDEST = 0.1
"""An interval of the accuracy that is wider, more than five points either way, is warned of."""

_NUM_RESAMPLES = 2000
_SEED = 0


@dataclass(frozen=True)
class Interval:
    """Where the accuracy on any number of such photos lies, with a confidence of 95 %.

    Attributes:
        low: lower end, in [0, 1].
        high: upper end, in [0, 1].
        method: "wilson" where photos are independent; "group_bootstrap" where the photos of a group
            are not; "wilson_by_group" where every group has the same accuracy, so that drawing
            groups anew cannot show any spread.
    """

    low: float
    high: float
    method: IntervalMethod


def wilson_interval(successes: float, total: int) -> tuple[float, float]:
    """Return the 95 % score interval (low, high) of a proportion; (0, 1) when ``total`` is 0.

    Unlike the textbook interval p ± 1.96 sqrt(p (1 - p) / n), it keeps its promise for few trials
    and for proportions near 0 and 1. E. B. Wilson, "Probable inference, the law of succession, and
    statistical inference", Journal of the American Statistical Association 22, 1927.

    Args:
        successes: how many of the trials succeeded; a mean share may make it fractional.
        total: how many trials there were.

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
    # At 0 and at 1 the formula ends there exactly; floating point may miss it by a rounding error.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == total else min(1.0, centre + half)
    return low, high


def is_rough(num_independent: int) -> bool:
    """Return whether so few photos, or groups, leave too much open even if all are right.

    The Wilson interval of n right answers of n is wider than ``WIDEST`` for n below 35.
    """
    low, high = wilson_interval(num_independent, num_independent)
    return high - low > WIDEST


def accuracy_interval(correct: np.ndarray, group_indices: np.ndarray | None) -> Interval:
    """Return the 95 % interval of the mean of ``correct``.

    Photos of one group show the same object, so they tend to be right or wrong together: they carry
    less evidence than as many independent photos, and the Wilson interval would be too narrow.

    Args:
        correct: bool (num_images,), at least one.
        group_indices: int (num_images,), numbers from 0 on without gaps; ``None`` where every photo
            stands for itself.
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
    """Return the percentile interval over whole groups drawn anew, with replacement.

    A. C. Davison and D. V. Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8.
    The seed is fixed: the same photos and answers give the same interval.
    """
    rng = np.random.default_rng(_SEED)
    shares = np.empty(_NUM_RESAMPLES)
    for resample in range(_NUM_RESAMPLES):
        drawn = rng.integers(len(size), size=len(size))
        shares[resample] = right[drawn].sum() / size[drawn].sum()
    low, high = np.quantile(shares, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
