"""Short descriptions of a picture that stay the same when it is merely saved again."""

from typing import NamedTuple

import numpy as np
from PIL import Image

from bricksight.images.preprocessing import resize

_SIZE = 32
_THUMBNAIL_SIZE = 16
_NUM_FREQUENCIES = 8
_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as in JPEG


class Fingerprint(NamedTuple):
    """What a picture looks like, in a few hundred bytes.

    Attributes:
        hash: 64 bits, of which few differ between a picture and a rendition of it.
        thumbnail: uint8, (16, 16, 3), RGB.
    """

    hash: int
    thumbnail: np.ndarray


def fingerprint(image: Image.Image) -> Fingerprint:
    """Return the fingerprint of a picture, RGB."""
    small = np.asarray(resize(image, (_SIZE, _SIZE)))
    factor = _SIZE // _THUMBNAIL_SIZE
    blocks = small.reshape(_THUMBNAIL_SIZE, factor, _THUMBNAIL_SIZE, factor, 3)
    thumbnail = blocks.mean(axis=(1, 3)).round().astype(np.uint8)
    return Fingerprint(_perceptual_hash(small @ _LUMA), thumbnail)


def _perceptual_hash(brightness: np.ndarray) -> int:
    """Return the DCT hash of a 32x32 picture, as 64 bits.

    They tell which of the 8x8 lowest frequencies, the mean left out, are above their median:
    C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010).
    """
    frequency = np.arange(1, _NUM_FREQUENCIES + 1)[:, np.newaxis]
    position = 2 * np.arange(_SIZE) + 1
    basis = np.cos(np.pi * frequency * position / (2 * _SIZE))  # DCT-II, but for a factor
    # Rounded so that frequencies that are absent are exactly so on every processor.
    frequencies = np.round(basis @ brightness @ basis.T, 3).ravel()
    bits = np.packbits(frequencies > np.median(frequencies))
    return int.from_bytes(bits.tobytes(), "big")
