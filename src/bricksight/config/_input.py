"""What a network takes."""

from dataclasses import dataclass
from typing import Literal

from bricksight.config._checks import require_range
from bricksight.config._types import take_types

Resize = Literal["stretch", "letterbox"]


@dataclass(frozen=True, kw_only=True)
class InputSpec:
    """What a network takes: the size, and how a photo is brought to it.

    The values are always float32 RGB in [0, 1]; any other scaling is inside the network.

    Attributes:
        height: Rows, in pixels.
        width: Columns, in pixels.
        resize: "stretch" takes the whole photo to the size, whatever its proportions; "letterbox"
            keeps the proportions and fills the rest with grey.
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
        """A short text that differs where the pixels would."""
        return f"{self.height}x{self.width}-{self.resize}"
