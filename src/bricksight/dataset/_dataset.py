"""A data set: classes, photos on the sides of the split, problems."""

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
    content_problems,
    empty_classes,
    split_problems,
    ungrouped,
    unreadable_files,
)
from bricksight.dataset._split import assign_splits, sha1_of
from bricksight.errors import DataError

MIN_CLASSES = 2
"""A classifier tells at least so many apart."""

_MAX_REASONS = 5

# Found again whenever the examples change; the other kinds of problem stay.
_FROM_RECORDS = frozenset(
    {"duplicate", "two_labels", "small_class", "tiny_class", "missing_split", "no_group"}
)


@dataclass(frozen=True)
class Dataset:
    """Photos with their classes, each in one split: training, validation or test.

    Attributes:
        image_dir: The folder that was scanned.
        labels: The classes that have photos, in class order: sorted by name.
        examples: Every photo that is used, sorted by its path below ``image_dir``.
        problems: What the owner of the photos should know, found so far.
        split: How the photos were split.
        extra: Further photos to train on, from another folder; their
            split is "extra". Their classes are in ``labels`` too.
        outliers: Photos of none of the classes, from another folder; those that are not in the
            "training" split are kept to test on. Their label is empty.
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
        """Whether these are no photos but renders."""
        return (self.image_dir / RENDERS_FILE).is_file()

    def in_split(self, name: str) -> tuple[Example, ...]:
        """Returns the photos of one split, sorted by path.

        Raises:
            ValueError: ``name`` is not "training", "validation" or "test".
        """
        if name not in SPLITS:
            raise ValueError(f"There is no split {name!r}; there are {', '.join(SPLITS)}.")
        return tuple(example for example in self.examples if example.split == name)

    def label_indices(self, examples: Sequence[Example]) -> np.ndarray:
        """Returns the place of each example's class in ``labels``: int32, (num_examples,)."""
        index_of = {label: index for index, label in enumerate(self.labels)}
        return np.array([index_of[example.label] for example in examples], dtype=np.int32)

    def without(self, reasons: Mapping[str, str]) -> "Dataset":
        """Returns the data set without some files, split again by the same rule.

        The files become "unreadable" problems. A class that loses all its photos leaves ``labels``
        and becomes an "empty_class" problem.

        Args:
            reasons: relative path of the file → why it cannot be used.

        Raises:
            ValueError: a path is not that of an example.
            DataError: fewer than two classes are left.
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
        lasting = [problem for problem in self.problems if problem.kind not in _FROM_RECORDS]
        left = assemble(
            self.image_dir,
            kept,
            classes=self.labels,
            split=self.split,
            problems=[*lasting, *unreadable_files(reasons)],
        )
        return replace(left.with_extra(self.extra), outliers=self.outliers)

    def with_extra(self, extra: Sequence[Example], problems: Sequence[Problem] = ()) -> "Dataset":
        """Returns the data set with further photos to train on, and what there is to say of them.

        Args:
            extra: as ``dataset.scan_extra`` returns them.
            problems: the same.
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
    trains: bool = True,
) -> Dataset:
    """Returns the data set of hashed photos, each in its split.

    Args:
        image_dir: the folder they are in.
        photos: in any order.
        classes: labels of the class folders, those without photos too.
        split: how to split them.
        problems: what is known already; more are found here.
        trains: as in ``scan``.

    Raises:
        DataError: photos of fewer classes than it takes, or ``--group_by`` finds nothing.
    """
    labels = tuple(sorted({photo.label for photo in photos}))
    least = MIN_CLASSES if trains else 1
    if len(labels) < least:
        raise DataError(
            f"{image_dir} has photos that can be used of "
            f"{pluralize(len(labels), 'class', 'classes')}"
            f"{f', {labels[0]!r}' if labels else ''}; at least {least} "
            f"{'is' if least == 1 else 'are'} needed."
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
            *content_problems(examples),
            *(split_problems(examples, split) if trains else ()),
            *ungrouped(unmatched),
        ),
        split=split,
    )


def _split(photos: Sequence[Photo], split: SplitConfig) -> tuple[tuple[Example, ...], list[str]]:
    """Returns the examples, and the paths in which ``--group_by`` found nothing."""
    keys, unmatched = group_keys([photo.relative_path for photo in photos], group_by=split.group_by)
    keys = join_identical(keys, [photo.sha256 for photo in photos])
    pairs = list(zip(photos, keys, strict=True))
    if split.limit_per_class is not None:
        pairs = _limited(pairs, split.limit_per_class)
    groups: dict[str, set[str]] = defaultdict(set)
    for photo, key in pairs:
        groups[photo.label].add(key)
    split_of = assign_splits(groups, split)
    examples = tuple(
        Example(photo.path, photo.relative_path, photo.label, key, photo.sha256, split_of[key])
        for photo, key in pairs
    )
    return examples, unmatched


def _limited(pairs: Sequence[tuple[Photo, str]], limit: int) -> list[tuple[Photo, str]]:
    """Returns at most ``limit`` photos of each class, whole groups as far as they fit.

    The order of the groups is that of their hashes, so that the choice is the same every time and
    has nothing to do with the time at which the photos were taken.
    """
    by_class: dict[str, list[tuple[str, Photo, str]]] = defaultdict(list)
    for photo, key in pairs:
        by_class[photo.label].append((sha1_of(key), photo, key))
    chosen = []
    for members in by_class.values():
        members.sort(key=lambda member: (member[0], member[1].relative_path))
        chosen += [(photo, key) for _, photo, key in members[:limit]]
    return sorted(chosen, key=lambda pair: pair[0].relative_path)
