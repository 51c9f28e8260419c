"""The fine-tuning loop: phases, validation, early stopping, checkpoints."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import logsumexp

from bricksight.features.featurized_dataset import FeaturizedDataset
from bricksight.finetuning import EpochMetrics, ImageSet, ResumeState, Stage, Trainer
from bricksight.finetuning.checkpoint import CheckpointManager, TrainingState
from bricksight.finetuning.schedule import FineTuningPlan, parts, pictures, stage_of
from bricksight.heads import History, Measurement, Observer


@dataclass(kw_only=True)
class FineTuningLoop:
    """One training of a network.

    Attributes:
        trainer: The network.
        photos: What it is trained on.
        tuning: How.
        keeper: Where it is kept.
        progress: How far it is.
        observer: Told of each measurement.
    """

    trainer: Trainer
    photos: FeaturizedDataset
    tuning: FineTuningPlan
    keeper: CheckpointManager
    progress: TrainingState
    observer: Observer

    def __post_init__(self) -> None:
        if self.progress.weights:
            self.trainer.restore(self.progress.weights)

    @property
    def history(self) -> History:
        """How it went, and which step was kept, or judged last."""
        return History(self.progress.measurements, self.progress.best_step)

    def learn_extra(self, stage: Stage, *, title: str) -> None:
        """Trains on the extra photos alone."""
        self._learn(stage, title=title, is_judged=False)

    def run(self) -> np.ndarray:
        """Trains through the parts.

        Returns:
            The logits of the validation photos by what was not fitted to them, float32
            (num_photos, num_outputs): the classes, and after them all others.
        """
        progress = self.progress
        for part in parts(self.photos, self.tuning):
            if part.number < progress.part:
                continue
            if not part.is_judged:
                self._hold_out()
            progress.part = part.number
            self._learn(
                stage_of(self.photos, self.tuning, part),
                title=f"Training the network at {part.size} px",
                is_judged=part.is_judged,
            )
        return self._hold_out()

    def _learn(self, stage: Stage, *, title: str, is_judged: bool) -> None:
        progress = self.progress
        begun = ResumeState(step=progress.step, slots=progress.slots) if progress.slots else None

        def after_epoch(seen: EpochMetrics) -> bool:
            progress.step = seen.step
            ends = is_judged and self._judge(seen)
            if self.keeper.is_due and not ends and seen.step < stage.num_steps:
                self._keep(self.trainer.slots())
            return ends

        with self.photos.watch.stage(title, stage.num_steps - progress.step) as advance:
            steps = self.trainer.run(
                stage, begun=begun, after_step=lambda: advance(1), after_epoch=after_epoch
            )
        if progress.best:
            self.trainer.restore(progress.best)
        progress.steps_before += steps if progress.part else 0
        progress.part, progress.step, progress.stale = progress.part + 1, 0, 0
        self._keep([])

    def _keep(self, slots: list[np.ndarray]) -> None:
        self.progress.weights, self.progress.slots = self.trainer.state(), slots
        self.keeper.keep(self.progress)

    def _judge(self, seen: EpochMetrics) -> bool:
        """Notes how good the averaged weights are; tells whether the part is to end."""
        progress, patience = self.progress, self.tuning.config.patience
        step = progress.steps_before + seen.step
        with self.trainer.averaged():
            logits = self._logits()[:, : len(self.photos.data.labels)]
            loss, accuracy = _cross_entropy_and_accuracy(logits, self._validation.labels)
            if patience is not None and loss is not None:
                progress.stale += 1
                if progress.best_loss is None or loss < progress.best_loss:
                    progress.best_loss, progress.best_step, progress.stale = loss, step, 0
                    progress.best = self.trainer.state()
        measurement = Measurement(
            step=step,
            train_accuracy=seen.accuracy,
            train_cross_entropy=seen.loss,
            validation_accuracy=accuracy,
            validation_cross_entropy=loss,
        )
        progress.measurements.append(measurement)
        self.observer(measurement, self.trainer.head)
        return patience is not None and progress.stale >= patience

    def _hold_out(self) -> np.ndarray:
        """Returns the logits of the validation photos, those of the first time it is called."""
        progress = self.progress
        if progress.held_out is None:
            progress.held_out = self._logits(turns=self.photos.turns)
            if self.tuning.config.patience is None:
                progress.best_step = progress.steps_before
        return progress.held_out

    def _logits(self, *, turns: int = 1) -> np.ndarray:
        spec = self.photos.compiled.module.input_spec
        return self.trainer.logits(self._validation, spec, turns=turns)

    @cached_property
    def _validation(self) -> ImageSet:
        size = self.photos.compiled.module.input_spec.height
        return pictures(self.photos, self.photos.data.in_split("validation"), size)


def _cross_entropy_and_accuracy(
    logits: np.ndarray, labels: np.ndarray
) -> tuple[float | None, float | None]:
    """Returns cross entropy in nats, and accuracy; ``None`` where there are no photos."""
    if not len(labels):
        return None, None
    chances = logits - logsumexp(logits, axis=1, keepdims=True)
    of_label = chances[np.arange(len(chances)), labels]
    return float(-of_label.mean()), float((chances.argmax(axis=1) == labels).mean())
