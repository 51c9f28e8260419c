"""What a training shares, for tests of its steps."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from bricksight.config import TrainingConfig
from bricksight.features import FeaturizedDataset
from bricksight.training.context import TrainingContext
from bricksight.training.loading import load_dataset


def context_of(**settings: Any) -> TrainingContext:
    """Returns the context of a training with these settings; the recipe decides the rest."""
    settings.setdefault("image_dir", Path("photos"))
    return TrainingContext(config=TrainingConfig.of(**settings))


def featurized(context: TrainingContext, *, multi_scale: bool = False) -> FeaturizedDataset:
    """Returns the photos of the settings with their features."""
    data = load_dataset(context.config, context.progress)
    return context.extractor.featurize(data, context.config, multi_scale=multi_scale)


def with_base(dataset: FeaturizedDataset, **changes: Any) -> FeaturizedDataset:
    """Returns the data set with other facts about its pretrained network."""
    base = replace(dataset.backbone.base, **changes)
    return replace(dataset, backbone=replace(dataset.backbone, base=base))
