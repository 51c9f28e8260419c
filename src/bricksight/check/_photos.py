"""What only opening a photo tells: whether it can be read, its format, its size, its look."""

from dataclasses import dataclass
from pathlib import Path

from bricksight import images
from bricksight.check._fingerprint import Fingerprint, fingerprint
from bricksight.errors import ImageError


@dataclass(frozen=True, slots=True)
class Facts:
    """What is kept of a photo once its pixels are gone.

    Attributes:
        format: "JPEG", "PNG", ...: what the content is, whatever the name says.
        width: in pixels, as a viewer shows the photo.
        height: likewise.
        fingerprint: What it looks like.
    """

    format: str
    width: int
    height: int
    fingerprint: Fingerprint


def examine(path: Path) -> Facts | str:
    """Returns the facts of a photo, decoded to its last pixel, or the reason why it cannot be."""
    try:
        probe = images.probe(path)
        pixels = images.decode(path)
    except ImageError as error:
        return str(error)
    height, width = pixels.shape[:2]
    return Facts(probe.format, width, height, fingerprint(pixels))
