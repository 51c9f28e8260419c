"""The fine-tuning schedule: phases, their image size and learning rate, and their photos."""

from dataclasses import dataclass, replace

import numpy as np

from bricksight._support.progress import Progress
from bricksight.config import AugmentConfig, FineTuneConfig
from bricksight.dataset import Example
from bricksight.errors import DataError, ImageError
from bricksight.features import FeaturizedDataset
from bricksight.finetuning.batches import (
    NO_CLASS,
    BatchComposition,
    BatchGenerator,
    ImageSet,
    read_image_set,
)
from bricksight.finetuning.distillation import Teacher
from bricksight.finetuning.trainer import Stage
from bricksight.heads import OUTLIERS_WEIGHT
from bricksight.images import ForegroundMasks

FULL_SIZE_SHARE = 0.25
"""Share of the epochs with images of the backbone's own size."""

_FULL_SIZE_RATE = 0.3
"""Learning rate of these epochs, as a share of the highest; they refine the earlier ones."""

_FIT_ALL_SHARE = 0.1
"""Share of the epochs, at the end, that train on the validation photos too: few photos are too few
to leave any out. The validation figures are measured before."""

_SMALLER = 5 / 7
"""Image size of the first phase, as a share of the backbone's own."""

_OUTLIERS_SHARE = OUTLIERS_WEIGHT / (1 + OUTLIERS_WEIGHT)
"""Share of outliers in each batch, if there are any: it gives them the weight that they have in the
training of a head."""


@dataclass(frozen=True, kw_only=True)
class FineTuningPlan:
    """How a backbone is fine-tuned.

    Attributes:
        config: The settings.
        augments: Augmentation policy of the photos: each image takes one of these.
        extra_augments: Augmentation policy of pretraining on the extra photos.
        extra_share: Share of extra photos in each batch, 0 to 1.
        seed: Seed of batches and augmentation.
        teacher: For distillation, if there is one.
    """

    config: FineTuneConfig
    augments: tuple[AugmentConfig, ...]
    extra_augments: tuple[AugmentConfig, ...]
    extra_share: float
    seed: int
    teacher: Teacher | None

    def with_epochs(self, epochs: int, extra_epochs: int) -> "FineTuningPlan":
        """Return the plan with other numbers of epochs."""
        config = replace(self.config, fine_tune_epochs=epochs, fine_tune_extra_epochs=extra_epochs)
        return replace(self, config=config)


def smaller_size(full_size: int) -> int:
    """Return the image size of the first phase: a multiple of 32, as backbones reduce images."""
    return max(32, round(full_size * _SMALLER / 32) * 32)


def first_size(dataset: FeaturizedDataset, plan: FineTuningPlan) -> int:
    """Return rows and columns of the images in the first phase."""
    return plan.config.fine_tune_size or smaller_size(dataset.input_spec.height)


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A phase of the training, before its photos are read.

    Attributes:
        number: From 1; it is part of the seed.
        size: Rows and columns of the images, in pixels.
        epochs: How many times each photo is seen.
        rate: Highest learning rate of the backbone.
        splits: Splits whose photos are trained on.
    """

    number: int
    size: int
    epochs: float
    rate: float
    splits: tuple[str, ...] = ("training",)

    @property
    def is_validated(self) -> bool:
        """Whether the validation photos are not trained on, so that they can be measured on."""
        return "validation" not in self.splits


def phases(dataset: FeaturizedDataset, plan: FineTuningPlan) -> list[Phase]:
    """Return the phases: at a smaller size, at full size, and with the validation photos too.

    Early stopping needs the validation photos, so they are not trained on then.
    """
    config, full_size = plan.config, dataset.input_spec.height
    small, rate = first_size(dataset, plan), config.fine_tune_learning_rate
    epochs = config.fine_tune_epochs or 1
    fits_all = bool(dataset.data.in_split("validation")) and config.patience is None
    last = epochs * _FIT_ALL_SHARE if fits_all else 0.0
    refining = epochs * FULL_SIZE_SHARE if small != full_size else last
    low_rate = rate * _FULL_SIZE_RATE
    everything = ("training", "validation")
    planned = (
        Phase(number=1, size=small, epochs=epochs - refining, rate=rate),
        Phase(number=2, size=full_size, epochs=refining - last, rate=low_rate),
        Phase(number=3, size=full_size, epochs=last, rate=low_rate, splits=everything),
    )
    return [phase for phase in planned if phase.epochs]


def num_steps(dataset: FeaturizedDataset, plan: FineTuningPlan, first_phase: int = 0) -> int:
    """Return the number of batches of the phases from ``first_phase`` on."""
    data = dataset.data
    composition = BatchComposition.of(
        plan.config.fine_tune_batch_size,
        extra_share=plan.extra_share if data.extra else 0.0,
        outliers_share=_OUTLIERS_SHARE if _training_outliers(dataset) else 0.0,
    )
    total = 0
    for phase in phases(dataset, plan):
        if phase.number >= first_phase:
            num_photos = sum(len(data.in_split(split)) for split in phase.splits)
            total += max(1, round(phase.epochs * composition.steps_per_epoch(num_photos)))
    return total


def make_stage(
    dataset: FeaturizedDataset, plan: FineTuningPlan, phase: Phase, progress: Progress
) -> Stage:
    """Return the phase with its photos, all of which are in memory while it is used."""
    batch_generator = make_batch_generator(
        dataset,
        plan,
        progress,
        size=phase.size,
        seed=plan.seed + phase.number,
        splits=phase.splits,
    )
    return Stage(
        batch_generator=batch_generator, epochs=phase.epochs, size=phase.size, rate=phase.rate
    )


def make_batch_generator(
    dataset: FeaturizedDataset,
    plan: FineTuningPlan,
    progress: Progress,
    *,
    size: int,
    seed: int,
    splits: tuple[str, ...] = ("training",),
) -> BatchGenerator:
    """Return the photos of these splits, in memory, as a generator of batches."""
    data, masks = dataset.data, dataset.foreground_masks
    examples = tuple(example for split in splits for example in data.in_split(split))
    outliers = _training_outliers(dataset)
    no_class = np.full(len(outliers), NO_CLASS)
    return BatchGenerator(
        photos=_read(examples, data.label_indices(examples), size, progress, masks),
        extra=read_examples(dataset, data.extra, size, progress) if data.extra else None,
        extra_share=plan.extra_share,
        outliers=_read(outliers, no_class, size, progress) if outliers else None,
        outliers_share=_OUTLIERS_SHARE,
        augments=plan.augments,
        batch_size=plan.config.fine_tune_batch_size,
        seed=seed,
        mixup=plan.config.mixup,
        cutmix=plan.config.cutmix,
        teacher=plan.teacher,
        backgrounds=None if masks is None else masks.backgrounds,
    )


def read_examples(
    dataset: FeaturizedDataset, examples: tuple[Example, ...], size: int, progress: Progress
) -> ImageSet:
    """Return photos with their labels, in memory."""
    return _read(examples, dataset.data.label_indices(examples), size, progress)


def _training_outliers(dataset: FeaturizedDataset) -> tuple[Example, ...]:
    return tuple(one for one in dataset.data.outliers if one.split == "training")


def _read(
    examples: tuple[Example, ...],
    labels: np.ndarray,
    size: int,
    progress: Progress,
    foreground_masks: ForegroundMasks | None = None,
) -> ImageSet:
    try:
        with progress.stage("Decoding photos"):
            paths = [example.path for example in examples]
            return read_image_set(paths, labels, size=size, foreground_masks=foreground_masks)
    except ImageError as error:
        raise DataError(f"{error} It could be read a moment ago.") from error
