"""Photos that are tested on and show what is trained on too, so that the accuracy is too good."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bricksight._text import counted
from bricksight.check import near_duplicates
from bricksight.dataset import Problem, Record, group_by_for_pairs
from bricksight.retrain._photos import Photos

_ALIKE = 0.9
"""Least cosine of the features of photos that are looked at; copies saved anew are far above."""

_NEAREST = 3
"""How many photos are looked at for each tested one: the nearest by features may be another."""

_ROWS_AT_ONCE = 128  # of 20,000 photos 40 MB


def near_copies(photos: Photos) -> list[tuple[str, str]]:
    """Returns test photos that look nearly the same as one that is trained on, each with that.

    Features propose the pairs and ``check`` decides, so that few photos are read once more.
    """
    records = photos.data.records
    tested = [row for row, one in enumerate(records) if one.bucket == "testing"]
    trained = [row for row, one in enumerate(records) if one.bucket != "testing"]
    known = [*(records[row] for row in trained), *photos.data.extra]
    features = photos.matrix[trained, 0]
    if photos.data.extra:
        features = np.concatenate([features, photos.extra])
    nearest, cosine = _nearest(photos.matrix[tested, 0], features)
    pairs = [
        (records[row], replace(known[other], bucket="training"))
        for row, others, alike in zip(tested, nearest, cosine, strict=True)
        for other in others[alike >= _ALIKE]
    ]
    if not pairs:
        return []
    proposed = list(dict.fromkeys(record for pair in pairs for record in pair))
    with photos.watch.stage("Comparing the test photos", len(proposed)) as advance:
        found = near_duplicates(proposed, progress=advance).across_split
    return [(one.path, one.other) for one in found]


def copies_problem(
    pairs: Sequence[tuple[str, str]], records: Sequence[Record], num_tested: int
) -> list[Problem]:
    """Returns the warning of test photos that look like ones that are trained on.

    Args:
        pairs: paths of a test photo and of one that is trained on.
        records: all photos.
        num_tested: how many are tested on.
    """
    if not pairs:
        return []
    be = "looks" if len(pairs) == 1 else "look"
    message = (
        f"The accuracy is probably too good: {len(pairs):,} of {counted(num_tested, 'test photo')} "
        f"{be} nearly the same as a photo that is trained on, such as {pairs[0][0]!r} and "
        f"{pairs[0][1]!r}. "
    )
    cure = group_by_for_pairs(pairs, records)
    if cure is None:
        message += "Keep such photos together with --group_by, or remove some."
    else:
        message += f"--group_by '{cure[0]}' keeps {cure[1]:,} of these pairs together."
    return [Problem("near_duplicate_split", message, tuple(one for one, _ in pairs))]


def _nearest(tested: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns which known photos are most like each tested one, and the cosines of their features.

    Args:
        tested: float32 (num_tested, num_features); overwritten.
        known: float32 (num_known, num_features); overwritten, which saves a copy of all features.

    Returns:
        Rows of ``known`` in no order, and cosines, both (num_tested, 3) or less wide.
    """
    number = min(_NEAREST, len(known))
    tested, known = _scaled_to_length_one(tested), _scaled_to_length_one(known)
    nearest, cosine = [np.empty((0, number), np.int64)], [np.empty((0, number), np.float32)]
    for start in range(0, len(tested) if number else 0, _ROWS_AT_ONCE):
        alike = tested[start : start + _ROWS_AT_ONCE] @ known.T
        rows = np.argpartition(-alike, number - 1, axis=1)[:, :number]
        nearest.append(rows)
        cosine.append(np.take_along_axis(alike, rows, axis=1))
    return np.concatenate(nearest), np.concatenate(cosine)


def _scaled_to_length_one(features: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    features /= np.maximum(lengths, np.finfo(np.float32).tiny)
    return features
