"""``bricksight evaluate``: how good is a model on a folder of photos?"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypedDict

import numpy as np

from bricksight._support.text import percent, pluralize
from bricksight.cli._help import panel
from bricksight.cli._output import say_json
from bricksight.config import Layout, SplitConfig
from bricksight.errors import ConfigError, DataError, ImageError

if TYPE_CHECKING:
    from bricksight.bundle import Bundle
    from bricksight.dataset import Dataset, Example, Problem
    from bricksight.evaluation import Answered, Evaluation
    from bricksight.predict import Predictor
    from bricksight.training import Reporter


@dataclass(frozen=True, kw_only=True)
class Measuring:
    """What is measured, and how it is told.

    Attributes:
        bucket: "all" photos, or those of one split.
        runtime: What runs the model: litert, tensorflow, saved_model, keras, onnxruntime,
            openvino or tfjs; litert by default.
        report: Also write the report to this HTML file.
        json: Print all figures as one JSON object.
        quiet: Show no progress.
        trust: Run a model even if it may access files, the network or other programs.
    """

    bucket: Literal["all", "training", "validation", "testing"] = "all"
    runtime: str | None = None
    report: Path | None = None
    json: bool = False
    quiet: bool = False
    trust: bool = False


_MEASURING = panel("Measuring")
_SPLIT = panel("Split (with --bucket, by default that of the training)")


class SplitAsNamed(TypedDict, total=False):
    """How the photos are dealt; with --bucket, what is not named is as in the training.

    Attributes:
        testing_percentage: Share of the photos kept for the final test, in percent.
        validation_percentage: Share of the photos that chose the best step, in percent.
        group_by: Regular expression for photos that belong together.
        limit_per_class: Use at most this many photos of each class.
        layout: "classes" treats every folder as a class; by default as in the training.
    """

    testing_percentage: int
    validation_percentage: int
    group_by: str
    limit_per_class: int
    layout: Layout


def evaluate(
    model: Path,
    image_dir: Path,
    /,
    *,
    measuring: Annotated[Measuring, _MEASURING] = Measuring(),
    split: Annotated[SplitAsNamed | None, _SPLIT] = None,
) -> int:
    """Measure a model on a folder of photos, one sub-folder a class; one class will do.

    Photos that the model was trained on give figures that are too good. Name another folder, or
    the split that was kept for testing: --bucket testing.

    Args:
        model: The model folder, or a file that export wrote.
        image_dir: The photos; their folders are named as the model's labels.
        measuring: What is measured, and how it is told.
        split: How the photos are dealt, and which belong together.
    """
    from bricksight._support.filesystem.places import try_file
    from bricksight.dataset import scan
    from bricksight.predict import Predictor

    if measuring.report is not None:
        try_file(measuring.report)
    predictor = Predictor(model, runtime=measuring.runtime, trust=measuring.trust)
    bundle = _bundle_of(model, measuring.bucket)
    data = scan(image_dir, split=split_of(bundle, measuring.bucket, split or {}), trains=False)
    _require_known(data, predictor)
    outcome = _outcome(predictor, data, bundle, measuring)
    if measuring.report is not None:
        title = f"{model.resolve().name} on {image_dir.resolve().name}"
        _write_report(measuring.report, title, data, outcome)
    if measuring.json:
        say_json(outcome.to_json())
    else:
        _show(outcome)
    return 0


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    """The figures, and what a reader must know of them."""

    evaluation: "Evaluation"
    problems: "Sequence[Problem]"
    warnings: "Sequence[Problem]"
    set_aside: dict[str, str]
    num_trained_on: int
    unknown_threshold: float | None

    def to_json(self) -> dict[str, object]:
        """Returns everything with stable keys; see docs/bundle.md."""
        return self.evaluation.to_json() | {
            "warnings": [asdict(one) for one in self.warnings],
            "problems": [asdict(one) for one in self.problems],
            "set_aside": self.set_aside,
            "num_trained_on": self.num_trained_on,
            "answered": None if self.answered is None else asdict(self.answered),
        }

    @property
    def answered(self) -> "Answered | None":
        """The photos that are not "unknown"; ``None`` where the model has no threshold."""
        threshold = self.unknown_threshold
        return None if threshold is None else self.evaluation.answered(threshold)


def _bundle_of(model: Path, bucket: str) -> "Bundle | None":
    """Returns the bundle that a model is, or lies in.

    Raises:
        ConfigError: there is none, and ``bucket`` needs one.
    """
    from bricksight.bundle import MANIFEST, bundle_around, open_bundle

    folder = model if (model / MANIFEST).is_file() else bundle_around(model)
    if folder is not None:
        return open_bundle(folder)
    if bucket != "all":
        raise ConfigError(
            f"--bucket {bucket} needs the bundle that {model} was exported from, which "
            "knows how the photos were dealt. Name that, or a file within it."
        )
    return None


def _outcome(
    predictor: "Predictor", data: "Dataset", bundle: "Bundle | None", measuring: Measuring
) -> _Outcome:
    """Returns the figures on the photos of a bucket.

    Raises:
        DataError: there are none, or none can be read.
    """
    from bricksight.cli._console import ConsoleReporter
    from bricksight.dataset import suggested_groups, summaries, unreadable_files
    from bricksight.evaluation import trained_on, warnings_of

    records = photos_of(data, measuring.bucket)
    reporter = ConsoleReporter(quiet=measuring.quiet or measuring.json)
    found, bad = _measure(predictor, records, reporter)
    unreadable = unreadable_files(bad)
    if not found.num_images:
        raise DataError(
            f"None of the photos in {data.image_dir} can be read:\n  "
            + "\n  ".join(summaries(unreadable, where="bricksight check --json"))
        )
    seen = frozenset() if bundle is None else bundle.trained_on()
    num_seen = sum(one.sha256 in seen for one in records if one.relative_path not in bad)
    return _Outcome(
        evaluation=found,
        problems=(*data.problems, *unreadable),
        warnings=(
            *trained_on(num_seen, found.num_images),
            *(suggested_groups(data.records, data.split) if measuring.bucket != "all" else ()),
            *warnings_of(found),
        ),
        set_aside=bad,
        num_trained_on=num_seen,
        unknown_threshold=predictor.unknown_threshold,
    )


def _write_report(path: Path, title: str, data: "Dataset", outcome: _Outcome) -> None:
    from bricksight.report import ReportContent, write_report

    content = ReportContent(
        title=title,
        evaluation=outcome.evaluation,
        warnings=outcome.warnings,
        image_dir=data.image_dir,
        problems=outcome.problems,
        unknown_threshold=outcome.unknown_threshold,
    )
    write_report(path, content)


def _show(outcome: _Outcome) -> None:
    from bricksight.cli._console import stdout_console
    from bricksight.cli._result import print_marked
    from bricksight.dataset import summaries

    console = stdout_console()
    print_marked(console, summaries(outcome.problems, where="--json"))
    console.print(outcome.evaluation.statement, soft_wrap=True)
    print_marked(console, [warning.message for warning in outcome.warnings])
    if outcome.unknown_threshold is not None and outcome.answered is not None:
        told = _answered(outcome.answered, outcome.evaluation.num_images, outcome.unknown_threshold)
        console.print(told, soft_wrap=True)


def _answered(answered: "Answered", num_images: int, threshold: float) -> str:
    """Returns how many photos get an answer, and how good these are."""
    text = (
        f'Answers below {percent(threshold)} are given as "unknown": {answered.count:,} of '
        f"{pluralize(num_images, 'photo')} get an answer"
    )
    if answered.accuracy is not None:
        text += f", and {percent(answered.accuracy)} of these are right"
    return f"{text}."


def photos_of(data: "Dataset", bucket: str) -> "Sequence[Example]":
    """Returns all photos, or those of one split.

    Raises:
        DataError: there is none.
    """
    records = data.records if bucket == "all" else data.bucket(bucket)
    if not records:
        raise DataError(
            f"{data.image_dir} has no photos in the split {bucket!r}. Name other photos, or leave "
            "out --bucket."
        )
    return records


def split_of(bundle: "Bundle | None", bucket: str, named: SplitAsNamed) -> SplitConfig:
    """Returns the split that the user has named; for one side of it, the rest is the training's."""
    trained = {} if bundle is None else bundle.manifest.settings.get("split", {})
    # Of all photos, only whether the folders are classes is as it was in the training.
    taken = {"layout"} if bucket == "all" else set(asdict(SplitConfig()))
    kept = {name: value for name, value in trained.items() if name in taken}
    return SplitConfig(**{**kept, **named})


def _require_known(data: "Dataset", predictor: "Predictor") -> None:
    strangers = sorted(set(data.labels) - set(predictor.labels))
    if strangers:
        raise DataError(
            f"{data.image_dir} has classes that the bundle does not know: {', '.join(strangers)}. "
            f"It knows {', '.join(predictor.labels)}."
        )


def _measure(
    predictor: "Predictor", records: "Sequence[Example]", reporter: "Reporter"
) -> "tuple[Evaluation, dict[str, str]]":
    """Returns the figures, and path → reason of the photos that cannot be read."""
    from bricksight.evaluation import evaluate as evaluate_arrays

    rows, kept, bad = [], [], {}
    with reporter.stage("Classifying", len(records)) as advance:
        answers = predictor.probabilities_of(record.path for record in records)
        for record, row in zip(records, answers, strict=True):
            if isinstance(row, ImageError):
                bad[record.relative_path] = str(row)
            else:
                rows.append(row)
                kept.append(record)
            advance(1)
    order = {label: index for index, label in enumerate(predictor.labels)}
    found = evaluate_arrays(
        np.array(rows, np.float32).reshape(len(rows), len(order)),
        np.array([order[record.label] for record in kept], np.int32),
        labels=predictor.labels,
        paths=[record.relative_path for record in kept],
        groups=[record.group for record in kept],
    )
    return found, bad
