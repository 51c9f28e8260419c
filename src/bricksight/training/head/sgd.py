"""Train a head as retrain.py does: gradient descent for a fixed number of steps."""

import hashlib
import json
import logging
import math
from dataclasses import asdict, replace

from bricksight.bundle import Head
from bricksight.config import HeadConfig
from bricksight.dataset import SPLIT_RULE_VERSION
from bricksight.features import AugmentedCopies, FeaturizedDataset, LabeledFeatures
from bricksight.heads import Checkpoint, TrainedHead, train_by_sgd
from bricksight.heads.sgd import DEFAULT_BATCH_SIZE, DEFAULT_STEPS
from bricksight.training.augmentation_policy import affordable_copies
from bricksight.training.context import TrainingContext, non_default_options
from bricksight.training.head.extra_photos import with_extra_photos

_LOGGER = logging.getLogger(__name__)

MAX_COPIES = 10
"""Most augmented copies of a photo; retrain.py's slight distortions make copies that are alike."""


def train_sgd_head(dataset: FeaturizedDataset, context: TrainingContext) -> TrainedHead:
    """Return a head trained by gradient descent; see ``heads.sgd``.

    Raises:
        DataError: a photo that could be read before no longer can.
    """
    _warn_of_unused(context)
    config = context.config.head
    copies = _augmented_copies(dataset, context)
    examples = dataset.data.in_split("training")
    features = context.extractor.copies(dataset, examples, copies)
    labeled = with_extra_photos(dataset, dataset.label(examples, features), context)
    num_steps = config.how_many_training_steps or DEFAULT_STEPS
    with context.progress.stage("Training by gradient descent", num_steps) as advance:

        def after_step(step: int, head: Head) -> None:
            advance(1)
            if context.after_step is not None:
                context.after_step(dataset.backbone.compiled.backbone, step, head)

        trained = train_by_sgd(
            labeled,
            _validation(dataset),
            num_classes=dataset.num_classes,
            config=config,
            observer=context.observer,
            after_step=after_step,
            checkpoint=_checkpoint(dataset, context, copies),
        )
    return replace(trained, choices={**trained.choices, "copies": len(copies.keys)})


def _warn_of_unused(context: TrainingContext) -> None:
    config = context.config.head
    unused = non_default_options(config, ("head", "color_invariant", "random_flip"))
    if unused:
        _LOGGER.warning("Gradient descent trains the head, so --%s has no effect.", unused)
    if context.config.augmentation.is_identity and config.augmented_copies:
        _LOGGER.warning(
            "--augmented_copies %d does nothing: no option asks for augmentation, such as "
            "--random_brightness 10.",
            config.augmented_copies,
        )


def _augmented_copies(dataset: FeaturizedDataset, context: TrainingContext) -> AugmentedCopies:
    copies = AugmentedCopies(augment=context.config.augmentation, seed=context.seed)
    if copies.augment.is_identity:
        return copies
    number = _num_copies(context.config.head, len(dataset.data.in_split("training")))
    # retrain.py showed no undistorted photo either once there was a distortion.
    return replace(copies, num_random=number, include_original=number == 0)


def _num_copies(config: HeadConfig, num_photos: int) -> int:
    """Return how many copies to make so that few draws see the same one, within bounds."""
    if config.augmented_copies is not None:
        return config.augmented_copies
    draws = (config.how_many_training_steps or DEFAULT_STEPS) * (
        config.train_batch_size or DEFAULT_BATCH_SIZE
    )
    number = min(math.ceil(draws / max(num_photos, 1)), affordable_copies(num_photos))
    return min(number, MAX_COPIES)


def _validation(dataset: FeaturizedDataset) -> LabeledFeatures | None:
    labeled = dataset.in_split("validation")
    return labeled if len(labeled) else None


def _checkpoint(
    dataset: FeaturizedDataset, context: TrainingContext, copies: AugmentedCopies
) -> Checkpoint:
    """Return the checkpoint; its key covers everything that the result depends on."""
    backbone = dataset.backbone.compiled.backbone
    described = {
        "split_rule": SPLIT_RULE_VERSION,
        "module": backbone.fingerprint,
        "input": backbone.input_spec.key,
        "config": asdict(context.config.head),
        "photos": [
            (example.sha256, example.label, example.split)
            for example in (*dataset.data.examples, *dataset.data.extra)
        ],
        "extra_share": context.config.data.extra_share,
        "views": copies.keys,
    }
    key = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()
    return context.checkpoint(key)
