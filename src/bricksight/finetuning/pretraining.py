"""Pretraining on the extra photos alone; its weights are cached for later runs."""

import hashlib
import json
import logging
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bricksight._support.filesystem.files import atomic_write, cache_dir, give_up_cache
from bricksight._support.progress import Progress
from bricksight.errors import OutputError
from bricksight.features import FeaturizedDataset
from bricksight.finetuning.batches import BatchGenerator
from bricksight.finetuning.schedule import FineTuningPlan, first_size, read_examples
from bricksight.finetuning.trainer import Stage, Trainer

_LOGGER = logging.getLogger(__name__)

_TRAINING_VERSION = 4
"""Part of every key: raised when the same settings train to other weights."""

_IRRELEVANT = dict.fromkeys(("fine_tune_epochs", "recipe", "time_budget", "patience"))
"""Settings that pretraining does not depend on."""


def described(
    dataset: FeaturizedDataset,
    plan: FineTuningPlan,
    irrelevant: Mapping[str, None] | None = None,
) -> dict[str, Any]:
    """Return what the weights of every training depend on, as JSON-compatible values.

    Args:
        dataset: what is trained on.
        plan: how.
        irrelevant: settings that make no difference.
    """
    backbone = dataset.backbone.single_view.backbone
    settings = {**asdict(plan.config), **(irrelevant or {})}
    return {
        "version": _TRAINING_VERSION,
        "module": backbone.fingerprint,
        "input": backbone.input_spec.key,
        "labels": dataset.data.labels,
        "settings": {**settings, "teacher": plan.teacher and plan.teacher.key},
        "seed": plan.seed,
    }


@dataclass(frozen=True)
class Pretraining:
    """Training on the extra photos of a data set.

    Attributes:
        dataset: Has the extra photos.
        plan: How they are trained on.
    """

    dataset: FeaturizedDataset
    plan: FineTuningPlan

    @property
    def path(self) -> Path:
        """The cache file of the weights."""
        content = {
            **described(self.dataset, self.plan, _IRRELEVANT),
            "photos": [(example.sha256, example.label) for example in self.dataset.data.extra],
            "augments": [asdict(augment) for augment in self.plan.extra_augments],
        }
        key = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
        return cache_dir("tuned") / f"{key}.npz"

    @property
    def num_steps(self) -> int:
        """Number of batches."""
        config = self.plan.config
        per_epoch = -(-len(self.dataset.data.extra) // config.fine_tune_batch_size)
        return max(1, config.fine_tune_extra_epochs * per_epoch)

    def stage(self, progress: Progress) -> Stage:
        """Return the training stage; its photos are in memory while it is used."""
        plan, config = self.plan, self.plan.config
        size = first_size(self.dataset, plan)
        return Stage(
            batch_generator=BatchGenerator(
                photos=read_examples(self.dataset, self.dataset.data.extra, size, progress),
                augments=plan.extra_augments,
                batch_size=config.fine_tune_batch_size,
                seed=plan.seed,
                mixup=config.mixup,
                cutmix=config.cutmix,
                teacher=plan.teacher,
            ),
            epochs=config.fine_tune_extra_epochs,
            size=size,
            rate=config.fine_tune_learning_rate,
        )

    def restore(self, trainer: Trainer) -> bool:
        """Set the weights of an earlier run, and tell whether there are any."""
        path = self.path
        try:
            with np.load(path, allow_pickle=False) as arrays:
                trainer.set_weights([arrays[name] for name in arrays.files])
        except FileNotFoundError:
            return False
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            _LOGGER.warning("%s cannot be read (%s); it is computed again.", path, error)
            return False
        _LOGGER.info("Pretrained weights of these extra photos are reused: %s.", path)
        return True

    def save(self, trainer: Trainer) -> None:
        """Write the weights to the cache; a full disk does not end the training."""
        try:
            with atomic_write(self.path) as part, part.open("wb") as file:
                np.savez(file, *trainer.get_weights())
        except OutputError as error:
            give_up_cache(error)
