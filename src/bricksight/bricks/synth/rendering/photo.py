"""From the light that reaches the sensor to the photo that a camera would save."""

import numpy as np
from PIL import Image

from bricksight._support.optional import require
from bricksight.bricks.synth.scenes.colours import light_colour, linear_to_srgb
from bricksight.bricks.synth.scenes.scene import Finish, Lights

_MIDDLE_GREY = 0.36
"""Mean linear value that the light meter aims at."""
_METERING = 0.6
"""How far the meter evens out dark and bright scenes: 0 not at all, 1 altogether."""
_SHARPENED_AT = 160
"""Unsharpness and motion are given in pixels of a photo of so many rows."""


def develop(
    light: np.ndarray, *, finish: Finish, lights: Lights, rng: np.random.Generator
) -> Image.Image:
    """Returns the photo of a rendered scene.

    Args:
        light: float32, (height, width, 4), linear RGB without grain, where white paper is about 1,
            and the share of each pixel that is covered by something.
        finish: Exposure, unsharpness, noise and glass.
        lights: What the camera's white balance aims at.
        rng: Source of the noise.
    """
    neutral = light_colour(lights.kelvin)
    error = np.array([finish.white_balance, 1.0, 1 / finish.white_balance])
    pixels = light[..., :3].astype(np.float64) / neutral * error
    if finish.haze is not None:
        pixels += (1 - light[..., 3:]) * finish.veil
        pixels += finish.haze * (finish.veil - pixels)
    pixels *= finish.exposure * (pixels.mean() / _MIDDLE_GREY) ** -_METERING
    scale = len(pixels) / _SHARPENED_AT
    pixels = _smeared(pixels * _vignette(*pixels.shape[:2]), np.array(finish.motion) * scale)
    pixels = _blurred(pixels, finish.blur * scale)
    grain = rng.standard_normal(pixels.shape) * finish.noise
    pixels += grain * np.sqrt(np.maximum(pixels, 0.0) + 0.01)
    encoded = linear_to_srgb(_shoulder(np.maximum(pixels, 0.0)))
    return Image.fromarray(np.round(encoded * 255).astype(np.uint8))


def _shoulder(values: np.ndarray) -> np.ndarray:
    """Returns values in [0, 1]: unchanged up to a knee, then rolled off as film and phones do."""
    knee = 0.6
    above = np.maximum(values - knee, 0.0) / (1 - knee)
    rolled: np.ndarray = np.minimum(values, knee) + (1 - knee) * -np.expm1(-above)
    return rolled


def _vignette(height: int, width: int) -> np.ndarray:
    rows, columns = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None, :]
    falloff: np.ndarray = 1 - 0.05 * (rows**2 + columns**2)
    return falloff[..., None]


def _smeared(pixels: np.ndarray, way: np.ndarray) -> np.ndarray:
    """Returns the mean of the image along ``way``, pixels to the right and down."""
    steps = int(np.ceil(np.abs(way).max()))
    if steps < 1:
        return pixels
    ndimage = require("scipy.ndimage", extra="synth", feature="Rendering")
    # Each stop on the way is shared out among the pixels around it.
    stops = np.linspace(-0.5, 0.5, 2 * steps + 1)[:, None] * way
    offsets = np.arange(-steps, steps + 1)
    right, down = (np.maximum(1 - np.abs(offsets - axis[:, None]), 0) for axis in stops.T)
    kernel = down.T @ right / len(stops)
    smeared: np.ndarray = ndimage.convolve(pixels, kernel[..., None], mode="nearest")
    return smeared


def _blurred(pixels: np.ndarray, deviation: float) -> np.ndarray:
    ndimage = require("scipy.ndimage", extra="synth", feature="Rendering")
    blurred: np.ndarray = ndimage.gaussian_filter(pixels, (deviation, deviation, 0), mode="nearest")
    return blurred
