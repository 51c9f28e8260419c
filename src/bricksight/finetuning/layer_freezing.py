"""Layer freezing: which layers are trained, and which stay as they are."""

from typing import Any

from bricksight.backbones import Backbone
from bricksight.errors import ConfigError

WHOLE = "whole"
"""What ``fine_tune_from`` says where every layer is to be trained."""

_FINE = 8
"""Maps of more than one eighth of the image's rows are fine.

They show edges and textures, which differ little from one kind of photos to another (Yosinski et
al. 2014, arXiv 1411.1792), and take half of the time of training.
"""


def freeze(network: Any, first: str | None, backbone: Backbone) -> None:
    """Freezes the layers of ``network`` that are not to be trained.

    Args:
        network: what ``backbone.trainable`` returned.
        first: name of the first layer that is trained, or ``WHOLE``; ``None`` for all but those
            whose maps are fine, if the backbone is pretrained.
        backbone: The backbone of the network.

    Raises:
        ConfigError: there is no such layer, or nothing to train from there.
    """
    if first == WHOLE:
        for layer in getattr(network, "layers", ()):
            layer.trainable = True  # a file keeps what an earlier training has frozen
    elif first is not None:
        _freeze_before(network, first, backbone.reference)
    elif backbone.is_pretrained and hasattr(network, "layers"):
        fine = [layer for layer in network.layers if _is_fine(layer, network)]
        rest = [layer for layer in network.layers if layer not in fine]
        if any(layer.trainable_variables for layer in rest):
            for layer in fine:
                layer.trainable = False


def first_trained(network: Any) -> str | None:
    """Returns the name of the first layer that is trained, ``None`` for a graph without layers."""
    layers = getattr(network, "layers", ())
    return next((layer.name for layer in layers if layer.trainable_variables), None)


def _is_fine(layer: Any, network: Any) -> bool:
    images, shape = network.inputs[0].shape, layer.output.shape
    is_map = len(shape) == 4 and None not in (shape[1], images[1])
    return is_map and bool(_FINE * shape[1] > images[1])


def _freeze_before(network: Any, first: str, reference: str) -> None:
    if not hasattr(network, "layers"):
        raise ConfigError(
            f"--fine_tune_from {first}: {reference} is a graph without layers, trained as a "
            "whole. Leave it out, or use keras:NAME, packaged:NAME or a .keras file."
        )
    names = [layer.name for layer in network.layers]
    if first not in names:
        raise ConfigError(
            f"--fine_tune_from {first}: {reference} has no such layer. Take {WHOLE!r} for all, or "
            f"one of {', '.join(names)}."
        )
    for layer in network.layers[: names.index(first)]:
        layer.trainable = False
    if not network.trainable_variables:
        raise ConfigError(f"--fine_tune_from {first}: {reference} has nothing to train from there.")
