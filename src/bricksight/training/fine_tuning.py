"""Fine-tuning of a backbone: what it begins with, and on which random changes it is trained."""

import logging
from dataclasses import replace
from typing import Any

from bricksight.backbones import fine_tuned_backbone
from bricksight.config import FineTuneConfig
from bricksight.errors import ConfigError
from bricksight.features.featurized_dataset import FeaturizedDataset, through
from bricksight.finetuning import Trainer, TrainerOptions
from bricksight.finetuning.distillation import Teacher
from bricksight.finetuning.fine_tuner import run_fine_tuning
from bricksight.finetuning.layer_freezing import first_trained, freeze
from bricksight.finetuning.schedule import (
    FineTuningPlan,
    smaller_size,
)
from bricksight.heads import (
    SYNTHETIC_POLICY,
    TrainedHead,
    with_background,
)
from bricksight.training.augmentation_policy import allowed_policy, choose_augments, select_tta
from bricksight.training.options import HeadTrainingOptions, warn_of_unused
from bricksight.training.zero_shot_head import make_zero_shot_head

_LOGGER = logging.getLogger(__name__)

_EXTRA_EPOCHS = FineTuneConfig.fine_tune_extra_epochs

_UNUSED = (
    "how_many_training_steps",
    "learning_rate",
    "train_batch_size",
    "validation_batch_size",
    "eval_step_interval",
    "class_weight",
    "head",
)
"""Settings of head training."""

_OF_THE_LAYER = ("class_weight", "head")
"""Those of them that still affect the head-only candidate."""


def fine_tune_network(
    photos: FeaturizedDataset, training: HeadTrainingOptions, config: FineTuneConfig
) -> tuple[FeaturizedDataset, TrainedHead] | None:
    """Returns the photos seen through the tuned network, and the layer on top.

    ``None`` where the time budget is too short for it.

    Raises:
        BackboneError: the network has no weights that could be trained.
        ConfigError: it has no layer of the name in ``fine_tune_from``, or does not take images of
            ``fine_tune_size``; the teacher does not know the classes; or early stopping has no
            photos to go by.
        BundleError: the teacher cannot be used.
        DataError: a photo that could be read before cannot be read any more.
    """
    all_depths, photos = photos, photos.of_depths(1)
    module = photos.once.module
    network = module.trainable()
    freeze(network, config.fine_tune_from, module)
    _warn(photos, training, config, network)
    options = TrainerOptions(
        resize=module.input_spec.resize,
        adapt_batch_norm=config.batch_norm == "adapted",
        teacher_share=config.teacher_share,
    )
    zero_shot_head = make_zero_shot_head(photos)
    if zero_shot_head is not None and zero_shot_head.background is not None:
        _, labeled = photos.plain("training")
        zero_shot_head = with_background(zero_shot_head, zero_shot_head.background, labeled.plain())
    trainer = Trainer(network, len(photos.data.labels), options, head=zero_shot_head)
    # The views are chosen by features of all depths where there are any, which are known already.
    plan = _make_plan(trainer, all_depths, training, config)
    photos, losses_by_tta = select_tta(photos, plan.augments, training)
    trained = run_fine_tuning(
        trainer, photos, plan, checkpoint=training.checkpoint, observer=training.observer
    )
    if trained is None:
        return None
    told = {
        "tta": photos.num_rotations,
        "held_out_cross_entropy_by_tta": losses_by_tta,
        "first_trained_layer": first_trained(network),
        "starts_from_zero_shot_head": zero_shot_head is not None,
    }
    trained = replace(trained, choices={**trained.choices, **told})
    seen = through(photos, fine_tuned_backbone(module, network))
    return seen, trained


def _warn(
    photos: FeaturizedDataset, training: HeadTrainingOptions, config: FineTuneConfig, network: Any
) -> None:
    """Says which settings do nothing here."""
    warn_of_unused(
        replace(training, resume=False),
        instead="With --fine_tune, the training of the network",
        names=[name for name in _UNUSED if not (config.keeps_better and name in _OF_THE_LAYER)],
    )
    if training.after_step is not None:
        _LOGGER.warning("With --fine_tune, --intermediate_store_frequency does nothing.")
    if not photos.data.extra and config.fine_tune_extra_epochs != _EXTRA_EPOCHS:
        _LOGGER.warning("Without --extra_train_dir, --fine_tune_extra_epochs does nothing.")
    if (
        config.batch_norm == "adapted"
        and not getattr(network, "has_training_mode", True)
        and len(network.weights) > len(network.trainable_variables)
    ):
        _LOGGER.warning(
            "%s is a graph for inference only: its batch normalisation statistics stay frozen. If "
            "fine-tuning fails, lower --fine_tune_learning_rate.",
            photos.compiled.module.reference,
        )


def _make_plan(
    trainer: Trainer,
    photos: FeaturizedDataset,
    training: HeadTrainingOptions,
    config: FineTuneConfig,
) -> FineTuningPlan:
    if config.patience is not None and not photos.data.in_split("validation"):
        raise ConfigError(
            f"--patience {config.patience} goes by the validation photos, and there "
            "are none. Raise --validation_percentage, or leave it out."
        )
    config = replace(config, fine_tune_size=_size_of(trainer, photos, config))
    return FineTuningPlan(
        config=config,
        augments=choose_augments(photos, training),
        extra_augments=allowed_policy(photos, training.config, SYNTHETIC_POLICY)
        if training.augment.is_identity
        else (training.augment,),
        extra_share=training.extra_share,
        seed=training.config.seed,
        teacher=None if config.teacher is None else Teacher(config.teacher, photos.data.labels),
    )


def _size_of(trainer: Trainer, photos: FeaturizedDataset, config: FineTuneConfig) -> int:
    """Returns rows and columns of the images at first: what the network takes."""
    module = photos.compiled.module
    own = module.input_spec.height
    size = config.fine_tune_size or smaller_size(own)
    if size == own or trainer.takes(size):
        return size
    if config.fine_tune_size is not None:
        raise ConfigError(
            f"--fine_tune_size {size}: {module.reference} takes {own}x{own} only. Leave it out."
        )
    photos.watch.say(
        f"{module.reference} takes {own}x{own} only: images are of that size from the first epoch."
    )
    return own
