"""Train a SavedModel, which has no layers; only its batch-norm momentum is changed."""

from typing import Any

import numpy as np

from bricksight._support.optional import require_tensorflow

BATCH_NORM_MOMENTUM = 0.9
"""Share of the old statistics that one step keeps.

With the usual 0.99 or 0.999, the statistics of ImageNet would last for thousands of steps, and a
fine-tuning has hundreds.
"""

_PROBE_IMAGES = 4


class SavedModelTrainingGraph:
    """A ``GraphNetwork`` with the interface of a ``keras.Model``; the variables are shared.

    The momentum of a graph's batch normalization is a constant in the graph. It is measured here,
    and each update is scaled to that of ``BATCH_NORM_MOMENTUM``.
    """

    def __init__(self, network: Any, *, adapts: bool) -> None:
        self._network = network
        self._adapts = adapts and network.has_training_mode
        self._statistics = _statistics(network) if self._adapts else []

    def takes(self, size: int) -> bool:
        """Tell whether the graph takes images of ``size`` x ``size`` pixels."""
        found: bool = self._network.takes(size)
        return found

    def __call__(self, images: Any, *, training: bool = False) -> Any:
        """Return features, float32 (num_images, num_features)."""
        if not (training and self._adapts):
            return self._network(images, training=False)
        tf = require_tensorflow()
        before = [tf.identity(one) for one, _ in self._statistics]
        features = self._network(images, training=True)
        for (moving, factor), old in zip(self._statistics, before, strict=True):
            moving.assign(old + factor * (moving - old))
        return features


def _statistics(network: Any) -> list[tuple[Any, float]]:
    """Return the moving statistics, each with the factor by which to scale its updates.

    A moving average of momentum m that starts at 0 and sees the same batch twice is (1 - m) times
    that of the batch, then (1 + m) (1 - m) times.
    """
    size = (_PROBE_IMAGES, network.height, network.width, 3)
    images = np.random.default_rng(0).random(size, dtype=np.float32)
    trained = {id(one) for one in network.trainable_variables}
    others = [one for one in network.weights if id(one) not in trained and one.dtype.is_floating]
    values = [one.numpy() for one in others]
    network(images, training=True)
    moved = [
        (one, old) for one, old in zip(others, values, strict=True) if (one.numpy() != old).any()
    ]
    for one, old in moved:
        one.assign(np.zeros_like(old))
    after = []
    for _ in range(2):
        network(images, training=True)
        after.append([one.numpy() for one, _ in moved])
    found = []
    for (one, old), once, twice in zip(moved, *after, strict=True):
        one.assign(old)
        seen = once != 0
        momentum = float(np.median(twice[seen] / once[seen])) - 1 if seen.any() else 0.0
        if BATCH_NORM_MOMENTUM < momentum < 1:
            found.append((one, (1 - BATCH_NORM_MOMENTUM) / (1 - momentum)))
    return found
