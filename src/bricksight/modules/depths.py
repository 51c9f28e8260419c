"""A network whose features come from several depths, not from its last layer alone.

The last layer of a network that was trained on other classes has thrown much of the shape away;
layers before it still have it (J. Yosinski et al., "How transferable are features in deep neural
networks?", NeurIPS 2014, arXiv 1411.1792).
"""

import functools
import hashlib
from dataclasses import replace
from typing import Any

from bricksight._optional import require_tensorflow
from bricksight.errors import ModuleError
from bricksight.modules._module import Module
from bricksight.modules.saved_model import feature_function

MOST_DEPTHS = 4


def with_depths(module: Module, depths: str) -> Module:
    """Returns ``module`` with the features of earlier layers after its own.

    Each further depth is one resolution up: the widest layer there, averaged over the image.

    Args:
        module: has Keras layers.
        depths: "2" for its own features and those of one resolution more, up to "4".

    Raises:
        ModuleError: it has no Keras layers, or ``depths`` is another number.
    """
    if not depths.isdecimal() or not 2 <= int(depths) <= MOST_DEPTHS:
        raise ModuleError(
            f"{module.reference} asks for depths={depths}; it must be from 2 to {MOST_DEPTHS}."
        )
    if module.network_builder is None:
        module.network()  # says which networks have layers
    spec = module.input_spec
    build = functools.partial(_build, module, int(depths))

    def load() -> Any:
        call = functools.partial(build(), training=False)
        return feature_function(call, text=module.reference, height=spec.height, width=spec.width)

    return replace(
        module,
        title=f"{module.title}, {depths} depths",
        num_features=None,
        fingerprint=hashlib.sha256(f"{module.fingerprint} depths {depths}".encode()).hexdigest(),
        loader=load,
        network_builder=build,
    )


def _build(module: Module, depths: int) -> Any:
    layers = require_tensorflow().keras.layers
    network = module.network()
    widest = _widest_by_resolution(network)
    if len(widest) < depths:
        raise ModuleError(f"{module.reference}: the network has only {len(widest)} resolutions.")
    # The coarsest resolution is that of the features that are there already.
    earlier = [layers.GlobalAveragePooling2D()(one) for one in widest[1:depths]]
    features = layers.Concatenate()([network.output, *earlier])
    return require_tensorflow().keras.Model(network.input, features)


def _widest_by_resolution(network: Any) -> list[Any]:
    """Returns the last of the widest feature maps of each resolution, the coarsest first."""
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
