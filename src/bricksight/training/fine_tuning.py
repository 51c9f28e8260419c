"""Fine-tune a backbone: choose first weights, augmentation and image size, and train."""

import logging
from dataclasses import replace
from typing import Any

from bricksight.backbones import fine_tuned_backbone
from bricksight.bundle import Head
from bricksight.config import FineTuneConfig
from bricksight.errors import ConfigError
from bricksight.features import FeaturizedDataset
from bricksight.finetuning import Trainer, TrainerOptions
from bricksight.finetuning.distillation import Teacher
from bricksight.finetuning.fine_tuner import FineTuner
from bricksight.finetuning.layer_freezing import first_trained, freeze
from bricksight.finetuning.schedule import FineTuningPlan, smaller_size
from bricksight.heads import SYNTHETIC_POLICY, with_background
from bricksight.training.augmentation_policy import (
    allowed_policy,
    select_augmentation,
    select_tta,
)
from bricksight.training.context import TrainedModel, TrainingContext, warn_of_unused
from bricksight.training.plan import FINE_TUNING
from bricksight.training.zero_shot_head import make_zero_shot_head

_LOGGER = logging.getLogger(__name__)

_DEFAULT_EXTRA_EPOCHS = FineTuneConfig.fine_tune_extra_epochs

_HEAD_OPTIONS = (
    "how_many_training_steps",
    "learning_rate",
    "train_batch_size",
    "validation_batch_size",
    "eval_step_interval",
    "class_weight",
    "head",
)
"""Options of the head's training, which fine-tuning does not use."""

_HEAD_ONLY_OPTIONS = ("class_weight", "head")
"""Those that still affect the head-only candidate."""


def fine_tune_backbone(dataset: FeaturizedDataset, context: TrainingContext) -> TrainedModel | None:
    """Return the fine-tuned model, or ``None`` where the time budget is too short for it.

    Raises:
        BackboneError: the backbone has no weights that can be trained.
        ConfigError: the backbone has no layer of the name in ``fine_tune_from``, or does not take
            images of ``fine_tune_size``; the teacher does not know the classes; or early stopping
            has no validation photos.
        BundleError: the teacher cannot be used.
        DataError: a photo that could be read before no longer can.
    """
    with context.progress.stage(FINE_TUNING):
        return _fine_tune(dataset, context)


def _fine_tune(multi_scale: FeaturizedDataset, context: TrainingContext) -> TrainedModel | None:
    config = context.config.finetuning
    dataset = context.extractor.with_scales(multi_scale, 1)
    backbone = dataset.backbone.single_view.backbone
    network = backbone.trainable()
    freeze(network, config.fine_tune_from, backbone)
    _warn(dataset, context, network)
    zero_shot_head = _zero_shot_head(dataset, context)
    options = TrainerOptions(
        resize=backbone.input_spec.resize,
        adapt_batch_norm=config.batch_norm == "adapted",
        teacher_share=config.teacher_share,
    )
    trainer = Trainer(network, dataset.num_classes, options, head=zero_shot_head)
    # Augmentation is selected on multi-scale features, where these are computed already.
    plan = _make_plan(trainer, multi_scale, context)
    dataset, losses_by_tta = select_tta(dataset, plan.augments, context)
    trained = FineTuner(
        trainer=trainer,
        dataset=dataset,
        plan=plan,
        observer=context.observer,
        progress=context.progress,
        start=context.start,
    ).run(context.checkpoint)
    if trained is None:
        return None
    choices = {
        "tta": dataset.backbone.num_rotations,
        "held_out_cross_entropy_by_tta": losses_by_tta,
        "first_trained_layer": first_trained(network),
        "starts_from_zero_shot_head": zero_shot_head is not None,
    }
    trained = replace(trained, choices={**trained.choices, **choices})
    tuned = context.extractor.with_backbone(dataset, fine_tuned_backbone(backbone, network))
    return TrainedModel(tuned, trained)


def _zero_shot_head(dataset: FeaturizedDataset, context: TrainingContext) -> Head | None:
    head = make_zero_shot_head(dataset, context.progress)
    if head is None or head.background is None:
        return head
    return with_background(head, head.background, dataset.in_split("training").original())


def _warn(dataset: FeaturizedDataset, context: TrainingContext, network: Any) -> None:
    """Warn of options that do nothing, and of a graph that cannot adapt its batch norm."""
    config = context.config.finetuning
    used = _HEAD_ONLY_OPTIONS if config.keeps_better else ()
    warn_of_unused(
        context.config.head,
        instead="With --fine_tune, the training of the backbone",
        names=[name for name in _HEAD_OPTIONS if name not in used],
    )
    if context.after_step is not None:
        _LOGGER.warning("With --fine_tune, --intermediate_store_frequency does nothing.")
    if not dataset.data.extra and config.fine_tune_extra_epochs != _DEFAULT_EXTRA_EPOCHS:
        _LOGGER.warning("Without --extra_train_dir, --fine_tune_extra_epochs does nothing.")
    if (
        config.batch_norm == "adapted"
        and not getattr(network, "has_training_mode", True)
        and len(network.weights) > len(network.trainable_variables)
    ):
        _LOGGER.warning(
            "%s is a graph for inference only: its batch normalisation statistics stay frozen. If "
            "fine-tuning fails, lower --fine_tune_learning_rate.",
            dataset.backbone.compiled.backbone.reference,
        )


def _make_plan(
    trainer: Trainer, dataset: FeaturizedDataset, context: TrainingContext
) -> FineTuningPlan:
    config, asked = context.config.finetuning, context.config.augmentation
    if config.patience is not None and not dataset.data.in_split("validation"):
        raise ConfigError(
            f"--patience {config.patience} needs validation photos, and there are "
            "none. Raise --validation_percentage, or leave it out."
        )
    teacher = None if config.teacher is None else Teacher(config.teacher, dataset.data.labels)
    policy = select_augmentation(dataset, context).policy
    return FineTuningPlan(
        config=replace(config, fine_tune_size=_first_size(trainer, dataset, context)),
        augments=policy or (type(asked)(),),
        extra_augments=allowed_policy(dataset, context, SYNTHETIC_POLICY)
        if asked.is_identity
        else (asked,),
        extra_share=context.config.data.extra_share,
        seed=context.seed,
        teacher=teacher,
    )


def _first_size(trainer: Trainer, dataset: FeaturizedDataset, context: TrainingContext) -> int:
    """Return rows and columns of the images in the first phase: what the backbone takes."""
    backbone = dataset.backbone.compiled.backbone
    full_size = backbone.input_spec.height
    asked = context.config.finetuning.fine_tune_size
    size = asked or smaller_size(full_size)
    if size == full_size or trainer.takes(size):
        return size
    only = f"{backbone.reference} takes {full_size}x{full_size} only"
    if asked is not None:
        raise ConfigError(f"--fine_tune_size {size}: {only}. Leave it out.")
    context.progress.message(f"{only}: images are of that size from the first epoch.")
    return full_size
