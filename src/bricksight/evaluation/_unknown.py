"""When a classifier should rather say "unknown", and how often it does."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bricksight._text import counted, percent

ENOUGH_PHOTOS = 30
"""With fewer photos the threshold hangs on one or two of them."""


@dataclass(frozen=True, kw_only=True)
class Refused:
    """How many photos are answered "unknown".

    Attributes:
        count: Photos that are.
        num_images: Photos in all.
    """

    count: int
    num_images: int

    def __add__(self, other: "Refused") -> "Refused":
        """Returns how many photos of both are."""
        return Refused(
            count=self.count + other.count, num_images=self.num_images + other.num_images
        )

    @property
    def share(self) -> float | None:
        """The share of them, 0 to 1; ``None`` of no photos."""
        return self.count / self.num_images if self.num_images else None

    @property
    def statement(self) -> str:
        """The same in words."""
        photos = counted(self.num_images, "photo")
        if self.share is None:
            return photos
        return f"{self.count} of {photos} ({percent(self.share)})"

    def to_json(self) -> dict[str, Any]:
        """Returns the figures as plain values; ``docs/report.md`` lists the keys."""
        return {**asdict(self), "share": self.share}


NONE_REFUSED = Refused(count=0, num_images=0)
"""What a sum of others begins with."""


def unknown_threshold(probabilities: np.ndarray, *, false_alarm_rate: float) -> float | None:
    """Returns the highest threshold below which a known photo is expected so rarely.

    Answers whose highest probability is below it are "unknown". The highest probability is the
    baseline of Hendrycks and Gimpel 2017 (arXiv 1610.02136). Of n photos, the threshold is the
    probability of rank ``rate * (n + 1)``, rounded down: the next photo of the same kind is below
    it with at most that rate, as in conformal prediction (Vovk et al. 2005). Photos too few for
    the rate give the lowest probability among them.

    Args:
        probabilities: float32 (num_images, num_classes), of photos of known classes that the
            classifier was not trained on, answered rightly or wrongly.
        false_alarm_rate: in percent, over 0 and under 100.

    Returns:
        The threshold, from 0 to 1; ``None`` where there are no photos to choose it by.
    """
    if not len(probabilities):
        return None
    confidence = np.sort(probabilities.max(axis=1))
    rank = int(false_alarm_rate / 100 * (len(confidence) + 1))
    return float(confidence[max(rank, 1) - 1])


def refused(probabilities: np.ndarray, threshold: float | None) -> Refused:
    """Returns how many photos are answered "unknown".

    Args:
        probabilities: float32 (num_images, num_classes).
        threshold: as ``unknown_threshold`` returns it; without one, none is.
    """
    below = probabilities.max(axis=1, initial=0) < (threshold or 0.0)
    return Refused(count=int(below.sum()), num_images=len(probabilities))
