"""What callers may give as a photo: a file, its bytes, an open file, a Pillow image, an array."""

import io
import os
import stat
from pathlib import Path
from typing import IO, Any, BinaryIO, Protocol

import numpy as np
from PIL import Image

from bricksight.errors import ImageError
from bricksight.images.reading.colour import to_rgb


class HasArray(Protocol):
    """What NumPy can take as an array, such as a tensor of TensorFlow or PyTorch."""

    def __array__(self) -> np.ndarray:
        """Return the array."""


Source = str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes]
"""A file: its path, its bytes, or the file opened for reading bytes."""

Photo = Source | Image.Image | np.ndarray | HasArray
"""A file, a Pillow image, or the pixels of a photo; see ``rgb_pixels`` for these."""

_WHITE = 255
_MAX_CHANNELS = 4

_SOURCES = "a path, the bytes of a file, a file opened for reading bytes"
_DTYPES = "expected uint8 from 0 to 255, floating point from 0 to 1, or bool"
_SHAPES = (
    "expected (height, width) or (height, width, channels), with 1, 3 or 4 channels: grey, RGB or "
    "RGB and alpha"
)


def open_source(source: Source) -> BinaryIO:
    """Return the file, opened for reading; an open file of the caller's stays open.

    Raises:
        ImageError: it is no file.
        OSError: it cannot be opened or read.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return io.BytesIO(source)
    if isinstance(source, str | os.PathLike):
        if not os.fspath(source):
            raise ImageError("not a photo: the path is empty")
        return _open(Path(source))
    if hasattr(source, "read"):
        return io.BytesIO(_content(source))
    raise ImageError(
        f"not a photo: {_kind_of(source)}; expected {_SOURCES}, a Pillow image or a NumPy array"
    )


def _open(path: Path) -> BinaryIO:
    """Open a file; a pipe would be waited for without end, and a device never ends.

    Raises:
        ImageError: it is a pipe, a socket or a device.
        OSError: it cannot be opened.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # opening a folder tells that it is one
        raise ImageError("not a file: it is a pipe, a socket or a device")
    return path.open("rb")


def is_array(photo: object) -> bool:
    """Return whether ``photo`` is an array, or something that NumPy takes as one."""
    return isinstance(photo, np.ndarray) or (
        hasattr(photo, "__array__") and not isinstance(photo, str | bytes)
    )


def rgb_pixels(photo: Any) -> np.ndarray:
    """Return the pixels of one photo as uint8 (height, width, 3), RGB.

    Args:
        photo: an array of uint8, of floating point in [0, 1], or of bool, where true is white. Its
            shape is (height, width), or (height, width, channels) with grey, grey and alpha, RGB,
            or RGB and alpha; a batch of one is taken too. Alpha is composited on white.

    Raises:
        ImageError: it is empty, or of another type, range or shape.
    """
    if _is_rgb(photo):
        pixels: np.ndarray = photo
        return pixels
    pixels = np.ascontiguousarray(_to_uint8(_one_photo(_as_array(photo))))
    if _is_rgb(pixels):
        return pixels
    grey = pixels.ndim == 2 or pixels.shape[2] == 1
    return np.asarray(to_rgb(Image.fromarray(pixels.reshape(pixels.shape[:2]) if grey else pixels)))


def _is_rgb(photo: Any) -> bool:
    return (
        isinstance(photo, np.ndarray)
        and photo.dtype == np.uint8
        and photo.ndim == 3
        and photo.shape[2] == 3
        and photo.size > 0
    )


def _content(file: Any) -> bytes:
    """Return all bytes of an open file, whatever its position."""
    if isinstance(file, io.TextIOBase):
        raise ImageError("not a photo: a file opened as text; open it with mode 'rb'")
    if hasattr(file, "seekable") and file.seekable():
        file.seek(0)
    content = file.read()
    if not isinstance(content, bytes):
        raise ImageError(f"not a photo: a file that gives {_kind_of(content)}, not bytes")
    return content


def _as_array(photo: Any) -> np.ndarray:
    try:
        return np.asarray(photo)
    except (TypeError, ValueError, RuntimeError) as error:  # such as of a tensor on a GPU
        raise ImageError(f"not a photo: NumPy cannot read {_kind_of(photo)} ({error})") from error


def _one_photo(array: np.ndarray) -> np.ndarray:
    """Return the array without the dimension of a batch of one.

    Raises:
        ImageError: it is empty, holds several photos, or has not the shape of one.
    """
    if not array.size:
        raise ImageError(f"empty: an array of shape {array.shape} holds no pixels; {_SHAPES}")
    if array.ndim == 4 and len(array) > 1:
        raise ImageError(
            f"{len(array)} photos in one array of shape {array.shape}; expected one photo. "
            "Classify a batch with predict_many"
        )
    pixels = array[0] if array.ndim == 4 else array
    if pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] <= _MAX_CHANNELS):
        return pixels
    hint = ""
    if pixels.ndim == 3 and pixels.shape[0] <= _MAX_CHANNELS:
        hint = ". Its channels are first; move them with numpy.moveaxis(photo, 0, -1)"
    raise ImageError(f"not a photo: an array of shape {array.shape}; {_SHAPES}{hint}")


def _to_uint8(pixels: np.ndarray) -> np.ndarray:
    """Return 8-bit values.

    Raises:
        ImageError: no rule says what value is white, or the values are out of range.
    """
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == bool:
        return pixels * np.uint8(_WHITE)
    if not np.issubdtype(pixels.dtype, np.floating):
        raise ImageError(
            f"not a photo: an array of {pixels.dtype}; {_DTYPES}. Convert it, such as by "
            'photo.astype("uint8") if its values are from 0 to 255'
        )
    scaled = np.rint(pixels * np.float32(_WHITE))  # a resize may leave 1.0000001
    if not np.all((scaled >= 0) & (scaled <= _WHITE)):
        raise ImageError(
            f"not a photo: an array of {pixels.dtype} with values {_range_of(pixels)}; {_DTYPES}. "
            "Divide values from 0 to 255 by 255"
        )
    return scaled.astype(np.uint8)


def _range_of(pixels: np.ndarray) -> str:
    if not np.isfinite(pixels).all():
        return "that are not finite (NaN or infinity)"
    return f"from {pixels.min():g} to {pixels.max():g}"


def _kind_of(value: object) -> str:
    return "None" if value is None else f"an object of type {type(value).__name__}"
