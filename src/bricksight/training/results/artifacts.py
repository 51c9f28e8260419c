"""What a run found out: figures, settings, versions; as report, as JSON, and in the manifest."""

import importlib.metadata
import platform
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bricksight._support.filesystem.csv_files import CsvWriter
from bricksight._support.reprs import short_repr
from bricksight._support.text import json_text
from bricksight._version import __version__
from bricksight.bundle import PHOTOS, Manifest
from bricksight.config import SPLITS
from bricksight.dataset import SPLIT_RULE_VERSION, Dataset, Example, Problem
from bricksight.evaluation import Evaluation, Rejected, evaluate
from bricksight.features import CompiledBackbone
from bricksight.formats import ExportedFile
from bricksight.heads import TrainedHead
from bricksight.report import ReportContent, TrainingHistory, write_report

_PACKAGES = ("tensorflow", "keras", "ai-edge-litert", "numpy", "pillow", "scipy", "scikit-learn")


@dataclass(frozen=True, kw_only=True)
class TrainingReport:
    """All that is known at the end of a run.

    Attributes:
        data: The photos that were used, and their problems.
        compiled: The network.
        trained: The head and its history.
        test: Figures on the test photos.
        validation: Figures on the validation photos, ``None`` if there were none.
        unknown_threshold: Chosen on the validation photos, ``None`` if there were none.
        known_rejected: How many test photos are answered "unknown".
        outliers_rejected: How many photos of none of the classes are, of those that were held out;
            ``None`` where no such photos were given.
        warnings: What changes how the figures are to be read.
        settings: What the run was asked for.
    """

    data: Dataset
    compiled: CompiledBackbone
    trained: TrainedHead
    test: Evaluation
    validation: Evaluation | None
    unknown_threshold: float | None
    known_rejected: Rejected
    outliers_rejected: Rejected | None
    warnings: Sequence[Problem]
    settings: Mapping[str, Mapping[str, object]]

    def __repr__(self) -> str:
        return short_repr(self, self.test.statement)


def evaluate_split(
    probabilities: np.ndarray, data: Dataset, examples: Sequence[Example]
) -> Evaluation:
    """Returns the figures of these answers, float32 (num_examples, num_classes)."""
    return evaluate(
        probabilities,
        data.label_indices(examples),
        labels=data.labels,
        paths=[example.relative_path for example in examples],
        groups=[example.group for example in examples],
    )


def manifest(findings: TrainingReport, exports: Sequence[ExportedFile]) -> Manifest:
    """Returns what the bundle says of itself."""
    module = findings.compiled.backbone
    return Manifest(
        labels=findings.data.labels,
        input=module.input_spec,
        module={
            "reference": module.reference,
            "title": module.title,
            "licence": module.licence,
            "fingerprint": module.fingerprint,
            "num_features": findings.compiled.num_features,
            "runtime": findings.compiled.runtime,
            "litert_difference": findings.compiled.largest_difference,
        },
        output_layer=str(findings.settings["output"]["final_tensor_name"]),
        unknown_threshold=findings.unknown_threshold,
        settings={**findings.settings, "chosen": dict(findings.trained.choices)},
        data={
            "split_rule_version": SPLIT_RULE_VERSION,
            "num_photos": class_counts(findings.data),
            "problems": [asdict(problem) for problem in findings.data.problems],
        },
        metrics={
            "statement": findings.test.statement,
            "num_images": findings.test.num_images,
            "accuracy": findings.test.accuracy,
            "top_k_accuracy": findings.test.top_k_accuracy,
            "expected_calibration_error": findings.test.expected_calibration_error,
            "warnings": [asdict(warning) for warning in findings.warnings],
        },
        exports={
            exported.format: {"file": exported.path.name, "size_bytes": exported.size_bytes}
            | asdict(exported.agreement)
            for exported in exports
        },
    )


def write_page(folder: Path, findings: TrainingReport, *, seconds: Mapping[str, float]) -> None:
    """Writes ``report.html``."""
    write_report(folder / "report.html", _content(findings, seconds))


def write_metrics(folder: Path, findings: TrainingReport, *, seconds: Mapping[str, float]) -> None:
    """Writes ``metrics.json``."""
    text = json_text(metrics(findings, seconds=seconds), indent=2) + "\n"
    (folder / "metrics.json").write_text(text, encoding="utf-8")


def metrics(findings: TrainingReport, *, seconds: Mapping[str, float]) -> dict[str, Any]:
    """Returns the content of ``metrics.json``."""
    return {
        "test": findings.test.to_dict(),
        "warnings": [asdict(warning) for warning in findings.warnings],
        "validation": findings.validation and findings.validation.to_dict(),
        "unknown_threshold": findings.unknown_threshold,
        "known_rejected": findings.known_rejected.to_dict(),
        "outliers_rejected": findings.outliers_rejected and findings.outliers_rejected.to_dict(),
        "history": _history_json(findings.trained),
        "seconds": dict(seconds),
        "versions": versions(),
    }


def write_photos(folder: Path, data: Dataset) -> None:
    """Writes ``photos.csv``, by which a later evaluation knows the photos again."""
    with (folder / PHOTOS).open("w", encoding="utf-8", newline="") as file:
        table = CsvWriter(file)
        table.write("path", "label", "split", "group", "sha256")
        for one in data.examples:
            table.write(one.relative_path, one.label, one.split, one.group, one.sha256)


def _history_json(trained: TrainedHead) -> dict[str, object]:
    return {
        "best_step": trained.history.best_step,
        "measurements": [asdict(one) for one in trained.history.measurements],
    }


def _content(findings: TrainingReport, seconds: Mapping[str, float]) -> ReportContent:
    data, module = findings.data, findings.compiled.backbone
    return ReportContent(
        title=data.image_dir.resolve().name,
        evaluation=findings.test,
        warnings=findings.warnings,
        validation=findings.validation,
        image_dir=data.image_dir,
        history=[_training_history(findings)],
        class_counts=class_counts(data),
        problems=data.problems,
        module={
            "Network": module.title,
            "Reference": module.reference,
            "Licence": module.licence or "not stated",
            "Input": f"{module.input_spec.width} x {module.input_spec.height} pixels, "
            f"{module.input_spec.resize}",
            "Features": findings.compiled.num_features,
            "Run by": findings.compiled.runtime,
        },
        settings={**findings.settings, "chosen": findings.trained.choices},
        versions=versions(),
        timings=seconds,
        examples={example.label: example.relative_path for example in data.in_split("training")},
        unknown_threshold=findings.unknown_threshold,
        outliers_rejected=findings.outliers_rejected,
    )


def _training_history(findings: TrainingReport) -> TrainingHistory:
    trained = findings.trained
    measured = trained.history.measurements
    with_validation = [one for one in measured if one.validation_accuracy is not None]
    return TrainingHistory(
        name="Fine-tuning" if "epochs" in findings.trained.choices else "Head",
        unit="step",
        steps=[one.step for one in measured],
        train_accuracy=[one.train_accuracy for one in measured],
        train_cross_entropy=[one.train_cross_entropy for one in measured],
        validation_accuracy=[one.validation_accuracy or 0.0 for one in with_validation],
        validation_cross_entropy=[one.validation_cross_entropy or 0.0 for one in with_validation],
        best_step=trained.history.best_step,
    )


def class_counts(data: Dataset) -> dict[str, dict[str, int]]:
    """Returns label → side of the split → number of photos."""
    counts = Counter((example.label, example.split) for example in data.examples)
    return {label: {split: counts[label, split] for split in SPLITS} for label in data.labels}


def versions() -> dict[str, str]:
    """Returns package → version, with the interpreter and the machine."""
    found = {"bricksight": __version__, "Python": sys.version.split()[0]}
    found |= {name: importlib.metadata.version(name) for name in _PACKAGES}
    return found | {"Machine": f"{platform.system()} {platform.machine()}"}
