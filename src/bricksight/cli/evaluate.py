"""``bricksight evaluate``: how good is a model on a folder of photos?"""

import json as json_format
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypedDict

import numpy as np

from bricksight.cli._help import panel
from bricksight.config import SplitConfig
from bricksight.errors import ConfigError, DataError, ImageError

if TYPE_CHECKING:
    from bricksight.bundle import Bundle
    from bricksight.dataset import Dataset, Record
    from bricksight.evaluation import Evaluation
    from bricksight.predict import Predictor
    from bricksight.retrain import Reporter


@dataclass(frozen=True, kw_only=True)
class Measuring:
    """What is measured, and how it is told.

    Attributes:
        bucket: "all" photos, or one side of the split.
        runtime: What runs the model: litert, tensorflow, saved_model, keras, onnxruntime,
            openvino or tfjs; litert by default.
        report: Also write the report to this HTML file.
        json: Print all figures as one JSON object.
        quiet: Show no progress.
        trust: Run a model even if it may reach for files, the network or programs.
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
    """

    testing_percentage: int
    validation_percentage: int
    group_by: str
    limit_per_class: int


def evaluate(
    model: Path,
    image_dir: Path,
    /,
    *,
    measuring: Annotated[Measuring, _MEASURING] = Measuring(),
    split: Annotated[SplitAsNamed | None, _SPLIT] = None,
) -> int:
    """Measures a model on a folder of photos, one sub-folder a class.

    Photos that the model was trained on give figures that are too good. Name another folder, or
    the side of the split that was kept for the test: --bucket testing.

    Args:
        model: The model folder, or a file that export wrote.
        image_dir: The photos; their folders are named as the model's labels.
        measuring: What is measured, and how it is told.
        split: How the photos are dealt, and which belong together.
    """
    from bricksight.bundle import MANIFEST, bundle_around, open_bundle
    from bricksight.cli._console import ConsoleReporter
    from bricksight.dataset import scan
    from bricksight.predict import Predictor

    predictor = Predictor(model, runtime=measuring.runtime, trust=measuring.trust)
    folder = model if (model / MANIFEST).is_file() else bundle_around(model)
    opened = None if folder is None else open_bundle(folder)
    if opened is None and measuring.bucket != "all":
        raise ConfigError(
            f"--bucket {measuring.bucket} needs the bundle that {model} was exported from, which "
            "knows how the photos were dealt. Name that, or a file within it."
        )
    data = scan(image_dir, split=split_of(opened, measuring.bucket, split or {}))
    _require_known(data, predictor)
    records = data.records if measuring.bucket == "all" else data.bucket(measuring.bucket)
    reporter = ConsoleReporter(quiet=measuring.quiet or measuring.json)
    found, bad = _measure(predictor, records, reporter)
    if measuring.report is not None:
        title = f"{model.resolve().name} on {image_dir.resolve().name}"
        _write_report(measuring.report, title, found, data.without(bad), predictor)
    trained_on = frozenset() if opened is None else opened.trained_on()
    num_seen = sum(record.sha256 in trained_on for record in records)
    if measuring.json:
        told = {"set_aside": bad, "num_trained_on": num_seen}
        print(json_format.dumps(found.to_json() | told, ensure_ascii=False))
        return 0
    for path, reason in bad.items():
        print(f"! {path}: {reason}")
    if num_seen:
        print(
            f"! {num_seen:,} of the {len(records):,} photos took part in the training, so the "
            "figures are too good. Name other photos, or --bucket testing."
        )
    print(found.statement)
    return 0


def split_of(bundle: "Bundle | None", bucket: str, named: SplitAsNamed) -> SplitConfig:
    """Returns the split that the user has named; for one side of it, the rest is the training's."""
    known = asdict(SplitConfig())
    trained = {} if bundle is None or bucket == "all" else bundle.manifest.settings.get("split", {})
    kept = {name: value for name, value in trained.items() if name in known}
    return SplitConfig(**{**kept, **named})


def _require_known(data: "Dataset", predictor: "Predictor") -> None:
    strangers = sorted(set(data.labels) - set(predictor.labels))
    if strangers:
        raise DataError(
            f"{data.image_dir} has classes that the bundle does not know: {', '.join(strangers)}. "
            f"It knows {', '.join(predictor.labels)}."
        )


def _measure(
    predictor: "Predictor", records: "Sequence[Record]", reporter: "Reporter"
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


def _write_report(
    path: Path, title: str, found: "Evaluation", data: "Dataset", predictor: "Predictor"
) -> None:
    from bricksight.report import ReportContent, write_report

    content = ReportContent(
        title=title,
        evaluation=found,
        image_dir=data.image_dir,
        problems=data.problems,
        unknown_threshold=predictor.unknown_threshold,
    )
    write_report(path, content)
