"""Layer freezing: which layers of a backbone are trained."""

from typing import Any

from bricksight.backbones import Backbone
from bricksight.errors import ConfigError

WHOLE = "whole"
"""Value of ``fine_tune_from`` that trains every layer."""

_EARLY = 8
"""Layers whose feature maps have more than one eighth of the image's rows are early layers.

They detect edges and textures, which differ little between kinds of photos (Yosinski et al. 2014,
arXiv 1411.1792), and take half of the training time.
"""


def freeze(network: Any, first: str | None, backbone: Backbone) -> None:
    """Freeze the layers of ``network`` that are not trained.

    Args:
        network: from ``Backbone.trainable``.
        first: name of the first layer that is trained, or ``WHOLE``; ``None`` to freeze the early
            layers of a pretrained backbone.
        backbone: where the network comes from.

    Raises:
        ConfigError: there is no such layer, or no trainable weight from there on.
    """
    if first == WHOLE:
        for layer in getattr(network, "layers", ()):
            layer.trainable = True  # a file stores what an earlier training froze
    elif first is not None:
        _freeze_before(network, first, backbone.reference)
    elif backbone.is_pretrained and hasattr(network, "layers"):
        early = [layer for layer in network.layers if _is_early(layer, network)]
        rest = [layer for layer in network.layers if layer not in early]
        if any(layer.trainable_variables for layer in rest):
            for layer in early:
                layer.trainable = False


def first_trained(network: Any) -> str | None:
    """Return the name of the first layer that is trained, ``None`` for a graph without layers."""
    layers = getattr(network, "layers", ())
    return next((layer.name for layer in layers if layer.trainable_variables), None)


def _is_early(layer: Any, network: Any) -> bool:
    images, shape = network.inputs[0].shape, layer.output.shape
    is_map = len(shape) == 4 and None not in (shape[1], images[1])
    return is_map and bool(_EARLY * shape[1] > images[1])


def _freeze_before(network: Any, first: str, reference: str) -> None:
    if not hasattr(network, "layers"):
        raise ConfigError(
            f"--fine_tune_from {first}: {reference} is a graph without layers, so all of it "
            "is trained. Leave it out, or use keras:NAME, packaged:NAME or a .keras file."
        )
    names = [layer.name for layer in network.layers]
    if first not in names:
        raise ConfigError(
            f"--fine_tune_from {first}: {reference} has no such layer. Use {WHOLE!r} for "
            f"all layers, or one of {', '.join(names)}."
        )
    for layer in network.layers[: names.index(first)]:
        layer.trainable = False
    if not network.trainable_variables:
        raise ConfigError(
            f"--fine_tune_from {first}: {reference} has no trainable weights from there on."
        )
