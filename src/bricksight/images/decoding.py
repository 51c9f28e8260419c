"""A file or its bytes to RGB pixels, whatever the format, or the reason why not."""

import contextlib
import re
import struct
import threading
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile

from bricksight.errors import ImageError
from bricksight.images import _colour, _formats, _orientation
from bricksight.images.given import Photo, Source, is_array, open_source, rgb_pixels

MAX_PIXELS = 178_956_970
"""Largest picture that is decoded, in pixels: where Pillow itself refuses, too.

A small file may claim to hold a picture that would fill the memory (a decompression bomb).
"""

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


def decode(source: Photo, *, min_size: int | None = None) -> np.ndarray:
    """Returns a picture as uint8, (height, width, 3), RGB; of a file read-only.

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
    """Returns what ``decode`` returns as Pillow's RGB image, which saves a copy."""
    if isinstance(source, Image.Image):
        return _upright_rgb(source)
    if is_array(source):
        return Image.fromarray(rgb_pixels(source))
    with _opened(source) as (_, picture):
        if min_size is not None:
            picture.draft(None, (min_size, min_size))
        picture.load()
        # After loading: Pillow has turned a TIFF by then, and dropped its orientation.
        orientation = _orientation.orientation_of(picture)
        return _orientation.turn_upright(_colour.to_rgb(picture), orientation)


def probe(source: Source) -> ImageProbe:
    """Returns format, size and kind of pixels from the header alone; the pixels are not read.

    Raises:
        ImageError: the header cannot be read, or names a picture that is too large.
    """
    with _opened(source) as (name, picture):
        width, height = _orientation.upright_size(picture)
        return ImageProbe(name, width, height, picture.mode)


def _upright_rgb(image: Image.Image) -> Image.Image:
    """Returns a Pillow image as that of a file; the caller's own is left as it is."""
    with _as_image_error(), _no_warnings():
        image.load()
        if not image.width or not image.height:
            raise ImageError(f"empty: a Pillow image of {image.width} x {image.height} pixels")
        return _orientation.turn_upright(_colour.to_rgb(image), _orientation.orientation_of(image))


@contextlib.contextmanager
def _opened(source: Any) -> Iterator[tuple[str, ImageFile]]:
    """Yields the format's name and the picture; what Pillow raises leaves as ``ImageError``."""
    with _as_image_error(), open_source(source) as file:
        head = file.read(_formats.HEAD_BYTES)
        file.seek(0)
        picture_format = _formats.find_format(head)
        with _no_warnings() if picture_format.may_warn(head) else contextlib.nullcontext():
            picture = picture_format.reader(file)
            _require_size(picture)
            yield picture_format.name, picture


@contextlib.contextmanager
def _as_image_error() -> Iterator[None]:
    """Turns what Pillow or the system raises in the block into ``ImageError``."""
    try:
        yield
    except ImageError:
        raise
    except _PILLOW_ERRORS as error:
        raise ImageError(_reason(error)) from error


@contextlib.contextmanager
def _no_warnings() -> Iterator[None]:
    """Silences Pillow's readers that warn about odd but harmless tags.

    The filters are the process's own, so this is held to the formats that need it, to Pillow's
    modules, and to one thread at a time.
    """
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


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read: {error.strerror}"
    if isinstance(error, Image.DecompressionBombError):
        return f"too large: {error}"
    if isinstance(error, MemoryError):
        return "too large: its pixels do not fit into the memory"
    text, cause = str(error), error.__cause__
    if _SAYS_TRUNCATED.search(text) or isinstance(cause, _END_OF_DATA):
        return "truncated: the file ends before the picture does"
    if isinstance(cause, KeyError):
        return f"unsupported or damaged: unknown kind of pixels ({text})"
    if "not identified" in text:  # Pillow's word for a width, height or pixel mode of zero
        return "truncated or damaged: the header names no picture size"
    return f"damaged: {text}"
