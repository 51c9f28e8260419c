"""What a network knows that is none of the classes, and how much of an answer it may take."""

from dataclasses import replace

import numpy as np
from scipy.optimize import brentq

from bricksight.bundle import Head

_SHARE = 0.01
"""Of the probability of known photos, on the mean, that is given to what is none of the classes.
More refuses somewhat more of what is unknown, and makes the answers to known photos too timid."""

_BOUNDS = (-100.0, 100.0)


def with_others(head: Head, others: Head, features: np.ndarray) -> Head:
    """Returns ``head`` with what is none of its classes: see ``Head.others``.

    How often other things will be photographed nobody knows. So their common bias is such that
    known photos lose a small share of their probability to them.

    Args:
        head: answers at the right temperature.
        others: what else is known, on the same features.
        features: float32 (num_photos, num_features), of known photos that ``head`` was not fitted
            to; one at least.
    """

    def shifted(bias: float) -> Head:
        return replace(head, others=replace(others, bias=others.bias + np.float32(bias)))

    def excess(bias: float) -> float:
        return float(shifted(bias).share_of_others(features).mean()) - _SHARE

    return shifted(brentq(excess, *_BOUNDS))
