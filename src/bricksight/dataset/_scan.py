"""Scan a folder of photos into a data set."""

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
    describe_other_files,
    listing_problems,
    normalized_name,
    unreadable_files,
)
from bricksight.dataset._split import assign_splits
from bricksight.errors import DataError

# Hashing waits for the disk more than it computes, and a network disk serves many reads at a time.
_NUM_THREADS = 8

_MAX_PAIRS = 5


def scan(
    image_dir: str | os.PathLike[str],
    *,
    split: SplitConfig = SplitConfig(),  # noqa: B008  (frozen)
    progress: Callable[[int, int], None] | None = None,
    for_training: bool = True,
) -> Dataset:
    """Scan a folder of photos: classes, examples with groups and splits, and all problems.

    Every folder in ``image_dir`` is a class, including the photos in its sub-folders. Files that
    are not photos or cannot be read are left out and are listed in ``problems``.

    Args:
        image_dir: Folder with one sub-folder of photos per class.
        split: How to group and split the photos.
        progress: Called with the number of files hashed so far and the number of all files.
        for_training: ``False`` if the photos are only evaluated. Then one class is enough, and
            problems that matter only for training are not looked for.

    Raises:
        DataError: The folder does not exist, has photos of too few classes, has class folders whose
            names cannot be labels, or has folders that look like splits or sessions.
    """
    image_dir = input_path(image_dir, "image_dir")
    listing = list_folder(image_dir)
    advice = _layout_advice(image_dir, listing, split.layout)
    _require_classes(image_dir, listing, min_classes=MIN_CLASSES if for_training else 1)
    photos, reasons = _hashed(listing.photos, progress)
    return assemble(
        image_dir,
        photos,
        classes=listing.classes,
        split=split,
        problems=[*listing_problems(listing), *advice, *unreadable_files(reasons)],
        for_training=for_training,
    )


def scan_extra(
    folder: str | os.PathLike[str], *, known: Sequence[Example], layout: Layout = "auto"
) -> tuple[tuple[Example, ...], list[Problem]]:
    """Scan additional training photos, for ``Dataset.with_extra``.

    Files that are identical to a photo of the data set are left out, because that photo may be in
    the test split.

    Args:
        folder: Folder with one sub-folder of photos per class.
        known: The examples of the data set.
        layout: "classes" treats every folder as a class; see ``SplitConfig``.

    Returns:
        The examples, and the problems found.

    Raises:
        DataError: The folder does not exist, has no photos, has class folders whose names cannot be
            labels or are another spelling of a class of the data set, or has folders that look
            like splits or sessions.
    """
    folder = input_path(folder, "extra_train_dir")
    listing = list_folder(folder)
    advice = _layout_advice(folder, listing, layout)
    if not listing.photos:
        raise DataError(f"--extra_train_dir {folder} holds no photos in class folders. {LAYOUT}")
    advice += _new_classes(folder, listing, sorted({example.label for example in known}))
    photos, reasons = _hashed(listing.photos, None)
    left, duplicates = _without_known_photos(photos, known)
    problems = [*listing_problems(listing), *advice, *unreadable_files(reasons)]
    if duplicates:
        message = (
            f"{pluralize(len(duplicates), 'photo')} of --extra_train_dir {folder} left out, "
            f"because the data set holds identical photos: {some(duplicates)}."
        )
        problems.append(Problem("extra_duplicate", message, tuple(duplicates)))
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
    """Scan photos of none of the classes (unknown photos), for ``Dataset.outliers``.

    Photos in the folder and in all folders below it are used. They are split by the same rule as
    the other photos, and grouped by ``group_by`` if it matches any of their paths. Files that are
    identical to a photo of the data set are left out, because that photo belongs to a class.

    Args:
        folder: Folder with the photos.
        known: The examples of the data set.
        split: How to group and split the photos.

    Returns:
        The examples, and the problems found.

    Raises:
        DataError: The folder does not exist, or has no photos besides those of the data set.
    """
    folder = input_path(folder, "unknown_dir")
    listing = list_photos(folder)
    photos, reasons = _hashed(listing.photos, None)
    left, duplicates = _without_known_photos(photos, known)
    problems = [*listing_problems(listing), *unreadable_files(reasons)]
    if duplicates:
        message = (
            f"{pluralize(len(duplicates), 'photo')} of --unknown_dir {folder} left out, because "
            f"the data set holds identical photos: {some(duplicates)}."
        )
        problems.append(Problem("unknown_duplicate", message, tuple(duplicates)))
    if not left:
        raise DataError(
            f"--unknown_dir {folder} holds no photos besides those of the classes. Expected photos "
            "that show none of the classes, in this folder or in folders below it. Add some."
        )
    return _outliers(folder, left, split), problems


def _layout_advice(image_dir: Path, listing: Listing, layout: Layout) -> list[Problem]:
    """Return advice about the folder layout, unless ``layout`` is "classes".

    Raises:
        DataError: The folders look like splits or sessions, not classes.
    """
    paths = [photo.relative_path for photo in listing.photos]
    if layout == "classes":
        return []
    require_class_folders(image_dir, paths)
    return same_subfolders(paths)


def _new_classes(folder: Path, listing: Listing, known: Sequence[str]) -> list[Problem]:
    """Return an "extra_class" problem if only ``folder`` has photos of some classes.

    Raises:
        DataError: A class is another spelling of a class of the data set.
    """
    new = sorted({photo.label for photo in listing.photos}.difference(known))
    spelled = {normalized_name(label): label for label in known}
    others = [
        (label, spelled[normalized_name(label)])
        for label in new
        if normalized_name(label) in spelled
    ]
    if others:
        pairs = "; ".join(f"{label!r} beside {meant!r}" for label, meant in others[:_MAX_PAIRS])
        raise DataError(
            f"--extra_train_dir {folder} has {pluralize(len(others), 'class', 'classes')} whose "
            f"name is another spelling of a class of the data set: {pairs}. Rename the folders."
        )
    if not new or not known:
        return []
    message = (
        f"{pluralize(len(new), 'class has', 'classes have')} photos only in --extra_train_dir, so "
        f"the model is never tested on them: {some(new)}."
    )
    return [Problem("extra_class", message, tuple(new))]


def _without_known_photos(
    photos: Sequence[Photo], known: Sequence[Example]
) -> tuple[list[Photo], list[str]]:
    """Return the photos that are not in ``known``, sorted by path, and the others' paths."""
    known_hashes = {example.sha256 for example in known}
    left = [photo for photo in photos if photo.sha256 not in known_hashes]
    duplicates = [photo.relative_path for photo in photos if photo.sha256 in known_hashes]
    return sorted(left, key=lambda photo: photo.relative_path), duplicates


def _outliers(folder: Path, photos: Sequence[Photo], split: SplitConfig) -> tuple[Example, ...]:
    """Return the examples of unknown photos, with their groups and splits."""
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
    """Return the photos with their SHA-256, and relative path → reason of unreadable files."""
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


def _require_classes(image_dir: Path, listing: Listing, *, min_classes: int) -> None:
    counts = Counter(photo.label for photo in listing.photos)
    if len(counts) >= min_classes:
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
        found += f", only {describe_other_files(others)}." if others else "."
    elif listing.found.other_files:
        number = pluralize(len(listing.found.other_files), "file")
        found = f"{image_dir} holds {number} but no folder."
    else:
        found = f"{image_dir} {_nothing_in(listing)}."
    if min_classes == 1 and listing.loose_photos:
        found += (
            " Put the photos of each class into a folder of its name. To classify photos without "
            "measuring the accuracy, use bricksight classify."
        )
    raise DataError(f"{found} {LAYOUT}")


def _nothing_in(listing: Listing) -> str:
    passed_over = listing.hidden_folders or listing.found.own or listing.found.bad_names
    return "has no class folders besides those that are skipped" if passed_over else "is empty"


def _one_class(image_dir: Path, listing: Listing, label: str, num_photos: int) -> str:
    empty = [name for name in listing.classes if name != label]
    message = (
        f"{image_dir} holds photos of only one class, {label!r} "
        f"({pluralize(num_photos, 'photo')}). A classifier needs at least two. "
        "Add a folder of photos for each other class."
    )
    if empty:
        message += f" These folders hold no photos: {', '.join(map(repr, empty))}."
    parts = [photo.relative_path.split("/") for photo in listing.photos]
    inner = {part[1] for part in parts if len(part) > 2}
    if len(inner) > 1:
        message += f" If the folders inside it are your classes, use {image_dir / parts[0][0]}."
    return message
