"""Rotation TTA (test-time augmentation): the mean of the features over rotated copies of a photo.

Predictions for several changed copies of one photo are averaged (A.
Krizhevsky et al., "ImageNet classification with deep convolutional neural networks", NeurIPS 2012,
section 4.1). The layer on top is linear, so that the mean of the features gives the mean of the
logits.
"""

import hashlib
from dataclasses import replace
from typing import Any

from bricksight._support.optional import require_tensorflow
from bricksight.backbones.backbone import Backbone, FeatureFunction
from bricksight.backbones.sources.saved_model import feature_function
from bricksight.errors import BackboneError

MAX_ROTATIONS = 4
"""Largest number of copies: the photo and its three further quarter turns."""


def with_rotation_tta(module: Backbone, num_rotations: int) -> Backbone:
    """Return ``module`` whose features are the mean over rotated copies of each photo.

    Rotation is part of the graph, and so of every exported file. The result has no Keras layers:
    train, or add depths to, the network without rotation TTA.

    Args:
        module: any backbone without rotation TTA.
        num_rotations: 1 for the photo alone, 2 for it and upside down, 4 for every quarter turn,
            which needs square images.

    Raises:
        BackboneError: a quarter turn of its images would have another shape.
    """
    if num_rotations == 1:
        return module
    spec = module.input_spec
    if num_rotations == MAX_ROTATIONS and spec.height != spec.width:
        raise BackboneError(
            f"{module.reference} takes images of {spec.height}x{spec.width}, and a quarter turn of "
            "one has another shape. Use --tta 2, or a network of square images."
        )

    def load() -> FeatureFunction:
        once = module.load()
        return feature_function(
            lambda images: mean_over_rotations(once, images, num_rotations),
            text=module.reference,
            height=spec.height,
            width=spec.width,
        )

    return replace(
        module,
        title=f"{module.title}, {num_rotations} rotations",
        fingerprint=hashlib.sha256(
            f"{module.fingerprint} turns {num_rotations}".encode()
        ).hexdigest(),
        loader=load,
        network_builder=None,
        graph_builder=None,
    )


def mean_over_rotations(once: FeatureFunction, images: Any, num_rotations: int) -> Any:
    """Return the mean of what ``once`` gives for the images and their rotated copies.

    Args:
        once: takes a float32 tensor (num_images, height, width, 3), gives one (num_images,
            num_outputs).
        images: such a tensor, square where ``num_rotations`` is 4.
        num_rotations: 1, 2 or 4, as for ``with_rotation_tta``.
    """
    tf = require_tensorflow()
    if num_rotations == 1:
        return once(images)
    if num_rotations == MAX_ROTATIONS:
        quarter = _reversed(tf.transpose(images, (0, 2, 1, 3)), axis=1)
        images = tf.concat([images, quarter], axis=0)
    half = _reversed(_reversed(images, axis=1), axis=2)
    # One after the other in the batch: the weights are in the file once, and every core has work.
    # The rectifier changes no image. Without it the converter to int8 gives what is put together
    # the range of what comes next: 0 to 255 where that is a factor, and images are black or white.
    features = once(tf.nn.relu(tf.concat([images, half], axis=0)))
    by_rotation = tf.reshape(features, (num_rotations, -1, features.shape[-1]))
    return tf.reduce_mean(by_rotation, axis=0)


def _reversed(images: Any, axis: int) -> Any:
    """Return the images mirrored by an index, which TensorRT has and its reverse has not."""
    rows = range(images.shape[axis] - 1, -1, -1)
    return require_tensorflow().gather(images, list(rows), axis=axis)
