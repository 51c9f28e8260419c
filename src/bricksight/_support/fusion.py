"""Combine the probabilities of several photos of one object.

J. Kittler, M. Hatef, R. P. W. Duin, J. Matas, "On combining classifiers", IEEE Transactions on
Pattern Analysis and Machine Intelligence 20(3), 1998: the product rule, with equal priors.
"""

import numpy as np

# Lower bound of a probability: a class with a rounded probability of 0 is not ruled out.
_SMALLEST = float(np.finfo(np.float32).eps)


def fuse(probabilities: np.ndarray, group_indices: np.ndarray) -> np.ndarray:
    """Combine probabilities by group: float64 (num_groups, num_classes), rows sum to 1.

    The result is the normalized geometric mean over the photos of a group. It ranks the classes
    like the product rule. The product itself is not used because photos of one object are not
    independent: it would be near 1 after a few photos, whether right or wrong.

    Args:
        probabilities: float (num_photos, num_classes), rows sum to 1.
        group_indices: int (num_photos,), index of each photo's group, from 0 without gaps.
    """
    num_photos = np.bincount(group_indices)
    logs = np.zeros((len(num_photos), probabilities.shape[1]))
    np.add.at(logs, group_indices, np.log(np.maximum(probabilities, _SMALLEST, dtype=np.float64)))
    logs /= num_photos[:, np.newaxis]
    means = np.exp(logs - logs.max(axis=1, keepdims=True))
    # Classes with probability 0 in all photos stay at 0. Many lower bounds would add up.
    highest = np.zeros_like(means)
    np.maximum.at(highest, group_indices, probabilities)
    means[highest <= _SMALLEST] = 0
    return np.asarray(means / means.sum(axis=1, keepdims=True))


def count_votes(
    probabilities: np.ndarray, group_indices: np.ndarray, fused: np.ndarray
) -> np.ndarray:
    """Count the photos of each group with the same top-1 class as the group, int (num_groups,).

    Args:
        probabilities: float (num_photos, num_classes).
        group_indices: int (num_photos,), index of each photo's group, from 0 without gaps.
        fused: float (num_groups, num_classes), the result of ``fuse``.
    """
    agree = probabilities.argmax(axis=1) == fused.argmax(axis=1)[group_indices]
    return np.bincount(group_indices[agree], minlength=len(fused))
