"""How good a recipe is on photos that it has not seen: every photo tested on once a seed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from bricksight.config import (
    AugmentConfig,
    CrossvalConfig,
    FineTuneConfig,
    HeadConfig,
    RetrainConfig,
    SplitConfig,
)
from bricksight.dataset import deal_folds
from bricksight.evaluation import Evaluation, evaluate
from bricksight.retrain._photos import Photos, open_photos
from bricksight.retrain._progress import Reporter, SilentReporter, Stopwatch
from bricksight.retrain._workflow import Configs, cache_path_of, find_photos, fit


@dataclass(frozen=True, kw_only=True)
class CrossvalResult:
    """What cross-validation found.

    Attributes:
        evaluations: One a seed, over all photos, each answered by a model that has not seen it.
        seconds: Part of the run → how long it took.
    """

    evaluations: tuple[Evaluation, ...]
    seconds: Mapping[str, float]

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


def crossval(
    config: RetrainConfig,
    *,
    folds: CrossvalConfig | None = None,
    augment: AugmentConfig | None = None,
    head: HeadConfig | None = None,
    fine_tune: FineTuneConfig | None = None,
    reporter: Reporter | None = None,
) -> CrossvalResult:
    """Returns the figures of what ``retrain`` would train; nothing is written.

    In each fold everything is chosen without the photos that are tested on.

    Args:
        config: what to train; its fields that name outputs are not used.
        folds: how often is measured, and which photos belong together.
        augment: see ``retrain``.
        head: see ``retrain``; its seed is the first.
        fine_tune: see ``retrain``.
        reporter: follows the run.

    Raises:
        DataError: the photos cannot be used, or there are fewer groups than folds.
        ModuleError: the network cannot be had.
        CacheError: the cache folder cannot be used.
    """
    folds, head = folds or CrossvalConfig(), head or HeadConfig()
    watch = Stopwatch(reporter or SilentReporter())
    split = SplitConfig(group_by=folds.group_by)
    photos = open_photos(
        find_photos(config, split, watch), config, cache_path=cache_path_of(config), watch=watch
    )
    rest = (split, augment or AugmentConfig())
    evaluations = []
    for seed in range(head.seed, head.seed + folds.seeds):
        configs = (config, *rest, replace(head, seed=seed), fine_tune or FineTuneConfig())
        probabilities = _out_of_fold(photos, configs, num_folds=folds.folds, seed=seed)
        evaluations.append(_evaluate(photos, probabilities))
    return CrossvalResult(evaluations=tuple(evaluations), seconds=watch.seconds_so_far())


def _out_of_fold(photos: Photos, configs: Configs, *, num_folds: int, seed: int) -> np.ndarray:
    """Returns the probabilities of every photo, float32 (num_records, num_classes)."""
    data = photos.data
    found = np.zeros((len(data.records), len(data.labels)), np.float32)
    for dealt in deal_folds(data, num_folds=num_folds, seed=seed):
        trained_on, trained = fit(replace(photos, data=dealt), configs, observer=lambda *_: None)
        rows = [row for row, one in enumerate(dealt.records) if one.bucket == "testing"]
        _, examples = trained_on.plain("testing")
        found[rows] = trained.head.probabilities(examples.plain())
    return found


def _evaluate(photos: Photos, probabilities: np.ndarray) -> Evaluation:
    records = photos.data.records
    return evaluate(
        probabilities,
        photos.data.label_indices(records),
        labels=photos.data.labels,
        paths=[record.relative_path for record in records],
        groups=[record.group for record in records],
    )
