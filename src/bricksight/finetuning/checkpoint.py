"""Fine-tuning checkpoints, from which an interrupted training resumes."""

import json
import logging
import time
import zipfile
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from bricksight._support.filesystem.files import atomic_write
from bricksight.errors import OutputError
from bricksight.heads import Checkpoint, Measurement

_LOGGER = logging.getLogger(__name__)

_SECONDS_BETWEEN = 30.0
"""A checkpoint is several times as large as the network, and an epoch may take a second."""


@dataclass(kw_only=True)
class TrainingState:
    """Where the training is, so that it can resume from here.

    Attributes:
        epochs: How many are planned.
        extra_epochs: How many of the extra photos are planned.
        phase: Number of the current phase, 0 for pretraining on the extra photos.
        step: Steps of the phase that are done.
        steps_before: Steps of the phases before it, without pretraining.
        measurements: Those so far.
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


_ARRAYS = ("weights", "optimizer_state", "best_weights")


class CheckpointManager:
    """Writes the progress to a file, and reads it back."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._written = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether the last time is long enough ago."""
        return time.monotonic() - self._written >= _SECONDS_BETWEEN

    def save(self, state: TrainingState) -> None:
        """Writes the progress in place of what was kept before; a full disk ends no training."""
        arrays = {
            f"{name}_{number}": array
            for name in _ARRAYS
            for number, array in enumerate(getattr(state, name))
        }
        if state.held_out is not None:
            arrays["held_out"] = state.held_out
        plain = {
            name: value
            for name, value in vars(state).items()
            if name not in (*_ARRAYS, "held_out", "measurements")
        }
        described = {
            "key": self._checkpoint.key,
            "state": plain,
            "measurements": [asdict(one) for one in state.measurements],
            "counts": {name: len(getattr(state, name)) for name in _ARRAYS},
        }
        try:
            with atomic_write(self._checkpoint.path) as part, part.open("wb") as file:
                np.savez(file, described=np.array(json.dumps(described)), **arrays)
        except OutputError as error:
            self._checkpoint.warn_once(error)
        self._written = time.monotonic()

    def resumed(self) -> TrainingState | None:
        """Returns where the training goes on, and says so; ``None`` if it has to begin anew."""
        if not self._checkpoint.resume:
            return None
        state = self._read()
        if state is None:
            _LOGGER.warning(
                "There is nothing to resume: %s holds no training of this network on these photos "
                "with these settings. The training begins anew.",
                self._checkpoint.path,
            )
        else:
            done = state.steps_before + state.step
            _LOGGER.info("The training of the network goes on after %d steps.", done)
        return state

    def _read(self) -> TrainingState | None:
        """Returns what ``keep`` wrote, ``None`` if there is none or it is another training's."""
        try:
            with (
                self._checkpoint.path.open("rb") as file,
                np.load(file, allow_pickle=False) as kept,
            ):
                described = json.loads(str(kept["described"]))
                if described["key"] != self._checkpoint.key:
                    return None
                arrays: dict[str, Any] = {
                    name: [kept[f"{name}_{number}"] for number in range(count)]
                    for name, count in described["counts"].items()
                }
                if "held_out" in kept:
                    arrays["held_out"] = kept["held_out"]
        except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError):
            return None
        measurements = [Measurement(**one) for one in described["measurements"]]
        return TrainingState(**described["state"], **arrays, measurements=measurements)
