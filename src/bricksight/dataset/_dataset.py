"""A data set: classes, examples with their splits, problems."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bricksight._support.text import pluralize
from bricksight.config import RENDERS_FILE, SPLITS, SplitConfig
from bricksight.dataset._examples import Example, Photo, Problem
from bricksight.dataset._groups import group_keys, join_identical
from bricksight.dataset._problems import (
    duplicate_problems,
    empty_classes,
    split_problems,
    unmatched_paths,
    unreadable_files,
)
from bricksight.dataset._split import assign_splits, sha1_of
from bricksight.errors import DataError

MIN_CLASSES = 2
"""The smallest number of classes that a classifier can be trained on."""

_MAX_REASONS = 5

# These kinds depend on the examples, so ``without`` computes them again.
_RECOMPUTED_KINDS = frozenset(
    {"duplicate", "conflicting_labels", "small_class", "tiny_class", "missing_split", "no_group"}
)


@dataclass(frozen=True)
class Dataset:
    """Photos with their classes, each in one split: training, validation or test.

    Attributes:
        image_dir: The folder that was scanned.
        labels: The classes that have photos, sorted by name: the order of the model's outputs.
        examples: All photos that are used, sorted by ``relative_path``.
        problems: Faults and advice found so far.
        split: Settings with which the photos were split.
        extra: Photos of ``--extra_train_dir``, which are trained on only. Their split is "extra",
            and their classes are in ``labels`` too.
        outliers: Photos of ``--unknown_dir``, which show none of the classes. Their label is empty.
            Those of the "training" split are trained on, the others are used for calibration and
            tests.
    """

    image_dir: Path
    labels: tuple[str, ...]
    examples: tuple[Example, ...]
    problems: tuple[Problem, ...]
    split: SplitConfig
    extra: tuple[Example, ...] = ()
    outliers: tuple[Example, ...] = ()

    @property
    def is_rendered(self) -> bool:
        """Whether the folder holds synthetic photos, written by a renderer."""
        return (self.image_dir / RENDERS_FILE).is_file()

    def in_split(self, name: str) -> tuple[Example, ...]:
        """Return the examples of one split, sorted by ``relative_path``.

        Raises:
            ValueError: ``name`` is not "training", "validation" or "test".
        """
        if name not in SPLITS:
            raise ValueError(f"There is no split {name!r}. Expected one of {', '.join(SPLITS)}.")
        return tuple(example for example in self.examples if example.split == name)

    def label_indices(self, examples: Sequence[Example]) -> np.ndarray:
        """Return the index in ``labels`` of each example's class: int32, (num_examples,)."""
        index_of = {label: index for index, label in enumerate(self.labels)}
        return np.array([index_of[example.label] for example in examples], dtype=np.int32)

    def without(self, reasons: Mapping[str, str]) -> "Dataset":
        """Return the data set without unreadable files, split again by the same rule.

        The files become "unreadable" problems. A class that loses all its photos is removed from
        ``labels`` and becomes an "empty_class" problem.

        Args:
            reasons: Relative path of the file → why it cannot be read.

        Raises:
            ValueError: A path is not that of an example.
            DataError: Fewer than two classes are left.
        """
        unknown = set(reasons).difference(example.relative_path for example in self.examples)
        if unknown:
            raise ValueError(f"Not in this data set: {sorted(unknown)}.")
        if not reasons:
            return self
        kept = [
            Photo(example.path, example.relative_path, example.label, example.sha256)
            for example in self.examples
            if example.relative_path not in reasons
        ]
        kept_problems = [
            problem for problem in self.problems if problem.kind not in _RECOMPUTED_KINDS
        ]
        left = assemble(
            self.image_dir,
            kept,
            classes=self.labels,
            split=self.split,
            problems=[*kept_problems, *unreadable_files(reasons)],
        )
        return replace(left.with_extra(self.extra), outliers=self.outliers)

    def with_extra(self, extra: Sequence[Example], problems: Sequence[Problem] = ()) -> "Dataset":
        """Return the data set with additional training photos and the problems found in them.

        Args:
            extra: Examples from ``scan_extra``.
            problems: Problems from ``scan_extra``.
        """
        labels = {*self.labels, *(example.label for example in extra)}
        return replace(
            self,
            labels=tuple(sorted(labels)),
            extra=tuple(extra),
            problems=(*self.problems, *problems),
        )


def assemble(
    image_dir: Path,
    photos: Sequence[Photo],
    *,
    classes: Iterable[str],
    split: SplitConfig,
    problems: Sequence[Problem],
    for_training: bool = True,
) -> Dataset:
    """Build a data set from hashed photos: assign groups and splits, and look for problems.

    Args:
        image_dir: The folder that holds the photos.
        photos: Photos with their SHA-256, in any order.
        classes: Labels of all class folders, including those without photos.
        split: How to split the photos.
        problems: Problems found before; they come first in the result.
        for_training: As in ``scan``.

    Raises:
        DataError: There are too few classes with photos, or ``--group_by`` matches no path.
    """
    labels = tuple(sorted({photo.label for photo in photos}))
    min_classes = MIN_CLASSES if for_training else 1
    if len(labels) < min_classes:
        raise DataError(
            f"{image_dir} holds readable photos of "
            f"{pluralize(len(labels), 'class', 'classes')}"
            f"{f', {labels[0]!r}' if labels else ''}; at least {min_classes} "
            f"{'is' if min_classes == 1 else 'are'} needed."
            + "".join(f"\n  {problem.message}" for problem in problems[:_MAX_REASONS])
        )
    examples, unmatched = _split(sorted(photos, key=lambda photo: photo.relative_path), split)
    return Dataset(
        image_dir=image_dir,
        labels=labels,
        examples=examples,
        problems=(
            *problems,
            *empty_classes(set(classes).difference(labels)),
            *duplicate_problems(examples),
            *(split_problems(examples, split) if for_training else ()),
            *unmatched_paths(unmatched),
        ),
        split=split,
    )


def _split(photos: Sequence[Photo], split: SplitConfig) -> tuple[tuple[Example, ...], list[str]]:
    """Return the examples, and the paths that ``--group_by`` does not match."""
    keys, unmatched = group_keys([photo.relative_path for photo in photos], group_by=split.group_by)
    keys = join_identical(keys, [photo.sha256 for photo in photos])
    pairs = list(zip(photos, keys, strict=True))
    if split.limit_per_class is not None:
        pairs = _limit_per_class(pairs, split.limit_per_class)
    groups: dict[str, set[str]] = defaultdict(set)
    for photo, key in pairs:
        groups[photo.label].add(key)
    split_of = assign_splits(groups, split)
    examples = tuple(
        Example(photo.path, photo.relative_path, photo.label, key, photo.sha256, split_of[key])
        for photo, key in pairs
    )
    return examples, unmatched


def _limit_per_class(pairs: Sequence[tuple[Photo, str]], limit: int) -> list[tuple[Photo, str]]:
    """Return at most ``limit`` photos of each class; only the last group may be cut.

    Groups are taken in the order of their hashes. So the choice is the same in every run, and
    independent of the names, which often follow the time when the photos were taken.
    """
    by_class: dict[str, list[tuple[str, Photo, str]]] = defaultdict(list)
    for photo, key in pairs:
        by_class[photo.label].append((sha1_of(key), photo, key))
    chosen = []
    for members in by_class.values():
        members.sort(key=lambda member: (member[0], member[1].relative_path))
        chosen += [(photo, key) for _, photo, key in members[:limit]]
    return sorted(chosen, key=lambda pair: pair[0].relative_path)
