"""From photos to a network whose own weights were trained on them, and the layer on top of it."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import logsumexp

from bricksight.bundle import Head
from bricksight.config import AugmentConfig, FineTuneConfig, InputSpec
from bricksight.dataset import Record
from bricksight.errors import ConfigError, DataError, ImageError
from bricksight.modules import tuned_module
from bricksight.retrain._photos import Photos, through
from bricksight.retrain._train import Training, choose_augments, warn_of_unused
from bricksight.training import (
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
    read_pictures,
)

_LAST_PART = 0.25
"""Share of the epochs in which photos are seen at the network's own size."""

_LAST_RATE = 0.3
"""The rate of these epochs, as a share of the highest; they refine what the others have found."""

_SMALLER = 5 / 7

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


@dataclass(frozen=True, kw_only=True)
class _Tuning:
    """How the network is to be trained; each view takes one of the random changes."""

    config: FineTuneConfig
    augments: tuple[AugmentConfig, ...]
    extra_share: float
    seed: int


def fine_tune_network(
    photos: Photos, training: Training, config: FineTuneConfig
) -> tuple[Photos, TrainedHead]:
    """Returns the photos seen through the tuned network, and the layer on top.

    Raises:
        ModuleError: the network has no Keras layers.
        ConfigError: it has no layer of the name in ``fine_tune_from``.
        DataError: a photo that could be read before cannot be read any more.
    """
    warn_of_unused(training, instead="With --fine_tune, the training of the network", names=_UNUSED)
    tuning = _Tuning(
        config=config,
        augments=choose_augments(photos, training),
        extra_share=training.extra_share,
        seed=training.config.seed,
    )
    module = photos.compiled.module
    network = module.network()
    _freeze_below(network, config.fine_tune_from, module.reference)
    options = TrainerOptions(
        resize=module.input_spec.resize, adapt_batch_norm=config.batch_norm == "adapted"
    )
    trainer = Trainer(network, len(photos.data.labels), options)
    history = _run(trainer, photos, stages=_stages(photos, tuning), observer=training.observer)
    tuned = through(photos, tuned_module(module, network))
    return tuned, _cooled(trainer.head, tuned, history, tuning)


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


def _stages(photos: Photos, tuning: _Tuning) -> list[Stage]:
    """Returns renders first, then photos with renders among them, then at the network's size."""
    config, spec = tuning.config, photos.compiled.module.input_spec
    small = config.fine_tune_size or max(32, round(spec.height * _SMALLER / 32) * 32)
    training = _pictures(photos, photos.data.bucket("training"), small)
    extra = _pictures(photos, photos.data.extra, small)
    last = config.fine_tune_epochs * _LAST_PART if small != spec.height else 0.0

    def mixture(pictures: Pictures, number: int) -> Mixture:
        return Mixture(
            photos=pictures,
            extra=extra if len(extra) else None,
            extra_share=tuning.extra_share,
            augments=tuning.augments,
            batch_size=config.fine_tune_batch_size,
            seed=tuning.seed + number,
        )

    def stage(pictures: Pictures, number: int, epochs: float, size: int, rate: float) -> Stage:
        rate *= config.fine_tune_rate
        return Stage(mixture=mixture(pictures, number), epochs=epochs, size=size, rate=rate)

    stages = [stage(training, 1, config.fine_tune_epochs - last, small, 1.0)]
    if len(extra) and config.fine_tune_extra_epochs:
        none = extra.take([])
        stages.insert(0, stage(none, 0, config.fine_tune_extra_epochs, small, 1.0))
    if last:
        large = _pictures(photos, photos.data.bucket("training"), spec.height)
        stages.append(stage(large, 2, last, spec.height, _LAST_RATE))
    return stages


def _pictures(photos: Photos, records: tuple[Record, ...], size: int) -> Pictures:
    try:
        with photos.watch.stage("Reading photos"):
            labels = photos.data.label_indices(records)
            return read_pictures([one.path for one in records], labels, size=size)
    except ImageError as error:
        raise DataError(f"{error}\nIt could be read a moment ago.") from error


def _run(trainer: Trainer, photos: Photos, *, stages: list[Stage], observer: Observer) -> History:
    """Trains through the stages; after each epoch the validation photos are answered."""
    spec, history = photos.compiled.module.input_spec, History()
    records = photos.data.bucket("validation")
    validation = _pictures(photos, records, spec.height)
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

    for stage in stages:
        title = f"Training the network at {stage.size} px"
        with photos.watch.stage(title, stage.num_steps) as advance:
            trainer.run(stage, after_step=lambda: advance(1), after_epoch=after_epoch)
        done += stage.num_steps
    history.best_step = done
    return history


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


def _cooled(head: Head, photos: Photos, history: History, tuning: _Tuning) -> TrainedHead:
    """Returns the layer with the temperature that suits the validation photos in it."""
    _, validation = photos.plain("validation")
    temperature = 1.0
    if len(validation):
        # Smoothed labels make the answers too timid, so that it may be below 1 too.
        logits = head.logits(validation.plain())
        temperature, _ = best_temperature(logits, validation.labels, lowest=_LOWEST_TEMPERATURE)
    head = Head(kernel=head.kernel / temperature, bias=head.bias / temperature)
    return TrainedHead(
        head=head,
        validated=head,
        history=history,
        choices={
            "algorithm": "AdamW on the whole network",
            "temperature": temperature,
            "fitted_to": "training",
            "augmentation": [asdict(augment) for augment in tuning.augments],
            "extra_photos": len(photos.data.extra),
        },
    )
