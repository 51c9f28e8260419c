"""Runs one fine-tuning: plan, resume, train, calibrate."""

import hashlib
import json
import logging
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from bricksight._support.filesystem.files import atomic_write, cache_dir, give_up_cache
from bricksight._support.text import pluralize
from bricksight.bundle import redistribute_background
from bricksight.errors import OutputError
from bricksight.features.featurized_dataset import FeaturizedDataset
from bricksight.finetuning import BatchGenerator, Stage, Trainer
from bricksight.finetuning.checkpoint import CheckpointManager, TrainingState
from bricksight.finetuning.loop import FineTuningLoop
from bricksight.finetuning.schedule import (
    FULL_SIZE_SHARE,
    FineTuningPlan,
    first_size,
    make_batch_generator,
    phases,
    read_examples,
)
from bricksight.finetuning.time_budget import Work, measure_costs, plan_epochs
from bricksight.heads import (
    Calibration,
    Checkpoint,
    Observer,
    TrainedHead,
    calibrate,
)

_TRAINING_VERSION = 4
"""Part of every key: raised when the same settings train to other weights."""

_CHECKPOINT_VERSION = 2
"""Part of a checkpoint's key: raised when its file has other contents."""


_LOGGER = logging.getLogger(__name__)

_OF_NO_MATTER_TO_EXTRA = dict.fromkeys(("fine_tune_epochs", "recipe", "time_budget", "patience"))
"""Settings that what extra photos teach does not depend on."""


_LOWEST_TEMPERATURE = 0.3
"""What bounds the certainty where all of a few validation photos are right."""


def run_fine_tuning(
    trainer: Trainer,
    photos: FeaturizedDataset,
    plan: FineTuningPlan,
    *,
    checkpoint: Callable[[str], Checkpoint],
    observer: Observer,
) -> TrainedHead | None:
    """Trains the network of ``trainer`` and returns its head, calibrated.

    ``None`` where the time budget is too short for it.

    Args:
        trainer: the network, its weights those to begin with.
        photos: what is trained on.
        plan: how.
        checkpoint: a hash of all that the result depends on → where it is kept.
        observer: told of each measurement.

    Raises:
        DataError: a photo that could be read before cannot be read any more.
    """
    checkpoints = CheckpointManager(checkpoint(_key(photos, plan)))
    resumed = checkpoints.resumed()
    state = resumed or _planned(trainer, photos, plan)
    if state is None:
        return None
    start = state.steps_before + state.step
    loop = FineTuningLoop(
        trainer=trainer,
        photos=photos,
        plan=_with_epochs(plan, state),
        checkpoints=checkpoints,
        state=state,
        observer=observer,
    )
    if state.phase == 0 and photos.data.extra and state.extra_epochs:
        _pretrain(loop)
    logits = loop.run()
    return _trained(loop, logits, {"resumed_at_step": start if resumed else None})


def _key(photos: FeaturizedDataset, plan: FineTuningPlan) -> str:
    """Returns a hash of all that the result depends on."""
    described = {
        **_described(photos, plan, {}),
        "photos": [
            (example.sha256, example.label, example.split)
            for example in (*photos.data.examples, *photos.data.extra, *photos.data.outliers)
        ],
        "checkpoint": _CHECKPOINT_VERSION,
        "augments": [asdict(augment) for augment in (*plan.augments, *plan.extra_augments)],
        "extra_share": plan.extra_share,
        "cutouts": photos.cutouts and photos.cutouts.key,
        "turns": photos.num_rotations,
    }
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


def _planned(
    trainer: Trainer, photos: FeaturizedDataset, plan: FineTuningPlan
) -> TrainingState | None:
    """Returns the beginning, ``None`` if there is too little time even for that."""
    config = plan.config
    if config.budget_seconds is not None:
        return _within_budget(trainer, photos, plan, config.budget_seconds)
    return TrainingState(
        epochs=config.fine_tune_epochs or 1, extra_epochs=config.fine_tune_extra_epochs
    )


def _with_epochs(plan: FineTuningPlan, state: TrainingState) -> FineTuningPlan:
    config = replace(
        plan.config,
        fine_tune_epochs=state.epochs,
        fine_tune_extra_epochs=state.extra_epochs,
    )
    return replace(plan, config=config)


def _trained(loop: FineTuningLoop, logits: np.ndarray, told: Mapping[str, object]) -> TrainedHead:
    photos, plan, num_classes = loop.photos, loop.plan, len(loop.photos.data.labels)
    labels = photos.data.label_indices(photos.data.in_split("validation"))
    calibration = Calibration()
    if len(labels):
        # Smoothed labels make the answers too timid, so that it may be below 1 too.
        calibration = calibrate(logits, labels, num_classes=num_classes, lowest=_LOWEST_TEMPERATURE)
    head = calibration.head(loop.trainer.head)
    if not len(labels):
        head = replace(head, background=None)  # nobody can say how probable they are
    fits_all = not phases(photos, plan)[-1].is_validated
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
            "extra_photos": len(photos.data.extra),
            "extra_augmentation": [asdict(augment) for augment in plan.extra_augments]
            if photos.data.extra
            else [],
            "outliers": sum(example.split == "training" for example in photos.data.outliers),
            "num_background_classes": head.num_background,
            **told,
        },
    )


def _within_budget(
    trainer: Trainer, photos: FeaturizedDataset, plan: FineTuningPlan, budget: float
) -> TrainingState | None:
    """Returns the beginning of as many epochs as there is time for, ``None`` if of too few."""
    data, config, watch = photos.data, plan.config, photos.watch
    size, own = first_size(photos, plan), photos.compiled.module.input_spec.height
    is_new = bool(data.extra) and not _path_of_extra(photos, plan).is_file()
    batch_generator = make_batch_generator(photos, plan, size=size, seed=plan.seed)
    with watch.stage("Measuring this machine"):
        costs = measure_costs(trainer, batch_generator, size=size, own_size=own)
    batch = config.fine_tune_batch_size
    work = Work(
        steps_per_epoch=batch_generator.steps_per_epoch,
        extra_steps_per_epoch=-(-len(data.extra) // batch) if is_new else 0,
        full_size_share=FULL_SIZE_SHARE if size != own else 0.0,
        num_validation=len(data.in_split("validation")),
        num_photos=len(data.examples) * photos.num_rotations,
        batch_size=batch,
    )
    so_far = watch.seconds_of_model
    epoch_plan = plan_epochs(
        budget - so_far,
        costs,
        work,
        most_epochs=config.fine_tune_epochs or 1,
        most_extra_epochs=config.fine_tune_extra_epochs,
    )
    if not epoch_plan.epochs:
        _LOGGER.warning(
            "--time_budget %s is too short to train the network here; %.1f minutes would be gone "
            "without a single epoch. Only the layer on top is trained.",
            config.time_budget,
            (so_far + epoch_plan.seconds) / 60,
        )
        return None
    extra_epochs = epoch_plan.extra_epochs if is_new else config.fine_tune_extra_epochs
    first = f"{pluralize(extra_epochs, 'epoch')} of extra photos, then " if is_new else ""
    watch.say(
        f"Trains {first}{pluralize(epoch_plan.epochs, 'epoch')}: about "
        f"{(so_far + epoch_plan.seconds) / 60:.1f} minutes in all, of {budget / 60:.1f}."
    )
    return TrainingState(epochs=epoch_plan.epochs, extra_epochs=extra_epochs)


def _pretrain(loop: FineTuningLoop) -> None:
    """Trains on the extra photos alone, or takes what an earlier run has learned from the same."""
    photos, plan = loop.photos, loop.plan
    config, size = plan.config, first_size(photos, plan)
    path = _path_of_extra(photos, plan)
    # What an interrupted one has learned halfway would be taken for that of the next part.
    if not loop.state.optimizer_state and _restored(loop.trainer, path):
        _LOGGER.info("The network has learned from these extra photos before; see %s.", path)
        return
    extra = read_examples(photos, photos.data.extra, size)
    batch_generator = BatchGenerator(
        photos=extra,
        augments=plan.extra_augments,
        batch_size=config.fine_tune_batch_size,
        seed=plan.seed,
        mixup=config.mixup,
        cutmix=config.cutmix,
        teacher=plan.teacher,
    )
    epochs, rate = config.fine_tune_extra_epochs, config.fine_tune_learning_rate
    stage = Stage(batch_generator=batch_generator, epochs=epochs, size=size, rate=rate)
    title = f"Training the network on {pluralize(len(extra), 'extra photo')}"
    loop.pretrain(stage, title=title)
    try:
        with atomic_write(path) as part, part.open("wb") as file:
            np.savez(file, *loop.trainer.get_weights())
    except OutputError as error:
        give_up_cache(error)


def _path_of_extra(photos: FeaturizedDataset, plan: FineTuningPlan) -> Path:
    """Returns the cache path of the weights that were pretrained on the extra photos."""
    described = {
        **_described(photos, plan, _OF_NO_MATTER_TO_EXTRA),
        "photos": [(example.sha256, example.label) for example in photos.data.extra],
        "augments": [asdict(augment) for augment in plan.extra_augments],
    }
    key = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:32]
    return cache_dir("tuned") / f"{key}.npz"


def _described(
    photos: FeaturizedDataset, plan: FineTuningPlan, other: Mapping[str, None]
) -> dict[str, Any]:
    """Returns what every training depends on; of the settings ``other`` are of no matter."""
    teacher = plan.teacher and plan.teacher.key
    return {
        "version": _TRAINING_VERSION,
        "module": photos.once.module.fingerprint,
        "input": photos.once.module.input_spec.key,
        "labels": photos.data.labels,
        "settings": {**asdict(plan.config), **other, "teacher": teacher},
        "seed": plan.seed,
    }


def _restored(trainer: Trainer, path: Path) -> bool:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            trainer.set_weights([arrays[name] for name in arrays.files])
    except FileNotFoundError:
        return False
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        _LOGGER.warning("%s cannot be read (%s); its photos are learned from again.", path, error)
        return False
    return True
