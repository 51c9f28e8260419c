"""``bricksight evaluate``: how good is a bundle on a folder of photos?"""

import json as json_format
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from cyclopts import Parameter

from bricksight.config import SplitConfig
from bricksight.errors import DataError, ImageError

if TYPE_CHECKING:
    from bricksight.dataset import Dataset, Record
    from bricksight.evaluation import Evaluation
    from bricksight.predict import Predictor
    from bricksight.retrain import Reporter


@dataclass(frozen=True, kw_only=True)
class Measuring:
    """What is measured, and how it is told.

    Attributes:
        bucket: "all" photos, or one side of the split.
        runtime: What runs the model: "litert", "tensorflow", "saved_model" or "onnxruntime".
        report: Also write the report to this HTML file.
        json: Print all figures as one JSON object.
        quiet: Show no progress.
    """

    bucket: Literal["all", "training", "validation", "testing"] = "all"
    runtime: str = "litert"
    report: Path | None = None
    json: bool = False
    quiet: bool = False


def evaluate(
    bundle: Path,
    image_dir: Path,
    /,
    *,
    measuring: Annotated[Measuring, Parameter(name="*")] = Measuring(),
    split: Annotated[SplitConfig, Parameter(name="*")] = SplitConfig(),  # noqa: B008
) -> int:
    """Measures a bundle on a folder of photos, one sub-folder a class.

    Photos that the bundle was trained on give figures that are too good. Name another folder, or
    the side of the split that was kept for the test: --bucket testing, with the same split options
    as in training.

    Args:
        bundle: The model folder.
        image_dir: The photos; their folders are named as the bundle's labels.
        measuring: What is measured, and how it is told.
        split: How the photos are dealt, for --bucket, and which belong together.
    """
    from bricksight.cli._console import ConsoleReporter
    from bricksight.dataset import scan
    from bricksight.predict import Predictor

    predictor = Predictor(bundle, runtime=measuring.runtime)
    data = scan(image_dir, split=split)
    _require_known(data, predictor)
    records = data.records if measuring.bucket == "all" else data.bucket(measuring.bucket)
    reporter = ConsoleReporter(quiet=measuring.quiet or measuring.json)
    found, bad = _measure(predictor, records, reporter)
    if measuring.report is not None:
        title = f"{bundle.resolve().name} on {image_dir.resolve().name}"
        _write_report(measuring.report, title, found, data.without(bad), predictor)
    if measuring.json:
        print(json_format.dumps(found.to_json(), ensure_ascii=False))
        return 0
    for path, reason in bad.items():
        print(f"! {path}: {reason}")
    print(found.statement)
    return 0


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
