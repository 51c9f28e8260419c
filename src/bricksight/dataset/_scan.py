"""From a folder on disk to a data set."""

import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from bricksight._support.filesystem.files import sha256_of
from bricksight._support.text import pluralize, some
from bricksight._support.threads import thread_map
from bricksight.config import Layout, SplitConfig, input_path
from bricksight.dataset._dataset import MIN_CLASSES, Dataset, assemble
from bricksight.dataset._examples import Example, Photo, Problem
from bricksight.dataset._folder import LAYOUT, Listing, list_folder, list_photos
from bricksight.dataset._groups import group_keys, join_identical
from bricksight.dataset._layout import require_class_folders, same_subfolders
from bricksight.dataset._problems import (
    listing_problems,
    of_other_types,
    spelling_of,
    unreadable_files,
)
from bricksight.dataset._split import assign_splits
from bricksight.errors import DataError

# Hashing waits for the disk more than it computes, and a network disk answers many at a time.
_NUM_THREADS = 8

_MAX_PAIRS = 5


def scan(
    image_dir: str | os.PathLike[str],
    *,
    split: SplitConfig = SplitConfig(),  # noqa: B008  (frozen)
    progress: Callable[[int, int], None] | None = None,
    trains: bool = True,
) -> Dataset:
    """Returns the photos below ``image_dir``, dealt to the sides of the split, and all problems.

    Every folder in ``image_dir`` is a class of that name; folders inside it belong to it. What is
    no photo, or cannot be read, is left out and is among the problems.

    Args:
        image_dir: a folder with one sub-folder of photos a class.
        split: how to deal the photos.
        progress: called with the number of files read so far and the number of all.
        trains: whether they are to be trained on; if they are only to be measured on, one class
            will do, and what only training needs is no problem.

    Raises:
        DataError: there is no such folder, it has photos of fewer classes than it takes, names of
            folders that cannot be labels, or folders that look like splits.
    """
    image_dir = input_path(image_dir, "image_dir")
    listing = list_folder(image_dir)
    advice = _layout_advice(image_dir, listing, split.layout)
    _require_classes(image_dir, listing, least=MIN_CLASSES if trains else 1)
    photos, reasons = _hashed(listing.photos, progress)
    return assemble(
        image_dir,
        photos,
        classes=listing.classes,
        split=split,
        problems=[*listing_problems(listing), *advice, *unreadable_files(reasons)],
        trains=trains,
    )


def scan_extra(
    folder: str | os.PathLike[str], *, known: Sequence[Example], layout: Layout = "auto"
) -> tuple[tuple[Example, ...], list[Problem]]:
    """Returns further photos to train on, and what is wrong with them; see ``Dataset.with_extra``.

    A photo that is, byte for byte, one of the data set's is left out: it could be one to test on.

    Args:
        folder: has one sub-folder of photos a class.
        known: the photos of the data set.
        layout: "classes" treats every folder as a class; see ``SplitConfig``.

    Raises:
        DataError: there is no such folder, no photo in it, names that cannot be labels, or that
            spell a class of the data set in another way, or folders that look like
            splits.
    """
    folder = input_path(folder, "extra_train_dir")
    listing = list_folder(folder)
    advice = _layout_advice(folder, listing, layout)
    if not listing.photos:
        raise DataError(f"--extra_train_dir {folder} holds no photos in class folders. {LAYOUT}")
    advice += _new_classes(folder, listing, sorted({example.label for example in known}))
    photos, reasons = _hashed(listing.photos, None)
    left, twins = _apart(photos, known)
    problems = [*listing_problems(listing), *advice, *unreadable_files(reasons)]
    if twins:
        message = (
            f"{pluralize(len(twins), 'photo')} of {folder} left out, as {folder.name} and the "
            f"photos have them both: {some(twins)}."
        )
        problems.append(Problem("extra_twin", message, tuple(twins)))
    examples = tuple(
        Example(
            path=photo.path,
            relative_path=f"{folder.name}/{photo.relative_path}",
            label=photo.label,
            group=f"{folder.name}/{photo.relative_path}",
            sha256=photo.sha256,
            split="extra",
        )
        for photo in left
    )
    return examples, problems


def scan_outliers(
    folder: str | os.PathLike[str], *, known: Sequence[Example], split: SplitConfig
) -> tuple[tuple[Example, ...], list[Problem]]:
    """Returns photos of none of the classes, and what is wrong with them; see ``Dataset.outliers``.

    They lie in the folder itself or in folders below it, and are dealt by their hashes as the
    others are; ``group_by`` says of them too which belong together, if it finds anything. A photo
    that is, byte for byte, one of the data set's is left out: it is of a class.

    Args:
        folder: holds the photos.
        known: the photos of the data set.
        split: how to deal them.

    Raises:
        DataError: there is no such folder, or no photo in it that is of no class.
    """
    folder = input_path(folder, "unknown_dir")
    listing = list_photos(folder)
    photos, reasons = _hashed(listing.photos, None)
    left, twins = _apart(photos, known)
    problems = [*listing_problems(listing), *unreadable_files(reasons)]
    if twins:
        message = (
            f"{pluralize(len(twins), 'photo')} of --unknown_dir {folder} left out, as the classes "
            f"have them too: {some(twins)}."
        )
        problems.append(Problem("unknown_twin", message, tuple(twins)))
    if not left:
        raise DataError(
            f"--unknown_dir {folder} holds no photos besides those of the classes. Expected photos "
            "of what is none of the classes, in it or in folders below it."
        )
    return _outliers(folder, left, split), problems


def _layout_advice(image_dir: Path, listing: Listing, layout: Layout) -> list[Problem]:
    """Returns what to say of folders that are taken as classes.

    Raises:
        DataError: they are taken for something else.
    """
    paths = [photo.relative_path for photo in listing.photos]
    if layout == "classes":
        return []
    require_class_folders(image_dir, paths)
    return same_subfolders(paths)


def _new_classes(folder: Path, listing: Listing, known: Sequence[str]) -> list[Problem]:
    """Returns what to say of classes that only ``folder`` has.

    Raises:
        DataError: one is a class of the data set by another spelling.
    """
    new = sorted({photo.label for photo in listing.photos}.difference(known))
    spelled = {spelling_of(label): label for label in known}
    others = [
        (label, spelled[spelling_of(label)]) for label in new if spelling_of(label) in spelled
    ]
    if others:
        pairs = "; ".join(f"{label!r} beside {meant!r}" for label, meant in others[:_MAX_PAIRS])
        raise DataError(
            f"--extra_train_dir {folder} spells {pluralize(len(others), 'class', 'classes')} of "
            f"the photos in another way, which would become classes of their own: {pairs}. Rename "
            "the folders."
        )
    if not new or not known:
        return []
    message = (
        f"{pluralize(len(new), 'class is', 'classes are')} in {folder.name} alone, so trained but "
        f"never tested: {some(new)}."
    )
    return [Problem("extra_class", message, tuple(new))]


def _apart(photos: Sequence[Photo], known: Sequence[Example]) -> tuple[list[Photo], list[str]]:
    """Returns the photos that are not known ones, by path, and the paths of those that are."""
    own = {example.sha256 for example in known}
    left = [photo for photo in photos if photo.sha256 not in own]
    twins = [photo.relative_path for photo in photos if photo.sha256 in own]
    return sorted(left, key=lambda photo: photo.relative_path), twins


def _outliers(folder: Path, photos: Sequence[Photo], split: SplitConfig) -> tuple[Example, ...]:
    """Returns the examples of photos of none of the classes."""
    paths = [photo.relative_path for photo in photos]
    grouped = split.group_by is not None and any(re.search(split.group_by, one) for one in paths)
    keys, _ = group_keys(paths, group_by=split.group_by if grouped else None)
    keys = join_identical(keys, [photo.sha256 for photo in photos])
    split_of = assign_splits({"": keys}, split)
    return tuple(
        Example(photo.path, f"{folder.name}/{path}", "", key, photo.sha256, split_of[key])
        for photo, path, key in zip(photos, paths, keys, strict=True)
    )


def _hashed(
    photos: Sequence[Photo], progress: Callable[[int, int], None] | None
) -> tuple[list[Photo], dict[str, str]]:
    """Returns the photos with their SHA-256, and relative path → reason for those without."""
    hashed = []
    reasons = {}
    with thread_map(_hash, photos, num_threads=_NUM_THREADS) as results:
        for done, (photo, sha256, reason) in enumerate(results, start=1):
            if reason:
                reasons[photo.relative_path] = reason
            else:
                hashed.append(replace(photo, sha256=sha256))
            if progress is not None:
                progress(done, len(photos))
    return hashed, reasons


def _hash(photo: Photo) -> tuple[Photo, str, str]:
    try:
        return photo, sha256_of(photo.path), ""
    except OSError as error:
        return photo, "", error.strerror or str(error)


def _require_classes(image_dir: Path, listing: Listing, *, least: int) -> None:
    counts = Counter(photo.label for photo in listing.photos)
    if len(counts) >= least:
        return
    if counts:
        raise DataError(_one_class(image_dir, listing, *counts.most_common(1)[0]))
    if listing.loose_photos:
        found = (
            f"{pluralize(len(listing.loose_photos), 'photo')} such as {listing.loose_photos[0]!r} "
            f"directly in {image_dir} and none in folders below it, so there are no classes."
        )
    elif listing.classes:
        found = f"{image_dir} has {pluralize(len(listing.classes), 'folder')} but no photo in them"
        others = listing.found.other_files
        found += f", only {of_other_types(others)}." if others else "."
    elif listing.found.other_files:
        number = pluralize(len(listing.found.other_files), "file")
        found = f"{image_dir} holds {number} but no folder."
    else:
        found = f"{image_dir} {_nothing_in(listing)}."
    if least == 1 and listing.loose_photos:
        found += (
            " Put the photos of each class into a folder of its name; bricksight classify answers "
            "photos without measuring."
        )
    raise DataError(f"{found} {LAYOUT}")


def _nothing_in(listing: Listing) -> str:
    passed_over = listing.hidden_folders or listing.found.own or listing.found.bad_names
    return "has no class folders; what it has is skipped" if passed_over else "is empty"


def _one_class(image_dir: Path, listing: Listing, label: str, num_photos: int) -> str:
    empty = [name for name in listing.classes if name != label]
    message = (
        f"{image_dir} has photos of only one class, {label!r} ({pluralize(num_photos, 'photo')}); "
        "at least two are needed."
    )
    if empty:
        message += f" These folders hold no photos: {', '.join(map(repr, empty))}."
    parts = [photo.relative_path.split("/") for photo in listing.photos]
    inner = {part[1] for part in parts if len(part) > 2}
    if len(inner) > 1:
        message += f" If the folders inside it are the classes, name {image_dir / parts[0][0]}."
    return message
