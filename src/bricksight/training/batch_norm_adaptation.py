"""Adapts a backbone that was trained on renders to photos."""

import hashlib

import numpy as np

from bricksight import images
from bricksight._support.text import pluralize
from bricksight.backbones import MOST_PHOTOS, batch_norm_adapted
from bricksight.features.featurized_dataset import FeaturizedDataset, with_backbone


def adapted(photos: FeaturizedDataset) -> FeaturizedDataset:
    """Returns the photos seen by their network with normalisations that know the training photos.

    Only a network that has learned from renders alone is changed. It uses no labels, and no
    photo of another side of the split. One that is trained itself adapts on its own.

    Raises:
        BackboneError: the network cannot be compiled.
        DataError: a photo that could be read before cannot be read any more.
    """
    examples = photos.data.in_split("training")
    if not photos.own.is_of_renders or not examples:
        return photos
    rows = np.linspace(0, len(examples) - 1, min(len(examples), MOST_PHOTOS)).astype(int)
    seen, spec = [examples[row] for row in rows], photos.own.input_spec
    photos.watch.say_once(
        f"{photos.own.reference} was trained on renders, so its batch normalisation is adapted to "
        f"{pluralize(len(seen), 'training photo')}."
    )
    own = batch_norm_adapted(
        photos.own,
        lambda: np.stack([images.load_input(example.path, spec) for example in seen]),
        key=hashlib.sha256(
            " ".join([spec.key, *(example.sha256 for example in seen)]).encode()
        ).hexdigest(),
    )
    return with_backbone(photos, own)
