"""What a network is trained on, in which order, and at which size of the images."""

from collections.abc import Iterator
from dataclasses import dataclass

from bricksight.config import AugmentConfig, FineTuneConfig
from bricksight.dataset import Record
from bricksight.errors import DataError, ImageError
from bricksight.retrain._photos import Photos
from bricksight.retrain._teacher import Teacher
from bricksight.training import Mixture, Pictures, Stage, read_pictures

LAST_PART = 0.25
"""Share of the epochs in which photos are seen at the network's own size."""

_LAST_RATE = 0.3
"""The rate of these epochs, as a share of the highest; they refine what the others have found."""

_FITTED_PART = 0.1
"""Share of the epochs, at the very end, that see the validation photos too: few photos are too few
to leave any out. What is said of the validation photos was said before."""

_SMALLER = 5 / 7
"""Size of the images at first, as a share of the network's own."""


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """How the network is to be trained; each view takes one of the random changes."""

    config: FineTuneConfig
    augments: tuple[AugmentConfig, ...]
    extra_augments: tuple[AugmentConfig, ...]
    extra_share: float
    seed: int
    teacher: Teacher | None


def first_size(photos: Photos, tuning: Tuning) -> int:
    """Returns the size of the images at first: a multiple of 32, by which networks reduce them."""
    own = photos.compiled.module.input_spec.height
    return tuning.config.fine_tune_size or max(32, round(own * _SMALLER / 32) * 32)


def stages(photos: Photos, tuning: Tuning) -> Iterator[Stage]:
    """Yields photos with extra ones among them, then the same at the network's own size.

    The photos of one stage are read when the one before is done: all of them are in memory.
    """
    config, own = tuning.config, photos.compiled.module.input_spec.height
    small = first_size(photos, tuning)
    epochs_in_all = config.fine_tune_epochs or 1
    fitted = epochs_in_all * _FITTED_PART if photos.data.bucket("validation") else 0.0
    last = epochs_in_all * LAST_PART if small != own else fitted
    planned = [(small, epochs_in_all - last, 1.0), (own, last - fitted, _LAST_RATE)]
    for number, (size, epochs, rate) in enumerate(planned, start=1):
        if epochs:
            yield Stage(
                mixture=mixture_of(photos, tuning, size=size, seed=tuning.seed + number),
                epochs=epochs,
                size=size,
                rate=config.fine_tune_rate * rate,
            )


def fitted_stage(photos: Photos, tuning: Tuning) -> Stage:
    """Returns the last epochs, on the training and validation photos."""
    config, own = tuning.config, photos.compiled.module.input_spec.height
    sides = ("training", "validation")
    return Stage(
        mixture=mixture_of(photos, tuning, size=own, seed=tuning.seed + 3, sides=sides),
        epochs=(config.fine_tune_epochs or 1) * _FITTED_PART,
        size=own,
        rate=config.fine_tune_rate * _LAST_RATE,
    )


def mixture_of(
    photos: Photos,
    tuning: Tuning,
    *,
    size: int,
    seed: int,
    sides: tuple[str, ...] = ("training",),
) -> Mixture:
    extra = photos.data.extra
    records = tuple(record for side in sides for record in photos.data.bucket(side))
    return Mixture(
        photos=pictures(photos, records, size),
        extra=pictures(photos, extra, size) if extra else None,
        extra_share=tuning.extra_share,
        augments=tuning.augments,
        batch_size=tuning.config.fine_tune_batch_size,
        seed=seed,
        teacher=tuning.teacher,
    )


def pictures(photos: Photos, records: tuple[Record, ...], size: int) -> Pictures:
    try:
        with photos.watch.stage("Reading photos"):
            labels = photos.data.label_indices(records)
            return read_pictures([one.path for one in records], labels, size=size)
    except ImageError as error:
        raise DataError(f"{error}\nIt could be read a moment ago.") from error
