"""A photo to what a network takes: the one path of training, features and prediction."""

import numpy as np
from PIL import Image

from bricksight.config import InputSpec
from bricksight.images.given import Photo, rgb_pixels
from bricksight.images.reading.decoding import decode_image, holding_pixels

LETTERBOX_GREY = 128
"""What fills the rest of a letterboxed input, 0 to 255."""

# Pillow averages whole blocks of pixels first and leaves at least this factor to the filter;
# it calls the result of 3 indistinguishable from none.
_REDUCING_GAP = 3.0

# A JPEG decoded at a reduced scale keeps at least this many times the network's size.
_DECODING_MARGIN = 2

_WHITE = 255

_SMALLEST_SIDE = 8

Box = tuple[float, float, float, float]


def load_input(photo: Photo, spec: InputSpec) -> np.ndarray:
    """Return the network's input for a photo: float32, (height, width, 3), RGB in [0, 1].

    Of a file the same as ``to_input(decode(file, min_size=decoding_size(spec)), spec)``, with a
    copy less.

    Raises:
        ImageError: the photo cannot be read, see ``decode``, or is none, see ``rgb_pixels``.
    """
    with holding_pixels():
        return scale_to_unit(_fit(decode_image(photo, min_size=decoding_size(spec)), spec))


def decoding_size(spec: InputSpec) -> int:
    """Return the ``min_size`` of ``decode`` that loses nothing visible at the network's size."""
    return _DECODING_MARGIN * max(spec.height, spec.width)


def to_input(image: np.ndarray, spec: InputSpec) -> np.ndarray:
    """Return ``to_pixels(image, spec) / 255``: float32, (height, width, 3), RGB in [0, 1]."""
    return scale_to_unit(to_pixels(image, spec))


def to_pixels(image: np.ndarray, spec: InputSpec) -> np.ndarray:
    """Return the whole photo at the network's size: uint8, (height, width, 3), RGB.

    Bilinear with antialiasing: a triangle filter as wide as the reduction, so that no pixel of the
    photo is passed over. "stretch" fills the size whatever the proportions; "letterbox" keeps the
    proportions, centres the photo and fills the rest with grey.

    Args:
        image: uint8, (height, width, 3), RGB, or another array that ``rgb_pixels`` takes.
        spec: the network's size.

    Raises:
        ImageError: it is no photo.
    """
    return _fit(Image.fromarray(rgb_pixels(image)), spec)


def shrink(image: np.ndarray, scale: float) -> np.ndarray:
    """Return the photo at ``scale`` of its size, 8 pixels at least; itself from 1 on.

    Args:
        image: uint8, (height, width, 3), RGB.
        scale: of its height and of its width, over 0.
    """
    if scale >= 1:
        return image
    height, width = (max(_SMALLEST_SIDE, round(side * scale)) for side in image.shape[:2])
    return to_pixels(image, InputSpec(height=height, width=width))


def scale_to_unit(pixels: np.ndarray) -> np.ndarray:
    """Return 8-bit values as float32 in [0, 1]."""
    scaled: np.ndarray = np.divide(pixels, np.float32(_WHITE))
    return scaled


def fitted_size(width: int, height: int, spec: InputSpec) -> tuple[int, int]:
    """Return (width, height) of the part of the network's input that a photo covers."""
    if spec.resize == "stretch":
        return spec.width, spec.height
    scale = min(spec.width / width, spec.height / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def resize(image: Image.Image, size: tuple[int, int], *, box: Box | None = None) -> Image.Image:
    """Return the photo, or the part of it in ``box``, at ``size``: bilinear, antialiased."""
    return image.resize(size, Image.Resampling.BILINEAR, box=box, reducing_gap=_REDUCING_GAP)


def pad(pixels: np.ndarray, spec: InputSpec) -> np.ndarray:
    """Return the picture centred on grey of the network's size; itself if it fills it.

    Args:
        pixels: uint8, or float32 in [0, 1]; (height, width, 3), not larger than the network's size.
        spec: the network's size.
    """
    height, width, channels = pixels.shape
    if (height, width) == (spec.height, spec.width):
        return pixels
    grey = LETTERBOX_GREY if pixels.dtype == np.uint8 else LETTERBOX_GREY / _WHITE
    padded = np.full((spec.height, spec.width, channels), grey, dtype=pixels.dtype)
    top, left = (spec.height - height) // 2, (spec.width - width) // 2
    padded[top : top + height, left : left + width] = pixels
    return padded


def _fit(image: Image.Image, spec: InputSpec) -> np.ndarray:
    size = fitted_size(image.width, image.height, spec)
    return pad(np.asarray(resize(image, size)), spec)
