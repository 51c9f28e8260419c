"""The rule that deals groups of photos to training, validation and testing."""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping

from bricksight.config import BUCKETS, SplitConfig

SPLIT_RULE_VERSION = 1
"""Goes up whenever the same photos and settings would be dealt differently."""

MIN_GROUPS = len(BUCKETS)
"""A class with this many groups is given one in every bucket."""

_MAX_HASH = 2**27 - 1
_TRAINING = "training"


def sha1_of(key: str) -> str:
    """Returns the SHA-1 of a group key as 40 hexadecimal digits."""
    return hashlib.sha1(key.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()


def wanted_buckets(split: SplitConfig) -> tuple[str, ...]:
    """Returns the buckets that are to hold photos, training first."""
    return tuple(bucket for bucket, (low, high) in _intervals(split).items() if low < high)


def hashed_bucket(key: str, split: SplitConfig) -> str:
    """Returns the bucket that a group's key alone would give, with retrain.py's arithmetic."""
    percent = _percent(key)
    if percent < split.validation_percentage:
        return "validation"
    if percent < split.validation_percentage + split.testing_percentage:
        return "testing"
    return _TRAINING


def assign_splits(groups: Mapping[str, Collection[str]], split: SplitConfig) -> dict[str, str]:
    """Returns the bucket of every group.

    The hash of the key decides, so that a photo stays where it is when others are added. Then
    classes that lack a bucket get one: every class has a group in training, and a class of at least
    ``MIN_GROUPS`` groups has one in each bucket that is asked for, unless its groups are shared
    with other classes that cannot spare them.

    Args:
        groups: label → keys of its groups; a key may stand under several labels.
        split: the percentages.
    """
    table = _Table(groups, split)
    for bucket in wanted_buckets(split):
        for label in sorted(groups):
            if table.lacks(label, bucket):
                table.fill(label, bucket)
    return table.bucket_of


def missing_buckets(
    groups: Mapping[str, Collection[str]], bucket_of: Mapping[str, str], split: SplitConfig
) -> dict[str, list[str]]:
    """Returns label → buckets that the class should have a group in and has not."""
    missing = {}
    for label, keys in sorted(groups.items()):
        held = {bucket_of[key] for key in keys}
        missing[label] = [
            bucket for bucket in _required_buckets(len(keys), split) if bucket not in held
        ]
    return {label: buckets for label, buckets in missing.items() if buckets}


class _Table:
    """Which group is in which bucket, and how many groups of each class that makes."""

    def __init__(self, groups: Mapping[str, Collection[str]], split: SplitConfig) -> None:
        self._intervals = _intervals(split)
        self._keys = {label: sorted(set(keys)) for label, keys in groups.items()}
        self._required = {
            label: _required_buckets(len(keys), split) for label, keys in self._keys.items()
        }
        self._labels_of: dict[str, list[str]] = {}
        for label, keys in self._keys.items():
            for key in keys:
                self._labels_of.setdefault(key, []).append(label)
        self.bucket_of = {key: hashed_bucket(key, split) for key in self._labels_of}
        self._counts = {
            label: Counter(self.bucket_of[key] for key in keys)
            for label, keys in self._keys.items()
        }

    def lacks(self, label: str, bucket: str) -> bool:
        """Returns whether the class should have a group in the bucket and has none."""
        return bucket in self._required[label] and not self._counts[label][bucket]

    def fill(self, label: str, bucket: str) -> None:
        """Moves the class's group that the hash puts nearest to the bucket, if one can be spared.

        It comes from the bucket in which the class has the most groups, or from the next.
        """
        by_size = sorted(BUCKETS, key=lambda source: -self._counts[label][source])
        for source in by_size:
            candidates = [
                key
                for key in self._keys[label]
                if self.bucket_of[key] == source and self._can_spare(key, source, bucket)
            ]
            if candidates:
                self._move(
                    min(candidates, key=lambda key: (self._distance(key, bucket), key)), bucket
                )
                return

    def _can_spare(self, key: str, source: str, target: str) -> bool:
        # A class without training photos cannot be learnt at all, so training is filled first and
        # at any cost; the passes over the other buckets make good what that took from them.
        if target == _TRAINING:
            return True
        return all(
            source not in self._required[label] or self._counts[label][source] > 1
            for label in self._labels_of[key]
        )

    def _distance(self, key: str, bucket: str) -> float:
        low, high = self._intervals[bucket]
        percent = _percent(key)
        return max(low - percent, percent - high, 0.0)

    def _move(self, key: str, bucket: str) -> None:
        for label in self._labels_of[key]:
            self._counts[label][self.bucket_of[key]] -= 1
            self._counts[label][bucket] += 1
        self.bucket_of[key] = bucket


def _required_buckets(num_groups: int, split: SplitConfig) -> tuple[str, ...]:
    return wanted_buckets(split) if num_groups >= MIN_GROUPS else (_TRAINING,)


def _intervals(split: SplitConfig) -> dict[str, tuple[float, float]]:
    """Returns bucket → the percentages that belong to it, training first."""
    validation = split.validation_percentage
    testing = validation + split.testing_percentage
    return {
        _TRAINING: (testing, 100.0),
        "validation": (0, validation),
        "testing": (validation, testing),
    }


def _percent(key: str) -> float:
    """Returns a number in [0, 100] that the key alone decides, as retrain.py computed it."""
    return int(sha1_of(key), 16) % (_MAX_HASH + 1) * (100.0 / _MAX_HASH)
