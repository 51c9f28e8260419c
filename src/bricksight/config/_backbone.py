"""Settings of the backbone, the pretrained network without its classification layer."""

from dataclasses import dataclass
from typing import Literal

from bricksight._support.reprs import changed_fields_repr
from bricksight.config._input import Resize
from bricksight.config._types import take_types

AUTO_BACKBONE = "auto"
"""Instead of a reference: try the packaged backbones and use the one that fits the photos best."""

Rotations = Literal[1, 2, 4]


@dataclass(frozen=True, kw_only=True)
class BackboneConfig:
    """The backbone and its input.

    Attributes:
        reference: Pretrained backbone, such as keras:MobileNetV2; see `bricksight backbones`.
            "auto" compares the packaged ones on held-out training photos.
        resize: "stretch" resizes the whole photo to the input size. "letterbox" keeps its aspect
            ratio and pads with grey.
        tta: Rotated copies of a photo to average over at inference: 4 (quarter turns), 2 or 1.
            Recipe best tries 4, others use 1.
        trust: Load the backbone even if it may access files, the network or other programs.
    """

    reference: str = AUTO_BACKBONE
    resize: Resize = "stretch"
    tta: Rotations | None = None
    trust: bool = False

    __repr__ = changed_fields_repr

    def __post_init__(self) -> None:
        take_types(self)
