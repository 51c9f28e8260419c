"""Distillation: the probabilities of a trained model, the teacher, are part of the targets."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bricksight import images
from bricksight.errors import ConfigError
from bricksight.predict import Predictor


def require_teacher(model: Path | None, labels: Sequence[str]) -> None:
    """Refuse a teacher that cannot be used, before any work; raises as ``Teacher`` does."""
    if model is not None:
        Teacher(model, labels)


class Teacher:
    """Gives probabilities for training images (Hinton et al., arXiv 1503.02531)."""

    def __init__(self, model: Path, labels: Sequence[str]) -> None:
        """Open ``model``, a bundle or an exported file.

        Raises:
            BundleError: it cannot be used.
            ConfigError: it does not have all of ``labels``.
        """
        self._predictor = Predictor(model)
        strange = [label for label in labels if label not in self._predictor.labels]
        if strange:
            raise ConfigError(
                f"--teacher {model} does not have the classes {', '.join(strange)}. A teacher must "
                "have all classes of these photos, by the same names."
            )
        self._columns = [self._predictor.labels.index(label) for label in labels]

    @property
    def key(self) -> str:
        """A hash that differs between teachers with different answers."""
        spec = self._predictor.input_spec
        size = (1, spec.height, spec.width, 3)
        image = np.random.default_rng(0).random(size, dtype=np.float32)
        return hashlib.sha256(self._predictor.probabilities(image).tobytes()).hexdigest()

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Return the probabilities of the labels, float32 (num_images, num_labels).

        Args:
            batch: float32 (num_images, height, width, 3), RGB in [0, 1]; resized to the teacher's
                input size.
        """
        pixels = np.rint(batch * 255).astype(np.uint8)
        inputs = np.stack([images.to_input(one, self._predictor.input_spec) for one in pixels])
        answers = self._predictor.probabilities(inputs)[:, self._columns]
        shares: np.ndarray = answers / np.maximum(answers.sum(axis=1, keepdims=True), 1e-9)
        return shares
