"""A network that sees each photo turned as well, and gives the mean of what it sees.

The answers to one photo, changed in ways that do not change what it shows, are averaged (A.
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

EVERY_QUARTER = 4
"""As many copies as there may be, the photo itself among them."""


def with_rotation_tta(module: Backbone, turns: int) -> Backbone:
    """Returns ``module`` with the mean of the features of each photo and of its turned copies.

    Turning is part of the graph, and so of every file that is made of it. It has no Keras layers;
    what is to be trained, or to have further depths, is the network that sees a photo once.

    Args:
        module: any network that sees a photo once.
        turns: 1 for the photo alone; 2 for it and upside down; 4 for every quarter turn, which
            takes square images.

    Raises:
        BackboneError: a quarter turn of its images would have another shape.
    """
    if turns == 1:
        return module
    spec = module.input_spec
    if turns == EVERY_QUARTER and spec.height != spec.width:
        raise BackboneError(
            f"{module.reference} takes images of {spec.height}x{spec.width}, and a quarter turn of "
            "one has another shape. Ask for 2 turns, or take a network of square images."
        )

    def load() -> FeatureFunction:
        once = module.load()
        return feature_function(
            lambda images: mean_over_rotations(once, images, turns),
            text=module.reference,
            height=spec.height,
            width=spec.width,
        )

    return replace(
        module,
        title=f"{module.title}, {turns} turns",
        fingerprint=hashlib.sha256(f"{module.fingerprint} turns {turns}".encode()).hexdigest(),
        loader=load,
        network_builder=None,
        graph_builder=None,
    )


def mean_over_rotations(once: FeatureFunction, images: Any, turns: int) -> Any:
    """Returns the mean of what ``once`` gives for the images and their turned copies.

    Args:
        once: takes a float32 tensor (num_images, height, width, 3), gives one (num_images,
            num_outputs).
        images: such a tensor, square where ``turns`` is 4.
        turns: 1, 2 or 4, as for ``with_rotation_tta``.
    """
    tf = require_tensorflow()
    if turns == 1:
        return once(images)
    if turns == EVERY_QUARTER:
        quarter = _reversed(tf.transpose(images, (0, 2, 1, 3)), axis=1)
        images = tf.concat([images, quarter], axis=0)
    half = _reversed(_reversed(images, axis=1), axis=2)
    # One after the other in the batch: the weights are in the file once, and every core has work.
    # The rectifier changes no image. Without it the converter to int8 gives what is put together
    # the range of what comes next: 0 to 255 where that is a factor, and images are black or white.
    features = once(tf.nn.relu(tf.concat([images, half], axis=0)))
    by_turn = tf.reshape(features, (turns, -1, features.shape[-1]))
    return tf.reduce_mean(by_turn, axis=0)


def _reversed(images: Any, axis: int) -> Any:
    """Returns the images mirrored by an index, which TensorRT has and its reverse has not."""
    rows = range(images.shape[axis] - 1, -1, -1)
    return require_tensorflow().gather(images, list(rows), axis=axis)
