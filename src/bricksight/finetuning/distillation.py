"""Distillation: a trained model (the teacher) whose answers are learned too."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bricksight import images
from bricksight.errors import ConfigError
from bricksight.predict import Predictor


def require_teacher(model: Path | None, labels: Sequence[str]) -> None:
    """Refuse a teacher that cannot be used before any work, as ``Teacher`` does; see there."""
    if model is not None:
        Teacher(model, labels)


class Teacher:
    """Answers the views that a network is trained on; see Hinton et al., arXiv 1503.02531."""

    def __init__(self, model: Path, labels: Sequence[str]) -> None:
        """Open ``model``, what ``retrain`` or ``export`` wrote.

        Raises:
            BundleError: it cannot be used.
            ConfigError: it does not know all of ``labels``.
        """
        self._predictor = Predictor(model)
        strange = [label for label in labels if label not in self._predictor.labels]
        if strange:
            raise ConfigError(
                f"--teacher {model} does not know {', '.join(strange)}. A teacher has been trained "
                "on all classes of these photos, by the same names."
            )
        self._columns = [self._predictor.labels.index(label) for label in labels]

    @property
    def key(self) -> str:
        """A text that differs between teachers with different answers."""
        spec = self._predictor.input_spec
        size = (1, spec.height, spec.width, 3)
        picture = np.random.default_rng(0).random(size, dtype=np.float32)
        return hashlib.sha256(self._predictor.probabilities(picture).tobytes()).hexdigest()

    def __call__(self, views: np.ndarray) -> np.ndarray:
        """Return the probabilities of the labels, float32 (num_views, num_labels).

        Args:
            views: float32 (num_views, height, width, 3), RGB in [0, 1]; brought to the teacher's
                own size.
        """
        pixels = np.rint(views * 255).astype(np.uint8)
        inputs = np.stack([images.to_input(one, self._predictor.input_spec) for one in pixels])
        answers = self._predictor.probabilities(inputs)[:, self._columns]
        shares: np.ndarray = answers / np.maximum(answers.sum(axis=1, keepdims=True), 1e-9)
        return shares
