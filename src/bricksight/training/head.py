"""From photos to a trained head, by retrain.py's way or by our own recipe."""

import hashlib
import json
import logging
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import NamedTuple

import numpy as np

from bricksight.bundle import Head
from bricksight.config import HeadConfig, HeadKind
from bricksight.dataset import SPLIT_RULE_VERSION
from bricksight.features import LabeledFeatures, Views
from bricksight.features.featurized_dataset import FeaturizedDataset
from bricksight.heads import (
    DEFAULT_HEADS,
    Checkpoint,
    HeadChoice,
    HeadPrior,
    Measurement,
    TrainedHead,
    can_cross_validate,
    choose_depths,
    train_by_recipe,
    train_by_sgd,
)
from bricksight.heads.sgd import DEFAULT_BATCH_SIZE, DEFAULT_STEPS
from bricksight.training.augmentation_policy import (
    affordable_views,
    choose_views,
    select_tta,
    with_views,
)
from bricksight.training.batch_norm_adaptation import adapted
from bricksight.training.options import HeadTrainingOptions, non_default_options, warn_of_unused
from bricksight.training.zero_shot_head import make_zero_shot_head

_LOGGER = logging.getLogger(__name__)

MAX_VIEWS_FOR_STEPS = 10
"""The same for retrain.py's training, whose slight distortions make views that are more alike."""


def train_head(
    photos: FeaturizedDataset, training: HeadTrainingOptions
) -> tuple[FeaturizedDataset, TrainedHead]:
    """Returns the trained head, and the photos with the features that it takes.

    Raises:
        BackboneError: the network cannot be compiled.
        DataError: a photo cannot be read any more.
    """
    photos = adapted(photos)
    if training.config.uses_gradient_descent:
        return photos, _by_sgd(photos, training)
    return _by_recipe(photos, training)


def _validation(photos: FeaturizedDataset) -> LabeledFeatures | None:
    examples, labeled = photos.plain("validation")
    return labeled if examples else None


def _by_sgd(photos: FeaturizedDataset, training: HeadTrainingOptions) -> TrainedHead:
    config = training.config
    unused = non_default_options(config, ("head", "color_invariant", "random_flip"))
    if unused:
        _LOGGER.warning("Gradient descent trains the head, so --%s has no effect.", unused)
    examples = photos.data.in_split("training")
    views = Views(augment=training.augment, seed=config.seed)
    if training.augment.is_identity and config.augmented_copies:
        _LOGGER.warning(
            "--augmented_copies %d does nothing: no option asks for random views, such as "
            "--random_brightness 10.",
            config.augmented_copies,
        )
    if not training.augment.is_identity:
        num = _num_views_for_steps(config, len(examples))
        # retrain.py showed no undistorted photo either once there was a distortion.
        views = replace(views, num_random=num, include_plain=num == 0)
    labeled = _with_further(photos, photos.views(examples, views), training)
    num_steps = config.how_many_training_steps or DEFAULT_STEPS
    with photos.watch.stage("Training", num_steps) as advance:

        def after_step(step: int, head: Head) -> None:
            advance(1)
            if training.after_step is not None:
                training.after_step(photos.compiled.module, step, head)

        trained = train_by_sgd(
            labeled,
            _validation(photos),
            num_classes=len(photos.data.labels),
            config=config,
            observer=training.observer,
            after_step=after_step,
            checkpoint=_checkpoint(photos, training, views),
        )
    return replace(trained, choices={**trained.choices, "views": len(views.keys)})


def _num_views_for_steps(config: HeadConfig, num_photos: int) -> int:
    """Returns how many views to make so that few draws see the same one, within bounds."""
    if config.augmented_copies is not None:
        return config.augmented_copies
    draws = (config.how_many_training_steps or DEFAULT_STEPS) * (
        config.train_batch_size or DEFAULT_BATCH_SIZE
    )
    num = min(math.ceil(draws / max(num_photos, 1)), affordable_views(num_photos))
    return min(num, MAX_VIEWS_FOR_STEPS)


def _checkpoint(
    photos: FeaturizedDataset, training: HeadTrainingOptions, views: Views
) -> Checkpoint:
    """Returns where this training is kept; the key holds all that the result depends on."""
    described = {
        "split_rule": SPLIT_RULE_VERSION,
        "module": photos.compiled.module.fingerprint,
        "input": photos.compiled.module.input_spec.key,
        "config": asdict(training.config),
        "photos": [
            (example.sha256, example.label, example.split)
            for example in (*photos.data.examples, *photos.data.extra)
        ],
        "extra_share": training.extra_share,
        "views": views.keys,
    }
    key = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()
    return training.checkpoint(key)


def _by_recipe(
    photos: FeaturizedDataset, training: HeadTrainingOptions
) -> tuple[FeaturizedDataset, TrainedHead]:
    config, num_classes = training.config, len(photos.data.labels)
    warn_of_unused(
        training,
        instead="Our recipe",
        names=("validation_batch_size", "eval_step_interval"),
    )
    examples = photos.data.in_split("training")
    kinds, by_views = _choose_views(photos, training)
    photos, losses_by_tta = select_tta(photos, [views.augment for views in kinds], training)
    labeled = with_views(photos, examples, kinds)
    prior = HeadPrior(
        outliers=photos.outlier_views(kinds), zero_shot_head=make_zero_shot_head(photos)
    )
    layer = _choose_layer(photos, labeled, prior, config)
    narrow = photos.of_depths(layer.depths)
    labeled = labeled.first_features(narrow.compiled.num_features)
    prior = prior.first_features(narrow.compiled.num_features)

    def observe(measurement: Measurement, head: Head) -> None:
        training.observer(measurement, head)
        if training.after_step is not None:
            training.after_step(narrow.compiled.module, measurement.step, head)

    held_out = _held_out(photos, kinds, narrow.compiled.num_features)
    with photos.watch.stage("Training"):
        trained = train_by_recipe(
            _with_further(narrow, labeled, training),
            held_out,
            num_classes=num_classes,
            choice=layer.choice,
            class_weight=config.class_weight or "none",
            observer=observe,
            prior=prior,
        )
    chosen = {
        "views": labeled.features.shape[1],
        "augmentation": [asdict(views.augment) for views in kinds],
        "depths": narrow.once.module.depths or 1,
        "tta": narrow.num_rotations,
        "held_out_cross_entropy_by_views": by_views,
        "held_out_cross_entropy_by_tta": losses_by_tta,
        "held_out_cross_entropy_by_depths": layer.by_depths,
        "held_out_cross_entropy_by_head": layer.by_head,
        "extra_photos": len(photos.data.extra),
        "outliers": sum(example.split == "training" for example in photos.data.outliers),
        "num_background_classes": trained.head.num_background,
    }
    return narrow, replace(
        trained,
        choices={**trained.choices, **chosen},
        out_of_fold=_out_of_fold(trained, layer.logits, labeled),
    )


def _choose_views(
    photos: FeaturizedDataset, training: HeadTrainingOptions
) -> tuple[list[Views], dict[str, float]]:
    """Returns what ``choose_views`` does, and says what the user would not expect."""
    if not can_cross_validate(photos.plain("training")[1]):
        _LOGGER.warning(
            "No class has training photos of two groups, so that nothing can be chosen by "
            "cross-validation: the mildest views and the usual regularisation are used."
        )
    kinds, losses = choose_views(photos, training)
    if photos.cutouts is not None and not kinds:
        _LOGGER.warning(
            "Held-out photos are told apart best without random views, and no background is "
            "replaced. An option such as --random_rotation 15 takes this choice over."
        )
    return kinds, losses


def _held_out(
    photos: FeaturizedDataset, kinds: Sequence[Views], num_features: int
) -> LabeledFeatures | None:
    """Returns the validation photos with the same views as those of the training."""
    examples = photos.data.in_split("validation")
    return with_views(photos, examples, kinds).first_features(num_features) if examples else None


def _out_of_fold(
    trained: TrainedHead, logits: np.ndarray | None, labeled: LabeledFeatures
) -> np.ndarray | None:
    """Returns what ``trained`` would have answered had it given these logits.

    A temperature of their own would make them surer or less sure than its answers to photos are.
    """
    if logits is None:
        return None
    temperature = np.float32(trained.temperature)
    return trained.head.answers(logits / temperature, labeled.plain())


class _Layer(NamedTuple):
    """What layer to train, on features of how many depths, and by which cross entropies.

    Attributes:
        logits: What it gave the training photos while they were held out, float32 (num_photos,
            num_classes); ``None`` where nothing could be held out.
    """

    depths: int
    choice: HeadChoice
    by_depths: dict[str, float]
    by_head: dict[str, float]
    logits: np.ndarray | None


def _choose_layer(
    photos: FeaturizedDataset, labeled: LabeledFeatures, prior: HeadPrior, config: HeadConfig
) -> _Layer:
    kinds: tuple[HeadKind, ...] = ("softmax", "lda") if config.head == "auto" else (config.head,)
    if prior.outliers is not None and config.head == "auto":
        kinds = ("softmax",)  # discriminant analysis has no place for photos of no class
    if not can_cross_validate(labeled):
        return _Layer(1, DEFAULT_HEADS[kinds[0]], {}, {}, None)
    with photos.watch.stage("Choosing the layer"):
        depths, found = choose_depths(
            labeled,
            photos.widths,
            kinds,
            num_classes=len(photos.data.labels),
            seed=config.seed,
            prior=prior,
        )
    by_depths = {str(depth): one.score.loss for depth, one in enumerate(found, start=1)}
    best = found[depths - 1]
    by_head = {str(tried): loss for tried, loss in best.losses.items()}
    return _Layer(depths, best.choice, by_depths if len(found) > 1 else {}, by_head, best.logits)


def _with_further(
    photos: FeaturizedDataset, labeled: LabeledFeatures, training: HeadTrainingOptions
) -> LabeledFeatures:
    """Returns the training photos with the extra ones, by which nothing is chosen."""
    extra = photos.data.extra
    if not extra:
        return labeled
    labels = photos.data.label_indices(extra)
    return labeled.with_further(photos.extra, labels, share=training.extra_share)
