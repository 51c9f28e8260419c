"""Reduce images with 16 bits per channel to 8 bits, detecting 12-bit data.

Microscopes and industrial cameras store 12-bit values in 16-bit files without scaling them, and no
format has a reliable field for this (TIFF's MaxSampleValue is only the largest value in use). So an
image whose values are all at most 4,095 is treated as 12-bit. This holds for every photo of a
12-bit camera. A true 16-bit photo is affected only if nothing in it is brighter than 1/16 of white,
which is almost black. The decision depends on the file alone, in training and in prediction.
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
    """Return how many of its 16 bits an image uses: 12 or 16."""
    return TWELVE_BITS if values.max() < _NUM_12_BIT_VALUES else SIXTEEN_BITS


def upper_8_bits(values: np.ndarray, num_bits: int) -> np.ndarray:
    """Return the upper 8 bits of values with ``num_bits`` bits, as uint8."""
    return np.asarray(values >> (num_bits - 8)).astype(np.uint8)


def low_byte_tiles(picture: ImageFile) -> list[Any] | None:
    """Return Pillow tiles that decode the lower byte of each value of a 16-bit colour image.

    Pillow has no 16-bit colour mode and keeps the upper byte of each value. With the byte order
    swapped in the tile, it keeps the lower byte.

    Returns:
        The value for ``tile`` of a newly opened image; ``None`` if it is not 16-bit colour.
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
    """Return the upper 8 of 12 bits, from one image of the upper and one of the lower bytes."""
    high, low = np.asarray(upper), np.asarray(lower)
    pixels = (high << 4) | (low >> 4)
    if upper.mode == "RGBA" and (alpha := high[..., 3]).max() >= _NUM_12_BIT_VALUES >> 8:
        pixels[..., 3] = alpha  # alpha uses all 16 bits, for example where it is fully opaque
    return Image.fromarray(pixels)
