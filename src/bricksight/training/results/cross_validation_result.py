"""The result of a cross-validation."""

import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bricksight._support.reprs import short_repr
from bricksight._support.text import percent, pluralize
from bricksight.dataset import Problem
from bricksight.evaluation import Evaluation, Rejected
from bricksight.training.results.label_issues import LabelIssue


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """A point of a learning curve.

    Attributes:
        photos_per_class: Mean number of training photos per class.
        evaluation: Metrics over all photos, by models trained on this number.
        known_rejected: Photos that were answered "unknown".
        outliers_rejected: Out-of-class photos that were answered "unknown", of those not trained
            on; each counts once per fold. ``None`` without out-of-class photos.
    """

    photos_per_class: float
    evaluation: Evaluation
    known_rejected: Rejected
    outliers_rejected: Rejected | None


@dataclass(frozen=True, kw_only=True)
class CrossValidationResult:
    """The result of a cross-validation.

    Attributes:
        evaluations: Metrics per seed, over all photos, each classified by a model that was not
            trained on it.
        known_rejected: Photos that were answered "unknown", per seed.
        outliers_rejected: Out-of-class photos that were answered "unknown", per seed; empty without
            any.
        seconds: Stage of the run → how long it took.
        curve: The learning curve, from few photos to all, with the first seed; empty if it was not
            wanted.
        label_issues: Photos whose labels are probably wrong, if they were wanted.
        problems: Problems of the photos.
        warnings: What changes how the accuracy is to be read.
    """

    evaluations: tuple[Evaluation, ...]
    known_rejected: tuple[Rejected, ...]
    outliers_rejected: tuple[Rejected, ...]
    seconds: Mapping[str, float]
    curve: tuple[CurvePoint, ...] = ()
    label_issues: tuple[LabelIssue, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()

    def __repr__(self) -> str:
        mean = statistics.fmean(self.accuracies) if self.accuracies else None
        accuracy = "no accuracy" if mean is None else f"accuracy {percent(mean)}"
        return short_repr(self, accuracy, pluralize(len(self.evaluations), "seed"))

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain values, for JSON."""
        return {
            "accuracies": list(self.accuracies),
            "warnings": [asdict(one) for one in self.warnings],
            "problems": [asdict(one) for one in self.problems],
            "group_accuracies": list(self.group_accuracies),
            "known_rejected": [one.share for one in self.known_rejected],
            "outliers_rejected": [one.share for one in self.outliers_rejected],
            "seconds": dict(self.seconds),
            "evaluations": [one.to_dict() for one in self.evaluations],
            "curve": [
                {
                    "photos_per_class": point.photos_per_class,
                    "accuracy": point.evaluation.accuracy,
                    "recalls": {one.label: one.recall for one in point.evaluation.classes},
                }
                for point in self.curve
            ],
            "label_issues": [asdict(one) for one in self.label_issues],
        }

    @property
    def accuracies(self) -> tuple[float, ...]:
        """Share of right answers, one a seed."""
        return tuple(one.accuracy for one in self.evaluations if one.accuracy is not None)

    @property
    def group_accuracies(self) -> tuple[float, ...]:
        """The same with one answer a group; empty where groups are of one photo."""
        return tuple(
            one.groups.accuracy
            for one in self.evaluations
            if one.groups is not None and one.groups.accuracy is not None
        )
