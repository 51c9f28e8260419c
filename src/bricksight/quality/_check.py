"""Check a folder of photos: decode every photo, and collect all problems in a report."""

import os
import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from bricksight._support.optional import require_installed
from bricksight._support.text import pluralize
from bricksight._support.threads import num_cores, thread_map
from bricksight.config import PHOTO_FORMATS, SplitConfig
from bricksight.dataset import (
    Dataset,
    Example,
    Problem,
    scan,
    suggest_group_by,
    suggested_groups,
    summaries,
)
from bricksight.errors import DataError
from bricksight.quality._advice import photo_advice
from bricksight.quality._bursts import bursts
from bricksight.quality._inspection import PhotoInfo, inspect_photo
from bricksight.quality._near_duplicates import NearDuplicates, match_fingerprints
from bricksight.quality._report import CheckReport, ClassCounts, Spread

Progress = Callable[[str, int, int], None]
"""Called with the name of the stage, the number of photos done, and the number of all photos."""


_OTHER_FORMATS = {".heif": "AVIF"}
"""Extension → a second format that it may hold; AVIF is stored in HEIF containers."""


def check(
    image_dir: str | os.PathLike[str],
    *,
    split: SplitConfig = SplitConfig(),  # noqa: B008  (frozen)
    strict: bool = False,
    progress: Progress | None = None,
) -> CheckReport:
    """Check a folder of photos: decode every photo, and report statistics and problems.

    Args:
        image_dir: Folder with one sub-folder of photos per class.
        split: How training would group and split the photos.
        strict: Whether faults raise an error. Advice never does.
        progress: Called after every photo.

    Raises:
        DataError: The folder cannot be trained on, or ``strict`` is set and there are faults.
    """
    require_installed("scipy", extra="check", feature="Checking photos")
    dataset = scan(image_dir, split=split, progress=_stage("Reading files", progress))
    infos, reasons = _inspect_all(dataset.examples, _stage("Decoding photos", progress))
    dataset = dataset.without(reasons)
    report = _build_report(
        dataset,
        [infos[example.relative_path] for example in dataset.examples],
        _stage("Finding near-duplicates", progress),
    )
    if strict and report.faults:
        raise DataError(
            f"{pluralize(len(report.faults), 'fault')} in {report.image_dir}:"
            + "".join(f"\n  {line}" for line in summaries(report.faults, where="--json"))
        )
    return report


def find_near_duplicates(
    examples: Sequence[Example], *, progress: Callable[[int], None] = lambda _: None
) -> NearDuplicates:
    """Find photos that look nearly the same.

    Args:
        examples: Photos to decode and compare. Unreadable ones are left out.
        progress: Called with 1 after every photo.
    """
    infos, _ = _inspect_all(examples, lambda done, total: progress(1))
    read = [example for example in examples if example.relative_path in infos]
    return match_fingerprints(read, [infos[example.relative_path].fingerprint for example in read])


def _stage(name: str, progress: Progress | None) -> Callable[[int, int], None]:
    def report(done: int, total: int) -> None:
        if progress is not None:
            progress(name, done, total)

    return report


def _inspect_all(
    examples: Sequence[Example], progress: Callable[[int, int], None]
) -> tuple[dict[str, PhotoInfo], dict[str, str]]:
    """Return relative path → info, and relative path → reason of unreadable photos."""
    infos: dict[str, PhotoInfo] = {}
    reasons: dict[str, str] = {}
    paths = [example.path for example in examples]
    with thread_map(inspect_photo, paths, num_threads=num_cores()) as results:
        for done, (example, result) in enumerate(zip(examples, results, strict=True), start=1):
            if isinstance(result, PhotoInfo):
                infos[example.relative_path] = result
            else:
                reasons[example.relative_path] = result
            progress(done, len(examples))
    return infos, reasons


def _build_report(
    dataset: Dataset, infos: Sequence[PhotoInfo], progress: Callable[[int, int], None]
) -> CheckReport:
    """Return the report of a data set; ``infos`` are in the order of its examples."""
    fingerprints = [info.fingerprint for info in infos]
    near_duplicates = match_fingerprints(dataset.examples, fingerprints, progress=progress)
    suggestion = suggest_group_by(dataset.examples) if dataset.split.group_by is None else None
    problems = [
        *dataset.problems,
        *_wrong_extensions(dataset.examples, infos),
        *photo_advice(dataset.examples, infos),
        *_near_duplicate_problems(near_duplicates),
        *suggested_groups(dataset.examples, dataset.split),
        *bursts(dataset.examples, dataset.split),
    ]
    return CheckReport(
        dataset=replace(dataset, problems=tuple(problems)),
        classes=_class_counts(dataset),
        formats=dict(Counter(info.format for info in infos).most_common()),
        width=_spread([info.width for info in infos]),
        height=_spread([info.height for info in infos]),
        near_duplicates=near_duplicates,
        suggested_group_by=suggestion,
    )


def _class_counts(dataset: Dataset) -> tuple[ClassCounts, ...]:
    members: Mapping[str, list[Example]] = {label: [] for label in dataset.labels}
    for example in dataset.examples:
        members[example.label].append(example)
    return tuple(
        ClassCounts(
            label=label,
            num_photos=len(examples),
            num_groups=len({example.group for example in examples}),
            training=sum(example.split == "training" for example in examples),
            validation=sum(example.split == "validation" for example in examples),
            test=sum(example.split == "test" for example in examples),
        )
        for label, examples in members.items()
    )


def _spread(numbers: Sequence[int]) -> Spread:
    return Spread(min(numbers), int(statistics.median(numbers)), max(numbers))


def _wrong_extensions(examples: Sequence[Example], infos: Sequence[PhotoInfo]) -> list[Problem]:
    problems = []
    for example, info in zip(examples, infos, strict=True):
        extension = PurePosixPath(example.relative_path).suffix.lower()
        if info.format not in (PHOTO_FORMATS[extension], _OTHER_FORMATS.get(extension)):
            message = (
                f"{example.relative_path!r} is a {info.format} file with the extension "
                f"{extension}. It is used, but other programs may refuse it. Rename it."
            )
            problems.append(Problem("wrong_extension", message, (example.relative_path,)))
    return problems


def _near_duplicate_problems(near_duplicates: NearDuplicates) -> list[Problem]:
    texts = (
        (
            "near_duplicate",
            near_duplicates.in_class,
            "{number} nearly the same as another one of the class, such as {pair}. Near-duplicates "
            "hardly improve the model.",
        ),
        (
            "near_duplicate_labels",
            near_duplicates.across_labels,
            "{number} nearly the same as one of another class, such as {pair}. If both show the "
            "same thing, one of the labels is wrong. Move or remove that photo.",
        ),
        (
            "near_duplicate_split",
            near_duplicates.across_split,
            "{number} nearly the same as a training photo, but {be} in the validation or test "
            "split, such as {pair}. The measured accuracy will be too high. Keep such photos in "
            "one split with --group_by, or remove some.",
        ),
    )
    return [
        Problem(
            kind,
            text.format(
                number=pluralize(len(found), "photo looks", "photos look"),
                pair=f"{found[0].path!r} and {found[0].other!r}",
                be="is" if len(found) == 1 else "are",
            ),
            tuple(near_duplicate.path for near_duplicate in found),
        )
        for kind, found, text in texts
        if found
    ]
