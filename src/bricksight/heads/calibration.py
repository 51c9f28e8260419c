"""Calibration of a head: temperature, and the bias of the background classes."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.special import expit, log_softmax, logit, logsumexp

from bricksight.bundle import Head
from bricksight.heads.losses import MAX_TEMPERATURE, best_temperature

_SHARE = 0.03
"""Of the probability of known photos, on the mean, that is given to what is none of the classes.
More refuses somewhat more of what is unknown, and tells the classes apart somewhat worse."""


class Calibration(NamedTuple):
    """What makes answers as sure as they are right.

    Attributes:
        temperature: The logits of the classes are divided by it.
        bias: What is added to the logits of all others.
    """

    temperature: float = 1.0
    bias: float = 0.0

    def head(self, head: Head) -> Head:
        """Returns the layer with it."""
        others = head.others
        return Head(
            kernel=head.kernel / np.float32(self.temperature),
            bias=head.bias / np.float32(self.temperature),
            others=others and replace(others, bias=others.bias + np.float32(self.bias)),
        )

    def logits(self, logits: np.ndarray, num_classes: int) -> np.ndarray:
        """Returns the logits with it: of the classes, and after them of all others."""
        of_classes, of_others = np.split(logits, [num_classes], axis=1)
        return np.concatenate(
            [of_classes / np.float32(self.temperature), of_others + np.float32(self.bias)], axis=1
        )


def calibrate(
    logits: np.ndarray,
    labels: np.ndarray,
    *,
    num_classes: int,
    lowest: float = 1.0,
    doubt: float = 0.0,
) -> Calibration:
    """Returns the temperature with which the answers fit best, others having their share.

    Their share makes answers less sure. So it is part of what the temperature is chosen by.

    Args:
        logits: float32 (num_photos, any), of the classes and after them of all others, of known
            photos that nothing was fitted to; one at least.
        labels: int (num_photos,).
        num_classes: how many of the outputs are classes.
        lowest: as in ``best_temperature``.
        doubt: as in ``best_temperature``.
    """
    if logits.shape[1] == num_classes:
        temperature, _ = best_temperature(logits, labels, lowest=lowest, doubt=doubt)
        return Calibration(temperature)

    def cooled(log_temperature: float) -> np.ndarray:
        return Calibration(float(np.exp(log_temperature))).logits(logits, num_classes)

    def loss(log_temperature: float) -> float:
        candidate = cooled(log_temperature)
        return _loss(candidate, common_bias(candidate, num_classes), labels, num_classes, doubt)

    bounds = np.log(lowest), np.log(MAX_TEMPERATURE)
    found = float(minimize_scalar(loss, bounds=bounds, method="bounded").x)
    return Calibration(float(np.exp(found)), float(common_bias(cooled(found), num_classes)))


def _loss(
    logits: np.ndarray, bias: np.float32, labels: np.ndarray, num_classes: int, doubt: float
) -> float:
    """Returns the mean cross entropy where the others' shares are dealt to the classes."""
    share = expit(_odds_of_others(logits, num_classes) + bias)[:, None]
    of_classes = np.exp(log_softmax(logits[:, :num_classes], axis=1))
    chances = np.log(np.maximum((1 - share) * of_classes + share / num_classes, 1e-30))
    of_label = chances[np.arange(len(labels)), labels]
    return float(-((1 - doubt) * of_label + doubt * chances.mean(axis=1)).mean())


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
    odds = _odds_of_others(logits, num_classes).astype(np.float64)
    # With the bias of the photo of highest odds no photo exceeds the share, with that of the lowest
    # every photo reaches it; the 1 is for rounding.
    low, high = logit(_SHARE) - odds.max() - 1, logit(_SHARE) - odds.min() + 1
    return np.float32(brentq(lambda bias: float(expit(odds + bias).mean()) - _SHARE, low, high))


def _odds_of_others(logits: np.ndarray, num_classes: int) -> np.ndarray:
    """Returns the logarithm of the odds that a photo shows none of the classes, (num_photos,)."""
    of_classes, of_others = np.split(logits, [num_classes], axis=1)
    odds: np.ndarray = logsumexp(of_others, axis=1) - logsumexp(of_classes, axis=1)
    return odds
