"""Region of a frame that is classified."""

from dataclasses import dataclass

import numpy as np

from bricksight.config import InputSpec
from bricksight.errors import ConfigError


@dataclass(frozen=True)
class Region:
    """A rectangle in pixels; ``right`` and ``bottom`` are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    def crop(self, picture: np.ndarray) -> np.ndarray:
        """Crop a (height, width, 3) image to the region, without a copy."""
        return picture[self.top : self.bottom, self.left : self.right]


def central_region(height: int, width: int, spec: InputSpec, *, share: float) -> Region:
    """Return the centre of a frame with the aspect ratio of the network's input.

    With this aspect ratio, resizing does not distort the image.

    Args:
        height: Height of the frame in pixels.
        width: Width of the frame in pixels.
        spec: Input size of the network.
        share: Side length relative to the largest such rectangle that fits; over 0 to 1.

    Raises:
        ConfigError: ``share`` is out of range.
    """
    if not 0 < share <= 1:
        raise ConfigError(f"--region is {share}; it must be over 0 and at most 1.")
    scale = share * min(height / spec.height, width / spec.width)
    rows = max(1, round(scale * spec.height))
    columns = max(1, round(scale * spec.width))
    left, top = (width - columns) // 2, (height - rows) // 2
    return Region(left, top, left + columns, top + rows)


def whole_region(height: int, width: int) -> Region:
    """Return the region of the whole frame."""
    return Region(0, 0, width, height)
