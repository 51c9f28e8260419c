"""Adapt the batch normalisation of a backbone that was trained on renders to the photos."""

import hashlib

import numpy as np

from bricksight import images
from bricksight._support.text import pluralize
from bricksight.backbones import MAX_ADAPTATION_PHOTOS, batch_norm_adapted
from bricksight.features import FeaturizedDataset
from bricksight.training.context import TrainingContext


def adapt_batch_norm(dataset: FeaturizedDataset, context: TrainingContext) -> FeaturizedDataset:
    """Return the data set with batch-norm statistics of the training photos.

    It uses no labels and no photo of another split. Only a backbone that was trained on renders
    alone is changed; fine-tuning adapts the statistics by itself.

    Raises:
        BackboneError: the backbone cannot be compiled.
        DataError: a photo that could be read before no longer can.
    """
    base, examples = dataset.backbone.base, dataset.data.in_split("training")
    if not base.is_of_renders or not examples:
        return dataset
    rows = np.linspace(0, len(examples) - 1, min(len(examples), MAX_ADAPTATION_PHOTOS)).astype(int)
    seen, spec = [examples[row] for row in rows], base.input_spec
    context.progress.message_once(
        f"{base.reference} was trained on renders, so its batch normalisation is adapted to "
        f"{pluralize(len(seen), 'training photo')}."
    )
    key = " ".join([spec.key, *(example.sha256 for example in seen)])
    adapted = batch_norm_adapted(
        base,
        lambda: np.stack([images.load_input(example.path, spec) for example in seen]),
        key=hashlib.sha256(key.encode()).hexdigest(),
    )
    return context.extractor.with_backbone(dataset, adapted)
