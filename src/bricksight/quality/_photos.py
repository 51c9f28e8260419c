"""What only opening a photo tells: whether it can be read, its format, its size, its look."""

from dataclasses import dataclass
from pathlib import Path

from bricksight import images
from bricksight.errors import ImageError
from bricksight.images.reading.decoding import read
from bricksight.quality._fingerprint import Fingerprint, fingerprint
from bricksight.quality._quality import QUALITY_SIZE, Quality, quality


@dataclass(frozen=True, slots=True)
class Facts:
    """What is kept of a photo once its pixels are gone.

    Attributes:
        format: "JPEG", "PNG", ...: what the content is, whatever the name says.
        width: in pixels, as a viewer shows the photo.
        height: likewise.
        bits: 8; of a file that does not say how many of its 16 bits a channel count, 12 or 16.
        fingerprint: What it looks like.
        quality: How sharp and how bright it is.
    """

    format: str
    width: int
    height: int
    bits: int
    fingerprint: Fingerprint
    quality: Quality


def examine(path: Path) -> Facts | str:
    """Return the facts of a photo, decoded to its last byte, or the reason why it cannot be."""
    with images.reserve_memory():
        try:
            found = read(path, min_size=2 * QUALITY_SIZE)
        except ImageError as error:
            return str(error)
        return Facts(
            found.format,
            found.width,
            found.height,
            found.bits,
            fingerprint(found.image),
            quality(found.image),
        )
