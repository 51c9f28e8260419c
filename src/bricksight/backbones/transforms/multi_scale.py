"""Multi-scale features: features of the last layer together with those of earlier layers.

The last layer of a network is specialised on the classes that it was trained on. Earlier layers
keep more of the shape, which helps with other classes (J. Yosinski et al., "How transferable are
features in deep neural networks?", NeurIPS 2014, arXiv 1411.1792).
"""

import functools
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from bricksight._support.filesystem.files import atomic_write, cache_dir, in_cache
from bricksight._support.optional import require_tensorflow
from bricksight._support.text import pluralize
from bricksight.backbones.backbone import Backbone
from bricksight.backbones.sources._keras_files import free_name
from bricksight.backbones.sources.saved_model import feature_function
from bricksight.errors import BackboneError

MAX_SCALES = 4
"""Largest number of scales."""

_FILE_VERSION = 1
"""Part of the file's name: increased when a scale would give other features."""


def with_multi_scale(backbone: Backbone, num_scales: int) -> Backbone:
    """Return a backbone with multi-scale features.

    Each further scale is the next higher resolution of the feature maps. Its features are the mean
    and the maximum over the image of the layer with the most channels at that resolution. They
    follow the features of the last layer.

    Args:
        backbone: A backbone with Keras layers, unless ``num_scales`` is 1.
        num_scales: Number of scales: 1 for the features of the last layer alone, up to
            ``MAX_SCALES``.

    Raises:
        BackboneError: The backbone has no Keras layers.
    """
    if num_scales == 1:
        return replace(backbone, num_scales=1)
    if backbone.network_builder is None:
        backbone.network()  # raises an error that names backbones with Keras layers
    spec = backbone.input_spec
    build = functools.partial(_build, backbone, num_scales)

    def load() -> Any:
        call = functools.partial(build(), training=False)
        return feature_function(call, text=backbone.reference, height=spec.height, width=spec.width)

    return replace(
        backbone,
        title=f"{backbone.title}, {num_scales} scales",
        num_features=None,
        num_scales=num_scales,
        fingerprint=hashlib.sha256(
            f"{backbone.fingerprint} depths {num_scales}, mean and maximum".encode()
        ).hexdigest(),
        loader=load,
        network_builder=build,
    )


def feature_dimensions(backbone: Backbone) -> tuple[int, ...]:
    """Return the number of features of each scale, the last layer first; at most ``MAX_SCALES``.

    The result is kept in the cache folder, so that only the first run has to build the network.

    Args:
        backbone: A backbone with Keras layers and without multi-scale features.

    Raises:
        BackboneError: The network cannot be loaded.
        CacheError: The cache folder cannot be created.
    """
    name = f"{backbone.fingerprint}-depths-{_FILE_VERSION}.json"
    path = cache_dir("backbones") / name
    try:
        widths: list[int] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        network = backbone.network()
        earlier = _widest_by_resolution(network)[1:MAX_SCALES]
        widths = [int(network.output.shape[-1]), *(2 * int(one.shape[-1]) for one in earlier)]
        in_cache(lambda root: _write(root / name, widths), "backbones")
    return tuple(widths)


def _write(path: Path, widths: list[int]) -> None:
    with atomic_write(path) as part:
        part.write_text(json.dumps(widths), encoding="utf-8")


def _build(backbone: Backbone, num_scales: int) -> Any:
    layers = require_tensorflow().keras.layers
    network = backbone.network()
    widest = _widest_by_resolution(network)
    if len(widest) < num_scales:
        raise BackboneError(
            f"{backbone.reference} has feature maps of "
            f"{pluralize(len(widest), 'resolution')}, too few for scales={num_scales}. "
            f"Use scales={len(widest)}{' or less' if len(widest) > 1 else ''}."
        )
    poolings = {"mean": layers.GlobalAveragePooling2D, "maximum": layers.GlobalMaxPooling2D}
    # The first is the coarsest resolution, which the network's own output already covers.
    earlier = [
        pooling(name=free_name(network, f"{name}_of_depth_{depth}"))(one)
        for depth, one in enumerate(widest[1:num_scales], start=2)
        for name, pooling in poolings.items()
    ]
    name = free_name(network, "features_of_depths")
    features = layers.Concatenate(name=name)([network.output, *earlier])
    return require_tensorflow().keras.Model(network.input, features)


def _widest_by_resolution(network: Any) -> list[Any]:
    """Return the feature map with the most channels of each resolution, the coarsest first.

    Of several with equally many channels, the last one is returned.
    """
    found: dict[int, Any] = {}
    for layer in network.layers:
        shape = layer.output.shape
        # The image itself is not a feature map. Padding layers have odd resolutions, and the
        # means in squeeze-excite blocks have only one row.
        is_map = len(shape) == 4 and shape[1] not in (None, 1) and shape[3] > 3
        if not is_map or "Padding" in type(layer).__name__:
            continue
        if shape[1] not in found or shape[3] >= found[shape[1]].shape[3]:
            found[shape[1]] = layer.output
    return [found[rows] for rows in sorted(found)]
