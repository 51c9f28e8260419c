"""Training of a SavedModel, which has no layers; only its batch-norm momentum is changed."""

from typing import Any

import numpy as np

from bricksight._support.optional import require_tensorflow

BATCH_NORM_MOMENTUM = 0.9
"""Share of the old statistics that one step keeps.

ImageNet's 0.99 or 0.999 would need thousands of steps to forget ImageNet, and here are hundreds.
"""

_PROBE_IMAGES = 4


class SavedModelTrainingGraph:
    """A ``GraphNetwork``, whose variables it shares, called as a ``keras.Model`` is.

    A graph updates the statistics of its normalisations with a momentum that is written into it.
    Here it is measured, and the change by a step made as large as with ``BATCH_NORM_MOMENTUM``.
    """

    def __init__(self, network: Any, *, adapts: bool) -> None:
        self._network = network
        self._adapts = adapts and network.has_training_mode
        self._statistics = _statistics(network) if self._adapts else []

    def takes(self, size: int) -> bool:
        """Tell whether images of this many rows and columns can be given."""
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
    """Return the moving statistics, each with how many times too small its changes are.

    A moving average of momentum m that begins at 0 and sees the same batch twice is (1 - m) times
    the batch's, then (1 + m) (1 - m) times.
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
