"""Calibration of a head: temperature, and the bias of the background classes."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.special import expit, log_softmax, logit, logsumexp

from bricksight.bundle import Head
from bricksight.heads.losses import MAX_TEMPERATURE, best_temperature

_SHARE = 0.03
"""Mean probability of the background over known photos. A larger share rejects more unknown photos
and classifies known ones somewhat worse."""


class Calibration(NamedTuple):
    """A temperature and a background bias that make probabilities match the accuracy.

    Attributes:
        temperature: Divides the logits of the classes.
        bias: Added to the logits of the background classes.
    """

    temperature: float = 1.0
    bias: float = 0.0

    def head(self, head: Head) -> Head:
        """Return the head with the calibration in its weights."""
        background = head.background
        return Head(
            kernel=head.kernel / np.float32(self.temperature),
            bias=head.bias / np.float32(self.temperature),
            background=background
            and replace(background, bias=background.bias + np.float32(self.bias)),
        )

    def logits(self, logits: np.ndarray, num_classes: int) -> np.ndarray:
        """Return calibrated logits of the classes, followed by those of the background classes."""
        of_classes, of_background = np.split(logits, [num_classes], axis=1)
        return np.concatenate(
            [of_classes / np.float32(self.temperature), of_background + np.float32(self.bias)],
            axis=1,
        )


def calibrate(
    logits: np.ndarray,
    labels: np.ndarray,
    *,
    num_classes: int,
    lowest: float = 1.0,
    error_rate: float = 0.0,
) -> Calibration:
    """Return the temperature of lowest cross entropy, and the background bias that goes with it.

    The background takes a share of the probability, which lowers confidence, so both are
    chosen together.

    Args:
        logits: float32 (num_photos, num_outputs), of the classes, then of the background classes,
            for at least one known photo, none of which the head was fitted to.
        labels: int (num_photos,).
        num_classes: how many of the outputs are classes.
        lowest: as in ``best_temperature``.
        error_rate: as in ``best_temperature``.
    """
    if logits.shape[1] == num_classes:
        temperature, _ = best_temperature(logits, labels, lowest=lowest, error_rate=error_rate)
        return Calibration(temperature)

    def cooled(log_temperature: float) -> np.ndarray:
        return Calibration(float(np.exp(log_temperature))).logits(logits, num_classes)

    def loss(log_temperature: float) -> float:
        candidate = cooled(log_temperature)
        return _loss(
            candidate, common_bias(candidate, num_classes), labels, num_classes, error_rate
        )

    bounds = np.log(lowest), np.log(MAX_TEMPERATURE)
    found = float(minimize_scalar(loss, bounds=bounds, method="bounded").x)
    return Calibration(float(np.exp(found)), float(common_bias(cooled(found), num_classes)))


def _loss(
    logits: np.ndarray, bias: np.float32, labels: np.ndarray, num_classes: int, error_rate: float
) -> float:
    """Return the mean cross entropy after redistributing the background to the classes."""
    share = expit(_background_log_odds(logits, num_classes) + bias)[:, None]
    of_classes = np.exp(log_softmax(logits[:, :num_classes], axis=1))
    chances = np.log(np.maximum((1 - share) * of_classes + share / num_classes, 1e-30))
    of_label = chances[np.arange(len(labels)), labels]
    return float(-((1 - error_rate) * of_label + error_rate * chances.mean(axis=1)).mean())


def with_background(head: Head, background: Head, features: np.ndarray) -> Head:
    """Return ``head`` with background classes, their bias chosen by ``common_bias``.

    Args:
        head: a calibrated head.
        background: the layer of the background classes, on the same features.
        features: float32 (num_photos, num_features), of at least one known photo, none of which
            ``head`` was fitted to.
    """
    logits = replace(head, background=background).flat.logits(features)
    bias = common_bias(logits, len(head.bias))
    return replace(head, background=replace(background, bias=background.bias + bias))


def common_bias(logits: np.ndarray, num_classes: int) -> np.float32:
    """Return what to add to the logits of the background classes.

    How often other things will be photographed is not known. So the bias is set by known photos
    alone: on average they lose a small, fixed share of their probability to the background.

    Args:
        logits: float32 (num_photos, num_outputs), of the classes, then of the background classes,
            for at least one known photo.
        num_classes: how many of them are classes.
    """
    odds = _background_log_odds(logits, num_classes).astype(np.float64)
    # At the lower bound no photo exceeds the share, at the upper bound every photo reaches it; the
    # 1 is for rounding.
    low, high = logit(_SHARE) - odds.max() - 1, logit(_SHARE) - odds.min() + 1
    return np.float32(brentq(lambda bias: float(expit(odds + bias).mean()) - _SHARE, low, high))


def _background_log_odds(logits: np.ndarray, num_classes: int) -> np.ndarray:
    """Return the log odds of background against classes, (num_photos,)."""
    of_classes, of_background = np.split(logits, [num_classes], axis=1)
    odds: np.ndarray = logsumexp(of_background, axis=1) - logsumexp(of_classes, axis=1)
    return odds
