"""Several photos of one object: one row of probabilities from all of theirs.

J. Kittler, M. Hatef, R. P. W. Duin, J. Matas, "On combining classifiers", IEEE Transactions on
Pattern Analysis and Machine Intelligence 20(3), 1998: the product rule, with equal priors.
"""

import numpy as np

# A probability that was rounded to 0 makes a class improbable but does not rule it out for good.
_SMALLEST = float(np.finfo(np.float32).eps)


def fuse(probabilities: np.ndarray, group_indices: np.ndarray) -> np.ndarray:
    """Return the probabilities of each group, float64 (num_groups, num_classes); rows sum to 1.

    The class of the highest product over the photos comes first. The values are the geometric mean,
    renormalised, not the product: photos of one object are not independent, and the product is
    near 1 after a few of them whether right or wrong. A photo seen twice changes nothing here.

    Args:
        probabilities: float (num_photos, num_classes), each row sums to 1.
        group_indices: int (num_photos,), numbers from 0 on without gaps.
    """
    num_photos = np.bincount(group_indices)
    logs = np.zeros((len(num_photos), probabilities.shape[1]))
    np.add.at(logs, group_indices, np.log(np.maximum(probabilities, _SMALLEST, dtype=np.float64)))
    logs /= num_photos[:, np.newaxis]
    means = np.exp(logs - logs.max(axis=1, keepdims=True))
    # What no photo finds possible stays at 0: a sum of many floors would keep 1 from being reached.
    highest = np.zeros_like(means)
    np.maximum.at(highest, group_indices, probabilities)
    means[highest <= _SMALLEST] = 0
    return np.asarray(means / means.sum(axis=1, keepdims=True))


def count_votes(
    probabilities: np.ndarray, group_indices: np.ndarray, fused: np.ndarray
) -> np.ndarray:
    """Return how many photos of each group have its answer as their own, int (num_groups,).

    A photo votes for its most probable class, however improbable.

    Args:
        probabilities: float (num_photos, num_classes).
        group_indices: int (num_photos,), numbers from 0 on without gaps.
        fused: float (num_groups, num_classes), what ``fuse`` gives for them.
    """
    agree = probabilities.argmax(axis=1) == fused.argmax(axis=1)[group_indices]
    return np.bincount(group_indices[agree], minlength=len(fused))
