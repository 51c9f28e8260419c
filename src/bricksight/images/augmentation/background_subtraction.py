"""Background subtraction: foreground mask from a photo and a photo of the empty scene."""

import numpy as np

from bricksight._support.optional import require

_FOREGROUND = 255

_MEDIAN_OF_CHI = 1.538
"""Median of the chi distribution with three degrees of freedom (three colour channels)."""

_DEVIATIONS = 6
"""Threshold in standard deviations of the noise; noise exceeds it in 1 of 10^7 pixels."""

_MIN_DISTANCE = 12.0
"""Lowest threshold, of 255, so that JPEG quantization is not foreground."""

_MAX_NOISE = 10.0
"""Noise above this, of 255 (35 before smoothing), means that the scenes differ."""

_MIN_AREA = 1 / 500
"""Regions smaller than this fraction of the photo are dropped."""

_CLOSING = 2
"""Iterations of binary closing; gaps of up to twice this width, in pixels, are closed."""


def foreground_mask(photo: np.ndarray, empty: np.ndarray) -> np.ndarray:
    """Return the foreground mask, 255 where a photo differs from the empty scene.

    Background subtraction with one normal distribution of the colour, the same for all pixels, as
    in C. R. Wren, A. Azarbayejani, T. Darrell, A. Pentland, "Pfinder: real-time tracking of the
    human body", IEEE PAMI 19 (7), 1997. Each channel of the empty scene is scaled by the median of
    the ratios, which compensates for exposure and white balance. The noise is estimated from the
    median of the distances. Both medians are robust against objects that cover less than half of
    the photo (P. J. Rousseeuw, C. Croux, "Alternatives to the median absolute deviation", JASA 88,
    1993). Small regions are removed, gaps closed and holes filled. Dark shadows are foreground.

    Args:
        photo: uint8 (height, width, 3), RGB.
        empty: A photo of the same scene without the object; the same shape.

    Returns:
        uint8 (height, width): 255 in the foreground, else 0. All 255 if the photos show different
        scenes.
    """
    ndimage = require("scipy.ndimage", extra="train", feature="Finding the foreground of a photo")
    image, scene = photo.astype(np.float32), empty.astype(np.float32)
    gain = np.median((image + 1) / (scene + 1), axis=(0, 1))
    # Smoothed: a faint difference stands out from the noise only over several pixels.
    difference = ndimage.gaussian_filter(image - gain * scene, (1, 1, 0), mode="nearest")
    distance = np.linalg.norm(difference, axis=2)
    noise = float(np.median(distance)) / _MEDIAN_OF_CHI
    if noise > _MAX_NOISE:
        return np.full(distance.shape, _FOREGROUND, np.uint8)
    differs = distance > max(_DEVIATIONS * noise, _MIN_DISTANCE)
    # Padded, so that the closing does not erode an object at the edge of the photo.
    closed = ndimage.binary_closing(np.pad(differs, _CLOSING, mode="edge"), iterations=_CLOSING)
    closed = closed[_CLOSING:-_CLOSING, _CLOSING:-_CLOSING]
    areas, num = ndimage.label(ndimage.binary_fill_holes(closed))
    sizes = np.bincount(areas.ravel(), minlength=num + 1)
    kept = sizes >= _MIN_AREA * areas.size
    kept[0] = False
    mask: np.ndarray = np.where(kept[areas], np.uint8(_FOREGROUND), np.uint8(0))
    return mask
