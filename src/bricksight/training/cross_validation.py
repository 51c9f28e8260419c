"""How good a recipe is on photos that it has not seen: every photo tested on once a seed."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from bricksight._support.filesystem.places import try_file
from bricksight._support.progress import Countdown, Reporter, SilentReporter, StageTimer
from bricksight._support.reprs import short_repr
from bricksight._support.text import percent, pluralize
from bricksight.config import (
    CrossValidationConfig,
    SplitConfig,
    TrainingConfig,
    given,
    given_or_default,
)
from bricksight.dataset import Problem, make_folds, subsample, suggested_groups
from bricksight.evaluation import (
    NONE_REJECTED,
    Evaluation,
    Rejected,
    evaluate,
    rejected,
    warnings_of,
)
from bricksight.features.featurized_dataset import FeaturizedDataset
from bricksight.finetuning.distillation import require_teacher
from bricksight.quality import bursts
from bricksight.training.backbone_selection import featurize_candidates, select_backbone
from bricksight.training.loading import load_dataset
from bricksight.training.options import validate_options
from bricksight.training.recipes import selects_depths, train_model
from bricksight.training.results.evaluation import choose_threshold, rendered_test
from bricksight.training.results.label_issues import (
    LabelIssue,
    find_label_issues,
    require_cleanlab,
    show_label_issues,
)
from bricksight.training.results.near_copies import copies_problem, near_copies
from bricksight.training.results.outputs import cache_path_of

CURVE_SHARES = (0.25, 0.5, 0.75)
"""Shares of the training photos that a learning curve is drawn through, besides all."""

_OF_THE_SPLIT = frozenset({"tiny_class", "missing_split"})
"""Problems of a split that is not made here."""


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """How good the recipe is with so many photos.

    Attributes:
        photos_per_class: Mean number of training photos.
        evaluation: Over all photos, by models trained on so many.
        known_rejected: How many of these photos were answered "unknown".
        outliers_rejected: How many photos of none of the classes were, of those not trained on;
            each counts once a fold. ``None`` where no such photos were given.
    """

    photos_per_class: float
    evaluation: Evaluation
    known_rejected: Rejected
    outliers_rejected: Rejected | None


@dataclass(frozen=True, kw_only=True)
class CrossValidationResult:
    """What cross-validation found.

    Attributes:
        evaluations: One a seed, over all photos, each answered by a model that has not seen it.
        known_rejected: How many of these photos were answered "unknown", one a seed.
        outliers_rejected: The same of the photos of none of the classes; empty without any.
        seconds: Part of the run → how long it took.
        curve: From few training photos to all, with the first seed; empty if it was not wanted.
        label_issues: Photos whose labels are probably wrong, if they were wanted.
        problems: What was found in the folder of photos.
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


def cross_validate(
    config: TrainingConfig,
    *,
    folds: CrossValidationConfig | None = None,
    reporter: Reporter | None = None,
) -> CrossValidationResult:
    """Returns the figures of what ``train`` would train; nothing is written.

    In each fold everything is chosen without the photos that are tested on.

    Args:
        config: what to train. The seed of its head is the first; its split and its outputs are not
            used.
        folds: how often is measured, and which photos belong together.
        reporter: follows the run.

    Raises:
        ConfigError: ``unknown_dir`` with retrain.py's training.
        DataError: the photos cannot be used, or there are fewer groups than folds.
        BackboneError: the network cannot be had.
        CacheError: the cache folder cannot be used.
        MissingPackageError: label issues are wanted and cleanlab is not installed.
    """
    config = given(config, TrainingConfig, "config")
    folds = given_or_default(folds, CrossValidationConfig, "folds")
    if folds.label_issues is not None:
        require_cleanlab()
        try_file(folds.label_issues)
    split = SplitConfig(group_by=folds.group_by, layout=folds.layout)
    config = replace(config, split=split, finetuning=config.finetuning.resolved)
    validate_options(config)
    head = config.head
    watch = StageTimer(reporter or SilentReporter())
    data = load_dataset(config, watch)
    require_teacher(config.finetuning.teacher, data.labels)
    candidates = featurize_candidates(
        data,
        config,
        cache_path=cache_path_of(config),
        watch=watch,
        all_depths=selects_depths(config),
    )

    def measure(seed: int, share: float = 1.0) -> tuple[CurvePoint, np.ndarray]:
        of_seed = replace(config, head=replace(head, seed=seed))
        return _measure(
            candidates, of_seed, countdown, num_folds=folds.folds, seed=seed, share=share
        )

    shares = CURVE_SHARES if folds.learning_curve else ()
    countdown = Countdown(watch, folds.folds * (len(shares) + folds.seeds))
    curve = [measure(head.seed, share)[0] for share in shares]
    measured = [measure(seed) for seed in range(head.seed, head.seed + folds.seeds)]
    label_issues: tuple[LabelIssue, ...] = ()
    data = candidates[0].data
    if folds.label_issues is not None:
        label_issues = find_label_issues(data, np.mean([found for _, found in measured], axis=0))
        show_label_issues(folds.label_issues, data, label_issues)
    return CrossValidationResult(
        evaluations=tuple(point.evaluation for point, _ in measured),
        known_rejected=tuple(point.known_rejected for point, _ in measured),
        outliers_rejected=tuple(
            point.outliers_rejected for point, _ in measured if point.outliers_rejected
        ),
        seconds=watch.seconds_so_far(),
        curve=(*curve, measured[0][0]) if curve else (),
        label_issues=label_issues,
        problems=tuple(one for one in data.problems if one.kind not in _OF_THE_SPLIT),
        warnings=tuple(_warnings(candidates[0], measured[0][0].evaluation, folds.folds, head.seed)),
    )


def _warnings(
    photos: FeaturizedDataset, evaluation: Evaluation, num_folds: int, seed: int
) -> Iterator[Problem]:
    """Yields what changes how the accuracy is to be read, leaks first."""
    data = photos.data
    yield from suggested_groups(data.examples, data.split)
    yield from bursts(data.examples, data.split)
    pairs: list[tuple[str, str]] = []
    for dealt in make_folds(data, num_folds=num_folds, seed=seed):
        pairs += near_copies(replace(photos, data=dealt))
    yield from copies_problem(pairs, data.examples, len(data.examples))
    yield from warnings_of(evaluation)
    yield from rendered_test(data)


def _measure(
    candidates: Sequence[FeaturizedDataset],
    config: TrainingConfig,
    countdown: Countdown,
    *,
    num_folds: int,
    seed: int,
    share: float,
) -> tuple[CurvePoint, np.ndarray]:
    """Returns how well every photo is answered by models trained on a share of the others.

    With it come the answers, float32 (num_examples, num_classes).
    """
    data, rate = candidates[0].data, config.data.rejection_rate
    counts, known, outliers = [], [], []
    found = np.zeros((len(data.examples), len(data.labels)), np.float32)
    for dealt in make_folds(data, num_folds=num_folds, seed=seed):
        dealt = subsample(dealt, share=share, seed=seed) if share < 1 else dealt
        counts.append(len(dealt.in_split("training")))
        countdown.begin_model()
        photos = select_backbone([replace(one, data=dealt) for one in candidates], seed=seed)
        trained_on, trained = train_model(photos, config, observer=lambda *_: None)
        rows = [row for row, one in enumerate(dealt.examples) if one.split == "test"]
        _, labeled = trained_on.plain("test")
        found[rows] = trained.head.probabilities(labeled.plain())
        threshold, _ = choose_threshold(trained, dealt, rate)
        known.append(rejected(found[rows], threshold))
        strange = trained.head.probabilities(trained_on.held_out_outliers())
        outliers.append(rejected(strange, threshold))
    evaluation = evaluate(
        found,
        data.label_indices(data.examples),
        labels=data.labels,
        paths=[example.relative_path for example in data.examples],
        groups=[example.group for example in data.examples],
    )
    per_class = float(np.mean(counts)) / len(data.labels)
    point = CurvePoint(
        photos_per_class=per_class,
        evaluation=evaluation,
        known_rejected=sum(known, start=NONE_REJECTED),
        outliers_rejected=sum(outliers, start=NONE_REJECTED) if data.outliers else None,
    )
    return point, found
