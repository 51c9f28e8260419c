"""From the light that reaches the sensor to the photo that a camera would save."""

import numpy as np
from PIL import Image

from bricksight.synth.colours import light_colour, linear_to_srgb
from bricksight.synth.scenes import Finish, Lights

_MIDDLE_GREY = 0.36
"""Mean linear value that the light meter aims at."""
_METERING = 0.6
"""How far the meter evens out dark and bright scenes: 0 not at all, 1 altogether."""


def develop(
    radiance: np.ndarray, *, finish: Finish, lights: Lights, rng: np.random.Generator
) -> Image.Image:
    """Returns the photo of a rendered scene.

    Args:
        radiance: float32, (height, width, 3), linear RGB; white paper is about 1.
        finish: Exposure, unsharpness and noise.
        lights: What the camera's white balance aims at.
        rng: Source of the noise.
    """
    neutral = light_colour((lights.kelvin + lights.room_kelvin) / 2)
    error = np.array([finish.white_balance, 1.0, 1 / finish.white_balance])
    pixels = _smoothed(_without_fireflies(radiance.astype(np.float64))) / neutral * error
    pixels *= finish.exposure * (pixels.mean() / _MIDDLE_GREY) ** -_METERING
    pixels = _blurred(pixels * _vignette(*pixels.shape[:2]), finish.blur * len(pixels) / 160)
    grain = rng.standard_normal(pixels.shape) * finish.noise
    pixels += grain * np.sqrt(np.maximum(pixels, 0.0) + 0.01)
    encoded = linear_to_srgb(_shoulder(np.maximum(pixels, 0.0)))
    return Image.fromarray(np.round(encoded * 255).astype(np.uint8))


def _without_fireflies(pixels: np.ndarray) -> np.ndarray:
    """Returns the image with lone bright pixels, which rare light paths leave, cut off.

    No pixel is brighter than the third brightest of the nine around it, which keeps lines.
    """
    from scipy.ndimage import rank_filter  # noqa: PLC0415  (slow to load)

    capped: np.ndarray = np.minimum(pixels, rank_filter(pixels, -3, size=(3, 3, 1), mode="nearest"))
    return capped


def _smoothed(pixels: np.ndarray) -> np.ndarray:
    """Returns the image with the grain of the renderer averaged out and its edges kept.

    A bilateral filter (Tomasi and Manduchi, 1998) over 5 x 5 pixels. It works on square roots, in
    which the grain is about equally strong everywhere.
    """
    radius, spatial, tonal = 2, 1.2, 0.06
    roots = np.sqrt(np.maximum(pixels, 0.0))
    height, width = roots.shape[:2]
    padded = np.pad(roots, ((radius, radius), (radius, radius), (0, 0)), mode="edge")
    total, weights = np.zeros_like(roots), np.zeros((height, width, 1))
    for row, column in np.ndindex(2 * radius + 1, 2 * radius + 1):
        shifted = padded[row : row + height, column : column + width]
        distance = ((row - radius) ** 2 + (column - radius) ** 2) / spatial**2
        difference = ((shifted - roots) ** 2).sum(axis=2, keepdims=True) / tonal**2
        weight = np.exp(-(distance + difference) / 2)
        total += weight * shifted
        weights += weight
    smoothed: np.ndarray = (total / weights) ** 2
    return smoothed


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


def _blurred(pixels: np.ndarray, deviation: float) -> np.ndarray:
    from scipy.ndimage import gaussian_filter  # noqa: PLC0415  (slow to load)

    blurred: np.ndarray = gaussian_filter(pixels, (deviation, deviation, 0), mode="nearest")
    return blurred
