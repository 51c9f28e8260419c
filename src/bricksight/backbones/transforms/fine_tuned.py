"""A network whose weights have been trained further, as a module like any other."""

import functools
import hashlib
from dataclasses import replace
from typing import Any

from bricksight.backbones.backbone import Backbone
from bricksight.backbones.sources.saved_model import feature_function


def fine_tuned_backbone(module: Backbone, network: Any) -> Backbone:
    """Return ``module`` with the weights that ``network`` has now.

    Args:
        module: what ``network`` was built from.
        network: from ``module.trainable()``; later changes of its weights must not follow, since
            the fingerprint is made of them here.
    """
    digest = hashlib.sha256(module.fingerprint.encode())
    for variable in network.weights:
        digest.update(variable.numpy().tobytes())
    spec = module.input_spec
    loader = functools.partial(
        feature_function,
        functools.partial(network, training=False),
        text=module.reference,
        height=spec.height,
        width=spec.width,
    )
    return replace(
        module,
        title=f"{module.title}, fine-tuned",
        fingerprint=digest.hexdigest(),
        known=None,  # that layer was for the features of before
        loader=loader,
        network_builder=None if module.network_builder is None else lambda: network,
        graph_builder=lambda: network,
    )
