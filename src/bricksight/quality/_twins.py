"""Photos that look nearly the same, found among tens of thousands without comparing all pairs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bricksight.dataset import Example
from bricksight.quality._fingerprint import Fingerprint
from bricksight.quality._neighbours import Looks, Neighbours

_MAX_PAIRS = 1 << 24
"""So many pairs are compared one by one at most: all pairs of 4,096 photos."""

_MAX_PAIRS_AT_ONCE = 1 << 21
_ROWS_AT_ONCE = 1 << 12

Progress = Callable[[int, int], None]
"""Called with how many photos are done and how many there are."""


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


def find_twins(
    examples: Sequence[Example],
    fingerprints: Sequence[Fingerprint],
    *,
    progress: Progress | None = None,
) -> Twins:
    """Return the photos that look nearly the same as another.

    Hashes propose and thumbnails decide: on plain backgrounds hashes alone find far too many.

    Each photo is compared with its nearest neighbours in a k-d tree. The few that have too many of
    them are compared with all photos. Only where that is a matter of more than ``_MAX_PAIRS`` pairs
    (tens of thousands that all look alike) is a photo's twin one of the most alike instead of the
    most alike; there, too, the time grows with n log n.

    Args:
        examples: the photos.
        fingerprints: of each photo, in the same order.
        progress: called as photos are done.
    """
    if len(examples) < 2:
        return Twins((), (), ())
    looks = Looks(fingerprints)
    pairs = _Pairs(examples, looks)
    rows = np.arange(len(examples))
    report = progress or (lambda done, total: None)
    crowded = rows
    if len(rows) ** 2 > _MAX_PAIRS:
        crowded = pairs.compare_neighbours(rows, rows, report)
    if len(crowded) * len(rows) <= _MAX_PAIRS:
        pairs.compare_all(crowded, report)
    else:
        pairs.compare_crowded(crowded)
    report(len(rows), len(rows))
    return Twins(
        *(found.twins() for found in (pairs.in_class, pairs.across_labels, pairs.across_split))
    )


class _Pairs:
    """Compare pairs of photos, and keeps each photo's nearest twin of three kinds."""

    def __init__(self, examples: Sequence[Example], looks: Looks) -> None:
        self._looks = looks
        self._contents = _codes([example.sha256 for example in examples])
        self._labels = _codes([example.label for example in examples])
        self._trains = np.array([example.split == "training" for example in examples])
        self.in_class, self.across_labels, self.across_split = (
            _Nearest(examples) for _ in range(3)
        )

    def compare_all(self, rows: np.ndarray, report: Progress) -> None:
        """Compare photos with every photo."""
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
        """Compare photos with their neighbours among the targets.

        Returns the rows of those photos that may have more than were compared.
        """
        neighbours = Neighbours(self._looks, self._one_of_each_content(targets))
        crowded = []
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            one = rows[start : start + _ROWS_AT_ONCE]
            others, is_crowded = neighbours.of(one)
            self._add(one, others, self._looks.differences(one, others))
            crowded.append(one[is_crowded])
            report(start, len(rows))
        return np.concatenate(crowded)

    def compare_crowded(self, rows: np.ndarray) -> None:
        """Look for twins of a kind that were not among a photo's neighbours of every kind."""
        everything = np.arange(len(self._labels))
        jobs = [(self.in_class, self._labels == label) for label in np.unique(self._labels)]
        of_class = [(found, members, members) for found, members in jobs]
        # Two labels differ in a bit of their numbers.
        bits = [self._labels >> bit & 1 for bit in range(int(self._labels.max()).bit_length())]
        of_labels = [
            (self.across_labels, bit == value, bit != value) for bit in bits for value in (0, 1)
        ]
        of_split = [(self.across_split, ~self._trains, self._trains)]
        for found, is_one, is_other in [*of_class, *of_labels, *of_split]:
            one = rows[is_one[rows] & ~found.has_twin[rows]]
            if len(one) and is_other.any():
                self.compare_neighbours(one, everything[is_other])

    def _one_of_each_content(self, photos: np.ndarray) -> np.ndarray:
        """Leave out exact copies that are alike in all that counts here."""
        keys = np.stack([self._contents, self._labels, self._trains])[:, photos]
        return photos[np.sort(np.unique(keys, axis=1, return_index=True)[1])]

    def _add(self, one: np.ndarray, others: np.ndarray, difference: np.ndarray) -> None:
        """Take photos, (num_one,), photos, and the difference of each pair, (num_one, any)."""
        row = one[:, np.newaxis]
        difference = np.where(self._contents[row] != self._contents[others], difference, np.inf)
        same = self._labels[row] == self._labels[others]
        leaks = self._trains[others] & ~self._trains[row]
        self.in_class.add(one, others, np.where(same, difference, np.inf))
        self.across_labels.add(one, others, np.where(same, np.inf, difference))
        self.across_split.add(one, others, np.where(leaks, difference, np.inf))


class _Nearest:
    """The nearest twin of each photo among the pairs added so far."""

    def __init__(self, examples: Sequence[Example]) -> None:
        self._examples = examples
        self._other = np.full(len(examples), -1)
        self._difference = np.full(len(examples), np.inf)

    @property
    def has_twin(self) -> np.ndarray:
        """Of each photo, whether it has one: bool, (num_photos,)."""
        return np.asarray(self._other >= 0)

    def add(self, one: np.ndarray, others: np.ndarray, difference: np.ndarray) -> None:
        """Take photos, photos, and the difference of each pair, infinite where it is no pair.

        Args:
            one: indices, (num_one,).
            others: indices, (num_one, num_others).
            difference: float, likewise.
        """
        row, column = np.arange(len(one)), difference.argmin(axis=1)
        nearest = difference[row, column]
        better = nearest < self._difference[one]
        self._other[one[better]] = others[row, column][better]
        self._difference[one[better]] = nearest[better]

    def twins(self) -> tuple[Twin, ...]:
        """Return what was found, the most alike first."""
        twins = [
            Twin(example.relative_path, self._examples[other].relative_path, round(difference, 1))
            for example, other, difference in zip(
                self._examples, self._other.tolist(), self._difference.tolist(), strict=True
            )
            if other >= 0
        ]
        return tuple(sorted(twins, key=lambda twin: (twin.difference, twin.path)))


def _codes(names: Sequence[str]) -> np.ndarray:
    """Return a number for each name, equal where the names are."""
    return np.unique(names, return_inverse=True)[1]
