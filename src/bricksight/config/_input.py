"""Input of a backbone: size and resizing."""

from dataclasses import dataclass
from typing import Literal

from bricksight.config._checks import require_range
from bricksight.config._types import take_types

Resize = Literal["stretch", "letterbox"]


@dataclass(frozen=True, kw_only=True)
class InputSpec:
    """Input size of a backbone, and how photos are resized to it.

    Pixels are float32 RGB in [0, 1]. Any other scaling is part of the network's graph.

    Attributes:
        height: Height in pixels.
        width: Width in pixels.
        resize: "stretch" resizes the whole photo to the input size. "letterbox" keeps its aspect
            ratio and pads with grey.
    """

    height: int = 224
    width: int = 224
    resize: Resize = "stretch"

    def __post_init__(self) -> None:
        take_types(self)
        for name in ("height", "width"):
            require_range(self, name, 8, 4096)

    @property
    def key(self) -> str:
        """Short text that identifies the preprocessing, for cache keys."""
        return f"{self.height}x{self.width}-{self.resize}"
