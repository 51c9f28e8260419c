"""Decode an image file of any supported format to RGB pixels."""

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
from bricksight.images.inputs import Photo, Source, is_array, open_source, rgb_pixels
from bricksight.images.reading import colour, formats, orientation, sixteen_bits
from bricksight.images.reading.budget import PixelBudget

MAX_PIXELS = 178_956_970
"""Size of the largest image that is decoded, in pixels; the same limit as Pillow's.

It protects against decompression bombs: small files that decode to gigabytes.
"""

_BUDGET = PixelBudget(MAX_PIXELS)

# Pillow stores large images in blocks of 16 MiB. The GNU C library does not return freed blocks of
# up to 32 MiB to the system, so each thread would keep the memory of one image. Larger blocks are
# returned.
Image.core.set_block_size(64 << 20)  # type: ignore[attr-defined]  # documented as such

# End markers for a truncated JPEG. The decoder fills missing data with zeros after the first. If
# the second, with arbitrary bytes before it, gives the same pixels, no image data was missing.
_ENDS = (b"\xff\xd9", b"\xaa\x55" * 2048 + b"\xff\xd9")

# Pillow has no exception class for truncated files, so its messages are searched.
_SAYS_TRUNCATED = re.compile(r"truncat|EOF|incomplete|chunk b'\w{0,3}'", re.IGNORECASE)
_END_OF_DATA = (EOFError, IndexError, struct.error)

# Exceptions that Pillow's readers raise for damaged files, SyntaxError and RuntimeError included.
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
    """The file ends before all pixels were read."""


class ImageProbe(NamedTuple):
    """Format, size and mode from the header of an image file.

    Attributes:
        format: "JPEG", "PNG" and so on, detected from the content, not from the file name.
        width: In pixels, EXIF rotation applied.
        height: In pixels, EXIF rotation applied.
        mode: Pillow's mode of the stored pixels, such as "RGB", "L" or "CMYK".
    """

    format: str
    width: int
    height: int
    mode: str


class Decoded(NamedTuple):
    """A decoded image with format and size of the file.

    Attributes:
        image: RGB, EXIF rotation applied; a JPEG may be decoded at a reduced scale.
        format: As in ``ImageProbe``.
        width: Of the file, in pixels, before any reduction.
        height: Of the file, in pixels, before any reduction.
        bits: Used bits per channel: 12 or 16 (inferred from the values) of a 16-bit file that does
            not declare them, else 8.
    """

    image: Image.Image
    format: str
    width: int
    height: int
    bits: int


def decode(source: Photo, *, min_size: int | None = None) -> np.ndarray:
    """Decode an image to uint8, (height, width, 3), RGB; the array may be read-only.

    The EXIF rotation is applied and transparent areas become white. Of an animation or a document
    with several pages, the first frame or page is decoded. Colour profiles (ICC) are ignored.

    Args:
        source: An image file (path, bytes, or file opened with mode ``"rb"``), a Pillow image, or
            an array of pixels as ``rgb_pixels`` accepts it.
        min_size: Allows a JPEG to be decoded at 1/2, 1/4 or 1/8 of its size, which is several
            times faster, as long as its shorter side keeps at least this many pixels.

    Raises:
        ImageError: The file is missing, empty, truncated, damaged, too large, not an image, or of
            an unsupported format. The message gives the reason.
    """
    return np.asarray(decode_image(source, min_size=min_size))


def decode_image(source: Photo, *, min_size: int | None = None) -> Image.Image:
    """Decode an image to a Pillow image in mode RGB; saves one copy compared with ``decode``."""
    if isinstance(source, Image.Image):
        return _upright_rgb(source)
    if is_array(source):
        return Image.fromarray(rgb_pixels(source))
    return read(source, min_size=min_size).image


def read(source: Any, *, min_size: int | None = None) -> Decoded:
    """Decode an image file and return it with format and size of the file.

    A JPEG of which only the end marker is missing is accepted, as image viewers do.

    Raises:
        ImageError: See ``decode``.
    """
    with reserve_memory():
        try:
            return _read(source, min_size)
        except _TruncatedError:
            whole = _read_without_end(source, min_size)
            if whole is None:
                raise
            return whole


def reserve_memory() -> contextlib.AbstractContextManager[None]:
    """Count the images that this thread decodes in the block as in memory until the block ends.

    All threads together hold at most ``MAX_PIXELS`` decoded pixels; a thread that would exceed the
    limit waits. ``decode`` counts its image only while it runs, so use this around code that keeps
    working on the pixels.
    """
    return _BUDGET.hold()


def probe(source: Source) -> ImageProbe:
    """Read format, size and pixel mode from an image's header, without decoding the pixels.

    Raises:
        ImageError: The header cannot be read, or the image is too large.
    """
    with _opened(source) as opened:
        picture = opened.picture
        stored, seen = orientation.stored_size(picture), orientation.orientation_of(picture)
        width, height = orientation.upright_size(stored, seen)
        return ImageProbe(opened.format.name, width, height, picture.mode)


def read_exif(source: Source) -> Image.Exif:
    """Read the EXIF data of a JPEG, PNG, WebP or HEIC file; empty if there are none.

    Raises:
        ImageError: The header cannot be read; see ``probe``.
        Exception: Of any kind, raised by Pillow when a tag of damaged EXIF data is looked up.
    """
    exif = Image.Exif()
    with _opened(source) as opened, _no_warnings(may_warn=True):
        exif.load(orientation.exif_of(opened.picture))
    return exif


def _upright_rgb(image: Image.Image) -> Image.Image:
    """Convert a Pillow image to RGB, EXIF rotation applied; the caller's image is not changed."""
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
                # Read again: a PNG may store the orientation after the pixels. The earlier value
                # is kept because Pillow drops the tag of a TIFF while loading.
                seen = max(seen, orientation.orientation_of(picture))
            left = orientation.UPRIGHT if is_turned else seen
            image = orientation.turn_upright(colour.to_rgb(rgb), left)
        if image is not picture:
            picture.close()  # frees the pixels now, not at the next garbage collection
        width, height = orientation.upright_size(stored, seen)
        return Decoded(image, opened.format.name, width, height, bits)


def _read_without_end(source: Any, min_size: int | None) -> Decoded | None:
    """Decode a JPEG of which only the end marker is missing; ``None`` if more is missing."""
    with _as_image_error(), open_source(source) as file:
        content = file.read()
    if not content.startswith(formats.JPEG_START):
        return None
    first, other = (_read(content.rstrip(b"\xff") + end, min_size) for end in _ENDS)
    return first if first.image.tobytes() == other.image.tobytes() else None


def _from_16_bits(opened: _Opened, low_bytes: list[Any]) -> tuple[int, Image.Image]:
    """Return the used bits, 12 or 16, of a loaded 16-bit colour image, and its 8-bit image."""
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
    """Open an image without decoding its pixels; errors of Pillow become ``ImageError``."""
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
    """Convert errors of Pillow or the system in the block to ``ImageError``."""
    try:
        yield
    except ImageError:
        raise
    except _PILLOW_ERRORS as error:
        raise _error_of(error) from error


@contextlib.contextmanager
def _no_warnings(*, may_warn: bool) -> Iterator[None]:
    """Suppress Pillow's warnings about unusual but harmless tags.

    Warning filters apply to the whole process. So this is limited to formats whose readers warn,
    to Pillow's modules, and to one thread at a time. A thread must not wait for memory inside the
    block: it would block all others.
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
            f"too large: {width} x {height} is {width * height:,} pixels; "
            f"the limit is {MAX_PIXELS:,}. Save it at a smaller size"
        )


def _error_of(error: Exception) -> ImageError:
    if isinstance(error, OSError) and error.strerror:
        return ImageError(f"cannot be read: {error.strerror}")
    if isinstance(error, Image.DecompressionBombError):
        return ImageError(f"too large: {error}")
    if isinstance(error, MemoryError):
        return ImageError("too large: there is not enough memory for its pixels")
    text, cause = str(error), error.__cause__
    if _SAYS_TRUNCATED.search(text) or isinstance(cause, _END_OF_DATA):
        return _TruncatedError("truncated: the file ends before the image is complete")
    if isinstance(cause, KeyError):
        return ImageError(f"unsupported or damaged: unknown pixel format ({text})")
    if "not identified" in text:  # Pillow's message for a width, height or pixel mode of zero
        return ImageError("truncated or damaged: the header gives no image size")
    return ImageError(f"damaged: {text}")
