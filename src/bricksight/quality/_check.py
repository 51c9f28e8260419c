"""The check, in the order in which it is done."""

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
from bricksight.quality._photos import Facts, examine
from bricksight.quality._report import CheckReport, ClassCounts, Spread
from bricksight.quality._twins import Twins, find_twins

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many photos are done, and how many there are."""


_OTHER_FORMATS = {".heif": "AVIF"}
"""Extensions of a second format; AVIF is stored in HEIF containers."""


def check(
    image_dir: str | os.PathLike[str],
    *,
    split: SplitConfig = SplitConfig(),  # noqa: B008  (frozen)
    strict: bool = False,
    progress: Progress | None = None,
) -> CheckReport:
    """Return what is in a folder of photos and what is wrong with it; every photo is decoded.

    Args:
        image_dir: a folder with one sub-folder of photos a class.
        split: how training would deal the photos.
        strict: raise if there is any fault; advice is no fault.
        progress: called after every photo.

    Raises:
        DataError: the folder cannot be used at all, or ``strict`` and there are faults.
    """
    require_installed("scipy", extra="check", feature="Checking photos")
    dataset = scan(image_dir, split=split, progress=_stage("Reading files", progress))
    facts, reasons = _examined(dataset.examples, _stage("Looking at photos", progress))
    dataset = dataset.without(reasons)
    report = _report(
        dataset,
        [facts[example.relative_path] for example in dataset.examples],
        _stage("Looking for near-duplicates", progress),
    )
    if strict and report.faults:
        raise DataError(
            f"{pluralize(len(report.faults), 'fault')} in {report.image_dir}:"
            + "".join(f"\n  {line}" for line in summaries(report.faults, where="--json"))
        )
    return report


def near_duplicates(
    examples: Sequence[Example], *, progress: Callable[[int], None] = lambda _: None
) -> Twins:
    """Return which of some photos look nearly the same; those that cannot be read do not.

    Args:
        examples: the photos, all of which are decoded.
        progress: told how many more are done.
    """
    facts, _ = _examined(examples, lambda done, total: progress(1))
    read = [example for example in examples if example.relative_path in facts]
    return find_twins(read, [facts[example.relative_path].fingerprint for example in read])


def _stage(name: str, progress: Progress | None) -> Callable[[int, int], None]:
    def report(done: int, total: int) -> None:
        if progress is not None:
            progress(name, done, total)

    return report


def _examined(
    examples: Sequence[Example], progress: Callable[[int, int], None]
) -> tuple[dict[str, Facts], dict[str, str]]:
    """Return relative path → facts, and relative path → reason for what cannot be read."""
    facts: dict[str, Facts] = {}
    reasons: dict[str, str] = {}
    paths = [example.path for example in examples]
    with thread_map(examine, paths, num_threads=num_cores()) as results:
        for done, (example, result) in enumerate(zip(examples, results, strict=True), start=1):
            if isinstance(result, Facts):
                facts[example.relative_path] = result
            else:
                reasons[example.relative_path] = result
            progress(done, len(examples))
    return facts, reasons


def _report(
    dataset: Dataset, facts: Sequence[Facts], progress: Callable[[int, int], None]
) -> CheckReport:
    """Return the report; ``facts`` are those of the data set's examples, in the same order."""
    fingerprints = [fact.fingerprint for fact in facts]
    twins = find_twins(dataset.examples, fingerprints, progress=progress)
    suggestion = suggest_group_by(dataset.examples) if dataset.split.group_by is None else None
    problems = [
        *dataset.problems,
        *_wrong_extensions(dataset.examples, facts),
        *photo_advice(dataset.examples, facts),
        *_twin_problems(twins),
        *suggested_groups(dataset.examples, dataset.split),
        *bursts(dataset.examples, dataset.split),
    ]
    return CheckReport(
        dataset=replace(dataset, problems=tuple(problems)),
        classes=_class_counts(dataset),
        formats=dict(Counter(fact.format for fact in facts).most_common()),
        width=_spread([fact.width for fact in facts]),
        height=_spread([fact.height for fact in facts]),
        twins=twins,
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


def _wrong_extensions(examples: Sequence[Example], facts: Sequence[Facts]) -> list[Problem]:
    problems = []
    for example, fact in zip(examples, facts, strict=True):
        ending = PurePosixPath(example.relative_path).suffix.lower()
        if fact.format not in (PHOTO_FORMATS[ending], _OTHER_FORMATS.get(ending)):
            message = (
                f"{example.relative_path!r} is a {fact.format} file whatever its name says; it is "
                "used as it is, but other programs may refuse it."
            )
            problems.append(Problem("wrong_extension", message, (example.relative_path,)))
    return problems


def _twin_problems(twins: Twins) -> list[Problem]:
    texts = (
        (
            "near_duplicate",
            twins.in_class,
            "{number} nearly the same as another of the class, such as {pair}: photos that teach "
            "little new.",
        ),
        (
            "near_duplicate_labels",
            twins.across_labels,
            "{number} nearly the same as one under another label, such as {pair}. If they show the "
            "same thing, one of the labels is wrong.",
        ),
        (
            "near_duplicate_split",
            twins.across_split,
            "{number} nearly the same as one that trains, and {be} in validation or testing, such "
            "as {pair}: accuracy will look better than it is. Keep such photos together with "
            "--group_by, or remove some.",
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
            tuple(twin.path for twin in found),
        )
        for kind, found, text in texts
        if found
    ]
