"""What is wrong with a folder of photos, as far as names and contents tell."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from bricksight._support.text import pluralize, some
from bricksight.config import SplitConfig
from bricksight.dataset._examples import Example, Problem
from bricksight.dataset._folder import Listing
from bricksight.dataset._groups import suggest_group_by
from bricksight.dataset._split import MIN_GROUPS, missing_splits

FEW_PHOTOS = 20
"""Below this many photos in a class retrain.py warned."""


def listing_problems(listing: Listing) -> list[Problem]:
    """Returns what the walk through the folder met besides photos in class folders."""
    found = listing.found
    problems = unreadable_files(found.unreadable)
    problems += _loose_photos(listing)
    problems += _other_files(found.other_files)
    problems += [
        Problem("bad_name", f"The name '{name}' is not UTF-8 text; rename it to use it.", (name,))
        for name in found.bad_names
    ]
    problems += [
        Problem("own_folder", f"The folder {path!r} is skipped: it holds {what}.", (path,))
        for path, what in found.own.items()
    ]
    problems += _of_all(
        "special_file",
        found.special_files,
        "{number} not used, as a pipe, socket or device: {paths}.",
        "file",
    )
    problems += _of_all(
        "link_loop",
        found.loops,
        "{number} back up, not followed: {paths}.",
        "link leads",
        "links lead",
    )
    problems += _of_all(
        "repeated_link",
        found.repeats,
        "{number} to a folder that was found already; its photos count once: {paths}.",
        "link leads",
        "links lead",
    )
    problems += _of_all(
        "hidden_folder",
        listing.hidden_folders,
        "{number} with photos, skipped because the name begins with a dot: {paths}. Rename those "
        "that are classes.",
        "hidden folder",
    )
    problems += _alike(listing.classes)
    return problems


def _of_all(
    kind: str, paths: Sequence[str], text: str, noun: str, plural: str | None = None
) -> list[Problem]:
    """Returns one problem for all paths of a kind, none without any."""
    if not paths:
        return []
    message = text.format(number=pluralize(len(paths), noun, plural), paths=some(paths))
    return [Problem(kind, message, tuple(paths))]


def spelling_of(label: str) -> str:
    """Returns what spellings of a name share: case does not count, nor which blank, - or _."""
    return re.sub(r"[\s_-]+", " ", label.casefold())


def _alike(labels: Sequence[str]) -> list[Problem]:
    """Returns the classes whose names are one name in two spellings."""
    spelled: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        spelled[spelling_of(label)].append(label)
    same = [label for spellings in spelled.values() if len(spellings) > 1 for label in spellings]
    if not same:
        return []
    message = (
        f"{pluralize(len(same), 'class', 'classes')} differ only in spelling: {some(same)}. Put "
        "the photos of one class into one folder."
    )
    return [Problem("alike_classes", message, tuple(same))]


def unreadable_files(reasons: Mapping[str, str]) -> list[Problem]:
    """Returns one problem a file or folder that cannot be read, from relative path → reason."""
    return [
        Problem("unreadable", f"{path!r} cannot be read: {reason}.", (path,))
        for path, reason in sorted(reasons.items())
    ]


def empty_classes(labels: Iterable[str]) -> list[Problem]:
    """Returns one problem a class folder without a photo that can be used."""
    return [
        Problem(
            "empty_class",
            f"The class {label!r} has no photo that can be used, so it is left out.",
            (label,),
        )
        for label in sorted(labels)
    ]


def content_problems(examples: Sequence[Example]) -> list[Problem]:
    """Returns the photos that are there more than once, and those under several labels."""
    same: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        same[example.sha256].append(example)
    problems = []
    for copies in same.values():
        paths = tuple(example.relative_path for example in copies)
        labels = sorted({example.label for example in copies})
        if len(labels) > 1:
            message = (
                f"One photo is under {pluralize(len(labels), 'label')}: {some(paths)}. "
                "Keep the right one."
            )
            problems.append(Problem("two_labels", message, paths))
        elif len(copies) > 1:
            message = f"The same photo is there {len(copies)} times: {some(paths)}."
            problems.append(Problem("duplicate", message, paths))
    return problems


def ungrouped(paths: Sequence[str]) -> list[Problem]:
    """Returns what is to be said of paths in which ``--group_by`` found nothing."""
    if not paths:
        return []
    message = (
        f"--group_by finds nothing in {pluralize(len(paths), 'path')}, each of which is a group of "
        f"its own: {some(paths)}."
    )
    return [Problem("no_group", message, tuple(paths))]


def suggested_groups(examples: Sequence[Example], split: SplitConfig) -> list[Problem]:
    """Returns what is to be said where names suggest groups and none are given."""
    suggestion = None if split.group_by else suggest_group_by(examples)
    if suggestion is None:
        return []
    message = (
        "The file names look like several photos of each object. Where one is trained on and "
        "another tested on, the accuracy is too good. Keep them together: --group_by "
        f"'{suggestion}'"
    )
    return [Problem("group_by", message)]


def split_problems(examples: Sequence[Example], split: SplitConfig) -> list[Problem]:
    """Returns what keeps classes from being learnt and measured well.

    Args:
        examples: every photo that is used.
        split: how the examples were split.
    """
    groups: dict[str, set[str]] = defaultdict(set)
    for example in examples:
        groups[example.label].add(example.group)
    split_of = {example.group: example.split for example in examples}
    member = "photos" if len(split_of) == len(examples) else "groups of photos"
    problems = [*_small_classes(examples), *_tiny_classes(groups, member)]
    problems += [
        Problem(
            "missing_split",
            f"The class {label!r} has no photo for {' and '.join(splits)}: its groups are shared "
            "with classes that cannot spare them.",
            (label,),
        )
        for label, splits in missing_splits(groups, split_of, split).items()
    ]
    return problems


def _loose_photos(listing: Listing) -> list[Problem]:
    if not listing.loose_photos:
        return []
    message = (
        f"{pluralize(len(listing.loose_photos), 'photo')} beside the class folders, so without a "
        f"class and not used: {some(listing.loose_photos)}."
    )
    return [Problem("loose_photo", message, tuple(listing.loose_photos))]


def _other_files(paths: Sequence[str]) -> list[Problem]:
    if not paths:
        return []
    return [
        Problem("other_file", f"{of_other_types(paths)}, not used: {some(paths)}.", tuple(paths))
    ]


def of_other_types(paths: Sequence[str]) -> str:
    """Returns how many files there are whose names do not end like a photo's, and how they end."""
    endings = Counter(PurePosixPath(path).suffix.lower() for path in paths)
    what = ", ".join(
        f"{number:,} {ending or 'without one'}" for ending, number in endings.most_common()
    )
    return f"{pluralize(len(paths), 'file')} with endings of other types ({what})"


def _small_classes(examples: Sequence[Example]) -> list[Problem]:
    counts = Counter(example.label for example in examples)
    small = sorted(label for label, number in counts.items() if number < FEW_PHOTOS)
    if not small:
        return []
    message = (
        f"{len(small):,} of {pluralize(len(counts), 'class', 'classes')} "
        f"{'has' if len(small) == 1 else 'have'} fewer than {FEW_PHOTOS} photos: {some(small)}. "
        "More photos are the surest way to better answers."
    )
    return [Problem("small_class", message, tuple(small))]


def _tiny_classes(groups: Mapping[str, set[str]], member: str) -> list[Problem]:
    tiny = sorted(label for label, keys in groups.items() if len(keys) < MIN_GROUPS)
    if not tiny:
        return []
    message = (
        f"{pluralize(len(tiny), 'class', 'classes')} with fewer than {MIN_GROUPS} {member} cannot "
        f"be on every side of the split, and what is there trains first: {some(tiny)}."
    )
    return [Problem("tiny_class", message, tuple(tiny))]
