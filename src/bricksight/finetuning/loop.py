"""The fine-tuning loop: phases, validation, early stopping, checkpoints."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import logsumexp

from bricksight.features.featurized_dataset import FeaturizedDataset
from bricksight.finetuning import EpochMetrics, ImageSet, ResumeState, Stage, Trainer
from bricksight.finetuning.checkpoint import CheckpointManager, TrainingState
from bricksight.finetuning.schedule import FineTuningPlan, make_stage, phases, read_examples
from bricksight.heads import History, Measurement, Observer


@dataclass(kw_only=True)
class FineTuningLoop:
    """One training of a network.

    Attributes:
        trainer: The network.
        photos: What it is trained on.
        plan: How.
        checkpoints: Where it is kept.
        state: How far it is.
        observer: Told of each measurement.
    """

    trainer: Trainer
    photos: FeaturizedDataset
    plan: FineTuningPlan
    checkpoints: CheckpointManager
    state: TrainingState
    observer: Observer

    def __post_init__(self) -> None:
        if self.state.weights:
            self.trainer.set_weights(self.state.weights)

    @property
    def history(self) -> History:
        """How it went, and which step was kept, or judged last."""
        return History(self.state.measurements, self.state.best_step)

    def pretrain(self, stage: Stage, *, title: str) -> None:
        """Trains on the extra photos alone."""
        self._run_stage(stage, title=title, is_validated=False)

    def run(self) -> np.ndarray:
        """Trains through the parts.

        Returns:
            The logits of the validation photos by what was not fitted to them, float32
            (num_photos, num_outputs): the classes, and after them all others.
        """
        state = self.state
        for phase in phases(self.photos, self.plan):
            if phase.number < state.phase:
                continue
            if not phase.is_validated:
                self._validation_logits()
            state.phase = phase.number
            self._run_stage(
                make_stage(self.photos, self.plan, phase),
                title=f"Training the network at {phase.size} px",
                is_validated=phase.is_validated,
            )
        return self._validation_logits()

    def _run_stage(self, stage: Stage, *, title: str, is_validated: bool) -> None:
        state = self.state
        resume_from = (
            ResumeState(step=state.step, optimizer_state=state.optimizer_state)
            if state.optimizer_state
            else None
        )

        def after_epoch(seen: EpochMetrics) -> bool:
            state.step = seen.step
            ends = is_validated and self._validate(seen)
            if self.checkpoints.is_due and not ends and seen.step < stage.num_steps:
                self._save_checkpoint(self.trainer.optimizer_state())
            return ends

        with self.photos.watch.stage(title, stage.num_steps - state.step) as advance:
            steps = self.trainer.run(
                stage,
                resume_from=resume_from,
                after_step=lambda: advance(1),
                after_epoch=after_epoch,
            )
        if state.best_weights:
            self.trainer.set_weights(state.best_weights)
        state.steps_before += steps if state.phase else 0
        state.phase, state.step, state.epochs_without_improvement = state.phase + 1, 0, 0
        self._save_checkpoint([])

    def _save_checkpoint(self, optimizer_state: list[np.ndarray]) -> None:
        self.state.weights, self.state.optimizer_state = self.trainer.get_weights(), optimizer_state
        self.checkpoints.keep(self.state)

    def _validate(self, seen: EpochMetrics) -> bool:
        """Notes how good the averaged weights are; tells whether the part is to end."""
        state, patience = self.state, self.plan.config.patience
        step = state.steps_before + seen.step
        with self.trainer.averaged():
            logits = self._logits()[:, : len(self.photos.data.labels)]
            loss, accuracy = _cross_entropy_and_accuracy(logits, self._validation.labels)
            if patience is not None and loss is not None:
                state.epochs_without_improvement += 1
                if state.best_loss is None or loss < state.best_loss:
                    state.best_loss, state.best_step, state.epochs_without_improvement = (
                        loss,
                        step,
                        0,
                    )
                    state.best_weights = self.trainer.get_weights()
        measurement = Measurement(
            step=step,
            train_accuracy=seen.accuracy,
            train_cross_entropy=seen.loss,
            validation_accuracy=accuracy,
            validation_cross_entropy=loss,
        )
        state.measurements.append(measurement)
        self.observer(measurement, self.trainer.head)
        return patience is not None and state.epochs_without_improvement >= patience

    def _validation_logits(self) -> np.ndarray:
        """Returns the logits of the validation photos, those of the first time it is called."""
        state = self.state
        if state.held_out is None:
            state.held_out = self._logits(num_rotations=self.photos.num_rotations)
            if self.plan.config.patience is None:
                state.best_step = state.steps_before
        return state.held_out

    def _logits(self, *, num_rotations: int = 1) -> np.ndarray:
        spec = self.photos.compiled.module.input_spec
        return self.trainer.logits(self._validation, spec, num_rotations=num_rotations)

    @cached_property
    def _validation(self) -> ImageSet:
        size = self.photos.compiled.module.input_spec.height
        return read_examples(self.photos, self.photos.data.in_split("validation"), size)


def _cross_entropy_and_accuracy(
    logits: np.ndarray, labels: np.ndarray
) -> tuple[float | None, float | None]:
    """Returns cross entropy in nats, and accuracy; ``None`` where there are no photos."""
    if not len(labels):
        return None, None
    chances = logits - logsumexp(logits, axis=1, keepdims=True)
    of_label = chances[np.arange(len(chances)), labels]
    return float(-of_label.mean()), float((chances.argmax(axis=1) == labels).mean())
