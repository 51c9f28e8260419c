"""When a classifier should rather say "unknown", and how often it does."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bricksight._support.text import percent, pluralize

_CONFIDENCE = 0.7
_ROUNDING = 1e-9
_FEW = 3
"""Where fewer photos than this are expected below the threshold, it hangs on one or two of them."""


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """How many photos are answered "unknown".

    Attributes:
        count: Photos that are.
        num_images: Photos in all.
    """

    count: int
    num_images: int

    def __add__(self, other: "Rejected") -> "Rejected":
        """Return how many photos of both are."""
        return Rejected(
            count=self.count + other.count, num_images=self.num_images + other.num_images
        )

    @property
    def share(self) -> float | None:
        """The share of them, 0 to 1; ``None`` of no photos."""
        return self.count / self.num_images if self.num_images else None

    @property
    def statement(self) -> str:
        """The same in words."""
        photos = pluralize(self.num_images, "photo")
        if self.share is None:
            return photos
        return f"{self.count} of {photos} ({percent(self.share)})"

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain values; ``docs/reference/metrics.md`` lists the keys."""
        return {**asdict(self), "share": self.share}


NONE_REJECTED = Rejected(count=0, num_images=0)
"""What a sum of others begins with."""


def unknown_threshold(
    probabilities: np.ndarray, *, rejection_rate: float, groups: Sequence[str] | None = None
) -> float | None:
    """Return the highest threshold below which a known photo is expected so rarely.

    Answers whose highest probability is below it are "unknown". The highest probability is the
    baseline of Hendrycks and Gimpel 2017 (arXiv 1610.02136). Of n photos, the threshold is the
    probability of rank ``rate * (n + 1)``, rounded down: the next photo of the same kind is below
    it with at most that rate, as in conformal prediction (Vovk et al. 2005). That is so on average;
    where the rank is below three, it is lowered until the rate is also kept with a confidence of
    70 % (a tolerance limit, Wilks 1941). In groups, each photo counts as its share of its group and
    n is the number of groups (Lee, Barber and Willett, arXiv 2306.06342): photos of one group are
    unsure together.

    Args:
        probabilities: float32 (num_images, num_classes), of photos of known classes that the
            classifier was not trained on, answered rightly or wrongly.
        rejection_rate: in percent, over 0 and under 100.
        groups: one a photo; by default each photo stands for itself.

    Returns:
        The threshold, from 0 to 1; ``None`` where there are fewer photos, or groups, than
        ``fewest_for_threshold`` says.
    """
    keys = np.arange(len(probabilities)) if groups is None else np.asarray(groups)
    _, group_of, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    limit = _most_below(len(sizes), rejection_rate / 100)
    confidence = probabilities.max(axis=1, initial=0)
    order = np.argsort(confidence, kind="stable")
    below = np.cumsum(1 / sizes[group_of.reshape(-1)][order])
    rank = int(np.searchsorted(below, limit + _ROUNDING, side="right"))
    return float(confidence[order[rank - 1]]) if limit and rank else None


def _most_below(num_independent: int, rate: float) -> float:
    """Return how many of the photos, or groups, may be at or below the threshold."""
    expected = rate * (num_independent + 1)
    if expected >= _FEW:
        return expected
    rank, chance = 0, (1 - rate) ** num_independent
    while chance <= 1 - _CONFIDENCE:
        rank += 1
        chance += (
            math.comb(num_independent, rank) * rate**rank * (1 - rate) ** (num_independent - rank)
        )
    return rank


def fewest_for_threshold(rejection_rate: float) -> int:
    """Return how many independent photos it takes to choose a threshold by: 24 for 5 percent."""
    return math.ceil(math.log(1 - _CONFIDENCE) / math.log(1 - rejection_rate / 100))


def rejected(probabilities: np.ndarray, threshold: float | None) -> Rejected:
    """Return how many photos are answered "unknown".

    Args:
        probabilities: float32 (num_images, num_classes).
        threshold: as ``unknown_threshold`` returns it; without one, none is.
    """
    below = probabilities.max(axis=1, initial=0) < (threshold or 0.0)
    return Rejected(count=int(below.sum()), num_images=len(probabilities))
