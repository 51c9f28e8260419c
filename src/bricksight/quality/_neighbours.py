"""Compare fingerprints of photos, and find the nearest neighbours of a photo with a k-d tree."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from bricksight._support.optional import require
from bricksight.quality._fingerprint import Fingerprint

MAX_DISTANCE = 4
"""Hashes of near-duplicates differ in at most this many of their 64 bits."""

MAX_DIFFERENCE = 3.0
"""Largest difference of the thumbnails of near-duplicates, on the scale from 0 to 255.

Measured on 51 photos: saving again with JPEG quality 40 or at half the size changes a thumbnail by
at most 1.3. Five percent more light changes it by 1.8 in the median.
"""

_NUM_NEIGHBOURS = 16
_NUM_AXES = 6
_BLOCK_SIZE = 4
"""Side of the thumbnail blocks whose means are coordinates in the k-d tree, in pixels."""

_RADIUS = 2**0.5 + 1e-3
"""Largest distance of near-duplicates: both parts of the coordinates contribute at most 1."""

_JITTER = 1e-5


class FingerprintArrays:
    """The fingerprints of photos as arrays, for fast comparison.

    Args:
        fingerprints: Fingerprint of each photo.
    """

    def __init__(self, fingerprints: Sequence[Fingerprint]) -> None:
        hashes = np.array([each.hash for each in fingerprints], dtype=">u8")
        self._bits = np.unpackbits(hashes.view(np.uint8).reshape(-1, 8), axis=1)
        self._thumbnails = np.stack([each.thumbnail for each in fingerprints])

    def differences_of_all(self, one: np.ndarray) -> np.ndarray:
        """Compute the difference of some photos, (num_one,), from all photos.

        Returns:
            Float, (num_one, num_photos): the standard deviation of the difference of the
            thumbnails, so that a photo that is evenly lighter has no difference; infinite for
            pairs that are not near-duplicates.
        """
        distance = _squares(self._bits[one].astype(np.float32), self._all_bits)
        values = self._all_values
        difference = np.sqrt(_squares(values[one], values) / values.shape[1])
        is_near_duplicate = (distance <= MAX_DISTANCE + 0.5) & (difference <= MAX_DIFFERENCE)
        return np.where(is_near_duplicate, difference, np.inf)

    def differences(self, one: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Compute the difference of each photo, (num_one,), from its row of ``others``.

        Args:
            one: Indices of photos, (num_one,).
            others: Indices of photos, (num_one, num_others); -1 for none.

        Returns:
            Float, (num_one, num_others), as in ``differences_of_all``; infinite for none.
        """
        distance = (self._bits[one][:, np.newaxis] != self._bits[others]).sum(axis=2)
        row, column = np.nonzero((distance <= MAX_DISTANCE) & (others >= 0))
        found = np.full(others.shape, np.inf)
        first = self._thumbnails[one[row]].reshape(len(row), -1)
        second = self._thumbnails[others[row, column]].reshape(len(row), -1)
        difference = (first.astype(np.float32) - second).std(axis=1)
        found[row, column] = np.where(difference <= MAX_DIFFERENCE, difference, np.inf)
        return found

    @cached_property
    def coordinates(self) -> np.ndarray:
        """Points of the photos in the k-d tree: float, (num_photos, num_axes).

        The points of near-duplicates are within ``_RADIUS`` of each other. They are the hash's bits
        and the means of the thumbnail's blocks, both in units of the largest difference of
        near-duplicates, projected on their first principal components. A projection never
        increases a distance, so that no near-duplicate is missed.
        """
        num, side = self._thumbnails.shape[:2]
        blocks = self._thumbnails.reshape(
            num, side // _BLOCK_SIZE, _BLOCK_SIZE, side // _BLOCK_SIZE, _BLOCK_SIZE, 3
        )
        means = blocks.mean(axis=(2, 4), dtype=np.float32).reshape(num, -1)
        means -= means.mean(axis=1, keepdims=True)
        scale = 1 / (MAX_DIFFERENCE * np.sqrt(means.shape[1]))
        points = np.hstack([means * scale, self._bits / np.float32(MAX_DISTANCE**0.5)])
        points -= points.mean(axis=0)
        _, axes = np.linalg.eigh(points.T @ points)
        found: np.ndarray = points @ axes[:, -_NUM_AXES:]
        # A k-d tree cannot divide identical points.
        return found + np.random.default_rng(0).normal(0, _JITTER, found.shape)

    @cached_property
    def _all_bits(self) -> np.ndarray:
        return self._bits.astype(np.float32)

    @cached_property
    def _all_values(self) -> np.ndarray:
        values = self._thumbnails.reshape(len(self._thumbnails), -1).astype(np.float32)
        values -= values.mean(axis=1, keepdims=True)
        values -= values.mean(axis=0)  # smaller values have smaller rounding errors when squared
        return values


class NeighbourSearch:
    """Nearest-neighbour search with a k-d tree.

    J. L. Bentley, "Multidimensional Binary Search Trees" (1975).

    Args:
        arrays: Fingerprints of all photos.
        targets: Indices of the photos to search, (num_targets,).
    """

    def __init__(self, arrays: FingerprintArrays, targets: np.ndarray) -> None:
        # Imported here because it takes 0.1 s, and only large data sets need it.
        spatial = require("scipy.spatial", extra="check", feature="Checking photos")
        self._looks = arrays
        self._targets = np.append(targets, -1)
        self._tree = spatial.KDTree(arrays.coordinates[targets])

    def query(self, one: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find the nearest neighbours of photos.

        Args:
            one: Indices of photos, (num_one,).

        Returns:
            Indices of the neighbours, (num_one, num_neighbours), -1 for none. A photo that is a
            target is among its neighbours. And whether each photo may have further neighbours:
            bool, (num_one,).
        """
        distances, places = self._tree.query(
            self._looks.coordinates[one],
            k=_NUM_NEIGHBOURS + 1,
            distance_upper_bound=_RADIUS,
            workers=-1,
        )
        return self._targets[places], np.isfinite(distances[:, -1])


def _squares(one: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Compute the squared distances of all pairs of rows: (num_one, num_others)."""
    squares = np.square(one).sum(axis=1)[:, np.newaxis] + np.square(others).sum(axis=1)
    squares -= 2 * (one @ others.T)
    return np.asarray(np.maximum(squares, 0))
