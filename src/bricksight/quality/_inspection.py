"""Decode a photo and return its format, size, fingerprint and sharpness."""

from dataclasses import dataclass
from pathlib import Path

from bricksight import images
from bricksight.errors import ImageError
from bricksight.images.reading.decoding import read
from bricksight.quality._fingerprint import Fingerprint, fingerprint
from bricksight.quality._sharpness import QUALITY_SIZE, Quality, measure_quality


@dataclass(frozen=True, slots=True)
class PhotoInfo:
    """Information about a decoded photo, without its pixels.

    Attributes:
        format: Format of the content, such as "JPEG"; the extension is ignored.
        width: Width in pixels, after EXIF rotation.
        height: Height in pixels, after EXIF rotation.
        bits: Bits per channel: 8, or for 16-bit files the number of bits that the values seem to
            use, 12 or 16.
        fingerprint: Perceptual hash and thumbnail.
        quality: Sharpness and brightness.
    """

    format: str
    width: int
    height: int
    bits: int
    fingerprint: Fingerprint
    quality: Quality


def inspect_photo(path: Path) -> PhotoInfo | str:
    """Return the info of a photo, decoded completely, or the reason why it cannot be read."""
    with images.reserve_memory():
        try:
            found = read(path, min_size=2 * QUALITY_SIZE)
        except ImageError as error:
            return str(error)
        return PhotoInfo(
            found.format,
            found.width,
            found.height,
            found.bits,
            fingerprint(found.image),
            measure_quality(found.image),
        )
