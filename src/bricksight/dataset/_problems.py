"""Find problems of a folder of photos that show without decoding them."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from bricksight._support.filesystem.walk import Found
from bricksight._support.text import pluralize, some
from bricksight.config import SplitConfig
from bricksight.dataset._examples import Example, Problem
from bricksight.dataset._folder import Listing
from bricksight.dataset._groups import suggest_group_by
from bricksight.dataset._split import MIN_GROUPS, missing_splits

FEW_PHOTOS = 20
"""retrain.py warned of classes with fewer photos than this."""


def listing_problems(listing: Listing) -> list[Problem]:
    """Return the problems of everything in the folder that is not a photo in a class folder."""
    found = listing.found
    problems = unreadable_files(found.unreadable)
    problems += _loose_photos(listing)
    problems += _other_files(found.other_files)
    problems += [
        Problem("bad_name", f"The name '{name}' is not UTF-8 text. Rename the file.", (name,))
        for name in found.bad_names
    ]
    problems += [
        Problem("generated_folder", f"The folder {path!r} is skipped: it holds {what}.", (path,))
        for path, what in found.own.items()
    ]
    problems += _special_files_and_links(found)
    problems += _problem_of_paths(
        "hidden_folder",
        listing.hidden_folders,
        "{number} with photos skipped (its name begins with a dot): {paths}. Rename those "
        "that are classes.",
        "hidden folder",
    )
    problems += _similar_names(listing.classes)
    return problems


def _special_files_and_links(found: Found) -> list[Problem]:
    problems = _problem_of_paths(
        "special_file",
        found.special_files,
        "{number} skipped (pipe, socket or device): {paths}.",
        "file",
    )
    problems += _problem_of_paths(
        "link_loop",
        found.loops,
        "{number} back to a parent folder, so not followed: {paths}.",
        "link leads",
        "links lead",
    )
    problems += _problem_of_paths(
        "repeated_link",
        found.repeats,
        "{number} to a folder that was listed before; its photos are used once: {paths}.",
        "link leads",
        "links lead",
    )
    return problems


def _problem_of_paths(
    kind: str, paths: Sequence[str], text: str, noun: str, plural: str | None = None
) -> list[Problem]:
    """Return one problem for all paths together, or no problem if there are no paths."""
    if not paths:
        return []
    message = text.format(number=pluralize(len(paths), noun, plural), paths=some(paths))
    return [Problem(kind, message, tuple(paths))]


def normalized_name(label: str) -> str:
    """Return a name in one spelling: case-folded, with a space for each run of spaces, - or _."""
    return re.sub(r"[\s_-]+", " ", label.casefold())


def _similar_names(labels: Sequence[str]) -> list[Problem]:
    """Return a problem if class names differ only in case, spaces, - or _."""
    spelled: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        spelled[normalized_name(label)].append(label)
    same = [label for spellings in spelled.values() if len(spellings) > 1 for label in spellings]
    if not same:
        return []
    message = (
        f"The names of {pluralize(len(same), 'class', 'classes')} differ only in spelling: "
        f"{some(same)}. Put the photos of one class into one folder."
    )
    return [Problem("similar_class_names", message, tuple(same))]


def unreadable_files(reasons: Mapping[str, str]) -> list[Problem]:
    """Return one problem per unreadable file or folder; ``reasons`` is relative path → reason."""
    return [
        Problem("unreadable", f"{path!r} cannot be read: {reason}.", (path,))
        for path, reason in sorted(reasons.items())
    ]


def empty_classes(labels: Iterable[str]) -> list[Problem]:
    """Return one problem per class folder without a readable photo."""
    return [
        Problem(
            "empty_class",
            f"The class {label!r} has no readable photo, so it is left out.",
            (label,),
        )
        for label in sorted(labels)
    ]


def duplicate_problems(examples: Sequence[Example]) -> list[Problem]:
    """Return problems of identical files, in one class or under several labels."""
    same: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        same[example.sha256].append(example)
    problems = []
    for copies in same.values():
        paths = tuple(example.relative_path for example in copies)
        labels = sorted({example.label for example in copies})
        if len(labels) > 1:
            message = (
                f"The same photo is in {pluralize(len(labels), 'class', 'classes')}: "
                f"{some(paths)}. Keep the one in the right class."
            )
            problems.append(Problem("conflicting_labels", message, paths))
        elif len(copies) > 1:
            message = (
                f"The same photo is in its class {len(copies)} times: {some(paths)}. Keep one."
            )
            problems.append(Problem("duplicate", message, paths))
    return problems


def unmatched_paths(paths: Sequence[str]) -> list[Problem]:
    """Return a "no_group" problem if ``--group_by`` does not match some paths."""
    if not paths:
        return []
    message = (
        f"--group_by does not match {pluralize(len(paths), 'path')}, each of which becomes a "
        f"separate group: {some(paths)}."
    )
    return [Problem("no_group", message, tuple(paths))]


def suggested_groups(examples: Sequence[Example], split: SplitConfig) -> list[Problem]:
    """Return a "group_by" problem if file names suggest groups and ``--group_by`` is not given."""
    suggestion = None if split.group_by else suggest_group_by(examples)
    if suggestion is None:
        return []
    message = (
        "The file names suggest several photos of each object. If some of them are trained on and "
        "others tested on, the measured accuracy is too high. Keep them in one split: --group_by "
        f"'{suggestion}'"
    )
    return [Problem("group_by", message)]


def split_problems(examples: Sequence[Example], split: SplitConfig) -> list[Problem]:
    """Return problems of classes with too few photos or groups to be trained and tested well.

    Args:
        examples: All examples of the data set.
        split: Settings with which they were split.
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
            f"The class {label!r} has no photo in {' and '.join(splits)}, because its groups also "
            "hold photos of classes that need them in other splits.",
            (label,),
        )
        for label, splits in missing_splits(groups, split_of, split).items()
    ]
    return problems


def _loose_photos(listing: Listing) -> list[Problem]:
    if not listing.loose_photos:
        return []
    message = (
        f"{pluralize(len(listing.loose_photos), 'photo')} beside the class folders not used, "
        f"because a photo outside of them has no class: {some(listing.loose_photos)}."
    )
    return [Problem("loose_photo", message, tuple(listing.loose_photos))]


def _other_files(paths: Sequence[str]) -> list[Problem]:
    if not paths:
        return []
    return [
        Problem(
            "other_file", f"{describe_other_files(paths)}, not used: {some(paths)}.", tuple(paths)
        )
    ]


def describe_other_files(paths: Sequence[str]) -> str:
    """Return the number of files without a photo's extension, and their extensions."""
    extensions = Counter(PurePosixPath(path).suffix.lower() for path in paths)
    what = ", ".join(
        f"{number:,} {extension or 'without one'}" for extension, number in extensions.most_common()
    )
    return f"{pluralize(len(paths), 'file')} with an extension that is not a photo's ({what})"


def _small_classes(examples: Sequence[Example]) -> list[Problem]:
    counts = Counter(example.label for example in examples)
    small = sorted(label for label, number in counts.items() if number < FEW_PHOTOS)
    if not small:
        return []
    message = (
        f"{len(small):,} of {pluralize(len(counts), 'class', 'classes')} "
        f"{'has' if len(small) == 1 else 'have'} fewer than {FEW_PHOTOS} photos: {some(small)}. "
        "More photos improve the accuracy most."
    )
    return [Problem("small_class", message, tuple(small))]


def _tiny_classes(groups: Mapping[str, set[str]], member: str) -> list[Problem]:
    tiny = sorted(label for label, keys in groups.items() if len(keys) < MIN_GROUPS)
    if not tiny:
        return []
    message = (
        f"{pluralize(len(tiny), 'class', 'classes')} with fewer than {MIN_GROUPS} {member} cannot "
        f"have photos in every split; training gets them first: {some(tiny)}."
    )
    return [Problem("tiny_class", message, tuple(tiny))]
