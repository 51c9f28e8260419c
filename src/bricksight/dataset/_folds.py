"""The same photos split into folds, so that each photo is tested on once."""

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
"""Of the photos that are not tested on, an eighth validates: of five folds, a tenth of all."""


def make_folds(data: Dataset, *, num_folds: int, seed: int) -> Iterator[Dataset]:
    """Yields the data set ``num_folds`` times; every photo is in the test split once.

    Classes are spread evenly, and photos of one group stay on one side.

    Args:
        data: its present split does not matter.
        num_folds: 2 or more.
        seed: another one deals other folds.

    Raises:
        DataError: there are fewer groups than folds, or fewer photos of every class.
    """
    # Loaded here: it takes a second.
    selection = require("sklearn.model_selection", extra="train", feature="Cross-validation")
    labels = data.label_indices(data.examples)
    groups = np.array([example.group for example in data.examples])
    num_possible = _most_folds(labels, groups)
    if num_possible < num_folds:
        raise DataError(
            f"{data.image_dir} cannot be split into {num_folds} folds: no class has more than "
            f"{pluralize(int(np.bincount(labels).max()), 'photo')}, and there are "
            f"{pluralize(len(np.unique(groups)), 'group')} of photos. Add photos"
            + (f", or ask for --folds {num_possible}." if num_possible > 1 else ".")
        )

    def deal(num: int, rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        splitter = selection.StratifiedGroupKFold(num, shuffle=True, random_state=seed % 2**32)
        with warnings.catch_warnings():
            # A class of fewer groups than folds is missing in some of them; nothing follows here.
            warnings.filterwarnings("ignore", message="The least populated class")
            pairs = list(splitter.split(labels[rows], labels[rows], groups[rows]))
        yield from ((rows[kept], rows[held_out]) for kept, held_out in pairs)

    for rest, test in deal(num_folds, np.arange(len(labels))):
        sides = np.full(len(labels), "training", dtype=object)
        sides[test] = "test"
        num_inner = min(_VALIDATION_FOLDS, _most_folds(labels[rest], groups[rest]))
        if num_inner > 1:
            _, validation = next(deal(num_inner, rest))
            sides[validation] = "validation"
        examples = zip(data.examples, sides, strict=True)
        yield replace(data, examples=tuple(replace(one, split=side) for one, side in examples))


def _most_folds(labels: np.ndarray, groups: np.ndarray) -> int:
    return min(len(np.unique(groups)), int(np.bincount(labels).max()))


def subsample(data: Dataset, *, share: float, seed: int) -> Dataset:
    """Returns the data set with fewer groups on the training side, and at least one a class.

    The others are on no side: their split is "unused". A smaller share is part of a larger one.

    Args:
        data: one of ``make_folds``.
        share: of the groups of each class, 0 to 1.
        seed: another one leaves other groups.
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
