"""Batch-norm adaptation: statistics from the photos that the network will see.

What a network has learned from renders is normalised by the statistics of renders, which those of
photos are not. They are mixed with those of unlabelled photos in proportion to the number of these,
as in S. Schneider et al., "Improving robustness against common corruptions by covariate shift
adaptation", NeurIPS 2020, arXiv 2006.16971. No other weight changes.
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

MOST_PHOTOS = 256
"""As many as make up half of the statistics; more are not looked at."""

_BATCH = 64
_VERSION = 1
"""Part of every fingerprint: raised when the same photos give other statistics."""

_Statistics = tuple[np.ndarray, np.ndarray]
"""Mean and variance of each channel."""


def batch_norm_adapted(module: Backbone, images: Callable[[], np.ndarray], *, key: str) -> Backbone:
    """Return ``module`` with normalisations of its own statistics and of those of photos.

    With n photos, those of the photos count n / (n + 256).

    Args:
        module: has Keras layers.
        images: gives the photos, float32 (num_images, height, width, 3) in [0, 1], as many of
            them as ``MOST_PHOTOS`` at most; called when the network is built.
        key: tells these photos from others, as a part of the fingerprint.

    Raises:
        BackboneError: it has no Keras layers.
    """
    if module.network_builder is None:
        module.network()  # says which networks have layers
    weights = functools.cache(lambda: _adapted_weights(module.network(), images()))

    def build() -> Any:
        network = module.network()
        network.set_weights(weights())
        return network

    def load() -> FeatureFunction:
        call, spec = functools.partial(build(), training=False), module.input_spec
        return feature_function(call, text=module.reference, height=spec.height, width=spec.width)

    described = f"{module.fingerprint} adapted {_VERSION} to {key}"
    return replace(
        module,
        title=f"{module.title}, normalised by photos",
        fingerprint=hashlib.sha256(described.encode()).hexdigest(),
        loader=load,
        network_builder=build,
    )


def _adapted_weights(network: Any, images: np.ndarray) -> list[np.ndarray]:
    norm_type = require_tensorflow().keras.layers.BatchNormalization
    norms = [layer for layer in network.layers if isinstance(layer, norm_type)]
    of_its_own, of_photos = [_statistics(norm) for norm in norms], _seen(network, norms, images)
    share = len(images) / (len(images) + MOST_PHOTOS)
    for norm, own, found in zip(norms, of_its_own, of_photos, strict=True):
        norm.moving_mean.assign((1 - share) * own[0] + share * found[0])
        norm.moving_variance.assign((1 - share) * own[1] + share * found[1])
    weights: list[np.ndarray] = network.get_weights()
    return weights


def _seen(network: Any, norms: Sequence[Any], images: np.ndarray) -> list[_Statistics]:
    """Return the mean and the variance that each normalisation meets, over all batches."""
    tf = require_tensorflow()
    for norm in norms:
        norm.momentum = 0.0  # keeps what the latest batch has, and nothing of those before
    # As a graph, which frees a map once the next layer has it; called directly, all are kept.
    any_batch = tf.TensorSpec((None, *images.shape[1:]), tf.float32)
    run = tf.function(functools.partial(network, training=True), input_signature=[any_batch])
    num_batches, batches = -(-len(images) // _BATCH), []
    for first in range(num_batches):
        run(images[first::num_batches])  # photos of all classes, which lie in their order
        batches.append([_statistics(norm) for norm in norms])
    return [tuple(np.mean(norm, axis=0)) for norm in zip(*batches, strict=True)]


def _statistics(norm: Any) -> _Statistics:
    return norm.moving_mean.numpy(), norm.moving_variance.numpy()
