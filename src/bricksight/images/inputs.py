"""Accepted types of input image: path, bytes, open file, Pillow image, array."""

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
    """An object that NumPy can convert to an array, such as a TensorFlow or PyTorch tensor."""

    def __array__(self) -> np.ndarray:
        """Return the object as an array."""


Source = str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes]
"""An image file: its path, its content as bytes, or a file opened in mode ``"rb"``."""

Photo = Source | Image.Image | np.ndarray | HasArray
"""An image file, a Pillow image, or an array of pixels as ``rgb_pixels`` accepts it."""

_WHITE = 255
_MAX_CHANNELS = 4

_SOURCES = "a path, the bytes of a file, a file opened with mode 'rb'"
_DTYPES = "expected uint8 from 0 to 255, floating point from 0 to 1, or bool"
_SHAPES = (
    "expected (height, width) or (height, width, channels) with 1 channel (grey), 3 (RGB) or "
    "4 (RGBA)"
)


def open_source(source: Source) -> BinaryIO:
    """Open an image file for reading; a file that the caller opened stays open.

    Raises:
        ImageError: ``source`` is not a file, or its path is empty.
        OSError: The file cannot be opened or read.
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
    """Open a regular file.

    Pipes and devices are refused, because reading from them may never end.

    Raises:
        ImageError: The path is a pipe, a socket or a device.
        OSError: The file cannot be opened.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # open() itself reports a folder
        raise ImageError("not a file: it is a pipe, a socket or a device")
    return path.open("rb")


def is_array(photo: object) -> bool:
    """Return whether ``photo`` is an array or can be converted to one by NumPy."""
    return isinstance(photo, np.ndarray) or (
        hasattr(photo, "__array__") and not isinstance(photo, str | bytes)
    )


def rgb_pixels(photo: Any) -> np.ndarray:
    """Convert an array of pixels to uint8 (height, width, 3), RGB.

    Args:
        photo: uint8, floating point in [0, 1], or bool (true is white). The shape is
            (height, width) or (height, width, channels) with 1 to 4 channels: grey, grey and
            alpha, RGB, RGBA. A batch of one image is accepted too. Transparent pixels become
            white.

    Raises:
        ImageError: The array is empty, or has another dtype, value range or shape.
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
    """Return all bytes of an open file, from its start if it can seek."""
    if isinstance(file, io.TextIOBase):
        raise ImageError("not a photo: a file opened as text. Open it with mode 'rb'")
    if hasattr(file, "seekable") and file.seekable():
        file.seek(0)
    content = file.read()
    if not isinstance(content, bytes):
        raise ImageError(
            f"not a photo: read() of the open file returned {_kind_of(content)}; expected bytes"
        )
    return content


def _as_array(photo: Any) -> np.ndarray:
    try:
        return np.asarray(photo)
    except (TypeError, ValueError, RuntimeError) as error:  # for example a tensor on a GPU
        raise ImageError(
            f"not a photo: NumPy cannot convert {_kind_of(photo)} to an array ({error})"
        ) from error


def _one_photo(array: np.ndarray) -> np.ndarray:
    """Return one image as an array; the batch dimension of a batch of one is removed.

    Raises:
        ImageError: The array is empty, holds several images, or has a wrong shape.
    """
    if not array.size:
        raise ImageError(f"empty: an array of shape {array.shape} has no pixels; {_SHAPES}")
    if array.ndim == 4 and len(array) > 1:
        raise ImageError(
            f"an array of shape {array.shape} holds {len(array)} photos; expected one photo. "
            "Classify a batch with predict_batch"
        )
    pixels = array[0] if array.ndim == 4 else array
    if pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] <= _MAX_CHANNELS):
        return pixels
    hint = ""
    if pixels.ndim == 3 and pixels.shape[0] <= _MAX_CHANNELS:
        hint = ". If its channels come first, move them with numpy.moveaxis(photo, 0, -1)"
    raise ImageError(f"not a photo: an array of shape {array.shape}; {_SHAPES}{hint}")


def _to_uint8(pixels: np.ndarray) -> np.ndarray:
    """Convert pixel values to uint8, 0 to 255.

    Raises:
        ImageError: The dtype is not supported, or the values are out of range.
    """
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == bool:
        return pixels * np.uint8(_WHITE)
    if not np.issubdtype(pixels.dtype, np.floating):
        raise ImageError(
            f"not a photo: an array of {pixels.dtype}; {_DTYPES}. If its values are from 0 to "
            '255, convert it with photo.astype("uint8")'
        )
    scaled = np.rint(pixels * np.float32(_WHITE))  # rounded: resizing may give 1.0000001
    if not np.all((scaled >= 0) & (scaled <= _WHITE)):
        raise ImageError(
            f"not a photo: an array of {pixels.dtype} with values {_range_of(pixels)}; {_DTYPES}. "
            "If its values are from 0 to 255, divide them by 255"
        )
    return scaled.astype(np.uint8)


def _range_of(pixels: np.ndarray) -> str:
    if not np.isfinite(pixels).all():
        return "that are not finite (NaN or infinity)"
    return f"from {pixels.min():g} to {pixels.max():g}"


def _kind_of(value: object) -> str:
    return "None" if value is None else f"an object of type {type(value).__name__}"
