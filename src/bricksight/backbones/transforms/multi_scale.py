"""A network whose features come from several depths, not from its last layer alone.

The last layer of a network that was trained on other classes has thrown much of the shape away;
layers before it still have it (J. Yosinski et al., "How transferable are features in deep neural
networks?", NeurIPS 2014, arXiv 1411.1792).
"""

import functools
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from bricksight._support.filesystem.files import atomic_write, cache_dir, in_cache
from bricksight._support.optional import require_tensorflow
from bricksight.backbones.backbone import Backbone
from bricksight.backbones.sources._keras_files import free_name
from bricksight.backbones.sources.saved_model import feature_function
from bricksight.errors import BackboneError

MOST_DEPTHS = 4

_FILE_VERSION = 1
"""Part of the file's name: raised when a depth gives other features."""


def with_multi_scale(module: Backbone, depths: int) -> Backbone:
    """Return ``module`` with the features of earlier layers after its own.

    Each further depth is one resolution up: the widest layer there, its mean over the image and its
    maximum.

    Args:
        module: has Keras layers, unless ``depths`` is 1.
        depths: 1 for its own features alone, 2 for those and those of one resolution more, and so
            on up to ``MOST_DEPTHS``.

    Raises:
        BackboneError: it has no Keras layers.
    """
    if depths == 1:
        return replace(module, depths=1)
    if module.network_builder is None:
        module.network()  # says which networks have layers
    spec = module.input_spec
    build = functools.partial(_build, module, depths)

    def load() -> Any:
        call = functools.partial(build(), training=False)
        return feature_function(call, text=module.reference, height=spec.height, width=spec.width)

    return replace(
        module,
        title=f"{module.title}, {depths} depths",
        num_features=None,
        depths=depths,
        fingerprint=hashlib.sha256(
            f"{module.fingerprint} depths {depths}, mean and maximum".encode()
        ).hexdigest(),
        loader=load,
        network_builder=build,
    )


def feature_dimensions(module: Backbone) -> tuple[int, ...]:
    """Return how many features each depth adds, the module's own first, at most ``MOST_DEPTHS``.

    They are kept in the cache folder, so that only the first run has to build the network.

    Args:
        module: has Keras layers, and no features but its own.

    Raises:
        BackboneError: the network cannot be loaded.
        CacheError: the cache folder cannot be made.
    """
    name = f"{module.fingerprint}-depths-{_FILE_VERSION}.json"
    path = cache_dir("modules") / name
    try:
        widths: list[int] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        network = module.network()
        earlier = _widest_by_resolution(network)[1:MOST_DEPTHS]
        widths = [int(network.output.shape[-1]), *(2 * int(one.shape[-1]) for one in earlier)]
        in_cache(lambda root: _write(root / name, widths), "modules")
    return tuple(widths)


def _write(path: Path, widths: list[int]) -> None:
    with atomic_write(path) as part:
        part.write_text(json.dumps(widths), encoding="utf-8")


def _build(module: Backbone, depths: int) -> Any:
    layers = require_tensorflow().keras.layers
    network = module.network()
    widest = _widest_by_resolution(network)
    if len(widest) < depths:
        raise BackboneError(f"{module.reference}: the network has only {len(widest)} resolutions.")
    poolings = {"mean": layers.GlobalAveragePooling2D, "maximum": layers.GlobalMaxPooling2D}
    # The coarsest resolution is that of the features that are there already.
    earlier = [
        pooling(name=free_name(network, f"{name}_of_depth_{depth}"))(one)
        for depth, one in enumerate(widest[1:depths], start=2)
        for name, pooling in poolings.items()
    ]
    name = free_name(network, "features_of_depths")
    features = layers.Concatenate(name=name)([network.output, *earlier])
    return require_tensorflow().keras.Model(network.input, features)


def _widest_by_resolution(network: Any) -> list[Any]:
    """Return the last of the widest feature maps of each resolution, the coarsest first."""
    found: dict[int, Any] = {}
    for layer in network.layers:
        shape = layer.output.shape
        # The image is no feature map; padding would pass for a resolution of its own, and the
        # means in a gate for the coarsest.
        is_map = len(shape) == 4 and shape[1] not in (None, 1) and shape[3] > 3
        if not is_map or "Padding" in type(layer).__name__:
            continue
        if shape[1] not in found or shape[3] >= found[shape[1]].shape[3]:
            found[shape[1]] = layer.output
    return [found[rows] for rows in sorted(found)]
