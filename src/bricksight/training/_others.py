"""What a network knows that is none of the classes, and how much of an answer it may take."""

from dataclasses import replace

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logsumexp

from bricksight.bundle import Head

_SHARE = 0.01
"""Of the probability of known photos, on the mean, that is given to what is none of the classes.
More refuses somewhat more of what is unknown, and makes the answers to known photos too timid."""

_BOUNDS = (-100.0, 100.0)


def with_others(head: Head, others: Head, features: np.ndarray) -> Head:
    """Returns ``head`` with what is none of its classes: see ``Head.others``.

    Args:
        head: answers at the right temperature.
        others: what else is known, on the same features.
        features: float32 (num_photos, num_features), of known photos that ``head`` was not fitted
            to; one at least.
    """
    logits = replace(head, others=others).flat.logits(features)
    bias = common_bias(logits, len(head.bias))
    return replace(head, others=replace(others, bias=others.bias + bias))


def common_bias(logits: np.ndarray, num_classes: int) -> np.float32:
    """Returns what to add to the logits of all others.

    How often other things will be photographed nobody knows. So their common bias is such that
    known photos lose a small share of their probability to them.

    Args:
        logits: float32 (num_photos, any), of the classes and after them of all others, of known
            photos; one at least.
        num_classes: how many of them are classes.
    """
    of_classes = logsumexp(logits[:, :num_classes], axis=1)
    of_others = logsumexp(logits[:, num_classes:], axis=1)

    def excess(bias: float) -> float:
        return float(expit(of_others + bias - of_classes).mean()) - _SHARE

    return np.float32(brentq(excess, *_BOUNDS))
