"""Thumbnails of photos as data URIs."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from bricksight.errors import ImageError
from bricksight.images import decode

_SIDE = 160
_JPEG_QUALITY = 80


@dataclass(frozen=True)
class Thumbnail:
    """A thumbnail, or the reason why the photo cannot be read.

    Attributes:
        uri: JPEG as a data URI, ``None`` if the photo cannot be read.
        width: In pixels, 0 if the photo cannot be read.
        height: In pixels, 0 if the photo cannot be read.
        reason: Why the photo cannot be read; empty if it can.
    """

    uri: str | None
    width: int
    height: int
    reason: str


def thumbnail(path: Path) -> Thumbnail:
    """Return a thumbnail of at most 160 x 160 pixels; an unreadable photo raises no error."""
    try:
        pixels = decode(path, min_size=_SIDE)
    except ImageError as error:
        return Thumbnail(uri=None, width=0, height=0, reason=str(error))
    image = Image.fromarray(pixels)
    image.thumbnail((_SIDE, _SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    uri = "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
    return Thumbnail(uri=uri, width=image.width, height=image.height, reason="")
