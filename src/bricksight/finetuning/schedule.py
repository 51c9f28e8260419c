"""The fine-tuning schedule: phases, their images, their size and learning rate."""

from dataclasses import dataclass

import numpy as np

from bricksight.config import AugmentConfig, FineTuneConfig
from bricksight.dataset import Example
from bricksight.errors import DataError, ImageError
from bricksight.features.featurized_dataset import FeaturizedDataset
from bricksight.finetuning import NO_CLASS, BatchGenerator, ImageSet, Stage, read_image_set
from bricksight.finetuning.distillation import Teacher
from bricksight.heads import OUTLIERS_WEIGHT
from bricksight.images import ForegroundMasks

FULL_SIZE_SHARE = 0.25
"""Share of the epochs in which photos are seen at the network's own size."""

_FULL_SIZE_RATE = 0.3
"""The rate of these epochs, as a share of the highest; they refine what the others have found."""

_FIT_ALL_SHARE = 0.1
"""Share of the epochs, at the very end, that see the validation photos too: few photos are too few
to leave any out. What is said of the validation photos was said before."""

_SMALLER = 5 / 7
"""Size of the images at first, as a share of the network's own."""

_OUTLIERS_SHARE = OUTLIERS_WEIGHT / (1 + OUTLIERS_WEIGHT)
"""Share of each batch that is of photos of none of the classes, where there are any: in the mean
over the batch they have the weight that they have in the training of the layer."""


@dataclass(frozen=True, kw_only=True)
class FineTuningPlan:
    """How the network is to be trained; each view takes one of the random changes."""

    config: FineTuneConfig
    augments: tuple[AugmentConfig, ...]
    extra_augments: tuple[AugmentConfig, ...]
    extra_share: float
    seed: int
    teacher: Teacher | None


def smaller_size(own: int) -> int:
    """Returns a smaller size to begin with: a multiple of 32, by which networks reduce images."""
    return max(32, round(own * _SMALLER / 32) * 32)


def first_size(photos: FeaturizedDataset, plan: FineTuningPlan) -> int:
    """Returns the size of the images at first."""
    own = photos.compiled.module.input_spec.height
    return plan.config.fine_tune_size or smaller_size(own)


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A stage of the training, before its photos are read.

    Attributes:
        number: From 1; it is part of the seed.
        size: Rows and columns of the images, in pixels.
        epochs: How many times each photo is seen.
        rate: Highest learning rate of the network.
        splits: Of the split, whose photos are trained on.
    """

    number: int
    size: int
    epochs: float
    rate: float
    splits: tuple[str, ...] = ("training",)

    @property
    def is_validated(self) -> bool:
        """Whether the validation photos are still unseen, and say how good it is."""
        return "validation" not in self.splits


def phases(photos: FeaturizedDataset, plan: FineTuningPlan) -> list[Phase]:
    """Returns photos with extra ones among them, then the same at the network's own size.

    The last part sees the validation photos too, unless they say when to stop.
    """
    config, own = plan.config, photos.compiled.module.input_spec.height
    small, rate = first_size(photos, plan), config.fine_tune_learning_rate
    epochs = config.fine_tune_epochs or 1
    fits_all = bool(photos.data.in_split("validation")) and config.patience is None
    fitted = epochs * _FIT_ALL_SHARE if fits_all else 0.0
    last = epochs * FULL_SIZE_SHARE if small != own else fitted
    planned = (
        Phase(number=1, size=small, epochs=epochs - last, rate=rate),
        Phase(number=2, size=own, epochs=last - fitted, rate=rate * _FULL_SIZE_RATE),
        Phase(
            number=3,
            size=own,
            epochs=fitted,
            rate=rate * _FULL_SIZE_RATE,
            splits=("training", "validation"),
        ),
    )
    return [phase for phase in planned if phase.epochs]


def make_stage(photos: FeaturizedDataset, plan: FineTuningPlan, phase: Phase) -> Stage:
    """Returns the part with its photos, all of which are in memory while it is used."""
    seed = plan.seed + phase.number
    batch_generator = make_batch_generator(
        photos, plan, size=phase.size, seed=seed, splits=phase.splits
    )
    return Stage(
        batch_generator=batch_generator, epochs=phase.epochs, size=phase.size, rate=phase.rate
    )


def make_batch_generator(
    photos: FeaturizedDataset,
    plan: FineTuningPlan,
    *,
    size: int,
    seed: int,
    splits: tuple[str, ...] = ("training",),
) -> BatchGenerator:
    """Returns the photos of these parts of the split, all in memory, as batches are drawn."""
    extra = photos.data.extra
    examples = tuple(example for side in splits for example in photos.data.in_split(side))
    cutouts = photos.cutouts
    labels = photos.data.label_indices(examples)
    return BatchGenerator(
        photos=_read(photos, examples, labels, size, cutouts),
        extra=read_examples(photos, extra, size) if extra else None,
        extra_share=plan.extra_share,
        outliers=_outliers(photos, size),
        outliers_share=_OUTLIERS_SHARE,
        augments=plan.augments,
        batch_size=plan.config.fine_tune_batch_size,
        seed=seed,
        mixup=plan.config.mixup,
        cutmix=plan.config.cutmix,
        teacher=plan.teacher,
        backgrounds=None if cutouts is None else cutouts.backgrounds,
    )


def _outliers(photos: FeaturizedDataset, size: int) -> ImageSet | None:
    examples = tuple(one for one in photos.data.outliers if one.split == "training")
    return _read(photos, examples, np.full(len(examples), NO_CLASS), size) if examples else None


def read_examples(photos: FeaturizedDataset, examples: tuple[Example, ...], size: int) -> ImageSet:
    """Returns photos with their labels, in memory."""
    return _read(photos, examples, photos.data.label_indices(examples), size)


def _read(
    photos: FeaturizedDataset,
    examples: tuple[Example, ...],
    labels: np.ndarray,
    size: int,
    cutouts: ForegroundMasks | None = None,
) -> ImageSet:
    try:
        with photos.watch.stage("Reading photos"):
            paths = [one.path for one in examples]
            return read_image_set(paths, labels, size=size, cutouts=cutouts)
    except ImageError as error:
        raise DataError(f"{error} It could be read a moment ago.") from error
