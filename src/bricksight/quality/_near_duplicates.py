"""Find near-duplicates among tens of thousands of photos without comparing all pairs.

Rotated copies are not found. Libraries were tried on 251 photos: cleanvision takes only photos of
equal pHash for near-duplicates, and so finds 77 % of those saved again with JPEG quality 40 and
90 % of those at half the size, where this file finds over 99 %. imagehash has no search, and its
hashes alone also match different photos on plain backgrounds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bricksight.dataset import Example
from bricksight.quality._fingerprint import Fingerprint
from bricksight.quality._neighbours import FingerprintArrays, NeighbourSearch

_MAX_PAIRS = 1 << 24
"""Largest number of pairs that are compared exhaustively: all pairs of 4,096 photos."""

_MAX_PAIRS_AT_ONCE = 1 << 21
_ROWS_AT_ONCE = 1 << 12

Progress = Callable[[int, int], None]
"""Called with the number of photos done and the number of all photos."""


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """A photo and the one that looks most like it.

    Attributes:
        path: The photo, relative to image_dir.
        other: The photo most similar to it, relative to image_dir.
        difference: Standard deviation of the difference of their thumbnails, from 0 to 255.
    """

    path: str
    other: str
    difference: float


@dataclass(frozen=True, slots=True)
class NearDuplicates:
    """Photos with a near-duplicate, each with the most similar one; identical files do not count.

    Attributes:
        in_class: Photos with a near-duplicate in the same class.
        across_labels: Photos with a near-duplicate in another class.
        across_split: Validation and test photos with a near-duplicate in the training split.
    """

    in_class: tuple[NearDuplicate, ...]
    across_labels: tuple[NearDuplicate, ...]
    across_split: tuple[NearDuplicate, ...]


def match_fingerprints(
    examples: Sequence[Example],
    fingerprints: Sequence[Fingerprint],
    *,
    progress: Progress | None = None,
) -> NearDuplicates:
    """Find near-duplicates by comparing fingerprints.

    Two photos are near-duplicates if both their hashes and their thumbnails are similar. Hashes
    alone would match different photos on plain backgrounds.

    Up to 4,096 photos are compared in all pairs. In larger data sets, each photo is compared with
    its nearest neighbours in a k-d tree, and photos with more neighbours than one query returns are
    compared with all photos. Only if that takes more than ``_MAX_PAIRS`` pairs, because tens of
    thousands of photos look alike, is the result approximate: a very similar photo instead of the
    most similar one. The time then still grows with n log n.

    Args:
        examples: The photos.
        fingerprints: Fingerprint of each photo, in the same order.
        progress: Called as photos are done.
    """
    if len(examples) < 2:
        return NearDuplicates((), (), ())
    arrays = FingerprintArrays(fingerprints)
    pairs = _Pairs(examples, arrays)
    rows = np.arange(len(examples))
    report = progress or (lambda done, total: None)
    unfinished = rows
    if len(rows) ** 2 > _MAX_PAIRS:
        unfinished = pairs.compare_neighbours(rows, rows, report)
    if len(unfinished) * len(rows) <= _MAX_PAIRS:
        pairs.compare_all(unfinished, report)
    else:
        pairs.compare_by_kind(unfinished)
    report(len(rows), len(rows))
    return NearDuplicates(
        *(kind.sorted_pairs() for kind in (pairs.in_class, pairs.across_labels, pairs.across_split))
    )


class _Pairs:
    """The most similar photo of each photo so far, of each of the three kinds."""

    def __init__(self, examples: Sequence[Example], arrays: FingerprintArrays) -> None:
        self._looks = arrays
        self._contents = _integer_codes([example.sha256 for example in examples])
        self._labels = _integer_codes([example.label for example in examples])
        self._trains = np.array([example.split == "training" for example in examples])
        self.in_class, self.across_labels, self.across_split = (
            _Nearest(examples) for _ in range(3)
        )

    def compare_all(self, rows: np.ndarray, report: Progress) -> None:
        """Compare photos with all photos."""
        others = np.arange(len(self._labels))
        at_once = max(1, _MAX_PAIRS_AT_ONCE // len(others))
        for start in range(0, len(rows), at_once):
            one = rows[start : start + at_once]
            difference = self._looks.differences_of_all(one)
            self._add(one, np.broadcast_to(others, difference.shape), difference)
            report(start, len(rows))

    def compare_neighbours(
        self, rows: np.ndarray, targets: np.ndarray, report: Progress = lambda done, total: None
    ) -> np.ndarray:
        """Compare photos with their nearest neighbours among the targets.

        Returns:
            The rows of photos that may have further neighbours.
        """
        neighbours = NeighbourSearch(self._looks, self._one_of_each_content(targets))
        unfinished = []
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            one = rows[start : start + _ROWS_AT_ONCE]
            others, has_more = neighbours.query(one)
            self._add(one, others, self._looks.differences(one, others))
            unfinished.append(one[has_more])
            report(start, len(rows))
        return np.concatenate(unfinished)

    def compare_by_kind(self, rows: np.ndarray) -> None:
        """Search again for photos with many neighbours, for each kind that was not found.

        The nearest neighbours of such a photo may all be of one kind, for example of its class. So
        each search is limited to photos that are of the wanted kind.
        """
        everything = np.arange(len(self._labels))
        jobs = [(self.in_class, self._labels == label) for label in np.unique(self._labels)]
        of_class = [(found, members, members) for found, members in jobs]
        # Two different label indices differ in at least one bit, so searches for each bit suffice.
        bits = [self._labels >> bit & 1 for bit in range(int(self._labels.max()).bit_length())]
        of_labels = [
            (self.across_labels, bit == value, bit != value) for bit in bits for value in (0, 1)
        ]
        of_split = [(self.across_split, ~self._trains, self._trains)]
        for found, is_one, is_other in [*of_class, *of_labels, *of_split]:
            one = rows[is_one[rows] & ~found.is_found[rows]]
            if len(one) and is_other.any():
                self.compare_neighbours(one, everything[is_other])

    def _one_of_each_content(self, photos: np.ndarray) -> np.ndarray:
        """Keep one of the identical files that have the same label and are both training or not."""
        keys = np.stack([self._contents, self._labels, self._trains])[:, photos]
        return photos[np.sort(np.unique(keys, axis=1, return_index=True)[1])]

    def _add(self, one: np.ndarray, others: np.ndarray, difference: np.ndarray) -> None:
        """Add photos, (num_one,), their compared photos and differences, (num_one, num_others)."""
        row = one[:, np.newaxis]
        difference = np.where(self._contents[row] != self._contents[others], difference, np.inf)
        same = self._labels[row] == self._labels[others]
        leaks = self._trains[others] & ~self._trains[row]
        self.in_class.add(one, others, np.where(same, difference, np.inf))
        self.across_labels.add(one, others, np.where(same, np.inf, difference))
        self.across_split.add(one, others, np.where(leaks, difference, np.inf))


class _Nearest:
    """The most similar photo of each photo among the pairs added so far."""

    def __init__(self, examples: Sequence[Example]) -> None:
        self._examples = examples
        self._other = np.full(len(examples), -1)
        self._difference = np.full(len(examples), np.inf)

    @property
    def is_found(self) -> np.ndarray:
        """Whether each photo has a near-duplicate: bool, (num_photos,)."""
        return np.asarray(self._other >= 0)

    def add(self, one: np.ndarray, others: np.ndarray, difference: np.ndarray) -> None:
        """Add compared pairs.

        Args:
            one: Indices of photos, (num_one,).
            others: Indices of the photos they are compared with, (num_one, num_others).
            difference: Difference of each pair, (num_one, num_others); infinite for pairs that are
                not near-duplicates.
        """
        row, column = np.arange(len(one)), difference.argmin(axis=1)
        nearest = difference[row, column]
        better = nearest < self._difference[one]
        self._other[one[better]] = others[row, column][better]
        self._difference[one[better]] = nearest[better]

    def sorted_pairs(self) -> tuple[NearDuplicate, ...]:
        """Return the near-duplicates found, the most similar first."""
        near_duplicates = [
            NearDuplicate(
                example.relative_path, self._examples[other].relative_path, round(difference, 1)
            )
            for example, other, difference in zip(
                self._examples, self._other.tolist(), self._difference.tolist(), strict=True
            )
            if other >= 0
        ]
        return tuple(
            sorted(
                near_duplicates,
                key=lambda one: (one.difference, one.path),
            )
        )


def _integer_codes(names: Sequence[str]) -> np.ndarray:
    """Return an integer for each name; equal names have equal integers."""
    return np.unique(names, return_inverse=True)[1]
