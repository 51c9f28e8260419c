"""How well candidates do on photos that are held out in turn."""

import itertools
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from bricksight._threads import in_threads, num_cores
from bricksight.bundle import Head
from bricksight.training._blas import one_blas_thread
from bricksight.training._examples import Examples, best_temperature, doubt_of

_NUM_FOLDS = 3

Fit = Callable[[Examples], Sequence[Head]]
"""Fits one or several candidates, always as many, to the same photos."""


class HeldOut(NamedTuple):
    """How a candidate did on photos that were held out in turn.

    Attributes:
        loss: Cross entropy in nats, at the temperature.
        logits: float32 (num_photos, num_classes), before it.
        temperature: The best common one of all photos.
    """

    loss: float
    logits: np.ndarray
    temperature: float


def can_cross_validate(examples: Examples) -> bool:
    """Returns whether a class has photos of two groups, so that one can be held out."""
    return _most_groups_in_a_class(examples) > 1


def held_out(examples: Examples, fits: Sequence[Fit], *, seed: int) -> list[HeldOut]:
    """Returns how each candidate did on photos held out in turn.

    Args:
        examples: the first view is the unchanged photo; ``can_cross_validate`` holds.
        fits: what fits the candidates; done on all cores.
        seed: deals the folds.
    """
    folds = list(_folds(examples, seed))

    def held_out_logits(job: tuple[Fit, tuple[np.ndarray, np.ndarray]]) -> list[np.ndarray]:
        fit, (fitted, held_out) = job
        plain = examples.plain()[held_out]
        return [head.logits(plain) for head in fit(examples.take(fitted))]

    jobs = list(itertools.product(fits, folds))
    with one_blas_thread(), in_threads(held_out_logits, jobs, num_threads=num_cores()) as found:
        by_job = iter(list(found))
    labels = examples.labels
    in_order = np.argsort(np.concatenate([held_out for _, held_out in folds]))
    measured = []
    for _ in fits:
        for of_folds in zip(*itertools.islice(by_job, len(folds)), strict=True):
            logits = np.concatenate(of_folds)[in_order]
            temperature, loss = best_temperature(logits, labels, doubt=doubt_of(len(labels)))
            measured.append(HeldOut(loss, logits, temperature))
    return measured


def _most_groups_in_a_class(examples: Examples) -> int:
    pairs = np.unique(np.stack([examples.labels, examples.groups], axis=1), axis=0)
    return int(np.bincount(pairs[:, 0]).max())


def _folds(examples: Examples, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields the rows (fitted, held out) by group; every photo is held out once."""
    from sklearn.model_selection import StratifiedGroupKFold  # noqa: PLC0415 (costs a second)

    num_folds = min(_NUM_FOLDS, _most_groups_in_a_class(examples))
    splitter = StratifiedGroupKFold(num_folds, shuffle=True, random_state=seed % 2**32)
    with warnings.catch_warnings():
        # Classes of fewer groups than folds are expected; nothing follows from it here.
        warnings.filterwarnings("ignore", message="The least populated class")
        yield from splitter.split(examples.labels, examples.labels, examples.groups)
