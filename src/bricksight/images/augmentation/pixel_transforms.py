"""Random transforms of the resized image: flips, colour, blur, noise, erasing.

Each function takes a float32 image, (height, width, 3), RGB, and returns a new one. Values may
leave [0, 1]; ``augment`` clips them once, after the last transform.
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from bricksight._support.optional import require

# Luma weights of red, green and blue, ITU-R BT.601.
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)

# FCC NTSC (1953): RGB to luma and the two chroma axes I and Q.
_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])

_NARROWEST, _WIDEST = 0.3, 1 / 0.3


def flip_left_right(image: np.ndarray, rng: np.random.Generator, *, amount: float) -> np.ndarray:
    """Flip half of the images horizontally."""
    return image[:, ::-1] if amount and rng.random() < 0.5 else image


def flip_up_down(image: np.ndarray, rng: np.random.Generator, *, amount: float) -> np.ndarray:
    """Flip half of the images vertically."""
    return image[::-1] if amount and rng.random() < 0.5 else image


def random_brightness(image: np.ndarray, rng: np.random.Generator, *, amount: float) -> np.ndarray:
    """Multiply all values by a factor from U(1 - ``amount`` / 100, 1 + ``amount`` / 100)."""
    return image * _factor(rng, amount)


def random_contrast(image: np.ndarray, rng: np.random.Generator, *, amount: float) -> np.ndarray:
    """Change the contrast about the mean grey, as Pillow's ``ImageEnhance.Contrast``."""
    mean = np.float32(np.mean(image @ _LUMA))
    changed: np.ndarray = mean + (image - mean) * _factor(rng, amount)
    return changed


def random_saturation(image: np.ndarray, rng: np.random.Generator, *, amount: float) -> np.ndarray:
    """Change the saturation, as Pillow's ``ImageEnhance.Color``."""
    grey: np.ndarray = (image @ _LUMA)[..., None]
    changed: np.ndarray = grey + (image - grey) * _factor(rng, amount)
    return changed


def random_hue(image: np.ndarray, rng: np.random.Generator, *, amount: float) -> np.ndarray:
    """Rotate the hue by up to ``amount`` degrees either way; greys and luma do not change.

    A rotation of the chroma plane of YIQ. It is linear in RGB, so it also works outside [0, 1].
    """
    turned: np.ndarray = image @ _hue_matrix(math.radians(rng.uniform(-amount, amount))).T
    return turned


def random_blur(image: np.ndarray, rng: np.random.Generator, *, amount: float) -> np.ndarray:
    """Blur with a Gaussian whose standard deviation is from U(0, ``amount``) pixels."""
    ndimage = require("scipy.ndimage", extra="train", feature="Random blur")
    sigma = rng.uniform(0, amount)
    blurred: np.ndarray = ndimage.gaussian_filter(
        image, (sigma, sigma, 0), mode="nearest", truncate=3
    )
    return blurred


def random_noise(image: np.ndarray, rng: np.random.Generator, *, amount: float) -> np.ndarray:
    """Add Gaussian noise whose standard deviation is from U(0, ``amount``) percent of white."""
    deviation = np.float32(rng.uniform(0, amount / 100))
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    noisy: np.ndarray = image + deviation * noise
    return noisy


def random_erasing(image: np.ndarray, rng: np.random.Generator, *, amount: float) -> np.ndarray:
    """Cover a rectangle of U(0, ``amount``) percent of the area with uniform noise.

    The aspect ratio is from 0.3 to 1 / 0.3. Zhong, Zheng, Kang, Li, Yang: Random Erasing Data
    Augmentation, AAAI 2020 (arXiv 1708.04896), the variant with random values. Unlike there, every
    image is changed.
    """
    height, width, _ = image.shape
    area = rng.uniform(0, amount / 100) * height * width
    aspect = math.exp(rng.uniform(math.log(_NARROWEST), math.log(_WIDEST)))
    rows = min(height, round(math.sqrt(area * aspect)))
    columns = min(width, round(math.sqrt(area / aspect)))
    top = rng.integers(height - rows + 1)
    left = rng.integers(width - columns + 1)
    erased = image.copy()
    erased[top : top + rows, left : left + columns] = rng.random(
        (rows, columns, 3), dtype=np.float32
    )
    return erased


PIXEL_TRANSFORMS: Mapping[str, Callable[..., np.ndarray]] = MappingProxyType(
    {
        "flip_left_right": flip_left_right,
        "flip_up_down": flip_up_down,
        "random_brightness": random_brightness,
        "random_contrast": random_contrast,
        "random_saturation": random_saturation,
        "random_hue": random_hue,
        "random_blur": random_blur,
        "random_noise": random_noise,
        "random_erasing": random_erasing,
    }
)
"""Field of ``AugmentConfig`` → its transform, in order of application."""


def _factor(rng: np.random.Generator, amount: float) -> np.float32:
    return np.float32(rng.uniform(1 - amount / 100, 1 + amount / 100))


def _hue_matrix(angle: float) -> np.ndarray:
    cos, sin = math.cos(angle), math.sin(angle)
    turn = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    matrix: np.ndarray = np.linalg.inv(_TO_YIQ) @ turn @ _TO_YIQ
    return matrix.astype(np.float32)
