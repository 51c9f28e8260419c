"""What every step of a training shares, and checks of options that do not go together."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from bricksight._support.filesystem.files import cache_dir
from bricksight._support.progress import Progress
from bricksight.backbones import Backbone
from bricksight.bundle import Head
from bricksight.config import HeadConfig, TrainingConfig
from bricksight.errors import ConfigError
from bricksight.features import FeatureExtractor, FeaturizedDataset
from bricksight.heads import Checkpoint, Observer, TrainedHead

_LOGGER = logging.getLogger(__name__)

AfterStep = Callable[[Backbone, int, Head], None]
"""Called after each step with the backbone, the step's number and the head."""


class TrainedModel(NamedTuple):
    """A head, and the data set with the backbone and the features that the head takes."""

    dataset: FeaturizedDataset
    trained: TrainedHead


@dataclass(frozen=True, kw_only=True)
class TrainingContext:
    """What every step of a training shares.

    Attributes:
        config: All settings.
        extractor: Computes features; its ``progress`` follows the whole training.
        observer: Called with each measurement.
        after_step: Called after each step; ``None`` for nothing.
        start: When the training started, by ``time.perf_counter``; a time budget counts from here.
        checkpoints: Those that the training writes; they stay until the caller removes them.
    """

    config: TrainingConfig
    extractor: FeatureExtractor = field(default_factory=FeatureExtractor)
    observer: Observer = lambda *_: None
    after_step: AfterStep | None = None
    start: float = field(default_factory=time.perf_counter)
    checkpoints: list[Checkpoint] = field(default_factory=list)

    @property
    def progress(self) -> Progress:
        """Follows the training."""
        return self.extractor.progress

    @property
    def seed(self) -> int:
        """Seed of everything random."""
        return self.config.head.seed

    @property
    def selects_tta(self) -> bool:
        """Whether rotation TTA is used if it helps."""
        return self.config.backbone.tta is None and self.config.finetuning.recipe == "best"

    def checkpoint(self, key: str) -> Checkpoint:
        """Return the checkpoint of the training of this key, and note it in ``checkpoints``."""
        files = self.config.files
        path = files.checkpoint_path or cache_dir("checkpoints") / key[:16]
        found = Checkpoint(checkpoint_file(path), key, resume=files.resume)
        self.checkpoints.append(found)
        return found

    def without_resuming(self) -> "TrainingContext":
        """Return the same with a training that starts from the beginning."""
        files = replace(self.config.files, resume=False)
        return replace(self, config=replace(self.config, files=files))


def checkpoint_file(path: Path) -> Path:
    """Return the file that holds the checkpoint of ``checkpoint_path``."""
    return path.with_name(f"{path.name}.npz")


def warn_of_unused(config: HeadConfig, *further: str, instead: str, names: Sequence[str]) -> None:
    """Warn of options that do nothing where ``instead`` trains the head.

    Args:
        config: the options.
        *further: other options that were given and do nothing.
        instead: begins the warning, such as "retrain.py's way".
        names: options in ``config`` that do nothing.
    """
    unused = non_default_options(config, names, *further)
    if unused:
        _LOGGER.warning("%s trains the head, and --%s does nothing.", instead, unused)


def non_default_options(config: HeadConfig, names: Sequence[str], *further: str) -> str:
    """Return the options that differ from their defaults, joined to follow on "--"."""
    default = HeadConfig()
    given = [name for name in names if getattr(config, name) != getattr(default, name)]
    return ", --".join([*given, *further])


def validate_options(config: TrainingConfig) -> None:
    """Refuse out-of-class photos or masks together with a training that cannot use them.

    Raises:
        ConfigError: both are given.
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
