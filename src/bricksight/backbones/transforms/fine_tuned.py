"""Make a backbone from fine-tuned weights."""

import functools
import hashlib
from dataclasses import replace
from typing import Any

from bricksight.backbones.backbone import Backbone
from bricksight.backbones.sources.saved_model import feature_function


def fine_tuned_backbone(backbone: Backbone, network: Any) -> Backbone:
    """Return a backbone with the current weights of ``network``.

    Args:
        backbone: The backbone from which ``network`` was built.
        network: A network from ``backbone.trainable()``. Its weights must not change afterwards,
            because the fingerprint is computed from them now.
    """
    digest = hashlib.sha256(backbone.fingerprint.encode())
    for variable in network.weights:
        digest.update(variable.numpy().tobytes())
    spec = backbone.input_spec
    loader = functools.partial(
        feature_function,
        functools.partial(network, training=False),
        text=backbone.reference,
        height=spec.height,
        width=spec.width,
    )
    return replace(
        backbone,
        title=f"{backbone.title}, fine-tuned",
        fingerprint=digest.hexdigest(),
        known=None,  # the head of the known classes does not fit the new features
        loader=loader,
        network_builder=None if backbone.network_builder is None else lambda: network,
        graph_builder=lambda: network,
    )
