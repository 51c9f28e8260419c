"""Batch-norm adaptation: mix a backbone's batch-norm statistics with those of the target photos.

A backbone that was trained on renders has batch-norm statistics of renders, which differ from those
of photos. They are replaced by a weighted mean with the statistics of unlabelled photos (S.
Schneider et al., "Improving robustness against common corruptions by covariate shift adaptation",
NeurIPS 2020, arXiv 2006.16971). No other weight changes.
"""

import functools
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bricksight._support.optional import require_tensorflow
from bricksight.backbones.backbone import Backbone, FeatureFunction
from bricksight.backbones.sources.saved_model import feature_function

MAX_ADAPTATION_PHOTOS = 256
"""Largest number of photos used. With this many, their statistics have a weight of one half."""

_BATCH = 64
_VERSION = 1
"""Part of every fingerprint: increased when the same photos would give other statistics."""

_Statistics = tuple[np.ndarray, np.ndarray]
"""Mean and variance of each channel."""


def batch_norm_adapted(
    backbone: Backbone, images: Callable[[], np.ndarray], *, key: str
) -> Backbone:
    """Return a backbone whose batch-norm statistics are adapted to photos.

    The statistics of n photos have the weight n / (n + 256).

    Args:
        backbone: A backbone with Keras layers.
        images: Returns the photos, float32 (num_images, height, width, 3) in [0, 1], at most
            ``MAX_ADAPTATION_PHOTOS``. It is called when the network is built.
        key: Identifies the photos, as a part of the fingerprint.

    Raises:
        BackboneError: The backbone has no Keras layers.
    """
    if backbone.network_builder is None:
        backbone.network()  # raises an error that names backbones with Keras layers
    weights = functools.cache(lambda: _adapted_weights(backbone.network(), images()))

    def build() -> Any:
        network = backbone.network()
        network.set_weights(weights())
        return network

    def load() -> FeatureFunction:
        call, spec = functools.partial(build(), training=False), backbone.input_spec
        return feature_function(call, text=backbone.reference, height=spec.height, width=spec.width)

    described = f"{backbone.fingerprint} adapted {_VERSION} to {key}"
    return replace(
        backbone,
        title=f"{backbone.title}, batch norm adapted",
        fingerprint=hashlib.sha256(described.encode()).hexdigest(),
        loader=load,
        network_builder=build,
    )


def _adapted_weights(network: Any, images: np.ndarray) -> list[np.ndarray]:
    norm_type = require_tensorflow().keras.layers.BatchNormalization
    norms = [layer for layer in network.layers if isinstance(layer, norm_type)]
    original, measured = (
        [_statistics(norm) for norm in norms],
        _batch_statistics(network, norms, images),
    )
    share = len(images) / (len(images) + MAX_ADAPTATION_PHOTOS)
    for norm, learned, seen in zip(norms, original, measured, strict=True):
        norm.moving_mean.assign((1 - share) * learned[0] + share * seen[0])
        norm.moving_variance.assign((1 - share) * learned[1] + share * seen[1])
    weights: list[np.ndarray] = network.get_weights()
    return weights


def _batch_statistics(network: Any, norms: Sequence[Any], images: np.ndarray) -> list[_Statistics]:
    """Return mean and variance of the inputs of each batch-norm layer, averaged over batches."""
    tf = require_tensorflow()
    for norm in norms:
        norm.momentum = 0.0  # the moving statistics become those of the latest batch
    # A graph frees each feature map after its last use; a direct call keeps all in memory.
    any_batch = tf.TensorSpec((None, *images.shape[1:]), tf.float32)
    run = tf.function(functools.partial(network, training=True), input_signature=[any_batch])
    num_batches, batches = -(-len(images) // _BATCH), []
    for first in range(num_batches):
        run(images[first::num_batches])  # images are sorted by class, so every batch mixes classes
        batches.append([_statistics(norm) for norm in norms])
    return [tuple(np.mean(norm, axis=0)) for norm in zip(*batches, strict=True)]


def _statistics(norm: Any) -> _Statistics:
    return norm.moving_mean.numpy(), norm.moving_variance.numpy()
