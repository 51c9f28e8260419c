"""What is wrong with a folder of photos, as far as names and contents tell."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from bricksight._text import counted, some
from bricksight.config import SplitConfig
from bricksight.dataset._folder import Listing
from bricksight.dataset._groups import suggest_group_by
from bricksight.dataset._records import Problem, Record
from bricksight.dataset._split import MIN_GROUPS, missing_buckets

FEW_PHOTOS = 20
"""Below this many photos in a class retrain.py warned."""

_SPLIT_NAMES = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})


def listing_problems(listing: Listing) -> list[Problem]:
    """Returns what the walk through the folder met besides photos in class folders."""
    problems = [
        Problem("unreadable", f"The folder {folder!r} cannot be listed: {reason}.", (folder,))
        for folder, reason in listing.unreadable.items()
    ]
    problems += _loose_photos(listing)
    problems += _other_files(listing)
    problems += [
        Problem("bad_name", f"The name {name!r} is not UTF-8 text; rename it to use it.", (name,))
        for name in listing.bad_names
    ]
    problems += [
        Problem("link_loop", f"The link {link!r} leads back up: not followed.", (link,))
        for link in listing.loops
    ]
    problems += _split_folders(listing)
    return problems


def unreadable_files(reasons: Mapping[str, str]) -> list[Problem]:
    """Returns one problem a file that cannot be used, from relative path → reason."""
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


def content_problems(records: Sequence[Record]) -> list[Problem]:
    """Returns the photos that are there more than once, and those under several labels."""
    same: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        same[record.sha256].append(record)
    problems = []
    for copies in same.values():
        paths = tuple(record.relative_path for record in copies)
        labels = sorted({record.label for record in copies})
        if len(labels) > 1:
            message = (
                f"One photo is under {counted(len(labels), 'label')}: {some(paths)}. "
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
        f"--group_by finds nothing in {counted(len(paths), 'path')}, each of which is a group of "
        f"its own: {some(paths)}."
    )
    return [Problem("no_group", message, tuple(paths))]


def suggested_groups(records: Sequence[Record], split: SplitConfig) -> list[Problem]:
    """Returns what is to be said where names suggest groups and none are given."""
    suggestion = None if split.group_by else suggest_group_by(records)
    if suggestion is None:
        return []
    message = (
        "The file names look like several photos of each object. Where one is trained on and "
        "another tested on, the accuracy is too good. Keep them together: --group_by "
        f"'{suggestion}'"
    )
    return [Problem("group_by", message)]


def split_problems(records: Sequence[Record], split: SplitConfig) -> list[Problem]:
    """Returns what keeps classes from being learnt and measured well.

    Args:
        records: every photo that is used.
        split: how the records were dealt.
    """
    groups: dict[str, set[str]] = defaultdict(set)
    for record in records:
        groups[record.label].add(record.group)
    bucket_of = {record.group: record.bucket for record in records}
    member = "photos" if len(bucket_of) == len(records) else "groups of photos"
    problems = [*_small_classes(records), *_tiny_classes(groups, member)]
    problems += [
        Problem(
            "missing_bucket",
            f"The class {label!r} has no photo for {' and '.join(buckets)}: its groups are shared "
            "with classes that cannot spare them.",
            (label,),
        )
        for label, buckets in missing_buckets(groups, bucket_of, split).items()
    ]
    return problems


def _loose_photos(listing: Listing) -> list[Problem]:
    if not listing.loose_photos:
        return []
    message = (
        f"{counted(len(listing.loose_photos), 'photo')} beside the class folders, so without a "
        f"class and not used: {some(listing.loose_photos)}."
    )
    return [Problem("loose_photo", message, tuple(listing.loose_photos))]


def _other_files(listing: Listing) -> list[Problem]:
    if not listing.other_files:
        return []
    endings = Counter(PurePosixPath(path).suffix.lower() for path in listing.other_files)
    what = ", ".join(
        f"{number:,} {ending or 'without one'}" for ending, number in endings.most_common()
    )
    message = (
        f"{counted(len(listing.other_files), 'file')} with endings of other types ({what}), not "
        f"used: {some(listing.other_files)}."
    )
    return [Problem("other_file", message, tuple(listing.other_files))]


def _split_folders(listing: Listing) -> list[Problem]:
    names = sorted(listing.classes)
    if len(names) < 2 or not _SPLIT_NAMES.issuperset(name.lower() for name in names):
        return []
    message = (
        f"The classes are named {some(names)}: this looks like photos that are split already. Put "
        "the class folders of all sides together; the split is made here."
    )
    return [Problem("split_folders", message, tuple(names))]


def _small_classes(records: Sequence[Record]) -> list[Problem]:
    counts = Counter(record.label for record in records)
    small = sorted(label for label, number in counts.items() if number < FEW_PHOTOS)
    if not small:
        return []
    message = (
        f"{len(small):,} of {counted(len(counts), 'class', 'classes')} "
        f"{'has' if len(small) == 1 else 'have'} fewer than {FEW_PHOTOS} photos: {some(small)}. "
        "More photos are the surest way to better answers."
    )
    return [Problem("small_class", message, tuple(small))]


def _tiny_classes(groups: Mapping[str, set[str]], member: str) -> list[Problem]:
    tiny = sorted(label for label, keys in groups.items() if len(keys) < MIN_GROUPS)
    if not tiny:
        return []
    message = (
        f"{counted(len(tiny), 'class', 'classes')} with fewer than {MIN_GROUPS} {member} cannot be "
        f"on every side of the split, and what is there trains first: {some(tiny)}."
    )
    return [Problem("tiny_class", message, tuple(tiny))]
