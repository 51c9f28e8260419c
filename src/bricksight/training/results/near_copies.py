"""Find test photos that are near-duplicates of training photos: they inflate the accuracy."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bricksight._support.progress import Progress
from bricksight._support.text import pluralize
from bricksight.dataset import Example, Problem, group_by_for_pairs
from bricksight.features import FeaturizedDataset
from bricksight.quality import find_near_duplicates

_MIN_COSINE = 0.9
"""Least cosine similarity of features of candidates; re-encoded copies are far above."""

_NEAREST = 3
"""Candidates for each test photo: the nearest may be another photo than the copy."""

_ROWS_AT_ONCE = 128  # 40 MB for 20,000 photos


def near_copies(dataset: FeaturizedDataset, progress: Progress) -> list[tuple[str, str]]:
    """Return pairs of test photo and training photo that are near-duplicates.

    Features propose candidates and pixels decide, so that few photos are read again.

    Args:
        dataset: the photos with their features.
        progress: follows the work.
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
        for other in others[alike >= _MIN_COSINE]
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
    """Return a warning about near-duplicates of training photos among the test photos.

    Args:
        pairs: paths of test photo and training photo.
        examples: all photos.
        num_tested: number of test photos.
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
    """Return the known photos with the nearest features to each test photo, and the cosines.

    Args:
        tested: float32 (num_tested, num_features).
        known: float32 (any, num_features) each, of num_known photos in all; they are not copied.
        excluded: bool (num_known,), photos that are not candidates.

    Returns:
        Rows of known photos in no order, and cosines, both (num_tested, up to 3).
    """
    number = min(_NEAREST, int((~excluded).sum()))
    nearest, cosine = [np.empty((0, number), np.int64)], [np.empty((0, number), np.float32)]
    squares = np.concatenate([_squared_lengths(features) for features in known])
    for start in range(0, len(tested) if number else 0, _ROWS_AT_ONCE):
        rows = tested[start : start + _ROWS_AT_ONCE]
        products = np.hstack([rows @ features.T for features in known])
        nearness = 2 * products - squares  # decreases with the squared distance
        nearness[:, excluded] = -np.inf
        found = np.argpartition(nearness, -number, axis=1)[:, -number:]
        lengths = np.sqrt(_squared_lengths(rows))[:, np.newaxis] * np.sqrt(squares[found])
        nearest.append(found)
        cosine.append(np.take_along_axis(products, found, axis=1) / lengths)
    return np.concatenate(nearest), np.concatenate(cosine)


def _squared_lengths(features: np.ndarray) -> np.ndarray:
    """Return the squared lengths of rows, float32 (any,), over 0."""
    squares = np.einsum("ij,ij->i", features, features)
    positive: np.ndarray = np.maximum(squares, np.finfo(np.float32).tiny)
    return positive
