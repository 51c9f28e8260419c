"""How sharp and how bright a photo is, and which photos of a folder stand out badly."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from bricksight.images.preprocessing import resize

QUALITY_SIZE = 192
"""Shorter side, in pixels, at which photos are measured: about what a network sees of them."""

_LEAST_CONTRAST = 10.0
_EDGES_PERCENTILE = 99.5

_NO_EDGES = 0.004
"""Under this there are no edges of the direction, which says nothing of the camera."""

_LEAST_PHOTOS = 8
"""Of fewer photos none stands out."""

_DEVIATIONS = 3.0
_LEAST_FACTORS = (2.5, 5.0)
"""A blurred photo's edges are at least so many times as wide as those of most photos. The second
number is of the less sharp direction, which some things have few edges of."""

_NEARLY_BLACK = 40
_NEARLY_WHITE = 215
_ONE_COLOUR = 8

_TINY = 32
_TINY_BESIDE_OTHERS = 112
"""Half of what most networks take."""
_TINY_SHARE = 3


class Quality(NamedTuple):
    """What is measured of a photo.

    Attributes:
        sharpness: Steepness of the sharpest edges, as the share of the photo's contrast that one
            pixel makes: in the direction in which they are sharper, and in the other.
        contrast: Between the darkest percent and the brightest half percent, 0 to 255.
        darkest: Brightness of the darkest percent, 0 to 255.
        brightest: Brightness of the brightest half percent, 0 to 255.
    """

    sharpness: tuple[float, float]
    contrast: float
    darkest: float
    brightest: float


def quality(image: Image.Image) -> Quality:
    """Return how sharp and how bright a picture, RGB, is, by the channel that tells most of it."""
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


def is_black(found: Quality) -> bool:
    """Whether a photo shows next to nothing for want of light."""
    return found.brightest < _NEARLY_BLACK


def is_white(found: Quality) -> bool:
    """Whether a photo shows next to nothing for too much light."""
    return found.darkest > _NEARLY_WHITE


def is_blank(found: Quality) -> bool:
    """Whether a photo, neither black nor white, is of one colour."""
    has_light = not is_black(found) and not is_white(found)
    return has_light and found.contrast < _ONE_COLOUR


def find_blurred(found: Sequence[Quality]) -> list[int]:
    """Return which photos are blurred beside the others of their folder.

    Photos differ in sharpness by what they show, so only outliers count: by three deviations and a
    least factor from the median. The deviation comes from the median of the distances
    (P. J. Rousseeuw, C. Croux, "Alternatives to the median absolute deviation", JASA 88, 1993).
    Edges of one direction alone are blurred where the camera has moved.
    """
    rows = np.array([row for row, one in enumerate(found) if _shows_something(one)], int)
    if len(rows) < _LEAST_PHOTOS:
        return []
    shares = np.array([found[row].sharpness for row in rows])
    logs = np.log(np.maximum(shares, _NO_EDGES))
    below = np.median(logs, axis=0) - logs
    deviations = 1.4826 * np.median(np.abs(below), axis=0)
    limits = np.maximum(_DEVIATIONS * deviations, np.log(_LEAST_FACTORS))
    return [int(row) for row in rows[((below > limits) & (shares > _NO_EDGES)).any(axis=1)]]


def _shows_something(found: Quality) -> bool:
    return not (is_black(found) or is_white(found) or is_blank(found))


def find_tiny(sides: Sequence[int]) -> list[int]:
    """Return which photos are tiny, alone or beside the others, from their shorter sides."""
    usual = float(np.median(sides))
    limit = max(_TINY, min(usual / _TINY_SHARE, _TINY_BESIDE_OTHERS))
    return [row for row, side in enumerate(sides) if side < limit]
