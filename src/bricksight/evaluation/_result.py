"""What an evaluation holds, and its form in ``metrics.json``."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bricksight._support.reprs import short_repr
from bricksight._support.text import percent, pluralize
from bricksight.evaluation._calibration import ReliabilityBin
from bricksight.evaluation._intervals import LEVEL, Interval, is_rough

CONSENSUS_VOTES = 2
"""How many photos of a group must agree with its answer in ``GroupScores.consensus``."""


@dataclass(frozen=True)
class ClassScores:
    """How one class fared; a share whose denominator is 0 is ``None``, never 0 or 1.

    Attributes:
        label: the class.
        count: photos of the class.
        predicted_count: photos that were taken for the class.
        precision: share of the photos taken for the class that are of it; ``None``, as ``f1``, in
            a test of a single class, where it says nothing.
        recall: share of the photos of the class that were taken for it.
        f1: harmonic mean of precision and recall.
    """

    label: str
    count: int
    predicted_count: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class ConfusedPair:
    """Photos of one class that were taken for another.

    Attributes:
        label: the true class.
        predicted: the answer.
        count: how many photos.
        share: ``count`` divided by the number of photos of the true class.
    """

    label: str
    predicted: str
    count: int
    share: float


@dataclass(frozen=True)
class Mistake:
    """One photo with a wrong answer.

    Attributes:
        path: the photo, as handed in.
        label: its true class.
        predicted: the answer.
        probability: of the answer.
        probability_of_label: of the true class.
    """

    path: str
    label: str
    predicted: str
    probability: float
    probability_of_label: float


@dataclass(frozen=True)
class Answered:
    """What is left when some answers are withheld.

    Attributes:
        count: photos, or groups, that still get an answer.
        accuracy: share of those answers that is right, ``None`` if there are none.
    """

    count: int
    accuracy: float | None


@dataclass(frozen=True)
class GroupScores:
    """One answer a group: the class with the highest mean log probability over its photos.

    Attributes:
        num_groups: how many groups there are.
        accuracy: share of the groups whose answer is right; ``None`` where some group holds photos
            of several classes, for which one answer makes no sense.
        accuracy_interval: 95 % Wilson interval of ``accuracy``; groups are independent.
        consensus: what is left when a group is only answered if at least ``CONSENSUS_VOTES`` of its
            photos have that answer as their own; ``None`` where ``accuracy`` is.
    """

    num_groups: int
    accuracy: float | None
    accuracy_interval: Interval | None
    consensus: Answered | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation:
    """Every figure of one test; what cannot be measured is ``None``.

    Attributes:
        labels: the classes, in the order of rows and columns.
        num_images: photos tested.
        accuracy: share of the photos whose most probable class is the true one.
        accuracy_interval: its 95 % interval.
        top_k: how many answers ``top_k_accuracy`` looks at.
        top_k_accuracy: share of the photos whose true class is among the ``top_k`` most probable;
            ``None`` where there are no more classes than that, of which it would always be 1.
        balanced_accuracy: mean recall of the classes that have photos; ``None`` of a single one.
        cross_entropy: mean of -ln(probability of the true class), in nats.
        expected_calibration_error: mean distance of confidence and accuracy.
        reliability: the bins behind it.
        classes: one entry a class, in the order of ``labels``.
        confusion_matrix: int64 (num_classes, num_classes); rows are true, columns are answers.
        confused_pairs: largest count first.
        mistakes: surest wrong answer first.
        groups: ``None`` where every photo stands for itself.
        confidence: float64 (num_images,), the probability of each answer.
        correct: bool (num_images,), whether it is right.
    """

    labels: tuple[str, ...]
    num_images: int
    accuracy: float | None
    accuracy_interval: Interval | None
    top_k: int
    top_k_accuracy: float | None
    balanced_accuracy: float | None
    cross_entropy: float | None
    expected_calibration_error: float | None
    reliability: tuple[ReliabilityBin, ...]
    classes: tuple[ClassScores, ...]
    confusion_matrix: np.ndarray
    confused_pairs: tuple[ConfusedPair, ...]
    mistakes: tuple[Mistake, ...]
    groups: GroupScores | None
    confidence: np.ndarray
    correct: np.ndarray

    def __repr__(self) -> str:
        return short_repr(self, self.statement)

    @property
    def labels_without_images(self) -> tuple[str, ...]:
        """The classes of which no photo was tested: nothing is known about them."""
        return tuple(scores.label for scores in self.classes if scores.count == 0)

    @property
    def is_rough(self) -> bool:
        """Whether there are too few photos, or groups, for more than a rough accuracy."""
        return is_rough(self.num_images if self.groups is None else self.groups.num_groups)

    @property
    def statement(self) -> str:
        """The result in one sentence."""
        if self.accuracy is None or self.accuracy_interval is None:
            return "There were no photos to test, so nothing was measured."
        interval = self.accuracy_interval
        text = (
            f"{percent(self.accuracy)} of {pluralize(self.num_images, 'photo')} right "
            f"(95 % interval {100 * interval.low:.1f} to {100 * interval.high:.1f} %)."
        )
        if self.is_rough:
            text = f"Too few photos for more than a rough figure: {text}"
        if self.groups is not None:
            text += (
                f" The photos form {pluralize(self.groups.num_groups, 'group')}. Photos of one "
                "group are not independent, which the interval takes into account."
            )
        return text

    def answered(self, threshold: float) -> Answered:
        """Return what is left when answers less probable than ``threshold`` become "unknown"."""
        kept = self.confidence >= threshold
        accuracy = float(self.correct[kept].mean()) if kept.any() else None
        return Answered(count=int(kept.sum()), accuracy=accuracy)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain values; ``docs/reference/metrics.md`` lists the keys."""
        return {
            "statement": self.statement,
            "num_images": self.num_images,
            "accuracy": self.accuracy,
            "accuracy_interval": _interval_json(self.accuracy_interval),
            "top_k": self.top_k,
            "top_k_accuracy": self.top_k_accuracy,
            "balanced_accuracy": self.balanced_accuracy,
            "cross_entropy": self.cross_entropy,
            "expected_calibration_error": self.expected_calibration_error,
            "reliability": [asdict(one) for one in self.reliability],
            "groups": None if self.groups is None else _groups_json(self.groups),
            "labels": list(self.labels),
            "labels_without_images": list(self.labels_without_images),
            "classes": [asdict(scores) for scores in self.classes],
            "confusion_matrix": self.confusion_matrix.tolist(),
            "confused_pairs": [asdict(pair) for pair in self.confused_pairs],
            "mistakes": [asdict(mistake) for mistake in self.mistakes],
        }


def _interval_json(interval: Interval | None) -> dict[str, Any] | None:
    return None if interval is None else {**asdict(interval), "level": LEVEL}


def _groups_json(groups: GroupScores) -> dict[str, Any]:
    return {
        "num_groups": groups.num_groups,
        "accuracy": groups.accuracy,
        "accuracy_interval": _interval_json(groups.accuracy_interval),
        "consensus": groups.consensus
        and {
            "min_votes": CONSENSUS_VOTES,
            "count": groups.consensus.count,
            "share": groups.consensus.count / groups.num_groups,
            "accuracy": groups.consensus.accuracy,
        },
    }
