"""Recipes: a head only, a fine-tuned backbone, or whichever has the lower validation loss."""

from dataclasses import replace

import numpy as np

from bricksight.config import TrainingConfig
from bricksight.features import FeaturizedDataset
from bricksight.heads import Observer, TrainedHead, kt_error_rate
from bricksight.heads.losses import cross_entropy_and_accuracy
from bricksight.training.context import TrainedModel, TrainingContext
from bricksight.training.fine_tuning import fine_tune_backbone
from bricksight.training.head import train_head
from bricksight.training.plan import FINE_TUNING
from bricksight.training.results.tensorboard import WeightHistory

HEAD_ONLY, FINE_TUNED = "the head alone", "the fine-tuned network"

_MAX_ERROR = 0.01
"""Held-out error up to which the recipe "balanced" skips fine-tuning: there is little to gain."""


def train_model(dataset: FeaturizedDataset, context: TrainingContext) -> TrainedModel:
    """Train as the recipe says.

    Args:
        dataset: what is trained on.
        context: the settings and who follows the training.

    Raises:
        BackboneError: the backbone cannot be compiled, or has no weights that can be trained.
        ConfigError: as ``fine_tune_backbone``.
        DataError: a photo that could be read before no longer can.
    """
    config = context.config
    if compares_head_only(config) and dataset.data.in_split("validation"):
        dataset, trained = train_best_of(dataset, context)
    else:
        tuned = None
        if config.finetuning.trains_network:
            tuned = fine_tune_backbone(dataset, context)
        dataset, trained = tuned or train_head(dataset, context)
    losses = {"held_out_cross_entropy_by_backbone": dict(dataset.backbone_losses)}
    return TrainedModel(dataset, replace(trained, choices={**trained.choices, **losses}))


def train_best_of(dataset: FeaturizedDataset, context: TrainingContext) -> TrainedModel:
    """Train a head only, then a fine-tuned backbone, and return the one of lower validation loss.

    From few photos, fine-tuning may learn less than a head on multi-scale features. Where the head
    makes next to no mistakes, only the recipe "best" fine-tunes.
    """
    head_history, tuned_history = WeightHistory(), WeightHistory()
    dataset.backbone.base.trainable()  # refuses a backbone without trainable weights at once
    head_context = replace(context.without_resuming(), after_step=None, observer=head_history.take)
    head_only = train_head(dataset, head_context)
    tuned = None
    if context.config.finetuning.recipe == "best" or not _is_good_enough(head_only, context):
        tuned = fine_tune_backbone(dataset, replace(context, observer=tuned_history.take))
    if tuned is None:
        context.progress.drop(FINE_TUNING)
        _tell(context.observer, head_only.trained, head_history)
        return head_only
    losses = {HEAD_ONLY: _validation_loss(head_only), FINE_TUNED: _validation_loss(tuned)}
    kept = min(losses, key=losses.__getitem__)
    context.progress.message(
        f"Kept: {kept}. Cross entropy on the validation photos: {losses[HEAD_ONLY]:.2f} with the "
        f"head alone, {losses[FINE_TUNED]:.2f} fine-tuned."
    )
    best, history = (head_only, head_history) if kept == HEAD_ONLY else (tuned, tuned_history)
    _tell(context.observer, best.trained, history)
    choices = {**best.trained.choices, "held_out_cross_entropy_by_training": losses}
    return TrainedModel(best.dataset, replace(best.trained, choices=choices))


def _is_good_enough(model: TrainedModel, context: TrainingContext) -> bool:
    """Tell whether next to no held-out photo is classified wrongly, and report it."""
    data, trained = model.dataset.data, model.trained
    answers = {"validation": trained.held_out}
    if trained.out_of_fold is not None:
        answers["training"] = trained.out_of_fold
    is_right = np.concatenate(
        [
            found.argmax(axis=1) == data.label_indices(data.in_split(split))
            for split, found in answers.items()
        ]
    )
    # The error rate that so few photos leave open is added: a handful without an error is not
    # enough.
    if 1 - is_right.mean() + kt_error_rate(len(is_right)) > _MAX_ERROR:
        return False
    context.progress.message(
        f"Skipping fine-tuning: the head alone classifies {is_right.sum():,} of "
        f"{len(is_right):,} held-out photos correctly. --recipe best fine-tunes all the same."
    )
    return True


def _validation_loss(model: TrainedModel) -> float:
    """Return the cross entropy of the validation photos, in nats, before any fit to them."""
    data = model.dataset.data
    labels = data.label_indices(data.in_split("validation"))
    return cross_entropy_and_accuracy(model.trained.held_out, labels)[0]


def _tell(observer: Observer, trained: TrainedHead, history: WeightHistory) -> None:
    """Call the observer as this training alone would have called it."""
    for measurement in trained.history.measurements:
        if measurement.step in history.heads:
            observer(measurement, history.heads[measurement.step])


def selects_scales(config: TrainingConfig) -> bool:
    """Tell whether the training selects the number of scales of the features."""
    if config.finetuning.trains_network:
        return compares_head_only(config)
    return not config.head.uses_gradient_descent


def compares_head_only(config: TrainingConfig) -> bool:
    """Tell whether the head alone may be kept after fine-tuning."""
    return not config.head.uses_gradient_descent and config.finetuning.keeps_better
