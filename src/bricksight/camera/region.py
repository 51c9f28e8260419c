"""The part of a frame that is classified."""

from dataclasses import dataclass

import numpy as np

from bricksight.config import InputSpec
from bricksight.errors import ConfigError


@dataclass(frozen=True)
class Region:
    """A rectangle of pixels; ``right`` and ``bottom`` are the first ones outside."""

    left: int
    top: int
    right: int
    bottom: int

    def crop(self, picture: np.ndarray) -> np.ndarray:
        """Return the part of a (height, width, 3) picture, without a copy."""
        return picture[self.top : self.bottom, self.left : self.right]


def central_region(height: int, width: int, spec: InputSpec, *, share: float) -> Region:
    """Return the middle of a frame in the proportions of the network's input.

    In these proportions nothing is stretched, whatever the camera's format.

    Args:
        height: rows of the frame.
        width: columns of the frame.
        spec: what the network takes.
        share: of the largest such rectangle that fits: over 0 to 1, by its sides.

    Raises:
        ConfigError: ``share`` is outside of that.
    """
    if not 0 < share <= 1:
        raise ConfigError(f"--region is {share}; it must be over 0 and at most 1.")
    scale = share * min(height / spec.height, width / spec.width)
    rows = max(1, round(scale * spec.height))
    columns = max(1, round(scale * spec.width))
    left, top = (width - columns) // 2, (height - rows) // 2
    return Region(left, top, left + columns, top + rows)


def whole_region(height: int, width: int) -> Region:
    """Return all of a frame."""
    return Region(0, 0, width, height)
