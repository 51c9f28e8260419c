"""The state of a fine-tuning, and its checkpoint, from which an interrupted training resumes."""

import logging
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from bricksight.heads import Checkpoint, Measurement

_LOGGER = logging.getLogger(__name__)

_SECONDS_BETWEEN = 30.0
"""Shortest time between checkpoints: one is several times as large as the backbone, and an epoch
may take only a second."""

_ARRAYS = ("weights", "optimizer_state", "best_weights")


@dataclass(kw_only=True)
class TrainingState:
    """Where the training is, so that it can resume from here.

    Attributes:
        epochs: Planned epochs.
        extra_epochs: Planned epochs of pretraining on the extra photos.
        phase: Number of the current phase, 0 for pretraining.
        step: Steps of the phase that are done.
        steps_before: Steps of the phases before it, without pretraining.
        measurements: The measurements so far.
        best_loss: Lowest cross entropy of the validation photos, where early stopping is on.
        best_step: Step of the training at which it was.
        epochs_without_improvement: Epochs of the phase since then.
        weights: From ``Trainer.get_weights``.
        optimizer_state: From ``Trainer.optimizer_state``; empty at the start of a phase.
        best_weights: From ``Trainer.get_weights`` at the best step; empty before there is one.
        held_out: Logits of the validation photos from before the network is trained on them too,
            once they are known.
    """

    epochs: int
    extra_epochs: int
    phase: int = 0
    step: int = 0
    steps_before: int = 0
    measurements: list[Measurement] = field(default_factory=list)
    best_loss: float | None = None
    best_step: int = 0
    epochs_without_improvement: int = 0
    weights: list[np.ndarray] = field(default_factory=list)
    optimizer_state: list[np.ndarray] = field(default_factory=list)
    best_weights: list[np.ndarray] = field(default_factory=list)
    held_out: np.ndarray | None = None

    def save(self, checkpoint: Checkpoint) -> None:
        """Write the checkpoint in place of the one before."""
        arrays = {
            f"{name}_{number}": array
            for name in _ARRAYS
            for number, array in enumerate(getattr(self, name))
        }
        if self.held_out is not None:
            arrays["held_out"] = self.held_out
        others = (*_ARRAYS, "held_out", "measurements")
        values = {
            "state": {name: value for name, value in vars(self).items() if name not in others},
            "measurements": [asdict(measurement) for measurement in self.measurements],
            "counts": {name: len(getattr(self, name)) for name in _ARRAYS},
        }
        checkpoint.save(values, arrays)

    @classmethod
    def resumed(cls, checkpoint: Checkpoint) -> "TrainingState | None":
        """Return the state to resume from, ``None`` to start from the beginning."""
        found = checkpoint.load()
        if found is None:
            return None
        values, kept = found
        arrays: dict[str, Any] = {
            name: [kept[f"{name}_{number}"] for number in range(count)]
            for name, count in values["counts"].items()
        }
        measurements = [Measurement(**one) for one in values["measurements"]]
        state = cls(
            **values["state"], **arrays, measurements=measurements, held_out=kept.get("held_out")
        )
        _LOGGER.info("Fine-tuning resumes after %d steps.", state.steps_before + state.step)
        return state


def is_due(checkpoint: Checkpoint) -> bool:
    """Tell whether the last checkpoint is old enough for another."""
    return checkpoint.seconds_since_save >= _SECONDS_BETWEEN
