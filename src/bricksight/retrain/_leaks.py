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

_ROWS_AT_ONCE = 1024


def near_copies(photos: Photos) -> list[tuple[str, str]]:
    """Returns test photos that look nearly the same as one that is trained on, each with that.

    Features propose the pairs and ``check`` decides, so that few photos are read once more.
    """
    records = photos.data.records
    tested = [row for row, one in enumerate(records) if one.bucket == "testing"]
    trained = [row for row, one in enumerate(records) if one.bucket != "testing"]
    known = [*(records[row] for row in trained), *photos.data.extra]
    extra = photos.extra[: len(photos.data.extra)]  # of none, the array holds other rows
    features = np.concatenate([photos.matrix[trained, 0], extra])
    nearest, cosine = _nearest(photos.matrix[tested, 0], features)
    pairs = [
        (records[row], replace(known[other], bucket="training"))
        for row, other, alike in zip(tested, nearest, cosine, strict=True)
        if alike >= _ALIKE
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
    """Returns which known photo is most like each tested one, and the cosine of their features."""
    tested, known = _of_length_one(tested), _of_length_one(known)
    nearest, cosine = [np.empty(0, np.int64)], [np.empty(0, np.float32)]
    for start in range(0, len(tested) if len(known) else 0, _ROWS_AT_ONCE):
        alike = tested[start : start + _ROWS_AT_ONCE] @ known.T
        nearest.append(alike.argmax(axis=1))
        cosine.append(alike.max(axis=1))
    return np.concatenate(nearest), np.concatenate(cosine)


def _of_length_one(features: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    found: np.ndarray = features / np.maximum(lengths, np.finfo(np.float32).tiny)
    return found
