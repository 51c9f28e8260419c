"""Run one fine-tuning: plan the epochs, resume, pretrain on extra photos, train, calibrate."""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np

from bricksight._support.progress import Progress
from bricksight._support.text import pluralize
from bricksight.bundle import redistribute_background
from bricksight.features import FeaturizedDataset
from bricksight.finetuning.checkpoint import TrainingState
from bricksight.finetuning.loop import FineTuningLoop
from bricksight.finetuning.pretraining import Pretraining, described
from bricksight.finetuning.schedule import (
    FULL_SIZE_SHARE,
    FineTuningPlan,
    first_size,
    make_batch_generator,
    num_steps,
    phases,
)
from bricksight.finetuning.time_budget import Costs, Work, measure_costs, plan_epochs
from bricksight.finetuning.trainer import Trainer
from bricksight.heads import Calibration, Checkpoint, Observer, TrainedHead, calibrate

_LOGGER = logging.getLogger(__name__)

_CHECKPOINT_VERSION = 2
"""Part of a checkpoint's key: raised when its file has other contents."""

_MIN_TEMPERATURE = 0.3
"""Bounds the confidence where all of a few validation photos are classified correctly."""


@dataclass(frozen=True, kw_only=True)
class FineTuner:
    """One fine-tuning of a backbone.

    Attributes:
        trainer: The backbone and head, with their first weights.
        dataset: What is trained on.
        plan: How.
        observer: Called with each measurement.
        progress: Follows the work.
        start: When the whole run started, by ``time.perf_counter``; the time budget counts from
            here.
    """

    trainer: Trainer
    dataset: FeaturizedDataset
    plan: FineTuningPlan
    observer: Observer
    progress: Progress
    start: float

    def run(self, checkpoint_of: Callable[[str], Checkpoint]) -> TrainedHead | None:
        """Train the backbone and return its head, calibrated.

        Args:
            checkpoint_of: a hash of everything that the result depends on → the checkpoint.

        Returns:
            ``None`` where the time budget is too short.

        Raises:
            DataError: a photo that could be read before no longer can.
        """
        checkpoint = checkpoint_of(self._key())
        resumed = TrainingState.resumed(checkpoint)
        state = resumed or self._first_state()
        if state is None:
            return None
        start = state.steps_before + state.step
        plan = self.plan.with_epochs(state.epochs, state.extra_epochs)
        loop = FineTuningLoop(
            trainer=self.trainer,
            dataset=self.dataset,
            plan=plan,
            checkpoint=checkpoint,
            state=state,
            observer=self.observer,
            progress=self.progress,
        )
        pretraining = self._pretraining(plan, state)
        total = num_steps(self.dataset, plan, state.phase) - state.step
        if pretraining is not None:
            total += pretraining.num_steps
        with self.progress.stage("Training the backbone", total) as advance:
            logits = loop.run(advance, pretraining)
        return self._trained(loop, logits, {"resumed_at_step": start if resumed else None})

    def _key(self) -> str:
        """Return a hash of everything that the result depends on."""
        dataset, plan = self.dataset, self.plan
        masks = dataset.foreground_masks
        content = {
            **described(dataset, plan),
            "photos": [
                (example.sha256, example.label, example.split)
                for example in (
                    *dataset.data.examples,
                    *dataset.data.extra,
                    *dataset.data.outliers,
                )
            ],
            "checkpoint": _CHECKPOINT_VERSION,
            "augments": [asdict(one) for one in (*plan.augments, *plan.extra_augments)],
            "extra_share": plan.extra_share,
            "cutouts": masks and masks.key,
            "tta": dataset.backbone.num_rotations,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def _first_state(self) -> TrainingState | None:
        """Return the start of the training, ``None`` if the time budget is too short for it."""
        config = self.plan.config
        if config.budget_seconds is not None:
            return self._within_budget(config.budget_seconds)
        return TrainingState(
            epochs=config.fine_tune_epochs or 1, extra_epochs=config.fine_tune_extra_epochs
        )

    def _within_budget(self, budget: float) -> TrainingState | None:
        """Return the start of as many epochs as fit into the budget, ``None`` if too few do."""
        config = self.plan.config
        is_new = (
            bool(self.dataset.data.extra)
            and not Pretraining(self.dataset, self.plan).path.is_file()
        )
        costs, work = self._measure(with_pretraining=is_new)
        so_far = time.perf_counter() - self.start
        epochs = plan_epochs(
            budget - so_far,
            costs,
            work,
            max_epochs=config.fine_tune_epochs or 1,
            max_extra_epochs=config.fine_tune_extra_epochs,
        )
        minutes = (so_far + epochs.seconds) / 60
        if not epochs.epochs:
            _LOGGER.warning(
                "--time_budget %s is too short for fine-tuning here: %.1f minutes would pass "
                "without a single epoch. Only the head is trained.",
                config.time_budget,
                minutes,
            )
            return None
        extra_epochs = epochs.extra_epochs if is_new else config.fine_tune_extra_epochs
        first = f"{pluralize(extra_epochs, 'epoch')} on extra photos, then " if is_new else ""
        self.progress.message(
            f"Fine-tuning for {first}{pluralize(epochs.epochs, 'epoch')}: about {minutes:.1f} "
            f"minutes in all, of {budget / 60:.1f}."
        )
        return TrainingState(epochs=epochs.epochs, extra_epochs=extra_epochs)

    def _measure(self, *, with_pretraining: bool) -> tuple[Costs, Work]:
        """Return what a step takes on this machine, and how much there is to do."""
        dataset, batch_size = self.dataset, self.plan.config.fine_tune_batch_size
        data, full_size = dataset.data, dataset.input_spec.height
        size = first_size(dataset, self.plan)
        with self.progress.stage("Timing a training step"):
            generator = make_batch_generator(
                dataset, self.plan, self.progress, size=size, seed=self.plan.seed
            )
            costs = measure_costs(self.trainer, generator, size=size, full_size=full_size)
        work = Work(
            steps_per_epoch=generator.steps_per_epoch,
            extra_steps_per_epoch=-(-len(data.extra) // batch_size) if with_pretraining else 0,
            full_size_share=FULL_SIZE_SHARE if size != full_size else 0.0,
            num_validation=len(data.in_split("validation")),
            num_photos=len(data.examples) * dataset.backbone.num_rotations + len(data.extra),
            batch_size=batch_size,
        )
        return costs, work

    def _pretraining(self, plan: FineTuningPlan, state: TrainingState) -> Pretraining | None:
        """Return the pretraining that is to be done, ``None`` if it is done or not wanted."""
        if state.phase > 0 or not self.dataset.data.extra or not state.extra_epochs:
            return None
        pretraining = Pretraining(self.dataset, plan)
        # What an interrupted pretraining has learned must not pass for the whole of it.
        if not state.optimizer_state and pretraining.restore(self.trainer):
            return None
        return pretraining

    def _trained(
        self, loop: FineTuningLoop, logits: np.ndarray, choices: Mapping[str, object]
    ) -> TrainedHead:
        dataset, plan, num_classes = loop.dataset, loop.plan, loop.dataset.num_classes
        labels = dataset.data.label_indices(dataset.data.in_split("validation"))
        calibration, head = Calibration(), self.trainer.head
        if len(labels):
            # Label smoothing makes the network underconfident, so it may be below 1 too.
            calibration = calibrate(
                logits, labels, num_classes=num_classes, lowest=_MIN_TEMPERATURE
            )
            head = calibration.head(head)
        else:
            head = replace(head, background=None)  # its probability cannot be calibrated
        fits_all = not phases(dataset, plan)[-1].is_validated
        extra_augments = plan.extra_augments if dataset.data.extra else ()
        return TrainedHead(
            head=head,
            held_out=redistribute_background(calibration.logits(logits, num_classes), num_classes),
            history=loop.history,
            choices={
                "algorithm": "AdamW on the whole network",
                "epochs": plan.config.fine_tune_epochs,
                "temperature": calibration.temperature,
                "fitted_to": "training and validation" if fits_all else "training",
                "augmentation": [asdict(augment) for augment in plan.augments],
                "extra_photos": len(dataset.data.extra),
                "extra_augmentation": [asdict(augment) for augment in extra_augments],
                "outliers": sum(one.split == "training" for one in dataset.data.outliers),
                "num_background_classes": head.num_background,
                **choices,
            },
        )
