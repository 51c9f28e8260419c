"""Metrics, settings and versions of a run: as HTML report, as JSON, and in the manifest."""

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
    """Everything that is known at the end of a training.

    Attributes:
        data: The photos that were used, and their problems.
        compiled: The backbone.
        trained: The head and its history.
        test: Metrics on the test photos.
        validation: Metrics on the validation photos; ``None`` without any.
        unknown_threshold: Probability below which an answer is "unknown"; ``None`` for no
        threshold.
        known_rejected: Test photos that are answered "unknown".
        outliers_rejected: Out-of-class photos that are answered "unknown", of those that were held
            out; ``None`` without any.
        warnings: What changes how the metrics are to be read.
        settings: The settings by section.
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
    """Return the metrics of these probabilities, float32 (num_examples, num_classes)."""
    return evaluate(
        probabilities,
        data.label_indices(examples),
        labels=data.labels,
        paths=[example.relative_path for example in examples],
        groups=[example.group for example in examples],
    )


def manifest(findings: TrainingReport, exports: Sequence[ExportedFile]) -> Manifest:
    """Return the manifest of the bundle."""
    backbone = findings.compiled.backbone
    return Manifest(
        labels=findings.data.labels,
        input=backbone.input_spec,
        backbone={
            "reference": backbone.reference,
            "title": backbone.title,
            "licence": backbone.licence,
            "fingerprint": backbone.fingerprint,
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
    """Write ``report.html``."""
    write_report(folder / "report.html", _content(findings, seconds))


def write_metrics(folder: Path, findings: TrainingReport, *, seconds: Mapping[str, float]) -> None:
    """Write ``metrics.json``."""
    text = json_text(metrics(findings, seconds=seconds), indent=2) + "\n"
    (folder / "metrics.json").write_text(text, encoding="utf-8")


def metrics(findings: TrainingReport, *, seconds: Mapping[str, float]) -> dict[str, Any]:
    """Return the content of ``metrics.json``."""
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
    """Write ``photos.csv``, by which a later evaluation recognizes the photos of each split."""
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
    data, backbone = findings.data, findings.compiled.backbone
    return ReportContent(
        title=data.image_dir.resolve().name,
        evaluation=findings.test,
        warnings=findings.warnings,
        validation=findings.validation,
        image_dir=data.image_dir,
        history=[_training_history(findings)],
        class_counts=class_counts(data),
        problems=data.problems,
        backbone={
            "Network": backbone.title,
            "Reference": backbone.reference,
            "Licence": backbone.licence or "not stated",
            "Input": f"{backbone.input_spec.width} x {backbone.input_spec.height} pixels, "
            f"{backbone.input_spec.resize}",
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
    """Return label → split → number of photos."""
    counts = Counter((example.label, example.split) for example in data.examples)
    return {label: {split: counts[label, split] for split in SPLITS} for label in data.labels}


def versions() -> dict[str, str]:
    """Return package → version, and those of Python and the machine."""
    found = {"bricksight": __version__, "Python": sys.version.split()[0]}
    found |= {name: importlib.metadata.version(name) for name in _PACKAGES}
    return found | {"Machine": f"{platform.system()} {platform.machine()}"}
