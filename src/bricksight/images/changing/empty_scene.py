"""Where a photo differs from one of the empty scene by the same camera."""

import numpy as np

from bricksight._support.optional import require

_PART = 255

_MEDIAN_OF_CHI = 1.538
"""Median length of three independent normal numbers of standard deviation 1."""

_DEVIATIONS = 6
"""How many times the noise a colour has to be away; noise alone is once in 10^7 pixels."""

_LEAST_DISTANCE = 12.0
"""What a colour has to be away at least, of 255: JPEG's steps are no part."""

_MOST_NOISE = 10.0
"""More than this, of 255, is no noise but another scene: smoothed, it would be 35 a pixel."""

_SPECK = 1 / 500
"""Less than this share of the photo is a speck."""

_GAP = 2
"""Gaps in a part up to twice as wide, in pixels, are closed."""


def foreground_mask(photo: np.ndarray, empty: np.ndarray) -> np.ndarray:
    """Return 255 where a photo differs from that of the empty scene: uint8 (height, width).

    Background subtraction with one normal distribution of the colour, as in C. R. Wren,
    A. Azarbayejani, T. Darrell, A. Pentland, "Pfinder: real-time tracking of the human body", IEEE
    PAMI 19 (7), 1997, the same for all pixels. Exposure and white balance may be others: each
    channel of the empty scene is multiplied by the median of the ratios, and the noise comes from
    the median of the distances, so that what covers less than half of the photo disturbs neither
    (P. J. Rousseeuw, C. Croux, "Alternatives to the median absolute deviation", JASA 88, 1993).
    Specks are removed, gaps closed and holes filled. Shadows count as part where they are dark.

    All of it is 255 where the photos are of different scenes.

    Args:
        photo: uint8 (height, width, 3), RGB.
        empty: the same without the part.
    """
    ndimage = require("scipy.ndimage", extra="train", feature="Finding the foreground of a photo")
    seen, scene = photo.astype(np.float32), empty.astype(np.float32)
    gain = np.median((seen + 1) / (scene + 1), axis=(0, 1))
    # Neighbours together tell a faint difference from noise better than one pixel does.
    difference = ndimage.gaussian_filter(seen - gain * scene, (1, 1, 0), mode="nearest")
    distance = np.linalg.norm(difference, axis=2)
    noise = float(np.median(distance)) / _MEDIAN_OF_CHI
    if noise > _MOST_NOISE:
        return np.full(distance.shape, _PART, np.uint8)
    differs = distance > max(_DEVIATIONS * noise, _LEAST_DISTANCE)
    # Padded, for a part at the edge would else be worn away from there.
    closed = ndimage.binary_closing(np.pad(differs, _GAP, mode="edge"), iterations=_GAP)
    closed = closed[_GAP:-_GAP, _GAP:-_GAP]
    areas, num = ndimage.label(ndimage.binary_fill_holes(closed))
    sizes = np.bincount(areas.ravel(), minlength=num + 1)
    kept = sizes >= _SPECK * areas.size
    kept[0] = False
    mask: np.ndarray = np.where(kept[areas], np.uint8(_PART), np.uint8(0))
    return mask
