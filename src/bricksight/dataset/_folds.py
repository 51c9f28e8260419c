"""Make cross-validation folds of a data set, and subsamples of its training photos."""

import functools
import warnings
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from bricksight._support.optional import require
from bricksight._support.text import pluralize
from bricksight.dataset._dataset import Dataset
from bricksight.errors import DataError

_VALIDATION_FOLDS = 8
"""An eighth of the photos that are not in the test split is for validation.

With five folds, that is a tenth of all photos.
"""


def make_folds(data: Dataset, *, num_folds: int, seed: int) -> Iterator[Dataset]:
    """Yield the data set ``num_folds`` times; every photo is in the test split exactly once.

    Folds are stratified by class, and photos of one group stay in one split.

    Args:
        data: The photos; their present splits are ignored.
        num_folds: 2 or more.
        seed: Seed of the shuffling.

    Raises:
        DataError: There are fewer groups than folds, or no class has as many photos as folds.
    """
    labels = data.label_indices(data.examples)
    groups = np.array([example.group for example in data.examples])
    num_possible = _most_folds(labels, groups)
    if num_possible < num_folds:
        raise DataError(
            f"{data.image_dir} cannot be split into {num_folds} folds: no class has more than "
            f"{pluralize(int(np.bincount(labels).max()), 'photo')}, and there are "
            f"{pluralize(len(np.unique(groups)), 'group')} of photos. Add photos"
            + (f", or use --folds {num_possible}." if num_possible > 1 else ".")
        )

    split_rows = functools.partial(_stratified_folds, labels, groups, seed=seed)
    for rest, test in split_rows(num_folds, np.arange(len(labels))):
        splits = np.full(len(labels), "training", dtype=object)
        splits[test] = "test"
        num_inner = min(_VALIDATION_FOLDS, _most_folds(labels[rest], groups[rest]))
        if num_inner > 1:
            _, validation = next(split_rows(num_inner, rest))
            splits[validation] = "validation"
        examples = zip(data.examples, splits, strict=True)
        yield replace(data, examples=tuple(replace(one, split=split) for one, split in examples))


def _stratified_folds(
    labels: np.ndarray, groups: np.ndarray, num_folds: int, rows: np.ndarray, *, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the training rows and the held-out rows of each fold of some rows of the data set."""
    # Imported here because the import takes a second.
    selection = require("sklearn.model_selection", extra="train", feature="Cross-validation")
    splitter = selection.StratifiedGroupKFold(num_folds, shuffle=True, random_state=seed % 2**32)
    with warnings.catch_warnings():
        # A class with fewer groups than folds is missing in some folds, which is acceptable.
        warnings.filterwarnings("ignore", message="The least populated class")
        pairs = list(splitter.split(labels[rows], labels[rows], groups[rows]))
    yield from ((rows[kept], rows[held_out]) for kept, held_out in pairs)


def _most_folds(labels: np.ndarray, groups: np.ndarray) -> int:
    return min(len(np.unique(groups)), int(np.bincount(labels).max()))


def subsample(data: Dataset, *, share: float, seed: int) -> Dataset:
    """Return the data set with fewer training groups, but at least one per class.

    The split of the other training photos becomes "unused". With the same seed, the groups of a
    smaller share are a subset of those of a larger one.

    Args:
        data: A data set from ``make_folds``.
        share: Share of the training groups of each class to keep, 0 to 1.
        seed: Seed of the choice.
    """
    rng = np.random.default_rng(seed)
    groups: dict[str, set[str]] = defaultdict(set)
    for example in data.in_split("training"):
        groups[example.label].add(example.group)
    kept: set[str] = set()
    for label in sorted(groups):
        order = rng.permutation(sorted(groups[label])).tolist()
        kept.update(order[: max(1, round(share * len(order)))])
    examples = tuple(
        replace(one, split="unused") if one.split == "training" and one.group not in kept else one
        for one in data.examples
    )
    return replace(data, examples=examples)
