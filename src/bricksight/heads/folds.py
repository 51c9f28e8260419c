"""Cross-validation of head candidates."""

import itertools
import warnings
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from bricksight._support.threads import num_cores, thread_map
from bricksight.features.labeled_features import LabeledFeatures
from bricksight.heads.blas import one_blas_thread
from bricksight.heads.linear import NO_PRIOR, HeadChoice, HeadPrior, LinearFit
from bricksight.heads.losses import best_temperature, kt_error_rate

_NUM_FOLDS = 3
_MAX_ITERATIONS = 30


class HeldOut(NamedTuple):
    """Result of a candidate on photos that were held out in turn.

    Attributes:
        loss: Cross entropy in nats, at the temperature.
        logits: float32 (num_photos, num_classes), before the temperature is applied.
        temperature: The temperature of lowest cross entropy over all photos.
    """

    loss: float
    logits: np.ndarray
    temperature: float


def can_cross_validate(labeled: LabeledFeatures) -> bool:
    """Return whether a class has photos of two groups, so that one can be held out."""
    return _most_groups_in_a_class(labeled) > 1


class Folds:
    """Cross-validation folds; what the candidates' fits share is computed once per fold."""

    def __init__(
        self,
        labeled: LabeledFeatures,
        *,
        num_classes: int,
        seed: int,
        prior: HeadPrior = NO_PRIOR,
    ) -> None:
        """Make the folds.

        Args:
            labeled: the first copy is the original photo; ``can_cross_validate`` holds.
            num_classes: how many classes there are.
            seed: of the folds.
            prior: extra supervision for softmax regression.
        """
        folds = list(_folds(labeled, seed))
        self._labels = labeled.labels
        self._fits = [
            LinearFit(labeled.take(fitted), num_classes=num_classes, prior=prior)
            for fitted, _ in folds
        ]
        self._held_out = [labeled.original()[held_out] for _, held_out in folds]
        self._in_order = np.argsort(np.concatenate([held_out for _, held_out in folds]))

    def held_out(self, choices: Sequence[HeadChoice]) -> list[HeldOut]:
        """Return the result of each candidate on the photos while they were held out.

        Softmax regression has fewer iterations than where it is fitted to be kept.
        """

        def logits_of_fold(job: tuple[HeadChoice, int]) -> np.ndarray:
            choice, fold = job
            head = self._fits[fold].fit(choice, max_iterations=_MAX_ITERATIONS)
            return head.logits(self._held_out[fold])

        jobs = list(itertools.product(choices, range(len(self._fits))))
        with one_blas_thread(), thread_map(logits_of_fold, jobs, num_threads=num_cores()) as found:
            by_job = iter(list(found))
        return [self._measured(list(itertools.islice(by_job, len(self._fits)))) for _ in choices]

    def _measured(self, of_folds: Sequence[np.ndarray]) -> HeldOut:
        logits = np.concatenate(of_folds)[self._in_order]
        error_rate = kt_error_rate(len(self._labels))
        temperature, loss = best_temperature(logits, self._labels, error_rate=error_rate)
        return HeldOut(loss, logits, temperature)


def _most_groups_in_a_class(labeled: LabeledFeatures) -> int:
    pairs = np.unique(np.stack([labeled.labels, labeled.groups], axis=1), axis=0)
    return int(np.bincount(pairs[:, 0]).max())


def _folds(labeled: LabeledFeatures, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the rows (fitted, held out) by group; every photo is held out once."""
    from sklearn.model_selection import StratifiedGroupKFold  # noqa: PLC0415 (costs a second)

    num_folds = min(_NUM_FOLDS, _most_groups_in_a_class(labeled))
    splitter = StratifiedGroupKFold(num_folds, shuffle=True, random_state=seed % 2**32)
    with warnings.catch_warnings():
        # Classes of fewer groups than folds are expected; nothing follows from it here.
        warnings.filterwarnings("ignore", message="The least populated class")
        yield from splitter.split(labeled.labels, labeled.labels, labeled.groups)
