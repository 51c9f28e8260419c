"""How a camera was held: the EXIF orientation, and turning a picture upright.

Pillow reads all of EXIF to find this one number and warns about every damaged record on the way;
damaged records are common in photos that passed through an editor. An EXIF block is a TIFF header
followed by a table of 12-byte entries (EXIF 2.3, section 4.6.2), so the number is read directly.
"""

import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from PIL import Image
from PIL.ImageFile import ImageFile

ORIENTATION_TAG = 0x0112
UPRIGHT = 1

_WIDTH_TAG = 256
_HEIGHT_TAG = 257
_FIRST_ON_ITS_SIDE = 5
_SHORT = 3
_EXIF_MARK = b"Exif\0\0"

_TRANSPOSE: Mapping[int, Image.Transpose] = MappingProxyType(
    {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
)


def orientation_of(picture: Image.Image) -> int:
    """Returns the EXIF orientation of an opened picture, 1 to 8; 1 (upright) if it names none.

    Pillow turns a TIFF upright while it reads the pixels and then drops the tag, so for a TIFF the
    answer is what is left to do.
    """
    tags: Mapping[int, Any] | None = getattr(picture, "tag_v2", None)
    if tags is None:
        found = _find_in_exif(picture.info.get("exif", b""))
    else:
        found = tags.get(ORIENTATION_TAG, UPRIGHT)
    return found if found in _TRANSPOSE else UPRIGHT


def upright_size(picture: ImageFile) -> tuple[int, int]:
    """Returns (width, height) of an opened, not yet loaded picture once it is upright."""
    tags = getattr(picture, "tag_v2", {})  # newer Pillow gives a TIFF's size as if turned already
    width = tags.get(_WIDTH_TAG, picture.width)
    height = tags.get(_HEIGHT_TAG, picture.height)
    return (height, width) if orientation_of(picture) >= _FIRST_ON_ITS_SIDE else (width, height)


def turn_upright(image: Image.Image, orientation: int) -> Image.Image:
    """Returns the picture as it is meant to be seen."""
    if orientation == UPRIGHT:
        return image
    return image.transpose(_TRANSPOSE[orientation])


def _find_in_exif(exif: bytes) -> int:
    block = exif.removeprefix(_EXIF_MARK).removeprefix(_EXIF_MARK)
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        return UPRIGHT
    try:
        (table,) = struct.unpack_from(order + "I", block, 4)
        (num_entries,) = struct.unpack_from(order + "H", block, table)
        for start in range(table + 2, table + 2 + 12 * num_entries, 12):
            tag, kind, _, value = struct.unpack_from(order + "HHIH", block, start)
            if (tag, kind) == (ORIENTATION_TAG, _SHORT):
                return int(value)
    except struct.error:  # the block ends early: no orientation to be found
        return UPRIGHT
    return UPRIGHT
