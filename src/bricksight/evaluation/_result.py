"""The result of an evaluation, and its representation in ``metrics.json``."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bricksight._support.reprs import short_repr
from bricksight._support.text import percent, pluralize
from bricksight.evaluation._calibration import ReliabilityBin
from bricksight.evaluation._intervals import LEVEL, Interval, is_rough

CONSENSUS_VOTES = 2
"""Number of photos of a group that must have the group's answer in ``GroupScores.consensus``."""


@dataclass(frozen=True)
class ClassScores:
    """Precision, recall and F1 of a class; a ratio with a denominator of 0 is ``None``.

    Attributes:
        label: The class.
        count: Number of photos of the class.
        predicted_count: Number of photos that were predicted as the class.
        precision: Share of the photos predicted as the class that are of it. ``None``, like
            ``f1``, if only one class was tested, because it is always 1 then.
        recall: Share of the photos of the class that were predicted as it.
        f1: Harmonic mean of precision and recall.
    """

    label: str
    count: int
    predicted_count: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class ConfusedPair:
    """Photos of one class that were predicted as another one.

    Attributes:
        label: The true class.
        predicted: The predicted class.
        count: Number of photos.
        share: ``count`` divided by the number of photos of the true class.
    """

    label: str
    predicted: str
    count: int
    share: float


@dataclass(frozen=True)
class Mistake:
    """A photo with a wrong answer.

    Attributes:
        path: Path of the photo, as given to ``evaluate``.
        label: The true class.
        predicted: The predicted class.
        probability: Probability of the predicted class.
        probability_of_label: Probability of the true class.
    """

    path: str
    label: str
    predicted: str
    probability: float
    probability_of_label: float


@dataclass(frozen=True)
class Answered:
    """The answers that are left after others were rejected.

    Attributes:
        count: Number of photos, or groups, with an answer.
        accuracy: Share of right answers among them, ``None`` if there are none.
    """

    count: int
    accuracy: float | None


@dataclass(frozen=True)
class GroupScores:
    """Scores of answers per group: the class with the highest mean log probability of its photos.

    Attributes:
        num_groups: Number of groups.
        accuracy: Share of groups with a right answer. ``None`` if a group has photos of several
            classes, because one answer cannot be right for it.
        accuracy_interval: 95 % Wilson interval of ``accuracy``; groups are independent.
        consensus: The answers of groups in which at least ``CONSENSUS_VOTES`` photos have the same
            answer as the group. ``None`` if ``accuracy`` is.
    """

    num_groups: int
    accuracy: float | None
    accuracy_interval: Interval | None
    consensus: Answered | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation:
    """All metrics of an evaluation; a metric that cannot be computed is ``None``.

    Attributes:
        labels: The classes, in the order of rows and columns.
        num_images: Number of tested photos.
        accuracy: Share of photos whose most probable class is the true class.
        accuracy_interval: 95 % confidence interval of ``accuracy``.
        top_k: The k of ``top_k_accuracy``.
        top_k_accuracy: Share of photos whose true class is among the k most probable classes.
            ``None`` if there are only k classes or fewer, because it is always 1 then.
        balanced_accuracy: Mean recall of the classes with photos. ``None`` for a single class.
        cross_entropy: Mean of -ln(probability of the true class), in nats.
        expected_calibration_error: Mean distance of confidence and accuracy over ``reliability``.
        reliability: Reliability bins.
        classes: Scores of each class, in the order of ``labels``.
        confusion_matrix: int64 (num_classes, num_classes); rows are true, columns predicted.
        confused_pairs: Confused pairs of classes, the most frequent first.
        mistakes: Wrong answers, the most confident first.
        groups: Scores per group, ``None`` if the photos are independent.
        confidence: Probability of each answer, float64 (num_images,).
        correct: Whether each answer is right, bool (num_images,).
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
        """The classes without a tested photo."""
        return tuple(scores.label for scores in self.classes if scores.count == 0)

    @property
    def is_rough(self) -> bool:
        """Whether there are too few photos, or groups, for more than a rough accuracy."""
        return is_rough(self.num_images if self.groups is None else self.groups.num_groups)

    @property
    def statement(self) -> str:
        """The result in one sentence."""
        if self.accuracy is None or self.accuracy_interval is None:
            return "There were no photos to test, so the accuracy is not known."
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
        """Return the answers that are left if those below ``threshold`` are "unknown"."""
        kept = self.confidence >= threshold
        accuracy = float(self.correct[kept].mean()) if kept.any() else None
        return Answered(count=int(kept.sum()), accuracy=accuracy)

    def to_dict(self) -> dict[str, Any]:
        """Return the metrics as plain values; ``docs/reference/metrics.md`` lists the keys."""
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
