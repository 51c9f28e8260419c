"""Results of head training: measurements, history, the trained head."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from bricksight.bundle import Head
from bricksight.heads.losses import cross_entropy_and_accuracy

Rows = tuple[np.ndarray, np.ndarray]
"""Features, float32 (num_rows, num_features), and labels, int (num_rows,)."""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Accuracy and cross entropy (in nats) at one step; ``None`` without validation photos."""

    step: int
    train_accuracy: float
    train_cross_entropy: float
    validation_accuracy: float | None
    validation_cross_entropy: float | None

    @classmethod
    def of(cls, step: int, head: Head, training: Rows, validation: Rows | None) -> "Measurement":
        """Measure a head on training rows, and on validation rows if there are any."""
        loss, accuracy = _loss_and_accuracy(head, training)
        validation_loss, validation_accuracy = (
            (None, None) if validation is None else _loss_and_accuracy(head, validation)
        )
        return cls(
            step=step,
            train_accuracy=accuracy,
            train_cross_entropy=loss,
            validation_accuracy=validation_accuracy,
            validation_cross_entropy=validation_loss,
        )


Observer = Callable[[Measurement, Head], None]
"""Called with each measurement and the head that was measured."""


@dataclass
class History:
    """The measurements of one training, in order, and the step whose head was kept."""

    measurements: list[Measurement] = field(default_factory=list)
    best_step: int = 0


@dataclass(frozen=True, kw_only=True)
class TrainedHead:
    """A trained head and its history.

    Attributes:
        head: The head.
        held_out: Probabilities of the validation photos, float32 (num_photos, num_classes), by a
            model that was not fitted to them: where ``head`` was, by the one before it.
        out_of_fold: Probabilities of the training photos, in their order, float32 (num_photos,
            num_classes), each by a model fitted to two thirds of the others; ``None`` where nothing
            was cross-validated.
        history: The measurements.
        choices: What was selected, such as the regularization; goes into the report.
        temperature: What the logits were divided by; ``head`` includes it.
    """

    head: Head
    held_out: np.ndarray
    history: History
    choices: Mapping[str, object]
    out_of_fold: np.ndarray | None = None
    temperature: float = 1.0

    def out_of_fold_answers(self, logits: np.ndarray, features: np.ndarray) -> np.ndarray:
        """Return what this head would answer had it given these logits.

        The temperature is that of this head: one of their own would make the answers more or less
        confident than those to new photos.

        Args:
            logits: of the classes, float32 (num_photos, num_classes), from cross-validation.
            features: of the same photos, float32 (num_photos, num_features), for the background.
        """
        return self.head.answers(logits / np.float32(self.temperature), features)


def _loss_and_accuracy(head: Head, rows: Rows) -> tuple[float, float]:
    features, labels = rows
    return cross_entropy_and_accuracy(head.probabilities(features), labels)
