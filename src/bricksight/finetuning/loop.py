"""The fine-tuning loop: phases, validation, early stopping, checkpoints."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import softmax

from bricksight._support.progress import Advance, Progress
from bricksight.features import FeaturizedDataset
from bricksight.finetuning.batches import ImageSet
from bricksight.finetuning.checkpoint import TrainingState, is_due
from bricksight.finetuning.pretraining import Pretraining
from bricksight.finetuning.schedule import FineTuningPlan, make_stage, phases, read_examples
from bricksight.finetuning.trainer import EpochMetrics, ResumeState, Stage, Trainer
from bricksight.heads import Checkpoint, History, Measurement, Observer
from bricksight.heads.losses import cross_entropy_and_accuracy


@dataclass(kw_only=True)
class FineTuningLoop:
    """Trains a backbone through the phases of a plan.

    Attributes:
        trainer: The backbone and head.
        dataset: What they are trained on.
        plan: How.
        checkpoint: Where the state is saved.
        state: Where the training is.
        observer: Called with each measurement.
        progress: Follows the work.
    """

    trainer: Trainer
    dataset: FeaturizedDataset
    plan: FineTuningPlan
    checkpoint: Checkpoint
    state: TrainingState
    observer: Observer
    progress: Progress

    def __post_init__(self) -> None:
        if self.state.weights:
            self.trainer.set_weights(self.state.weights)

    @property
    def history(self) -> History:
        """The measurements, and the step whose weights are kept."""
        return History(self.state.measurements, self.state.best_step)

    def run(self, advance: Advance, pretraining: Pretraining | None = None) -> np.ndarray:
        """Train through the phases.

        Args:
            advance: called after each step.
            pretraining: comes before the first phase.

        Returns:
            Logits of the validation photos by a network that was not trained on them, float32
            (num_photos, num_outputs): of the classes, then of the background classes.
        """
        if pretraining is not None:
            self._run_stage(pretraining.stage(self.progress), advance, is_validated=False)
            pretraining.save(self.trainer)
        for phase in phases(self.dataset, self.plan):
            if phase.number < self.state.phase:
                continue
            if not phase.is_validated:
                self._validation_logits()
            self.state.phase = phase.number
            stage = make_stage(self.dataset, self.plan, phase, self.progress)
            self._run_stage(stage, advance, is_validated=phase.is_validated)
        return self._validation_logits()

    def _run_stage(self, stage: Stage, advance: Advance, *, is_validated: bool) -> None:
        state = self.state
        resume_from = None
        if state.optimizer_state:
            resume_from = ResumeState(step=state.step, optimizer_state=state.optimizer_state)

        def after_epoch(metrics: EpochMetrics) -> bool:
            state.step = metrics.step
            stops = is_validated and self._validate(metrics, advance)
            if is_due(self.checkpoint) and not stops and metrics.step < stage.num_steps:
                self._save_checkpoint(self.trainer.optimizer_state())
            return stops

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
        self.state.weights = self.trainer.get_weights()
        self.state.optimizer_state = optimizer_state
        self.state.save(self.checkpoint)

    def _validate(self, metrics: EpochMetrics, advance: Advance) -> bool:
        """Measure the averaged weights on the validation photos; tell whether to stop early."""
        with self.trainer.averaged():
            logits = self._logits()[:, : self.dataset.num_classes]
            loss, accuracy = (
                cross_entropy_and_accuracy(softmax(logits, axis=1), self._validation.labels)
                if len(logits)
                else (None, None)
            )
            self._note_best(self.state.steps_before + metrics.step, loss)
        measurement = Measurement(
            step=self.state.steps_before + metrics.step,
            train_accuracy=metrics.accuracy,
            train_cross_entropy=metrics.loss,
            validation_accuracy=accuracy,
            validation_cross_entropy=loss,
        )
        self.state.measurements.append(measurement)
        self.observer(measurement, self.trainer.head)
        if accuracy is not None:
            advance(0, validation_accuracy=accuracy)
        patience = self.plan.config.patience
        return patience is not None and self.state.epochs_without_improvement >= patience

    def _note_best(self, step: int, loss: float | None) -> None:
        """Keep the weights where early stopping is on and the loss is the lowest so far."""
        state = self.state
        if self.plan.config.patience is None or loss is None:
            return
        state.epochs_without_improvement += 1
        if state.best_loss is None or loss < state.best_loss:
            state.best_loss, state.best_step, state.epochs_without_improvement = loss, step, 0
            state.best_weights = self.trainer.get_weights()

    def _validation_logits(self) -> np.ndarray:
        """Return the logits of the validation photos, as they are when this is first called."""
        state = self.state
        if state.held_out is None:
            state.held_out = self._logits(num_rotations=self.dataset.backbone.num_rotations)
            if self.plan.config.patience is None:
                state.best_step = state.steps_before
        return state.held_out

    def _logits(self, *, num_rotations: int = 1) -> np.ndarray:
        return self.trainer.logits(
            self._validation, self.dataset.input_spec, num_rotations=num_rotations
        )

    @cached_property
    def _validation(self) -> ImageSet:
        examples = self.dataset.data.in_split("validation")
        return read_examples(self.dataset, examples, self.dataset.input_spec.height, self.progress)
