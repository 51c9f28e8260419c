"""Rotation TTA (test-time augmentation): the mean of the features over rotated copies of a photo.

Averaging predictions over changed copies of a photo is due to A. Krizhevsky et al., "ImageNet
classification with deep convolutional neural networks", NeurIPS 2012, section 4.1. The head is
linear, so that the mean of the features gives the mean of the logits.
"""

import hashlib
from dataclasses import replace
from typing import Any

from bricksight._support.optional import require_tensorflow
from bricksight.backbones.backbone import Backbone, FeatureFunction
from bricksight.backbones.sources.saved_model import feature_function
from bricksight.errors import BackboneError

MAX_ROTATIONS = 4
"""Largest number of copies: the photo rotated by 0, 90, 180 and 270 degrees."""


def with_rotation_tta(backbone: Backbone, num_rotations: int) -> Backbone:
    """Return a backbone whose features are the mean over rotated copies of each photo.

    The rotations are part of the graph, and so of every exported file. The result has no Keras
    layers, so fine-tuning and multi-scale features must be applied before.

    Args:
        backbone: A backbone without rotation TTA.
        num_rotations: 1 for the photo alone, 2 for 0 and 180 degrees, 4 for 0, 90, 180 and 270
            degrees, which needs square images.

    Raises:
        BackboneError: ``num_rotations`` is 4 and the images are not square.
    """
    if num_rotations == 1:
        return backbone
    spec = backbone.input_spec
    if num_rotations == MAX_ROTATIONS and spec.height != spec.width:
        raise BackboneError(
            f"{backbone.reference} takes images of {spec.height}x{spec.width} pixels, but --tta 4 "
            "needs square images. Use --tta 2, or a backbone with square images."
        )

    def load() -> FeatureFunction:
        features_of = backbone.load()
        return feature_function(
            lambda images: mean_over_rotations(features_of, images, num_rotations),
            text=backbone.reference,
            height=spec.height,
            width=spec.width,
        )

    return replace(
        backbone,
        title=f"{backbone.title}, {num_rotations} rotations",
        fingerprint=hashlib.sha256(
            f"{backbone.fingerprint} turns {num_rotations}".encode()
        ).hexdigest(),
        loader=load,
        network_builder=None,
        graph_builder=None,
    )


def mean_over_rotations(features_of: FeatureFunction, images: Any, num_rotations: int) -> Any:
    """Return the mean of a network's outputs for images and their rotated copies.

    Args:
        features_of: Network from a float32 tensor (num_images, height, width, 3) to a float32
            tensor (num_images, num_outputs).
        images: Input tensor; square images if ``num_rotations`` is 4.
        num_rotations: 1, 2 or 4, as in ``with_rotation_tta``.
    """
    tf = require_tensorflow()
    if num_rotations == 1:
        return features_of(images)
    if num_rotations == MAX_ROTATIONS:
        quarter = _reversed(tf.transpose(images, (0, 2, 1, 3)), axis=1)
        images = tf.concat([images, quarter], axis=0)
    half = _reversed(_reversed(images, axis=1), axis=2)
    # The copies are concatenated as one batch, so that an exported file holds the weights once and
    # all cores are used. The ReLU does not change an image. Without it, the int8 converter would
    # give the concatenated images the range of the next operation, which may be a scaling to 0 to
    # 255, and reduce them to black and white.
    features = features_of(tf.nn.relu(tf.concat([images, half], axis=0)))
    by_rotation = tf.reshape(features, (num_rotations, -1, features.shape[-1]))
    return tf.reduce_mean(by_rotation, axis=0)


def _reversed(images: Any, axis: int) -> Any:
    """Reverse an axis with ``tf.gather``, because TensorRT does not support ``tf.reverse``."""
    rows = range(images.shape[axis] - 1, -1, -1)
    return require_tensorflow().gather(images, list(rows), axis=axis)
