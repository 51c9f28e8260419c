"""Cross-validation: how well a recipe classifies photos that the model was not trained on."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from bricksight._support.filesystem.places import try_file
from bricksight._support.progress import Advance, Progress, Reporter
from bricksight.config import (
    CrossValidationConfig,
    SplitConfig,
    TrainingConfig,
    given,
    given_or_default,
)
from bricksight.dataset import Dataset, Problem, make_folds, subsample, suggested_groups
from bricksight.evaluation import (
    NONE_REJECTED,
    Evaluation,
    rejected,
    warnings_of,
)
from bricksight.features import FeatureExtractor, FeaturizedDataset
from bricksight.finetuning.distillation import require_teacher
from bricksight.quality import bursts
from bricksight.training.backbone_selection import featurize_candidates, select_backbone
from bricksight.training.context import TrainedModel, TrainingContext, validate_options
from bricksight.training.loading import load_dataset
from bricksight.training.plan import CROSS_VALIDATING, cross_validation_plan
from bricksight.training.recipes import selects_scales, train_model
from bricksight.training.results.artifacts import evaluate_split
from bricksight.training.results.cross_validation_result import CrossValidationResult, CurvePoint
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
"""Shares of the training photos at the points of a learning curve, besides all photos."""

_OF_THE_SPLIT = frozenset({"tiny_class", "missing_split"})
"""Problems of a split into training, validation and test, which cross-validation does not make."""


def cross_validate(
    config: TrainingConfig,
    *,
    folds: CrossValidationConfig | None = None,
    reporter: Reporter | None = None,
) -> CrossValidationResult:
    """Measure what ``train`` would train on photos that it was not trained on; write no model.

    In each fold, everything is selected without the test photos.

    Args:
        config: what to train. The seed of its head is the first; its split and its outputs are
            ignored.
        folds: number of folds and seeds, and which photos form a group.
        reporter: called with each progress event.

    Raises:
        ConfigError: ``unknown_dir`` together with gradient descent.
        DataError: the photos cannot be used, or there are fewer groups than folds.
        BackboneError: the backbone cannot be loaded.
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
    run = _CrossValidation(config, folds, reporter)
    run.load()
    return run.measure()


class _CrossValidation:
    """One cross-validation: the photos as seen by each candidate, and the models of the folds."""

    def __init__(
        self, config: TrainingConfig, folds: CrossValidationConfig, reporter: Reporter | None
    ) -> None:
        self._config, self._folds = config, folds
        self._shares = CURVE_SHARES if folds.learning_curve else ()
        self._num_models = folds.folds * (len(self._shares) + folds.seeds)
        self._progress = Progress(reporter, self._plan())
        cache_path = cache_path_of(config)
        self._extractor = FeatureExtractor(cache_path=cache_path, progress=self._progress)
        self._candidates: tuple[FeaturizedDataset, ...] = ()

    def _plan(self, **known: int) -> dict[str, float]:
        return cross_validation_plan(self._config, num_models=self._num_models, **known)

    def load(self) -> None:
        """Load the photos and compute the features of every candidate."""
        data = load_dataset(self._config, self._progress)
        self._progress.plan(self._plan(num_photos=len(data.examples)))
        require_teacher(self._config.finetuning.teacher, data.labels)
        self._candidates = featurize_candidates(
            data, self._config, self._extractor, multi_scale=selects_scales(self._config)
        )

    def measure(self) -> CrossValidationResult:
        """Train and measure the models of all seeds and shares."""
        first, folds = self._config.head.seed, self._folds
        with self._progress.stage(CROSS_VALIDATING, self._num_models) as advance:
            curve = [self._point(first, advance, share)[0] for share in self._shares]
            measured = [self._point(seed, advance) for seed in range(first, first + folds.seeds)]
        points, answers = zip(*measured, strict=True)
        data = self._candidates[0].data
        label_issues: tuple[LabelIssue, ...] = ()
        if folds.label_issues is not None:
            label_issues = find_label_issues(data, np.mean(answers, axis=0))
            show_label_issues(folds.label_issues, data, label_issues)
        return CrossValidationResult(
            evaluations=tuple(point.evaluation for point in points),
            known_rejected=tuple(point.known_rejected for point in points),
            outliers_rejected=tuple(
                point.outliers_rejected for point in points if point.outliers_rejected
            ),
            seconds=self._progress.seconds(),
            curve=(*curve, points[0]) if curve else (),
            label_issues=label_issues,
            problems=tuple(one for one in data.problems if one.kind not in _OF_THE_SPLIT),
            warnings=tuple(self._warnings(points[0].evaluation)),
        )

    def _folds_of(self, seed: int) -> Iterator[Dataset]:
        return make_folds(self._candidates[0].data, num_folds=self._folds.folds, seed=seed)

    def _warnings(self, evaluation: Evaluation) -> Iterator[Problem]:
        """Yield what changes how the accuracy is to be read, leaks first."""
        dataset = self._candidates[0]
        data = dataset.data
        yield from suggested_groups(data.examples, data.split)
        yield from bursts(data.examples, data.split)
        pairs: list[tuple[str, str]] = []
        for fold in self._folds_of(self._config.head.seed):
            pairs += near_copies(replace(dataset, data=fold), self._progress)
        yield from copies_problem(pairs, data.examples, len(data.examples))
        yield from warnings_of(evaluation)
        yield from rendered_test(data)

    def _point(
        self, seed: int, advance: Advance, share: float = 1.0
    ) -> tuple[CurvePoint, np.ndarray]:
        """Return the figures of models trained on a share of the photos, one model a fold.

        With them come the probabilities of all examples while they were tested on, float32
        (num_examples, num_classes).
        """
        data = self._candidates[0].data
        config = replace(self._config, head=replace(self._config.head, seed=seed))
        found = np.zeros((len(data.examples), len(data.labels)), np.float32)
        counts, known, outliers = [], [], []
        for fold in self._folds_of(seed):
            if share < 1:
                fold = subsample(fold, share=share, seed=seed)
            counts.append(len(fold.in_split("training")))
            model = self._train(fold, config)
            rows = [row for row, one in enumerate(fold.examples) if one.split == "test"]
            head = model.trained.head
            found[rows] = head.probabilities(model.dataset.in_split("test").original())
            threshold, _ = choose_threshold(model.trained, fold, config.data.rejection_rate)
            known.append(rejected(found[rows], threshold))
            unknown = head.probabilities(model.dataset.held_out_outliers())
            outliers.append(rejected(unknown, threshold))
            advance(1)
        point = CurvePoint(
            photos_per_class=float(np.mean(counts)) / len(data.labels),
            evaluation=evaluate_split(found, data, data.examples),
            known_rejected=sum(known, start=NONE_REJECTED),
            outliers_rejected=sum(outliers, start=NONE_REJECTED) if data.outliers else None,
        )
        return point, found

    def _train(self, fold: Dataset, config: TrainingConfig) -> TrainedModel:
        """Train the model of a fold; its checkpoints are of no use afterwards."""
        context = TrainingContext(config=config, extractor=self._extractor)
        candidates = [replace(one, data=fold) for one in self._candidates]
        model = train_model(select_backbone(candidates, context), context)
        for checkpoint in context.checkpoints:
            checkpoint.discard()
        return model
