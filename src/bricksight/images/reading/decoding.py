"""A file or its bytes to RGB pixels, whatever the format, or the reason why not."""

import contextlib
import re
import struct
import threading
import warnings
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile

from bricksight.errors import ImageError
from bricksight.images.given import Photo, Source, is_array, open_source, rgb_pixels
from bricksight.images.reading import colour, formats, orientation, sixteen_bits
from bricksight.images.reading.budget import PixelBudget

MAX_PIXELS = 178_956_970
"""Largest picture that is decoded, in pixels: where Pillow itself refuses, too.

A small file may claim to hold a picture that would fill the memory (a decompression bomb).
"""

_BUDGET = PixelBudget(MAX_PIXELS)

# Pillow keeps large pictures in blocks of 16 MiB. The GNU C library keeps freed blocks of up to
# 32 MiB for the thread that had them, so that as many pictures stay in memory as there are threads.
Image.core.set_block_size(64 << 20)  # type: ignore[attr-defined]  # documented as such

# A JPEG is cut short in the transfer. Its decoder takes an end marker for the missing bytes and
# fills what is missing with zeros; after other bytes the same pixels come only of a whole picture.
_ENDS = (b"\xff\xd9", b"\xaa\x55" * 2048 + b"\xff\xd9")

# How the readers say that the file has ended; there is no class of error for it alone.
_SAYS_TRUNCATED = re.compile(r"truncat|EOF|incomplete|chunk b'\w{0,3}'", re.IGNORECASE)
_END_OF_DATA = (EOFError, IndexError, struct.error)

# What Pillow's readers raise on damaged files; SyntaxError and RuntimeError are theirs, not ours.
_PILLOW_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    RuntimeError,
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
    MemoryError,
    struct.error,
    Image.DecompressionBombError,
)

_WARNING_LOCK = threading.Lock()


class _TruncatedError(ImageError):
    """The file ends before the picture does."""


class ImageProbe(NamedTuple):
    """What the header of a picture says.

    Attributes:
        format: "JPEG", "PNG", ... from the content, not from the file's name.
        width: in pixels, as a viewer shows the picture (EXIF rotation applied).
        height: in pixels, likewise.
        mode: Pillow's name for the kind of pixels in the file, such as "RGB", "L" or "CMYK".
    """

    format: str
    width: int
    height: int
    mode: str


class Decoded(NamedTuple):
    """A decoded picture and what the file says of it.

    Attributes:
        image: RGB, upright; of a JPEG perhaps reduced.
        format: as in ``ImageProbe``.
        width: in pixels, before any reduction.
        height: in pixels, likewise.
        bits: 8; of a file that does not say how many of its 16 bits a channel count, 12 or 16.
    """

    image: Image.Image
    format: str
    width: int
    height: int
    bits: int


def decode(source: Photo, *, min_size: int | None = None) -> np.ndarray:
    """Return a picture as uint8, (height, width, 3), RGB; of a file read-only.

    The EXIF rotation is applied, transparent parts are composited on white, and of an animation or
    a document of several pages the first is taken. Colour profiles (ICC) are ignored.

    Args:
        source: a file (its path, its bytes, or the file opened for reading bytes), a Pillow image,
            or an array of pixels as ``rgb_pixels`` takes it.
        min_size: a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size, which is several times
            faster, as long as its shorter side keeps this many pixels.

    Raises:
        ImageError: the file is missing, empty, truncated, damaged, too large, no picture, or of an
            unsupported kind; the message is the reason.
    """
    return np.asarray(decode_image(source, min_size=min_size))


def decode_image(source: Photo, *, min_size: int | None = None) -> Image.Image:
    """Return what ``decode`` returns as Pillow's RGB image, which saves a copy."""
    if isinstance(source, Image.Image):
        return _upright_rgb(source)
    if is_array(source):
        return Image.fromarray(rgb_pixels(source))
    return read(source, min_size=min_size).image


def read(source: Any, *, min_size: int | None = None) -> Decoded:
    """Return what ``decode_image`` returns with what the file says of it.

    A JPEG that lacks no more than its end marker is read, as viewers do.

    Raises:
        ImageError: see ``decode``.
    """
    with holding_pixels():
        try:
            return _read(source, min_size)
        except _TruncatedError:
            whole = _read_without_end(source, min_size)
            if whole is None:
                raise
            return whole


def holding_pixels() -> contextlib.AbstractContextManager[None]:
    """Count pictures that the thread decodes in the block as in memory until the block ends.

    All threads together hold no more pixels than the largest picture has; who comes too late waits.
    Decoding alone counts by itself; this is for who works on the pixels before they are dropped.
    """
    return _BUDGET.hold()


def probe(source: Source) -> ImageProbe:
    """Return format, size and kind of pixels from the header alone; the pixels are not read.

    Raises:
        ImageError: the header cannot be read, or names a picture that is too large.
    """
    with _opened(source) as opened:
        picture = opened.picture
        stored, seen = orientation.stored_size(picture), orientation.orientation_of(picture)
        width, height = orientation.upright_size(stored, seen)
        return ImageProbe(opened.format.name, width, height, picture.mode)


def read_exif(source: Source) -> Image.Exif:
    """Return the EXIF data of a JPEG, PNG, WebP or HEIC file, empty if there are none.

    Raises:
        ImageError: the header cannot be read; see ``probe``. Of damaged EXIF data Pillow raises
            whatever it meets while it looks for a tag.
    """
    exif = Image.Exif()
    with _opened(source) as opened, _no_warnings(may_warn=True):
        exif.load(orientation.exif_of(opened.picture))
    return exif


def _upright_rgb(image: Image.Image) -> Image.Image:
    """Return a Pillow image as that of a file; the caller's own is left as it is."""
    with _as_image_error(), _no_warnings(may_warn=True):
        is_turned = orientation.is_turned_by_pillow(image)
        image.load()
        if not image.width or not image.height:
            raise ImageError(f"empty: a Pillow image of {image.width} x {image.height} pixels")
        left = orientation.UPRIGHT if is_turned else orientation.orientation_of(image)
        return orientation.turn_upright(colour.to_rgb(image), left)


class _Opened(NamedTuple):
    format: formats.Format
    picture: ImageFile
    file: BinaryIO
    may_warn: bool


def _read(source: Any, min_size: int | None) -> Decoded:
    with _opened(source) as opened:
        picture = opened.picture
        stored, seen = orientation.stored_size(picture), orientation.orientation_of(picture)
        is_turned = orientation.is_turned_by_pillow(picture)
        if min_size is not None and opened.format.name == "JPEG":
            picture.draft(None, (min_size, min_size))
        _BUDGET.take(picture.width * picture.height)
        low_bytes = sixteen_bits.low_byte_tiles(picture)
        with _no_warnings(may_warn=opened.may_warn):
            picture.load()
            bits = colour.used_bits(picture)
            rgb: Image.Image = picture
            if low_bytes is not None:
                bits, rgb = _from_16_bits(opened, low_bytes)
            if not is_turned:
                # Anew: a PNG may name it after the pixels, and from a TIFF Pillow has dropped it.
                seen = max(seen, orientation.orientation_of(picture))
            left = orientation.UPRIGHT if is_turned else seen
            image = orientation.turn_upright(colour.to_rgb(rgb), left)
        if image is not picture:
            picture.close()  # its pixels would else wait for the collector of circular references
        width, height = orientation.upright_size(stored, seen)
        return Decoded(image, opened.format.name, width, height, bits)


def _read_without_end(source: Any, min_size: int | None) -> Decoded | None:
    """Return a JPEG that lacks its end marker alone; ``None`` if more is missing."""
    with _as_image_error(), open_source(source) as file:
        content = file.read()
    if not content.startswith(formats.JPEG_START):
        return None
    first, other = (_read(content.rstrip(b"\xff") + end, min_size) for end in _ENDS)
    return first if first.image.tobytes() == other.image.tobytes() else None


def _from_16_bits(opened: _Opened, low_bytes: list[Any]) -> tuple[int, Image.Image]:
    """Return how many bits a loaded colour picture of 16 bits a channel uses, and the picture."""
    if not sixteen_bits.may_be_12_bit(opened.picture):
        return sixteen_bits.SIXTEEN_BITS, opened.picture
    opened.file.seek(0)
    _BUDGET.take(opened.picture.width * opened.picture.height)
    lower = opened.format.reader(opened.file)
    lower.tile = low_bytes
    lower.load()
    return sixteen_bits.TWELVE_BITS, sixteen_bits.joined(opened.picture, lower)


@contextlib.contextmanager
def _opened(source: Any) -> Iterator[_Opened]:
    """Yield the picture, its pixels not yet read; what Pillow raises leaves as ``ImageError``."""
    with _as_image_error(), open_source(source) as file:
        head = file.read(formats.HEAD_BYTES)
        file.seek(0)
        picture_format = formats.find_format(head)
        may_warn = picture_format.may_warn(head)
        with _no_warnings(may_warn=may_warn):
            picture = picture_format.reader(file)
        _require_size(picture)
        yield _Opened(picture_format, picture, file, may_warn)


@contextlib.contextmanager
def _as_image_error() -> Iterator[None]:
    """Turn what Pillow or the system raises in the block into ``ImageError``."""
    try:
        yield
    except ImageError:
        raise
    except _PILLOW_ERRORS as error:
        raise _error_of(error) from error


@contextlib.contextmanager
def _no_warnings(*, may_warn: bool) -> Iterator[None]:
    """Silence Pillow's readers that warn about odd but harmless tags.

    The filters are the process's own, so this is held to the formats that need it, to Pillow's
    modules, and to one thread at a time. Nobody waits for room in the memory in such a block.
    """
    if not may_warn:
        yield
        return
    with _WARNING_LOCK, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def _require_size(picture: ImageFile) -> None:
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"too large: {width} x {height} is {width * height:,} pixels, "
            f"more than the limit of {MAX_PIXELS:,}"
        )


def _error_of(error: Exception) -> ImageError:
    if isinstance(error, OSError) and error.strerror:
        return ImageError(f"cannot be read: {error.strerror}")
    if isinstance(error, Image.DecompressionBombError):
        return ImageError(f"too large: {error}")
    if isinstance(error, MemoryError):
        return ImageError("too large: its pixels do not fit into the memory")
    text, cause = str(error), error.__cause__
    if _SAYS_TRUNCATED.search(text) or isinstance(cause, _END_OF_DATA):
        return _TruncatedError("truncated: the file ends before the picture does")
    if isinstance(cause, KeyError):
        return ImageError(f"unsupported or damaged: unknown kind of pixels ({text})")
    if "not identified" in text:  # Pillow's word for a width, height or pixel mode of zero
        return ImageError("truncated or damaged: the header names no picture size")
    return ImageError(f"damaged: {text}")
