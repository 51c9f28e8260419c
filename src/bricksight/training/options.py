"""How a head is to be trained, and which options cannot be used together or do nothing."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bricksight._support.filesystem.files import cache_dir
from bricksight.backbones import Backbone
from bricksight.bundle import Head
from bricksight.config import AugmentConfig, HeadConfig, TrainingConfig
from bricksight.errors import ConfigError
from bricksight.heads import Checkpoint, Observer

_LOGGER = logging.getLogger(__name__)

AfterStep = Callable[[Backbone, int, Head], None]
"""Told the network that the layer is for, the step's number, and the layer."""


@dataclass(frozen=True, kw_only=True)
class HeadTrainingOptions:
    """How the head is to be trained.

    Attributes:
        config: Steps, rate, views, seed.
        augment: Random views; the identity leaves the choice to the recipe.
        checkpoint_path: Where an interrupted training is kept, ``None`` for the cache folder.
        resume: Whether to go on from there.
        observer: Told of each measurement.
        after_step: Told of every step.
        extra_share: See ``DataConfig``.
        selects_tta: Whether the turned copies of a photo are to be seen too, if that helps.
        checkpoints: Those that the training writes; they are there until the caller removes them.
    """

    config: HeadConfig
    augment: AugmentConfig
    checkpoint_path: Path | None
    resume: bool
    observer: Observer
    after_step: AfterStep | None
    extra_share: float = 0.5
    selects_tta: bool = False
    checkpoints: list[Checkpoint] = field(default_factory=list)

    def checkpoint(self, key: str) -> Checkpoint:
        """Returns where the training of this key is kept."""
        path = self.checkpoint_path or cache_dir("checkpoints") / key[:16]
        kept = Checkpoint(checkpoint_file(path), key, resume=self.resume)
        self.checkpoints.append(kept)
        return kept


def checkpoint_file(path: Path) -> Path:
    """Returns the file in which the training of ``checkpoint_path`` is kept."""
    return path.with_name(f"{path.name}.npz")


def warn_of_unused(training: HeadTrainingOptions, *, instead: str, names: Sequence[str]) -> None:
    """Says which settings do nothing where ``instead`` trains the layer."""
    resume = ("resume",) if training.resume else ()
    unused = non_default_options(training.config, names, *resume)
    if unused:
        _LOGGER.warning("%s trains the layer, and --%s does nothing.", instead, unused)


def non_default_options(config: HeadConfig, names: Sequence[str], *further: str) -> str:
    """Returns the options that were given, as they follow on "--"."""
    default = HeadConfig()
    given = [name for name in names if getattr(config, name) != getattr(default, name)]
    return ", --".join([*given, *further])


def validate_options(config: TrainingConfig) -> None:
    """Refuses photos of none of the classes, or masks, where the training cannot use them.

    Raises:
        ConfigError: both are asked for.
    """
    data, head = config.data, config.head
    if data.cuts_out and head.uses_gradient_descent:
        raise ConfigError(
            "Other backgrounds (--mask_dir, --empty_scene) do not work with gradient descent. "
            "Leave out how_many_training_steps, learning_rate and train_batch_size."
        )
    if data.cuts_out and head.augmented_copies == 0:
        raise ConfigError(
            "--augmented_copies 0 turns augmentation off, and only augmented copies show other "
            "backgrounds (--mask_dir, --empty_scene). Leave one of them out."
        )
    if data.unknown_dir is not None and head.uses_gradient_descent:
        raise ConfigError(
            f"--unknown_dir {data.unknown_dir} does not work with gradient descent. Leave out "
            "how_many_training_steps, learning_rate and train_batch_size."
        )
    if data.unknown_dir is not None and head.head == "lda":
        raise ConfigError(
            f"--unknown_dir {data.unknown_dir} has no effect with --head lda. Leave one of "
            "them out, or use --head softmax."
        )
