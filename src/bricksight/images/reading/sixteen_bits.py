"""Pictures of 16 bits a channel, which often hold the 12 bits of a camera.

Microscopes and industrial cameras store 12 bits in files of 16 without scaling them, and no format
has a field that tells: TIFF's MaxSampleValue is the brightest value that happens to be used. So a
picture none of whose values is over 4,095 is taken for one of 12 bits. All photos of such a camera
are below, whatever they show, so they are all treated alike. A photo of true 16 bits is below only
if nothing in it is brighter than a sixteenth of white, which is black in 8 bits. The file alone
decides, in training and in prediction.
"""

import sys
from typing import Any

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile

TWELVE_BITS = 12
SIXTEEN_BITS = 16

_NUM_12_BIT_VALUES = 1 << TWELVE_BITS
_LITTLE, _BIG = "L", "B"
_NATIVE = _LITTLE if sys.byteorder == "little" else _BIG


def used_bits(values: np.ndarray) -> int:
    """Return how many of 16 bits a picture's values use, 12 or 16."""
    return TWELVE_BITS if values.max() < _NUM_12_BIT_VALUES else SIXTEEN_BITS


def upper_8_bits(values: np.ndarray, num_bits: int) -> np.ndarray:
    """Return values of ``num_bits`` bits as uint8."""
    return np.asarray(values >> (num_bits - 8)).astype(np.uint8)


def low_byte_tiles(picture: ImageFile) -> list[Any] | None:
    """Return how to read the lower byte of each value of a colour picture of 16 bits a channel.

    Pillow has no colour pictures of 16 bits and keeps the upper byte of each value. Told that the
    bytes are in the other order, it keeps the lower one.

    Returns:
        What to set as ``tile`` of a newly opened picture; ``None`` if it has no such values.
    """
    tiles = []
    for tile in picture.tile:
        args = (tile[3],) if isinstance(tile[3], str) else tuple(tile[3] or ())
        mode, found, order = str(args[0] if args else "").partition(";16")
        if mode not in ("RGB", "RGBA") or not found:
            return None
        other = _BIG if order.replace("N", _NATIVE) == _LITTLE else _LITTLE
        swapped = (f"{mode};16{other}", *args[1:])
        is_text = isinstance(tile[3], str)
        named = (*tile[:3], swapped[0] if is_text else swapped)
        tiles.append(type(tile)(*named) if hasattr(tile, "_fields") else named)
    return tiles or None


def may_be_12_bit(upper: Image.Image) -> bool:
    """Return whether the upper bytes of a colour image use at most 12 bits; alpha is ignored."""
    most = _NUM_12_BIT_VALUES >> 8
    extrema: Any = upper.getextrema()
    return all(high < most for _, high in extrema[:3])


def joined(upper: Image.Image, lower: Image.Image) -> Image.Image:
    """Return the upper 8 of 12 bits, of pictures of the upper and lower bytes of each value."""
    high, low = np.asarray(upper), np.asarray(lower)
    pixels = (high << 4) | (low >> 4)
    if upper.mode == "RGBA" and (alpha := high[..., 3]).max() >= _NUM_12_BIT_VALUES >> 8:
        pixels[..., 3] = alpha  # which is of 16 bits, as in a picture without clear parts
    return Image.fromarray(pixels)
