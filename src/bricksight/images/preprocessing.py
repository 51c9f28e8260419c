"""Preprocessing: resize a photo to the network's input size and scale it to [0, 1].

Training, feature extraction and prediction all use these functions.
"""

import numpy as np
from PIL import Image

from bricksight.config import InputSpec
from bricksight.images.inputs import Photo, rgb_pixels
from bricksight.images.reading.decoding import decode_image, reserve_memory

LETTERBOX_GREY = 128
"""Grey value, 0 to 255, of the padding around a letterboxed image."""

# Pillow first averages whole blocks of pixels and leaves at least this factor to the bilinear
# filter. Its documentation calls the result at 3 indistinguishable from plain resampling.
_REDUCING_GAP = 3.0

# A JPEG may be decoded at a reduced scale, but at no less than this many times the input size.
_DECODING_MARGIN = 2

_WHITE = 255

_SMALLEST_SIDE = 8

Box = tuple[float, float, float, float]


def load_input(photo: Photo, spec: InputSpec) -> np.ndarray:
    """Load a photo as the network's input: float32, (height, width, 3), RGB in [0, 1].

    For a file, the result equals ``to_input(decode(file, min_size=decoding_size(spec)), spec)``.
    This function makes one copy of the pixels less.

    Raises:
        ImageError: The photo cannot be decoded (see ``decode``), or the array is not an image
            (see ``rgb_pixels``).
    """
    with reserve_memory():
        return scale_to_unit(_fit(decode_image(photo, min_size=decoding_size(spec)), spec))


def decoding_size(spec: InputSpec) -> int:
    """Return the ``min_size`` for ``decode`` that loses nothing visible at the input size."""
    return _DECODING_MARGIN * max(spec.height, spec.width)


def to_input(image: np.ndarray, spec: InputSpec) -> np.ndarray:
    """Resize an image to the network's input: float32, (height, width, 3), RGB in [0, 1]."""
    return scale_to_unit(to_pixels(image, spec))


def to_pixels(image: np.ndarray, spec: InputSpec) -> np.ndarray:
    """Resize the whole image to the network's input size: uint8, (height, width, 3), RGB.

    Bilinear with antialiasing: the triangle filter is as wide as the reduction, so every pixel
    contributes. "stretch" ignores the aspect ratio. "letterbox" keeps it, centres the image and
    pads the rest with grey.

    Args:
        image: uint8, (height, width, 3), RGB, or another array that ``rgb_pixels`` accepts.
        spec: The input size and the resize mode.

    Raises:
        ImageError: The array is not an image; see ``rgb_pixels``.
    """
    return _fit(Image.fromarray(rgb_pixels(image)), spec)


def shrink(image: np.ndarray, scale: float) -> np.ndarray:
    """Downscale an image by ``scale``; each side keeps at least 8 pixels.

    Args:
        image: uint8, (height, width, 3), RGB.
        scale: Factor for both sides, over 0. From 1 on, the image is returned unchanged.
    """
    if scale >= 1:
        return image
    height, width = (max(_SMALLEST_SIDE, round(side * scale)) for side in image.shape[:2])
    return to_pixels(image, InputSpec(height=height, width=width))


def scale_to_unit(pixels: np.ndarray) -> np.ndarray:
    """Scale uint8 values to float32 in [0, 1]."""
    scaled: np.ndarray = np.divide(pixels, np.float32(_WHITE))
    return scaled


def fitted_size(width: int, height: int, spec: InputSpec) -> tuple[int, int]:
    """Return (width, height) of the resized photo within the network's input, without padding."""
    if spec.resize == "stretch":
        return spec.width, spec.height
    scale = min(spec.width / width, spec.height / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def resize(image: Image.Image, size: tuple[int, int], *, box: Box | None = None) -> Image.Image:
    """Resize an image, or its region ``box``, to ``size``: bilinear with antialiasing."""
    return image.resize(size, Image.Resampling.BILINEAR, box=box, reducing_gap=_REDUCING_GAP)


def pad(pixels: np.ndarray, spec: InputSpec) -> np.ndarray:
    """Pad an image with grey to the network's input size; the image is centred.

    Args:
        pixels: uint8, or float32 in [0, 1]; (height, width, 3), not larger than the input size.
            An image of exactly that size is returned unchanged.
        spec: The input size.
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
