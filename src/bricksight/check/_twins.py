"""Photos that look nearly the same, found among tens of thousands without comparing all pairs."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bricksight.check._fingerprint import Fingerprint
from bricksight.dataset import Record

MAX_DISTANCE = 4
"""Hashes of twins differ in at most this many of their 64 bits."""

MAX_DIFFERENCE = 3.0
"""Thumbnails of twins differ by at most this, on the scale from 0 to 255.

Measured on 51 photos: saving again at JPEG quality 40 or at half the size makes at most 1.3, five
percent more light 1.8 in the median.
"""

_HASH_BITS = 64
_MAX_PAIRS_AT_ONCE = 1 << 21
_POPCOUNT = (
    np.unpackbits(np.arange(2**16, dtype=np.uint16).view(np.uint8))
    .reshape(-1, 16)
    .sum(axis=1, dtype=np.uint8)
)


@dataclass(frozen=True, slots=True)
class Twin:
    """Two photos that look nearly the same.

    Attributes:
        path: The photo, below image_dir.
        other: The one that is most like it, below image_dir.
        difference: Standard deviation of the difference of their thumbnails, from 0 to 255.
    """

    path: str
    other: str
    difference: float


@dataclass(frozen=True, slots=True)
class Twins:
    """Every photo that has a twin, with its nearest; exact copies are not counted.

    Attributes:
        in_class: Twins of the same class.
        across_labels: Twins under different labels.
        across_split: Photos of validation and testing with a twin in training.
    """

    in_class: tuple[Twin, ...]
    across_labels: tuple[Twin, ...]
    across_split: tuple[Twin, ...]


def find_twins(records: Sequence[Record], fingerprints: Sequence[Fingerprint]) -> Twins:
    """Returns the photos that look nearly the same as another.

    Hashes propose and thumbnails decide: on plain backgrounds hashes alone find far too many.

    Args:
        records: the photos.
        fingerprints: of each photo, in the same order.
    """
    if not records:
        return Twins((), (), ())
    hashes = np.array([each.hash for each in fingerprints], dtype=np.uint64)
    thumbnails = np.stack([each.thumbnail.ravel() for each in fingerprints])
    contents = _codes([record.sha256 for record in records])
    labels = _codes([record.label for record in records])
    trains = np.array([record.bucket == "training" for record in records])
    in_class, across_labels, across_split = (_Nearest(records) for _ in range(3))
    for one, others, similar in _similar_hashes(hashes):
        difference = _difference(thumbnails[one], thumbnails[others])
        near = similar & (difference <= MAX_DIFFERENCE)
        near &= contents[one, np.newaxis] != contents[others]
        difference[~near] = np.inf
        same = labels[one, np.newaxis] == labels[others]
        in_class.add(one, others, np.where(same, difference, np.inf))
        across_labels.add(one, others, np.where(same, np.inf, difference))
        leaks = trains[others] & ~trains[one, np.newaxis]
        across_split.add(one, others, np.where(leaks, difference, np.inf))
    return Twins(in_class.twins(), across_labels.twins(), across_split.twins())


class _Nearest:
    """The nearest twin of each photo among the pairs added so far."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = records
        self._other = np.full(len(records), -1)
        self._difference = np.full(len(records), np.inf)

    def add(self, one: np.ndarray, others: np.ndarray, difference: np.ndarray) -> None:
        """Takes photos, photos, and the difference of each pair, infinite where it is no pair.

        Args:
            one: indices, (num_one,).
            others: indices, (num_others,).
            difference: float, (num_one, num_others).
        """
        column = difference.argmin(axis=1)
        nearest = difference[np.arange(len(one)), column]
        better = nearest < self._difference[one]
        self._other[one[better]] = others[column[better]]
        self._difference[one[better]] = nearest[better]

    def twins(self) -> tuple[Twin, ...]:
        """Returns what was found, the most alike first."""
        twins = [
            Twin(record.relative_path, self._records[other].relative_path, round(difference, 1))
            for record, other, difference in zip(
                self._records, self._other.tolist(), self._difference.tolist(), strict=True
            )
            if other >= 0
        ]
        return tuple(sorted(twins, key=lambda twin: (twin.difference, twin.path)))


def _similar_hashes(hashes: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yields photos, photos, and which of these pairs differ in at most ``MAX_DISTANCE`` bits.

    Of ``MAX_DISTANCE + 1`` bands of bits at least one is equal in such a pair, so only photos that
    agree in a band are compared: M. Norouzi, A. Punjani, D. Fleet, "Fast Search in Hamming Space
    with Multi-Index Hashing" (CVPR 2012). Every pair comes once each way.

    Args:
        hashes: uint64, (num_photos,).
    """
    bands = _bands()
    for number, band in enumerate(bands):
        order = np.argsort(hashes & band, kind="stable")
        starts = np.flatnonzero(np.diff((hashes & band)[order])) + 1
        for members in np.split(order, starts):
            num_rows = max(1, _MAX_PAIRS_AT_ONCE // len(members))
            for start in range(0, len(members) if len(members) > 1 else 0, num_rows):
                rows = members[start : start + num_rows]
                changed = hashes[rows, np.newaxis] ^ hashes[members]
                similar = _bit_count(changed) <= MAX_DISTANCE
                for earlier in bands[:number]:
                    similar &= (changed & earlier) != 0
                if similar.any():
                    yield rows, members, similar


def _bands() -> list[np.uint64]:
    """Returns masks that share the bits of a hash out among ``MAX_DISTANCE + 1`` bands."""
    edges = [_HASH_BITS * number // (MAX_DISTANCE + 1) for number in range(MAX_DISTANCE + 2)]
    return [np.uint64((1 << high) - (1 << low)) for low, high in itertools.pairwise(edges)]


def _bit_count(words: np.ndarray) -> np.ndarray:
    """Returns how many bits are set in each uint64; ``np.bitwise_count`` needs NumPy 2."""
    quarters = words.view(np.uint16).reshape(*words.shape, 4)
    return np.asarray(_POPCOUNT[quarters].sum(axis=-1))


def _difference(one: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Returns the standard deviation of ``one - others`` for all pairs: (num_one, num_others).

    So a photo that is a little lighter all over differs by nothing.

    Args:
        one: thumbnails, uint8, (num_one, num_values).
        others: thumbnails, uint8, (num_others, num_values).
    """
    one, others = _without_mean(one), _without_mean(others)
    squares = np.square(one).sum(axis=1)[:, np.newaxis] + np.square(others).sum(axis=1)
    squares -= 2 * (one @ others.T)
    return np.asarray(np.sqrt(np.maximum(squares, 0) / one.shape[1]))


def _without_mean(thumbnails: np.ndarray) -> np.ndarray:
    values = thumbnails.astype(np.float32)
    return np.asarray(values - values.mean(axis=1, keepdims=True))


def _codes(names: Sequence[str]) -> np.ndarray:
    """Returns a number for each name, equal where the names are."""
    return np.unique(names, return_inverse=True)[1]
