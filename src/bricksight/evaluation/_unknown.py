"""Choose the threshold below which answers are "unknown", and count rejected photos."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bricksight._support.text import percent, pluralize

_CONFIDENCE = 0.7
_ROUNDING = 1e-9
_MIN_EXPECTED = 3
"""With fewer expected photos below the threshold, one or two photos would decide it."""


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """The number of photos that are answered "unknown" (rejected).

    Attributes:
        count: Number of rejected photos.
        num_images: Number of all photos.
    """

    count: int
    num_images: int

    def __add__(self, other: "Rejected") -> "Rejected":
        """Add the numbers of two sets of photos."""
        return Rejected(
            count=self.count + other.count, num_images=self.num_images + other.num_images
        )

    @property
    def share(self) -> float | None:
        """Share of rejected photos, 0 to 1; ``None`` without photos."""
        return self.count / self.num_images if self.num_images else None

    @property
    def statement(self) -> str:
        """The result as text, such as "3 of 60 photos (5.0 %)"."""
        photos = pluralize(self.num_images, "photo")
        if self.share is None:
            return photos
        return f"{self.count} of {photos} ({percent(self.share)})"

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as plain values; ``docs/reference/metrics.md`` lists the keys."""
        return {**asdict(self), "share": self.share}


NONE_REJECTED = Rejected(count=0, num_images=0)
"""Start value of a sum of ``Rejected``."""


def unknown_threshold(
    probabilities: np.ndarray, *, rejection_rate: float, groups: Sequence[str] | None = None
) -> float | None:
    """Return the highest threshold that keeps the false rejection rate.

    An answer is "unknown" if its highest probability is below the threshold (the baseline of
    Hendrycks and Gimpel 2017, arXiv 1610.02136). The threshold is the probability of rank
    ``rate * (n + 1)``, rounded down, of n photos. A new photo of the classes is then rejected with
    at most this rate on average, as in conformal prediction (Vovk et al. 2005). If the rank is
    below three, it is lowered until the rate is kept with a confidence of 70 % (tolerance limit,
    Wilks 1941).

    The answers for photos of one group are not independent. With groups, each photo counts as its
    share of its group, and n is the number of groups (Lee, Barber and Willett, arXiv 2306.06342).

    Args:
        probabilities: float32 (num_images, num_classes), of photos of the classes that the
            classifier was not trained on.
        rejection_rate: The false rejection rate in percent, above 0 and below 100.
        groups: Group of each photo; ``None`` if photos are independent.

    Returns:
        The threshold, from 0 to 1; ``None`` if there are fewer photos, or groups, than
        ``fewest_for_threshold`` returns.
    """
    keys = np.arange(len(probabilities)) if groups is None else np.asarray(groups)
    _, group_of, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    limit = _max_below(len(sizes), rejection_rate / 100)
    confidence = probabilities.max(axis=1, initial=0)
    order = np.argsort(confidence, kind="stable")
    below = np.cumsum(1 / sizes[group_of.reshape(-1)][order])
    rank = int(np.searchsorted(below, limit + _ROUNDING, side="right"))
    return float(confidence[order[rank - 1]]) if limit and rank else None


def _max_below(num_independent: int, rate: float) -> float:
    """Return how many photos, or groups, the rate allows at or below the threshold.

    The number may be fractional; see ``unknown_threshold`` for small numbers.
    """
    expected = rate * (num_independent + 1)
    if expected >= _MIN_EXPECTED:
        return expected
    rank, chance = 0, (1 - rate) ** num_independent
    while chance <= 1 - _CONFIDENCE:
        rank += 1
        chance += (
            math.comb(num_independent, rank) * rate**rank * (1 - rate) ** (num_independent - rank)
        )
    return rank


def fewest_for_threshold(rejection_rate: float) -> int:
    """Return the smallest number of independent photos to choose a threshold on: 24 for 5 %."""
    return math.ceil(math.log(1 - _CONFIDENCE) / math.log(1 - rejection_rate / 100))


def rejected(probabilities: np.ndarray, threshold: float | None) -> Rejected:
    """Count the photos that are answered "unknown".

    Args:
        probabilities: float32 (num_images, num_classes).
        threshold: The result of ``unknown_threshold``. With ``None``, no photo is rejected.
    """
    below = probabilities.max(axis=1, initial=0) < (threshold or 0.0)
    return Rejected(count=int(below.sum()), num_images=len(probabilities))
