"""Recipes: head only, fine-tuned, or whichever of the two does better on the validation photos."""

from dataclasses import replace

import numpy as np

from bricksight.config import FineTuneConfig, TrainingConfig
from bricksight.features.featurized_dataset import FeaturizedDataset
from bricksight.heads import Checkpoint, Observer, TrainedHead, kt_error_rate
from bricksight.training.fine_tuning import fine_tune_network
from bricksight.training.head import train_head
from bricksight.training.options import AfterStep, HeadTrainingOptions
from bricksight.training.results.tensorboard import WeightHistory

HEAD_ONLY, FINE_TUNED = "the head alone", "the fine-tuned network"

_FEW_WRONG = 0.01
"""Share of held-out photos. The recipe "balanced" skips fine-tuning where no more are wrong: there
is next to nothing left to gain."""


def train_best_of(
    photos: FeaturizedDataset, training: HeadTrainingOptions, tuning: FineTuneConfig
) -> tuple[FeaturizedDataset, TrainedHead]:
    """Trains a head alone and a fine-tuned network, and returns the one with the lower loss.

    From few photos, fine-tuning may learn less than a head on multi-scale features. Where the head
    alone makes next to no mistakes, only the recipe "best" fine-tunes. The data set comes back with
    the features that the returned head takes.

    Raises:
        BackboneError: the network has no weights that could be trained.
        ConfigError: as ``fine_tune_network``.
        DataError: a photo that could be read before cannot be read any more.
    """
    seen_alone, seen_too = WeightHistory(), WeightHistory()
    photos.own.trainable()  # what cannot be trained is refused before any work
    quiet = replace(training, after_step=None, resume=False)
    alone = train_head(photos, replace(quiet, observer=seen_alone.take))
    found = None
    if tuning.recipe == "best" or not _is_good_enough(photos, alone[1]):
        found = fine_tune_network(photos, replace(training, observer=seen_too.take), tuning)
    if found is None:
        _tell(training.observer, alone[1], seen_alone)
        return alone
    losses = {
        HEAD_ONLY: _cross_entropy(photos, alone[1]),
        FINE_TUNED: _cross_entropy(photos, found[1]),
    }
    kept = min(losses, key=losses.__getitem__)
    photos.watch.say(
        f"Kept: {kept}. Cross entropy on the validation photos: {losses[HEAD_ONLY]:.2f} with the "
        f"head alone, {losses[FINE_TUNED]:.2f} fine-tuned."
    )
    (through, trained), seen = (alone, seen_alone) if kept == HEAD_ONLY else (found, seen_too)
    _tell(training.observer, trained, seen)
    chosen = {"held_out_cross_entropy_by_training": losses}
    return through, replace(trained, choices={**trained.choices, **chosen})


def _is_good_enough(photos: FeaturizedDataset, trained: TrainedHead) -> bool:
    """Returns whether so few of the held-out photos are wrong, and says so."""
    answers = {"validation": trained.held_out}
    if trained.out_of_fold is not None:
        answers["training"] = trained.out_of_fold
    right = np.concatenate(
        [
            found.argmax(axis=1) == photos.data.label_indices(photos.data.in_split(side))
            for side, found in answers.items()
        ]
    )
    # With the doubt that so few photos leave, so that a handful without an error is not enough.
    if 1 - right.mean() + kt_error_rate(len(right)) > _FEW_WRONG:
        return False
    photos.watch.say(
        f"Skipping fine-tuning: the head alone answers {right.sum():,} of "
        f"{len(right):,} held-out photos rightly. With --recipe best it is trained all the same."
    )
    return True


def _cross_entropy(photos: FeaturizedDataset, trained: TrainedHead) -> float:
    """Returns that of the validation photos, in nats, by what was not fitted to them."""
    labels = photos.data.label_indices(photos.data.in_split("validation"))
    of_label = trained.held_out[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(of_label, np.float32(1e-30))).mean())


def _tell(observer: Observer, trained: TrainedHead, seen: WeightHistory) -> None:
    """Tells the observer what it would have been told of this training alone."""
    for measurement in trained.history.measurements:
        if measurement.step in seen.heads:
            observer(measurement, seen.heads[measurement.step])


def train_model(
    photos: FeaturizedDataset,
    config: TrainingConfig,
    *,
    observer: Observer,
    after_step: AfterStep | None = None,
    checkpoints: list[Checkpoint] | None = None,
) -> tuple[FeaturizedDataset, TrainedHead]:
    """Returns the photos as the layer sees them, through the network that was trained or chosen.

    Args:
        photos: what is trained on.
        config: how.
        observer: told of each measurement.
        after_step: told of every step.
        checkpoints: gets those that the training writes, for the caller to discard; ``None`` where
            they are of no use once the training is over.
    """
    head, tuning, files = config.head, config.finetuning, config.files
    training = HeadTrainingOptions(
        config=head,
        augment=config.augmentation,
        checkpoint_path=files.checkpoint_path,
        resume=files.resume,
        observer=observer,
        after_step=after_step,
        checkpoints=[] if checkpoints is None else checkpoints,
        extra_share=config.data.extra_share,
        selects_tta=config.backbone.tta is None and tuning.recipe == "best",
    )
    if compares_head_only(config) and photos.data.in_split("validation"):
        through, trained = train_best_of(photos, training, tuning)
    else:
        tuned = None
        if tuning.trains_network:
            tuned = fine_tune_network(photos, training, tuning)
        through, trained = tuned or train_head(photos, training)
    if checkpoints is None:
        for checkpoint in training.checkpoints:
            checkpoint.discard()
    chosen = {"held_out_cross_entropy_by_network": dict(photos.chosen_from)}
    return through, replace(trained, choices={**trained.choices, **chosen})


def selects_depths(config: TrainingConfig) -> bool:
    """Returns whether the training chooses the depths of the network to take features from."""
    if config.finetuning.trains_network:
        return compares_head_only(config)
    return not config.head.uses_gradient_descent


def compares_head_only(config: TrainingConfig) -> bool:
    """Returns whether the head alone may be kept after the network has been trained too."""
    return not config.head.uses_gradient_descent and config.finetuning.keeps_better
