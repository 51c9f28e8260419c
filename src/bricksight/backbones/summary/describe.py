"""Describe a backbone: its stages, parameters and multiply-adds, counted on the frozen graph.

The table has the form of the MobileNetV2 paper (Sandler et al. 2018, table 2, arXiv:1801.04381).
Each row is a run of equal blocks: ``t`` is the expansion, ``c`` the number of output channels,
``n`` the number of blocks, ``s`` the stride of the first block.
"""

from dataclasses import dataclass

from bricksight.backbones.backbone import Backbone
from bricksight.backbones.freeze import frozen_graph
from bricksight.backbones.summary.layers import read_layers, read_nodes
from bricksight.backbones.summary.stages import Stage, stages_of


@dataclass(frozen=True, kw_only=True)
class Description:
    """Size and cost of a backbone, without a classification layer.

    Attributes:
        reference: Reference as the user typed it.
        title: Name for users, one line.
        licence: SPDX identifier, ``None`` if not known.
        height: Height of the input, in pixels.
        width: Width of the input, in pixels.
        num_features: Number of features.
        num_parameters: Number of weights, including the batch-norm statistics.
        num_multiply_adds: Multiply-adds for one photo.
        stages: Stages from the image to the features.
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


def describe(backbone: Backbone) -> Description:
    """Count the stages, parameters and multiply-adds of a backbone; imports TensorFlow.

    Raises:
        BackboneError: The backbone cannot be loaded or frozen.
    """
    frozen = frozen_graph(backbone)
    nodes = read_nodes(frozen)
    layers = read_layers(nodes)
    stages = stages_of(nodes, layers)
    return Description(
        reference=backbone.reference,
        title=backbone.title,
        licence=backbone.licence,
        height=frozen.height,
        width=frozen.width,
        num_features=frozen.num_features,
        num_parameters=sum(stage.num_parameters for stage in stages),
        num_multiply_adds=sum(stage.num_multiply_adds for stage in stages),
        stages=stages,
    )
