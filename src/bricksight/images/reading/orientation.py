"""How a camera was held: the EXIF orientation, and turning a picture upright.

Pillow reads all of EXIF to find this one number and warns about every damaged record on the way;
damaged records are common in photos that passed through an editor. An EXIF block is a TIFF header
followed by a table of 12-byte entries (EXIF 2.3, section 4.6.2), so the number is read directly.
"""

import contextlib
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
_EXIF_MARK = b"Exif\0\0"

# EXIF asks for SHORT; some programs write another integer type, or the digit as text.
_ASCII = 2
_INTEGER_TYPES = MappingProxyType({1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i"})

# Where ImageMagick keeps the EXIF of a PNG: a name, a size and hexadecimal digits, in lines.
_RAW_PROFILES = ("Raw profile type exif", "Raw profile type APP1")

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
    """Return the EXIF orientation of an opened picture, 1 to 8; 1 (upright) if it names none."""
    tags: Mapping[int, Any] | None = getattr(picture, "tag_v2", None)
    if tags is None:
        found = _find_in_exif(exif_of(picture))
    else:
        found = _as_number(tags.get(ORIENTATION_TAG, UPRIGHT))
    return found if found in _TRANSPOSE else UPRIGHT


def is_turned_by_pillow(picture: Image.Image) -> bool:
    """Return whether Pillow turns this opened picture upright while it reads the pixels.

    It does so with a TIFF, as long as the tag is a number, and then drops the tag in any case.
    """
    tags: Mapping[int, Any] = getattr(picture, "tag_v2", {})
    return isinstance(tags.get(ORIENTATION_TAG), int)


def stored_size(picture: ImageFile) -> tuple[int, int]:
    """Return (width, height) of an opened, not yet loaded picture as its pixels are stored."""
    tags = getattr(picture, "tag_v2", {})  # newer Pillow gives a TIFF's size as if turned already
    return tags.get(_WIDTH_TAG, picture.width), tags.get(_HEIGHT_TAG, picture.height)


def upright_size(stored: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Return (width, height) of a picture once it is upright."""
    width, height = stored
    return (height, width) if orientation >= _FIRST_ON_ITS_SIDE else (width, height)


def turn_upright(image: Image.Image, orientation: int) -> Image.Image:
    """Return the picture as it is meant to be seen."""
    if orientation == UPRIGHT:
        return image
    return image.transpose(_TRANSPOSE[orientation])


def exif_of(picture: Image.Image) -> bytes:
    """Return the block of EXIF data of an opened picture, empty if there is none."""
    exif = picture.info.get("exif")
    if isinstance(exif, bytes):
        return exif
    for name in _RAW_PROFILES:
        lines = str(picture.info.get(name, "")).split("\n")
        with contextlib.suppress(ValueError):
            if exif := bytes.fromhex("".join(lines[3:])):
                return exif
    return b""


def _find_in_exif(exif: bytes) -> int:
    block = exif.removeprefix(_EXIF_MARK).removeprefix(_EXIF_MARK)
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        return UPRIGHT
    try:
        (table,) = struct.unpack_from(order + "I", block, 4)
        (num_entries,) = struct.unpack_from(order + "H", block, table)
        for start in range(table + 2, table + 2 + 12 * num_entries, 12):
            tag, kind = struct.unpack_from(order + "HH", block, start)
            if tag != ORIENTATION_TAG:
                continue
            if kind in _INTEGER_TYPES:
                return int(struct.unpack_from(order + _INTEGER_TYPES[kind], block, start + 8)[0])
            if kind == _ASCII:
                return _as_number(block[start + 8 : start + 12])
    except struct.error:  # the block ends early: no orientation to be found
        return UPRIGHT
    return UPRIGHT


def _as_number(value: Any) -> int:
    """Return a tag's value as a number: also the text "6", and what Pillow gives for bytes."""
    if isinstance(value, tuple) and value:
        value = value[0]
    if isinstance(value, bytes):
        is_digit = value[:1].isdigit()
        value = value.rstrip(b"\0 ").decode("latin-1") if is_digit else value[0] if value else 0
    if isinstance(value, str):
        text = value.strip("\0 ")
        return int(text) if text.isascii() and text.isdigit() else UPRIGHT
    return value if isinstance(value, int) else UPRIGHT
