"""Measure sharpness and brightness of photos, and find blurred, dark, bright and tiny ones."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from bricksight.images.preprocessing import resize

QUALITY_SIZE = 192
"""Shorter side in pixels to which photos are reduced before measuring: about a network's input."""

_LEAST_CONTRAST = 10.0
_EDGES_PERCENTILE = 99.5

_NO_EDGES = 0.004
"""Below this steepness, a photo has no edges in this direction, so its sharpness is unknown."""

_LEAST_PHOTOS = 8
"""With fewer photos, outliers cannot be told."""

_DEVIATIONS = 3.0
_LEAST_FACTORS = (2.5, 5.0)
"""Edges of a blurred photo are at least this many times as wide as in the median photo.

The first number is for the sharper direction, the second for the other one, in which some objects
have few edges.
"""

_NEARLY_BLACK = 40
_NEARLY_WHITE = 215
_ONE_COLOUR = 8

_TINY = 32
_TINY_BESIDE_OTHERS = 112
"""No photo with a longer shorter side is tiny: half the input size of most backbones."""
_TINY_SHARE = 3


class Quality(NamedTuple):
    """Sharpness and brightness of a photo.

    Attributes:
        sharpness: Steepness of the sharpest edges, as the step between neighbouring pixels divided
            by the contrast: in the sharper one of the two directions, and in the other.
        contrast: Difference of ``brightest`` and ``darkest`` in the channel where it is largest.
        darkest: 1st percentile of the brightness, 0 to 255.
        brightest: 99.5th percentile of the brightness, 0 to 255.
    """

    sharpness: tuple[float, float]
    contrast: float
    darkest: float
    brightest: float


def measure_quality(image: Image.Image) -> Quality:
    """Measure sharpness and brightness of an RGB image, in its channel with the most contrast."""
    scale = min(1.0, QUALITY_SIZE / min(image.size))
    width, height = (max(1, round(side * scale)) for side in image.size)
    pixels = np.asarray(resize(image, (width, height)), np.float32)
    low, high = np.percentile(pixels, [1, _EDGES_PERCENTILE], axis=(0, 1))
    shown = pixels[..., int((high - low).argmax())]
    contrast = float((high - low).max())
    steps = [np.abs(np.diff(shown, axis=axis)) for axis in (0, 1)]
    edges = [
        float(np.percentile(step, _EDGES_PERCENTILE)) / max(contrast, _LEAST_CONTRAST)
        for step in steps
        if step.size
    ] or [1.0]
    return Quality((max(edges), min(edges)), contrast, float(low.min()), float(high.max()))


def is_black(quality: Quality) -> bool:
    """Return whether a photo is nearly black."""
    return quality.brightest < _NEARLY_BLACK


def is_white(quality: Quality) -> bool:
    """Return whether a photo is nearly white."""
    return quality.darkest > _NEARLY_WHITE


def is_blank(quality: Quality) -> bool:
    """Return whether a photo has one colour that is neither black nor white."""
    has_light = not is_black(quality) and not is_white(quality)
    return has_light and quality.contrast < _ONE_COLOUR


def find_blurred(qualities: Sequence[Quality]) -> list[int]:
    """Return the indices of photos that are much less sharp than most others.

    Sharpness depends on what a photo shows, so only outliers count: photos that are below the
    median by three deviations and by a minimal factor. The deviation is the median absolute
    deviation times 1.4826 (P. J. Rousseeuw, C. Croux, "Alternatives to the median absolute
    deviation", JASA 88, 1993). Each direction is examined separately, because a moving camera blurs
    the edges of only one.
    """
    measurable = np.array([row for row, one in enumerate(qualities) if _has_content(one)], int)
    if len(measurable) < _LEAST_PHOTOS:
        return []
    shares = np.array([qualities[row].sharpness for row in measurable])
    logs = np.log(np.maximum(shares, _NO_EDGES))
    below = np.median(logs, axis=0) - logs
    deviations = 1.4826 * np.median(np.abs(below), axis=0)
    limits = np.maximum(_DEVIATIONS * deviations, np.log(_LEAST_FACTORS))
    return [int(row) for row in measurable[((below > limits) & (shares > _NO_EDGES)).any(axis=1)]]


def _has_content(quality: Quality) -> bool:
    return not (is_black(quality) or is_white(quality) or is_blank(quality))


def find_tiny(sides: Sequence[int]) -> list[int]:
    """Return the indices of tiny photos.

    A photo is tiny if its shorter side is below 32 pixels, or below a third of the median and below
    112 pixels.

    Args:
        sides: Shorter side of each photo, in pixels.
    """
    median = float(np.median(sides))
    limit = max(_TINY, min(median / _TINY_SHARE, _TINY_BESIDE_OTHERS))
    return [row for row, side in enumerate(sides) if side < limit]
