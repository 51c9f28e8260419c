"""Assign groups of photos to the training, validation and test split."""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping

from bricksight.config import SPLITS, SplitConfig

SPLIT_RULE_VERSION = 1
"""Version of the split rule: increased when the same photos would be split differently."""

MIN_GROUPS = len(SPLITS)
"""A class with at least this many groups gets at least one in every split."""

_MAX_HASH = 2**27 - 1
_TRAINING = "training"


def sha1_of(key: str) -> str:
    """Return the SHA-1 of a group key as 40 hexadecimal digits."""
    return hashlib.sha1(key.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()


def wanted_splits(config: SplitConfig) -> tuple[str, ...]:
    """Return the splits with a percentage above 0, training first."""
    return tuple(split for split, (low, high) in _intervals(config).items() if low < high)


def hashed_split(key: str, config: SplitConfig) -> str:
    """Return the split given by the hash of a group's key, computed as in retrain.py."""
    percent = _percent(key)
    if percent < config.validation_percentage:
        return "validation"
    if percent < config.validation_percentage + config.testing_percentage:
        return "test"
    return _TRAINING


def assign_splits(groups: Mapping[str, Collection[str]], config: SplitConfig) -> dict[str, str]:
    """Assign every group to a split, and return group key → split.

    The hash of the key decides, so that a photo stays in its split when other photos are added.
    Then groups are moved for classes that lack a split. Every class gets a group in training. A
    class with at least ``MIN_GROUPS`` groups gets one in every wanted split, unless its groups also
    hold photos of other classes that need them where they are.

    Args:
        groups: Label → keys of its groups; a key may occur under several labels.
        config: The percentages.
    """
    table = _Table(groups, config)
    for split in wanted_splits(config):
        for label in sorted(groups):
            if table.lacks(label, split):
                table.fill(label, split)
    return table.split_of


def missing_splits(
    groups: Mapping[str, Collection[str]], split_of: Mapping[str, str], config: SplitConfig
) -> dict[str, list[str]]:
    """Return label → splits in which the class should have a group but has none."""
    missing = {}
    for label, keys in sorted(groups.items()):
        held = {split_of[key] for key in keys}
        missing[label] = [
            split for split in _required_splits(len(keys), config) if split not in held
        ]
    return {label: splits for label, splits in missing.items() if splits}


class _Table:
    """The split of each group, and the number of groups of each class in each split."""

    def __init__(self, groups: Mapping[str, Collection[str]], config: SplitConfig) -> None:
        self._intervals = _intervals(config)
        self._keys = {label: sorted(set(keys)) for label, keys in groups.items()}
        self._required = {
            label: _required_splits(len(keys), config) for label, keys in self._keys.items()
        }
        self._labels_of: dict[str, list[str]] = {}
        for label, keys in self._keys.items():
            for key in keys:
                self._labels_of.setdefault(key, []).append(label)
        self.split_of = {key: hashed_split(key, config) for key in self._labels_of}
        self._counts = {
            label: Counter(self.split_of[key] for key in keys) for label, keys in self._keys.items()
        }

    def lacks(self, label: str, split: str) -> bool:
        """Return whether the class should have a group in the split and has none."""
        return split in self._required[label] and not self._counts[label][split]

    def fill(self, label: str, split: str) -> None:
        """Move one of the class's groups into the split, if another split can spare one.

        The group comes from the split in which the class has the most groups, or from the next
        one. Of these groups, the one whose hash is nearest to the interval of ``split`` is moved.
        """
        by_size = sorted(SPLITS, key=lambda source: -self._counts[label][source])
        for source in by_size:
            candidates = [
                key
                for key in self._keys[label]
                if self.split_of[key] == source and self._can_spare(key, source, split)
            ]
            if candidates:
                self._move(
                    min(candidates, key=lambda key: (self._distance(key, split), key)), split
                )
                return

    def _can_spare(self, key: str, source: str, target: str) -> bool:
        # A class without training photos cannot be learned, so training is filled first, from
        # splits that then lack a group too. These are filled afterwards.
        if target == _TRAINING:
            return True
        return all(
            source not in self._required[label] or self._counts[label][source] > 1
            for label in self._labels_of[key]
        )

    def _distance(self, key: str, split: str) -> float:
        low, high = self._intervals[split]
        percent = _percent(key)
        return max(low - percent, percent - high, 0.0)

    def _move(self, key: str, split: str) -> None:
        for label in self._labels_of[key]:
            self._counts[label][self.split_of[key]] -= 1
            self._counts[label][split] += 1
        self.split_of[key] = split


def _required_splits(num_groups: int, config: SplitConfig) -> tuple[str, ...]:
    return wanted_splits(config) if num_groups >= MIN_GROUPS else (_TRAINING,)


def _intervals(config: SplitConfig) -> dict[str, tuple[float, float]]:
    """Return split → its interval of hash percentages, training first."""
    validation = config.validation_percentage
    testing = validation + config.testing_percentage
    return {
        _TRAINING: (testing, 100.0),
        "validation": (0, validation),
        "test": (validation, testing),
    }


def _percent(key: str) -> float:
    """Return the hash of a key as a number in [0, 100], computed as in retrain.py."""
    return int(sha1_of(key), 16) % (_MAX_HASH + 1) * (100.0 / _MAX_HASH)
