"""The user's own photos of an empty scene, as what a brick lies on."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bricksight._support.optional import require
from bricksight.bricks.synth.scenes.colours import srgb_to_linear
from bricksight.config import InputSpec
from bricksight.images import load_input

_LEAST = 1e-3


def load_background(path: Path, size: int) -> np.ndarray:
    """Returns the photo as light: float64 (size, size, 3), linear RGB.

    Raises:
        ImageError: the photo cannot be read.
    """
    return srgb_to_linear(load_input(path, InputSpec(height=size, width=size)).astype(np.float64))


def composed(
    background: np.ndarray, full: np.ndarray, empty: np.ndarray, cover: np.ndarray
) -> np.ndarray:
    """Returns the brick before the photo, with the shadow and the glow that it casts.

    The photo is darkened by as much as the brick darkens a floor of the photo's mean colour
    (P. Debevec, "Rendering synthetic objects into real scenes", 1998: differential rendering, here
    by ratios).

    Args:
        background: float64 (size, size, 3), linear RGB.
        full: the rendered scene, the same.
        empty: the scene without bricks, the same.
        cover: share of each pixel that bricks cover, (size, size, 1).
    """
    shade = np.clip(_local_mean(full) / np.maximum(_local_mean(empty), _LEAST), 0.0, 1.5)
    # Where bricks are, the ratio is not one of floors; what is there is covered.
    shaded = background * np.where(cover > 0, np.minimum(shade, 1.0), shade)
    blend: np.ndarray = cover * full + (1 - cover) * shaded
    return blend


def mean_colour(photos: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """Returns the mean of a photo's light, float64 (3,)."""
    mean: np.ndarray = np.asarray(photos).mean(axis=(0, 1))
    return mean


def _local_mean(pixels: np.ndarray) -> np.ndarray:
    ndimage = require("scipy.ndimage", extra="synth", feature="Rendering")
    smooth: np.ndarray = ndimage.uniform_filter(pixels, (3, 3, 1), mode="nearest")
    return smooth
