"""EXIF orientation: read it and rotate the image upright.

An EXIF block is a TIFF header and a table of 12-byte entries (EXIF 2.3, section 4.6.2), so the
orientation is read directly. Pillow would parse all entries and warn about every damaged one.
Damaged entries are common in edited photos.
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

# The standard type is SHORT; some programs write another integer type, or the digit as text.
_ASCII = 2
_INTEGER_TYPES = MappingProxyType({1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i"})

# ImageMagick stores the EXIF of a PNG in these text chunks: name, size, hexadecimal digits.
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
    """Return the EXIF orientation of an opened image, 1 to 8; 1 (upright) if there is none."""
    tags: Mapping[int, Any] | None = getattr(picture, "tag_v2", None)
    if tags is None:
        found = _find_in_exif(exif_of(picture))
    else:
        found = _as_number(tags.get(ORIENTATION_TAG, UPRIGHT))
    return found if found in _TRANSPOSE else UPRIGHT


def is_turned_by_pillow(picture: Image.Image) -> bool:
    """Return whether Pillow rotates this opened image upright while it decodes the pixels.

    It does so for a TIFF whose orientation tag is an integer. It removes the tag of any TIFF.
    """
    tags: Mapping[int, Any] = getattr(picture, "tag_v2", {})
    return isinstance(tags.get(ORIENTATION_TAG), int)


def stored_size(picture: ImageFile) -> tuple[int, int]:
    """Return (width, height) of an opened image as stored, before any rotation."""
    tags = getattr(picture, "tag_v2", {})  # newer Pillow reports the rotated size of a TIFF
    return tags.get(_WIDTH_TAG, picture.width), tags.get(_HEIGHT_TAG, picture.height)


def upright_size(stored: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Return (width, height) of an image after its EXIF rotation."""
    width, height = stored
    return (height, width) if orientation >= _FIRST_ON_ITS_SIDE else (width, height)


def turn_upright(image: Image.Image, orientation: int) -> Image.Image:
    """Rotate or mirror an image by its EXIF orientation."""
    if orientation == UPRIGHT:
        return image
    return image.transpose(_TRANSPOSE[orientation])


def exif_of(picture: Image.Image) -> bytes:
    """Return the raw EXIF bytes of an opened image; empty if there are none."""
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
    except struct.error:  # the block is truncated
        return UPRIGHT
    return UPRIGHT


def _as_number(value: Any) -> int:
    """Convert a tag's value (an integer, digits as text, bytes, a tuple) to an integer."""
    if isinstance(value, tuple) and value:
        value = value[0]
    if isinstance(value, bytes):
        is_digit = value[:1].isdigit()
        value = value.rstrip(b"\0 ").decode("latin-1") if is_digit else value[0] if value else 0
    if isinstance(value, str):
        text = value.strip("\0 ")
        return int(text) if text.isascii() and text.isdigit() else UPRIGHT
    return value if isinstance(value, int) else UPRIGHT
