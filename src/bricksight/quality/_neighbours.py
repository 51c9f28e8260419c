"""How much photos differ, and which are near a photo, by their fingerprints."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from bricksight._support.optional import require
from bricksight.quality._fingerprint import Fingerprint

MAX_DISTANCE = 4
"""Hashes of twins differ in at most this many of their 64 bits."""

MAX_DIFFERENCE = 3.0
"""Thumbnails of twins differ by at most this, on the scale from 0 to 255.

Measured on 51 photos: saving again at JPEG quality 40 or at half the size makes at most 1.3, five
percent more light 1.8 in the median.
"""

_NUM_NEIGHBOURS = 16
_NUM_AXES = 6
_BLOCK = 4
"""Side of the blocks of a thumbnail whose means tell where to look, in pixels."""

_RADIUS = 2**0.5 + 1e-3
_JITTER = 1e-5


class Looks:
    """The fingerprints of photos as arrays.

    Args:
        fingerprints: of each photo.
    """

    def __init__(self, fingerprints: Sequence[Fingerprint]) -> None:
        hashes = np.array([each.hash for each in fingerprints], dtype=">u8")
        self._bits = np.unpackbits(hashes.view(np.uint8).reshape(-1, 8), axis=1)
        self._thumbnails = np.stack([each.thumbnail for each in fingerprints])

    def differences_of_all(self, one: np.ndarray) -> np.ndarray:
        """Return the difference of photos, (num_one,), from all: float, (num_one, num_photos).

        It is the standard deviation of the difference of their thumbnails, so that a photo that is
        a little lighter all over differs by nothing; infinite for no twins.
        """
        distance = _squares(self._bits[one].astype(np.float32), self._all_bits)
        values = self._all_values
        difference = np.sqrt(_squares(values[one], values) / values.shape[1])
        is_twin = (distance <= MAX_DISTANCE + 0.5) & (difference <= MAX_DIFFERENCE)
        return np.where(is_twin, difference, np.inf)

    def differences(self, one: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Return the difference of each photo, (num_one,), from its own others, (num_one, any).

        Others of -1 are no photo, and infinitely different.
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
        """Float, (num_photos, num_axes): points of which those of twins are within ``_RADIUS``.

        Half of the hash's bits and the means of the thumbnail's blocks, in units of the largest
        difference of twins, on the axes on which the photos differ most (principal components).
        Projections shorten distances only, so that no twin is lost.
        """
        num, side = self._thumbnails.shape[:2]
        blocks = self._thumbnails.reshape(num, side // _BLOCK, _BLOCK, side // _BLOCK, _BLOCK, 3)
        means = blocks.mean(axis=(2, 4), dtype=np.float32).reshape(num, -1)
        means -= means.mean(axis=1, keepdims=True)
        scale = 1 / (MAX_DIFFERENCE * np.sqrt(means.shape[1]))
        points = np.hstack([means * scale, self._bits / np.float32(MAX_DISTANCE**0.5)])
        points -= points.mean(axis=0)
        _, axes = np.linalg.eigh(points.T @ points)
        found: np.ndarray = points @ axes[:, -_NUM_AXES:]
        # A k-d tree cannot divide points that lie on each other.
        return found + np.random.default_rng(0).normal(0, _JITTER, found.shape)

    @cached_property
    def _all_bits(self) -> np.ndarray:
        return self._bits.astype(np.float32)

    @cached_property
    def _all_values(self) -> np.ndarray:
        values = self._thumbnails.reshape(len(self._thumbnails), -1).astype(np.float32)
        values -= values.mean(axis=1, keepdims=True)
        values -= values.mean(axis=0)  # the smaller the values, the less their squares are rounded
        return values


class Neighbours:
    """Find what is near photos: J. L. Bentley, "Multidimensional Binary Search Trees" (1975).

    Args:
        looks: of all photos.
        targets: the photos among which to look, indices (num_targets,).
    """

    def __init__(self, looks: Looks, targets: np.ndarray) -> None:
        # Loaded for many photos only: it takes 0.1 s.
        spatial = require("scipy.spatial", extra="check", feature="Checking photos")
        self._looks = looks
        self._targets = np.append(targets, -1)
        self._tree = spatial.KDTree(looks.coordinates[targets])

    def of(self, one: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the neighbours of photos, and which of the photos may have more of them.

        Args:
            one: indices, (num_one,).

        Returns:
            Indices (num_one, num_neighbours), -1 for none, the photo itself among them if it is a
            target; and bool (num_one,).
        """
        distances, places = self._tree.query(
            self._looks.coordinates[one],
            k=_NUM_NEIGHBOURS + 1,
            distance_upper_bound=_RADIUS,
            workers=-1,
        )
        return self._targets[places], np.isfinite(distances[:, -1])


def _squares(one: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the squared distances of all pairs of rows: (num_one, num_others)."""
    squares = np.square(one).sum(axis=1)[:, np.newaxis] + np.square(others).sum(axis=1)
    squares -= 2 * (one @ others.T)
    return np.asarray(np.maximum(squares, 0))
