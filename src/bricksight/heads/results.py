"""Results of head training: measurements, history, the trained head."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from bricksight.bundle import Head


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """How the head did at one step; validation is ``None`` where there are no such photos."""

    step: int
    train_accuracy: float
    train_cross_entropy: float
    validation_accuracy: float | None
    validation_cross_entropy: float | None


Observer = Callable[[Measurement, Head], None]
"""Told of every evaluation while it happens."""


@dataclass
class History:
    """The evaluations of one training, in order, and which step was kept."""

    measurements: list[Measurement] = field(default_factory=list)
    best_step: int = 0


@dataclass(frozen=True, kw_only=True)
class TrainedHead:
    """A head and how it came about.

    Attributes:
        head: The layer.
        held_out: Probabilities of the validation photos, float32 (num_photos, num_classes), by what
            was not fitted to them; where ``head`` was, by what was before it.
        out_of_fold: Probabilities of the training photos, in their order, (num_photos,
            num_classes), each by what was fitted to two thirds of the others; none where nothing
            was cross-validated.
        history: The evaluations on the way there.
        choices: What was chosen on the way, such as the regularisation; goes into the report.
        temperature: What the logits were divided by; the head has it already.
    """

    head: Head
    held_out: np.ndarray
    history: History
    choices: Mapping[str, object]
    out_of_fold: np.ndarray | None = None
    temperature: float = 1.0
