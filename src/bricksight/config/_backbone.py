"""The pretrained network, and how it sees photos."""

from dataclasses import dataclass
from typing import Literal

from bricksight.config._input import Resize
from bricksight.config._types import take_types

AUTO_MODULE = "auto"
"""In place of a reference: whichever of the networks that come with bricksight suits the photos."""

Rotations = Literal[1, 2, 4]


@dataclass(frozen=True, kw_only=True)
class BackboneConfig:
    """The pretrained network.

    Attributes:
        tfhub_module: The pretrained network; see `bricksight modules`. "auto" takes the one of
            those that come with bricksight that classifies held-out training photos best.
        resize: "stretch" brings the whole photo to the network's size; "letterbox" keeps its
            proportions and fills the rest with grey.
        tta: Copies of each photo whose answers are averaged: 4 for every quarter turn, 2 for the
            photo and upside down, 1 for the photo alone. More accurate where objects lie any way
            round; classifying takes so many times as long. By default 1; with --recipe best 4,
            where held-out photos are told apart better.
        trust: Load a pretrained network even if it may access files, the network or other programs.
    """

    tfhub_module: str = AUTO_MODULE
    resize: Resize = "stretch"
    tta: Rotations | None = None
    trust: bool = False

    def __post_init__(self) -> None:
        take_types(self)
