"""What a module is made of, counted on its own graph.

The table is that of the MobileNetV2 paper (Sandler et al. 2018, table 2, arXiv:1801.04381): a line
is a run of equal blocks; ``t`` is the expansion, ``c`` the output channels, ``n`` how many blocks,
``s`` the stride of the first one.
"""

from dataclasses import dataclass

from bricksight.backbones.backbone import Backbone
from bricksight.backbones.freeze import frozen_graph
from bricksight.backbones.summary.layers import read_layers, read_nodes
from bricksight.backbones.summary.stages import Stage, stages_of


@dataclass(frozen=True, kw_only=True)
class Description:
    """A module and what it costs; the classification layer is not part of it.

    Attributes:
        reference: As the user typed it.
        title: One line for people.
        licence: SPDX identifier if known.
        height: Rows of the input, in pixels.
        width: Columns of the input, in pixels.
        num_features: Width of the output.
        num_parameters: Weights, with the mean and variance of batch normalisation.
        num_multiply_adds: For one photo.
        stages: From the photo to the features.
    """

    reference: str
    title: str
    licence: str | None
    height: int
    width: int
    num_features: int
    num_parameters: int
    num_multiply_adds: int
    stages: list[Stage]


def describe(module: Backbone) -> Description:
    """Return stages, parameters and multiply-adds of ``module``; loads TensorFlow.

    Raises:
        BackboneError: the module cannot be loaded or frozen.
    """
    frozen = frozen_graph(module)
    nodes = read_nodes(frozen)
    layers = read_layers(nodes)
    stages = stages_of(nodes, layers)
    return Description(
        reference=module.reference,
        title=module.title,
        licence=module.licence,
        height=frozen.height,
        width=frozen.width,
        num_features=frozen.num_features,
        num_parameters=sum(stage.num_parameters for stage in stages),
        num_multiply_adds=sum(stage.num_multiply_adds for stage in stages),
        stages=stages,
    )
