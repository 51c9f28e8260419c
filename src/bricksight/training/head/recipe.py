"""Train a head by our recipe: select augmentation, TTA, scales and kind of head, then fit."""

import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import NamedTuple

import numpy as np

from bricksight.bundle import Head
from bricksight.config import HeadKind
from bricksight.features import AugmentedCopies, FeaturizedDataset, LabeledFeatures
from bricksight.heads import (
    DEFAULT_HEADS,
    HeadChoice,
    HeadPrior,
    Measurement,
    TrainedHead,
    can_cross_validate,
    choose_num_scales,
    train_by_recipe,
)
from bricksight.training.augmentation_policy import (
    AugmentationChoice,
    select_augmentation,
    select_tta,
)
from bricksight.training.context import TrainedModel, TrainingContext, warn_of_unused
from bricksight.training.head.extra_photos import with_extra_photos
from bricksight.training.zero_shot_head import make_zero_shot_head

_LOGGER = logging.getLogger(__name__)


class _HeadSelection(NamedTuple):
    """Which head to fit, on the features of how many scales.

    Attributes:
        num_scales: Number of scales.
        choice: The kind of head and its regularization.
        losses_by_scales: Number of scales → held-out cross entropy, in nats.
        losses_by_head: Head → held-out cross entropy, in nats.
        logits: Of the training photos while they were held out, float32 (num_photos, num_classes);
            ``None`` where nothing could be held out.
    """

    num_scales: int
    choice: HeadChoice
    losses_by_scales: dict[str, float]
    losses_by_head: dict[str, float]
    logits: np.ndarray | None


def train_recipe_head(dataset: FeaturizedDataset, context: TrainingContext) -> TrainedModel:
    """Return the trained head, and the data set with the features that it takes.

    Raises:
        BackboneError: the backbone cannot be compiled.
        DataError: a photo that could be read before no longer can.
    """
    _warn_of_unused(context)
    augmentation = _select_augmentation(dataset, context)
    copies = augmentation.copies
    dataset, losses_by_tta = select_tta(dataset, augmentation.policy, context)
    labeled = context.extractor.augmented(dataset, dataset.data.in_split("training"), copies)
    prior = HeadPrior(
        outliers=context.extractor.augmented_outliers(dataset, copies),
        zero_shot_head=make_zero_shot_head(dataset, context.progress),
    )
    selection = _select_head(dataset, labeled, prior, context)
    validation = _validation(dataset, copies, context)
    dataset = context.extractor.with_scales(dataset, selection.num_scales)
    trained = _fit(dataset, labeled, validation, prior, selection.choice, context)
    choices = {
        "copies": labeled.features.shape[1],
        "augmentation": [asdict(augment) for augment in augmentation.policy],
        "num_scales": dataset.backbone.single_view.backbone.num_scales or 1,
        "tta": dataset.backbone.num_rotations,
        "held_out_cross_entropy_by_policy": augmentation.losses,
        "held_out_cross_entropy_by_tta": losses_by_tta,
        "held_out_cross_entropy_by_num_scales": selection.losses_by_scales,
        "held_out_cross_entropy_by_head": selection.losses_by_head,
        "extra_photos": len(dataset.data.extra),
        "outliers": 0 if prior.outliers is None else len(prior.outliers),
        "num_background_classes": trained.head.num_background,
    }
    out_of_fold = None
    if selection.logits is not None:
        features = dataset.in_split("training").original()
        out_of_fold = trained.out_of_fold_answers(selection.logits, features)
    trained = replace(trained, choices={**trained.choices, **choices}, out_of_fold=out_of_fold)
    return TrainedModel(dataset, trained)


def _warn_of_unused(context: TrainingContext) -> None:
    warn_of_unused(
        context.config.head,
        *(["resume"] if context.config.files.resume else []),
        instead="Our recipe",
        names=("validation_batch_size", "eval_step_interval"),
    )


def _select_augmentation(
    dataset: FeaturizedDataset, context: TrainingContext
) -> AugmentationChoice:
    """Return the augmentation; warn where the outcome may surprise."""
    if not can_cross_validate(dataset.in_split("training")):
        _LOGGER.warning(
            "No class has training photos of two groups, so nothing can be selected by "
            "cross-validation: the mildest augmentation and the default regularization are used."
        )
    found = select_augmentation(dataset, context)
    if dataset.foreground_masks is not None and not found.copies:
        _LOGGER.warning(
            "Held-out photos are classified best without augmentation, so no background is "
            "replaced. An option such as --random_rotation 15 overrides this choice."
        )
    return found


def _select_head(
    dataset: FeaturizedDataset,
    labeled: LabeledFeatures,
    prior: HeadPrior,
    context: TrainingContext,
) -> _HeadSelection:
    """Return the number of scales and the head of lowest held-out cross entropy."""
    asked = context.config.head.head
    kinds: tuple[HeadKind, ...] = ("softmax", "lda") if asked == "auto" else (asked,)
    if prior.outliers is not None and asked == "auto":
        kinds = ("softmax",)  # discriminant analysis cannot use outliers
    if not can_cross_validate(labeled):
        return _HeadSelection(1, DEFAULT_HEADS[kinds[0]], {}, {}, None)
    with context.progress.stage("Selecting the head"):
        num_scales, tried = choose_num_scales(
            labeled,
            dataset.backbone.features_per_scale,
            kinds,
            num_classes=dataset.num_classes,
            seed=context.seed,
            prior=prior,
        )
    best = tried[num_scales - 1]
    by_scales = {str(number): one.score.loss for number, one in enumerate(tried, start=1)}
    by_head = {str(choice): loss for choice, loss in best.losses.items()}
    return _HeadSelection(
        num_scales, best.choice, by_scales if len(tried) > 1 else {}, by_head, best.logits
    )


def _validation(
    dataset: FeaturizedDataset, copies: Sequence[AugmentedCopies], context: TrainingContext
) -> LabeledFeatures | None:
    """Return the validation photos with the same augmentation as the training photos."""
    examples = dataset.data.in_split("validation")
    return context.extractor.augmented(dataset, examples, copies) if examples else None


def _fit(
    dataset: FeaturizedDataset,
    labeled: LabeledFeatures,
    validation: LabeledFeatures | None,
    prior: HeadPrior,
    choice: HeadChoice,
    context: TrainingContext,
) -> TrainedHead:
    """Fit the head to the features of the data set's scales."""
    compiled = dataset.backbone.compiled
    number = compiled.num_features

    def observe(measurement: Measurement, head: Head) -> None:
        context.observer(measurement, head)
        if context.after_step is not None:
            context.after_step(compiled.backbone, measurement.step, head)

    with context.progress.stage("Fitting the head"):
        return train_by_recipe(
            with_extra_photos(dataset, labeled.first_features(number), context),
            None if validation is None else validation.first_features(number),
            num_classes=dataset.num_classes,
            choice=choice,
            class_weight=context.config.head.class_weight or "none",
            observer=observe,
            prior=prior.first_features(number),
        )
