"""From photos to a network whose own weights were trained on them, and the layer on top of it."""

import hashlib
import json
import logging
import zipfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import logsumexp, softmax

from bricksight._files import cache_dir, replacing
from bricksight._text import counted
from bricksight.bundle import Head
from bricksight.config import FineTuneConfig, InputSpec
from bricksight.errors import ConfigError
from bricksight.modules import tuned_module
from bricksight.retrain._budget import Work, measure_costs, plan_epochs
from bricksight.retrain._photos import Photos, through
from bricksight.retrain._schedule import (
    LAST_PART,
    Tuning,
    first_size,
    fitted_stage,
    mixture_of,
    pictures,
    stages,
)
from bricksight.retrain._teacher import Teacher
from bricksight.retrain._train import (
    Training,
    allowed_kinds,
    choose_augments,
    warn_of_unused,
)
from bricksight.training import (
    BOLDEST_POLICY,
    POLICIES,
    EpochSeen,
    History,
    Measurement,
    Mixture,
    Observer,
    Pictures,
    Stage,
    TrainedHead,
    Trainer,
    TrainerOptions,
    best_temperature,
)

_TRAINING_VERSION = 1
"""Part of the key of what is kept: raised when the same settings train to other weights."""

_LOGGER = logging.getLogger(__name__)

_OF_NO_MATTER_TO_EXTRA = {"fine_tune_epochs": None, "recipe": None, "time_budget": None}
"""Settings that what extra photos teach does not depend on."""

_UNUSED = (
    "how_many_training_steps",
    "learning_rate",
    "train_batch_size",
    "validation_batch_size",
    "eval_step_interval",
    "class_weight",
)
"""Settings of the training of the layer alone."""

_LOWEST_TEMPERATURE = 0.3
"""What bounds the certainty where all of a few validation photos are right."""


def fine_tune_network(
    photos: Photos, training: Training, config: FineTuneConfig
) -> tuple[Photos, TrainedHead] | None:
    """Returns the photos seen through the tuned network, and the layer on top.

    ``None`` where the time budget is too short for it.

    Raises:
        ModuleError: the network has no Keras layers.
        ConfigError: it has no layer of the name in ``fine_tune_from``; or the teacher does not
            know the classes.
        BundleError: the teacher cannot be used.
        DataError: a photo that could be read before cannot be read any more.
    """
    module = photos.compiled.module
    network = module.network()
    _freeze_below(network, config.fine_tune_from, module.reference)
    teacher = None if config.teacher is None else Teacher(config.teacher, photos.data.labels)
    warn_of_unused(training, instead="With --fine_tune, the training of the network", names=_UNUSED)
    if training.after_step is not None:
        _LOGGER.warning("With --fine_tune, --intermediate_store_frequency does nothing.")
    tuning = Tuning(
        config=config,
        augments=choose_augments(photos, training),
        extra_augments=allowed_kinds(photos, training.config, POLICIES[BOLDEST_POLICY])
        if training.augment.is_identity
        else (training.augment,),
        extra_share=training.extra_share,
        seed=training.config.seed,
        teacher=teacher,
    )
    options = TrainerOptions(
        resize=module.input_spec.resize,
        adapt_batch_norm=config.batch_norm == "adapted",
        teacher_share=config.teacher_share,
    )
    trainer = Trainer(network, len(photos.data.labels), options)
    if config.budget_seconds is not None:
        planned = _within_budget(trainer, photos, tuning, config.budget_seconds)
        if planned is None:
            return None
        tuning = planned
    if photos.data.extra and tuning.config.fine_tune_extra_epochs:
        _learn_extra(trainer, photos, tuning)
    history, logits = _run(trainer, photos, tuning, observer=training.observer)
    labels = photos.data.label_indices(photos.data.bucket("validation"))
    temperature = 1.0
    if len(labels):
        # Smoothed labels make the answers too timid, so that it may be below 1 too.
        temperature, _ = best_temperature(logits, labels, lowest=_LOWEST_TEMPERATURE)
        _run_stage(trainer, photos, fitted_stage(photos, tuning))
    head = trainer.head
    trained = TrainedHead(
        head=Head(kernel=head.kernel / temperature, bias=head.bias / temperature),
        held_out=softmax(logits / temperature, axis=1),
        history=history,
        choices={
            "algorithm": "AdamW on the whole network",
            "epochs": tuning.config.fine_tune_epochs,
            "temperature": temperature,
            "fitted_to": "training and validation" if len(labels) else "training",
            "augmentation": [asdict(augment) for augment in tuning.augments],
            "extra_photos": len(photos.data.extra),
        },
    )
    return through(photos, tuned_module(module, network)), trained


def _freeze_below(network: Any, name: str | None, reference: str) -> None:
    names = [layer.name for layer in network.layers]
    if name is None:
        return
    if name not in names:
        raise ConfigError(
            f"--fine_tune_from {name}: {reference} has no such layer. Its layers are "
            f"{', '.join(names)}."
        )
    for layer in network.layers[: names.index(name)]:
        layer.trainable = False
    if not network.trainable_variables:
        raise ConfigError(f"--fine_tune_from {name}: {reference} has nothing to train from there.")


def _within_budget(
    trainer: Trainer, photos: Photos, tuning: Tuning, budget: float
) -> Tuning | None:
    """Returns as many epochs as there is time for, ``None`` if there is not enough."""
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
        num_validated=len(data.bucket("validation")),
        num_photos=len(data.records),
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
    first = f"{counted(extra_epochs, 'epoch')} of extra photos, then " if is_new else ""
    watch.say(
        f"Trains {first}{counted(plan.epochs, 'epoch')}: about {(so_far + plan.seconds) / 60:.1f} "
        f"minutes in all, of {budget / 60:.1f}."
    )
    chosen = replace(config, fine_tune_epochs=plan.epochs, fine_tune_extra_epochs=extra_epochs)
    return replace(tuning, config=chosen)


def _learn_extra(trainer: Trainer, photos: Photos, tuning: Tuning) -> None:
    """Trains on the extra photos alone, or takes what an earlier run has learned from the same."""
    config, size = tuning.config, first_size(photos, tuning)
    path = _path_of_extra(photos, tuning)
    if _restored(trainer, path):
        _LOGGER.info("The network has learned from these extra photos before; see %s.", path)
        return
    extra = pictures(photos, photos.data.extra, size)
    mixture = Mixture(
        photos=extra,
        augments=tuning.extra_augments,
        batch_size=config.fine_tune_batch_size,
        seed=tuning.seed,
        teacher=tuning.teacher,
    )
    epochs, rate = config.fine_tune_extra_epochs, config.fine_tune_rate
    stage = Stage(mixture=mixture, epochs=epochs, size=size, rate=rate)
    title = f"Training the network on {counted(len(extra), 'extra photo')}"
    with photos.watch.stage(title, stage.num_steps) as advance:
        trainer.run(stage, after_step=lambda: advance(1))
    with replacing(path) as part, part.open("wb") as file:
        np.savez(file, *trainer.state())


def _path_of_extra(photos: Photos, tuning: Tuning) -> Path:
    """Returns where is kept what the extra photos have taught: another place for other lessons."""
    teacher = tuning.teacher and tuning.teacher.key
    settings = {**asdict(tuning.config), **_OF_NO_MATTER_TO_EXTRA, "teacher": teacher}
    described = {
        "version": _TRAINING_VERSION,
        "module": photos.compiled.module.fingerprint,
        "input": photos.compiled.module.input_spec.key,
        "labels": photos.data.labels,
        "photos": [(record.sha256, record.label) for record in photos.data.extra],
        "augments": [asdict(augment) for augment in tuning.extra_augments],
        "settings": settings,
        "seed": tuning.seed,
    }
    key = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:32]
    return cache_dir("tuned") / f"{key}.npz"


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


def _run(
    trainer: Trainer, photos: Photos, tuning: Tuning, *, observer: Observer
) -> tuple[History, np.ndarray]:
    """Trains through the stages; after each epoch the validation photos are answered.

    Returns how it went, and the last logits of the validation photos.
    """
    spec, history = photos.compiled.module.input_spec, History()
    records = photos.data.bucket("validation")
    validation = pictures(photos, records, spec.height)
    done = 0

    def after_epoch(seen: EpochSeen) -> None:
        loss, accuracy = _validate(trainer, validation, spec)
        measurement = Measurement(
            step=done + seen.step,
            train_accuracy=seen.accuracy,
            train_cross_entropy=seen.loss,
            validation_accuracy=accuracy,
            validation_cross_entropy=loss,
        )
        history.measurements.append(measurement)
        observer(measurement, trainer.head)

    for stage in stages(photos, tuning):
        _run_stage(trainer, photos, stage, after_epoch)
        done += stage.num_steps
        del stage  # and its photos, before those of the next are read
    history.best_step = done
    return history, trainer.logits(validation, spec)


def _run_stage(
    trainer: Trainer,
    photos: Photos,
    stage: Stage,
    after_epoch: Callable[[EpochSeen], None] = lambda _: None,
) -> None:
    title = f"Training the network at {stage.size} px"
    with photos.watch.stage(title, stage.num_steps) as advance:
        trainer.run(stage, after_step=lambda: advance(1), after_epoch=after_epoch)


def _validate(
    trainer: Trainer, validation: Pictures, spec: InputSpec
) -> tuple[float | None, float | None]:
    """Returns cross entropy in nats, and accuracy; ``None`` where there are no photos."""
    if not len(validation):
        return None, None
    with trainer.averaged():
        logits = trainer.logits(validation, spec)
    chances = logits - logsumexp(logits, axis=1, keepdims=True)
    of_label = chances[np.arange(len(chances)), validation.labels]
    right = chances.argmax(axis=1) == validation.labels
    return float(-of_label.mean()), float(right.mean())
