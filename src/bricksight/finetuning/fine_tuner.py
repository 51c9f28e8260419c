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
    LAST_PART,
    FineTuningPlan,
    first_size,
    mixture_of,
    parts,
    pictures,
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
"""Phase of the key of what is kept: raised when the same settings train to other weights."""


_LOGGER = logging.getLogger(__name__)

_OF_NO_MATTER_TO_EXTRA = dict.fromkeys(("fine_tune_epochs", "recipe", "time_budget", "patience"))
"""Settings that what extra photos teach does not depend on."""


_LOWEST_TEMPERATURE = 0.3
"""What bounds the certainty where all of a few validation photos are right."""


def run_fine_tuning(
    trainer: Trainer,
    photos: FeaturizedDataset,
    tuning: FineTuningPlan,
    *,
    checkpoint: Callable[[str], Checkpoint],
    observer: Observer,
) -> TrainedHead | None:
    """Trains the network of ``trainer`` and returns its head, calibrated.

    ``None`` where the time budget is too short for it.

    Args:
        trainer: the network, its weights those to begin with.
        photos: what is trained on.
        tuning: how.
        checkpoint: a hash of all that the result depends on → where it is kept.
        observer: told of each measurement.

    Raises:
        DataError: a photo that could be read before cannot be read any more.
    """
    keeper = CheckpointManager(checkpoint(_key(photos, tuning)))
    resumed = keeper.resumed()
    progress = resumed or _planned(trainer, photos, tuning)
    if progress is None:
        return None
    start = progress.steps_before + progress.step
    course = FineTuningLoop(
        trainer=trainer,
        photos=photos,
        tuning=_with_epochs(tuning, progress),
        keeper=keeper,
        progress=progress,
        observer=observer,
    )
    if progress.part == 0 and photos.data.extra and progress.extra_epochs:
        _learn_extra(course)
    logits = course.run()
    return _trained(course, logits, {"resumed_at_step": start if resumed else None})


def _key(photos: FeaturizedDataset, tuning: FineTuningPlan) -> str:
    """Returns a hash of all that the result depends on."""
    described = {
        **_described(photos, tuning, {}),
        "photos": [
            (example.sha256, example.label, example.split)
            for example in (*photos.data.examples, *photos.data.extra, *photos.data.outliers)
        ],
        "augments": [asdict(augment) for augment in (*tuning.augments, *tuning.extra_augments)],
        "extra_share": tuning.extra_share,
        "cutouts": photos.cutouts and photos.cutouts.key,
        "turns": photos.turns,
    }
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


def _planned(
    trainer: Trainer, photos: FeaturizedDataset, tuning: FineTuningPlan
) -> TrainingState | None:
    """Returns the beginning, ``None`` if there is too little time even for that."""
    config = tuning.config
    if config.budget_seconds is not None:
        return _within_budget(trainer, photos, tuning, config.budget_seconds)
    return TrainingState(
        epochs=config.fine_tune_epochs or 1, extra_epochs=config.fine_tune_extra_epochs
    )


def _with_epochs(tuning: FineTuningPlan, progress: TrainingState) -> FineTuningPlan:
    config = replace(
        tuning.config,
        fine_tune_epochs=progress.epochs,
        fine_tune_extra_epochs=progress.extra_epochs,
    )
    return replace(tuning, config=config)


def _trained(course: FineTuningLoop, logits: np.ndarray, told: Mapping[str, object]) -> TrainedHead:
    photos, tuning, num_classes = course.photos, course.tuning, len(course.photos.data.labels)
    labels = photos.data.label_indices(photos.data.in_split("validation"))
    calibration = Calibration()
    if len(labels):
        # Smoothed labels make the answers too timid, so that it may be below 1 too.
        calibration = calibrate(logits, labels, num_classes=num_classes, lowest=_LOWEST_TEMPERATURE)
    head = calibration.head(course.trainer.head)
    if not len(labels):
        head = replace(head, background=None)  # nobody can say how probable they are
    fits_all = not parts(photos, tuning)[-1].is_judged
    return TrainedHead(
        head=head,
        held_out=redistribute_background(calibration.logits(logits, num_classes), num_classes),
        history=course.history,
        choices={
            "algorithm": "AdamW on the whole network",
            "epochs": tuning.config.fine_tune_epochs,
            "temperature": calibration.temperature,
            "fitted_to": "training and validation" if fits_all else "training",
            "augmentation": [asdict(augment) for augment in tuning.augments],
            "extra_photos": len(photos.data.extra),
            "extra_augmentation": [asdict(augment) for augment in tuning.extra_augments]
            if photos.data.extra
            else [],
            "outliers": sum(example.split == "training" for example in photos.data.outliers),
            "num_background_classes": head.num_background,
            **told,
        },
    )


def _within_budget(
    trainer: Trainer, photos: FeaturizedDataset, tuning: FineTuningPlan, budget: float
) -> TrainingState | None:
    """Returns the beginning of as many epochs as there is time for, ``None`` if of too few."""
    data, config, watch = photos.data, tuning.config, photos.watch
    size, own = first_size(photos, tuning), photos.compiled.module.input_spec.height
    is_new = bool(data.extra) and not _path_of_extra(photos, tuning).is_file()
    mixture = mixture_of(photos, tuning, size=size, seed=tuning.seed)
    with watch.stage("Measuring this machine"):
        costs = measure_costs(trainer, mixture, size=size, own_size=own)
    batch = config.fine_tune_batch_size
    work = Work(
        steps_per_epoch=mixture.steps_per_epoch,
        extra_steps_per_epoch=-(-len(data.extra) // batch) if is_new else 0,
        last_part=LAST_PART if size != own else 0.0,
        num_validated=len(data.in_split("validation")),
        num_photos=len(data.examples) * photos.turns,
        batch_size=batch,
    )
    so_far = watch.seconds_of_model
    plan = plan_epochs(
        budget - so_far,
        costs,
        work,
        most_epochs=config.fine_tune_epochs or 1,
        most_extra_epochs=config.fine_tune_extra_epochs,
    )
    if not plan.epochs:
        _LOGGER.warning(
            "--time_budget %s is too short to train the network here; %.1f minutes would be gone "
            "without a single epoch. Only the layer on top is trained.",
            config.time_budget,
            (so_far + plan.seconds) / 60,
        )
        return None
    extra_epochs = plan.extra_epochs if is_new else config.fine_tune_extra_epochs
    first = f"{pluralize(extra_epochs, 'epoch')} of extra photos, then " if is_new else ""
    watch.say(
        f"Trains {first}{pluralize(plan.epochs, 'epoch')}: about "
        f"{(so_far + plan.seconds) / 60:.1f} minutes in all, of {budget / 60:.1f}."
    )
    return TrainingState(epochs=plan.epochs, extra_epochs=extra_epochs)


def _learn_extra(course: FineTuningLoop) -> None:
    """Trains on the extra photos alone, or takes what an earlier run has learned from the same."""
    photos, tuning = course.photos, course.tuning
    config, size = tuning.config, first_size(photos, tuning)
    path = _path_of_extra(photos, tuning)
    # What an interrupted one has learned halfway would be taken for that of the next part.
    if not course.progress.slots and _restored(course.trainer, path):
        _LOGGER.info("The network has learned from these extra photos before; see %s.", path)
        return
    extra = pictures(photos, photos.data.extra, size)
    mixture = BatchGenerator(
        photos=extra,
        augments=tuning.extra_augments,
        batch_size=config.fine_tune_batch_size,
        seed=tuning.seed,
        mixup=config.mixup,
        cutmix=config.cutmix,
        teacher=tuning.teacher,
    )
    epochs, rate = config.fine_tune_extra_epochs, config.fine_tune_learning_rate
    stage = Stage(mixture=mixture, epochs=epochs, size=size, rate=rate)
    title = f"Training the network on {pluralize(len(extra), 'extra photo')}"
    course.learn_extra(stage, title=title)
    try:
        with atomic_write(path) as part, part.open("wb") as file:
            np.savez(file, *course.trainer.state())
    except OutputError as error:
        give_up_cache(error)


def _path_of_extra(photos: FeaturizedDataset, tuning: FineTuningPlan) -> Path:
    """Returns the cache path of the weights that were pretrained on the extra photos."""
    described = {
        **_described(photos, tuning, _OF_NO_MATTER_TO_EXTRA),
        "photos": [(example.sha256, example.label) for example in photos.data.extra],
        "augments": [asdict(augment) for augment in tuning.extra_augments],
    }
    key = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:32]
    return cache_dir("tuned") / f"{key}.npz"


def _described(
    photos: FeaturizedDataset, tuning: FineTuningPlan, other: Mapping[str, None]
) -> dict[str, Any]:
    """Returns what every training depends on; of the settings ``other`` are of no matter."""
    teacher = tuning.teacher and tuning.teacher.key
    return {
        "version": _TRAINING_VERSION,
        "module": photos.once.module.fingerprint,
        "input": photos.once.module.input_spec.key,
        "labels": photos.data.labels,
        "settings": {**asdict(tuning.config), **other, "teacher": teacher},
        "seed": tuning.seed,
    }


def _restored(trainer: Trainer, path: Path) -> bool:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            trainer.restore([arrays[name] for name in arrays.files])
    except FileNotFoundError:
        return False
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        _LOGGER.warning("%s cannot be read (%s); its photos are learned from again.", path, error)
        return False
    return True
