"""Photos that are tested on and show what is trained on too, so that the accuracy is too good."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bricksight._support.progress import Progress
from bricksight._support.text import pluralize
from bricksight.dataset import Example, Problem, group_by_for_pairs
from bricksight.features import FeaturizedDataset
from bricksight.quality import find_near_duplicates

_ALIKE = 0.9
"""Least cosine of the features of photos that are looked at; copies saved anew are far above."""

_NEAREST = 3
"""How many photos are looked at for each tested one: the nearest may be another than the copy."""

_ROWS_AT_ONCE = 128  # of 20,000 photos 40 MB


def near_copies(dataset: FeaturizedDataset, progress: Progress) -> list[tuple[str, str]]:
    """Returns test photos that look nearly the same as one that is trained on, each with that.

    Features propose the pairs and ``check`` decides, so that few photos are read once more.
    """
    examples = dataset.data.examples
    is_tested = np.array([one.split == "test" for one in examples])
    tested = np.flatnonzero(is_tested)
    known = [*examples, *dataset.data.extra]
    features = [dataset.features[:, 0], *([dataset.extra_features] if dataset.data.extra else [])]
    excluded = np.append(is_tested, np.zeros(len(dataset.data.extra), bool))
    nearest, cosine = _nearest(dataset.features[tested, 0], features, excluded)
    pairs = [
        (examples[row], replace(known[other], split="training"))
        for row, others, alike in zip(tested, nearest, cosine, strict=True)
        for other in others[alike >= _ALIKE]
    ]
    if not pairs:
        return []
    proposed = list(dict.fromkeys(example for pair in pairs for example in pair))
    with progress.stage("Comparing the test photos", len(proposed)) as advance:
        found = find_near_duplicates(proposed, progress=advance).across_split
    return [(one.path, one.other) for one in found]


def copies_problem(
    pairs: Sequence[tuple[str, str]], examples: Sequence[Example], num_tested: int
) -> list[Problem]:
    """Returns the warning of test photos that look like ones that are trained on.

    Args:
        pairs: paths of a test photo and of one that is trained on.
        examples: all photos.
        num_tested: how many are tested on.
    """
    if not pairs:
        return []
    be = "looks" if len(pairs) == 1 else "look"
    message = (
        f"The accuracy is probably too good: {len(pairs):,} of "
        f"{pluralize(num_tested, 'test photo')} {be} nearly the same as a photo that is "
        f"trained on, such as {pairs[0][0]!r} and {pairs[0][1]!r}. "
    )
    cure = group_by_for_pairs(pairs, examples)
    if cure is None:
        message += "Keep such photos together with --group_by, or remove some."
    else:
        message += f"--group_by '{cure[0]}' keeps {cure[1]:,} of these pairs together."
    return [Problem("near_duplicate_split", message, tuple(one for one, _ in pairs))]


def _nearest(
    tested: np.ndarray, known: Sequence[np.ndarray], excluded: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns which known photos have the nearest features to each tested one, and the cosines.

    Args:
        tested: float32 (num_tested, num_features).
        known: float32 (any, num_features) each, in all num_known photos. No copy is made of them.
        excluded: bool (num_known,), those that are not looked for.

    Returns:
        Rows of the known photos in no order, and cosines, both (num_tested, 3) or less wide.
    """
    number = min(_NEAREST, int((~excluded).sum()))
    nearest, cosine = [np.empty((0, number), np.int64)], [np.empty((0, number), np.float32)]
    squares = np.concatenate([_squared_lengths(features) for features in known])
    for start in range(0, len(tested) if number else 0, _ROWS_AT_ONCE):
        rows = tested[start : start + _ROWS_AT_ONCE]
        products = np.hstack([rows @ features.T for features in known])
        nearness = 2 * products - squares  # the less by how much they differ, squared
        nearness[:, excluded] = -np.inf
        found = np.argpartition(nearness, -number, axis=1)[:, -number:]
        lengths = np.sqrt(_squared_lengths(rows))[:, np.newaxis] * np.sqrt(squares[found])
        nearest.append(found)
        cosine.append(np.take_along_axis(products, found, axis=1) / lengths)
    return np.concatenate(nearest), np.concatenate(cosine)


def _squared_lengths(features: np.ndarray) -> np.ndarray:
    """Returns float32 (any,), more than 0."""
    squares = np.einsum("ij,ij->i", features, features)
    positive: np.ndarray = np.maximum(squares, np.finfo(np.float32).tiny)
    return positive
