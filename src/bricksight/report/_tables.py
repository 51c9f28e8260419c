"""Tables of the report: metrics, classes, confusion matrix, settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bricksight._support import text
from bricksight.evaluation import CONSENSUS_VOTES, ClassScores, Evaluation

_MAX_MATRIX_CLASSES = 100
_NUM_MATRIX_WORST = 60
_NO_BREAK = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class Cell:
    """A cell of the confusion matrix.

    Attributes:
        predicted: The predicted class.
        count: Number of photos.
        share: Fraction of the photos of the true class, in [0, 1].
        right: Whether the prediction is correct.
    """

    predicted: str
    count: int
    share: float
    right: bool


@dataclass(frozen=True)
class MatrixRow:
    """A row of the confusion matrix: the predictions for the photos of one class.

    Attributes:
        label: The true class.
        count: Number of photos of the class, including predictions in columns that are not shown.
        cells: One per column; ``None`` if no photo was predicted as that class.
    """

    label: str
    count: int
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class Matrix:
    """The confusion matrix as shown in the report.

    Attributes:
        labels: Labels of rows and columns.
        rows: One row per label.
        num_classes: Number of classes of the model. It exceeds the number of labels if only the
            classes with the most mistakes are shown.
    """

    labels: tuple[str, ...]
    rows: tuple[MatrixRow, ...]
    num_classes: int


def matrix(evaluation: Evaluation) -> Matrix:
    """Return the confusion matrix; with over 100 classes, only the 60 with the most mistakes."""
    counts = evaluation.confusion_matrix
    shown = _shown_classes(counts)
    labels = tuple(evaluation.labels[index] for index in shown)
    totals = counts.sum(axis=1)
    rows = tuple(
        MatrixRow(
            label=evaluation.labels[true],
            count=int(totals[true]),
            cells=tuple(
                Cell(
                    predicted=evaluation.labels[answer],
                    count=int(counts[true, answer]),
                    share=float(counts[true, answer] / totals[true]),
                    right=true == answer,
                )
                if counts[true, answer]
                else None
                for answer in shown
            ),
        )
        for true in shown
    )
    return Matrix(labels=labels, rows=rows, num_classes=len(counts))


def _shown_classes(counts: np.ndarray) -> list[int]:
    if len(counts) <= _MAX_MATRIX_CLASSES:
        return list(range(len(counts)))
    num_mistakes = counts.sum(axis=0) + counts.sum(axis=1) - 2 * counts.diagonal()
    worst = np.argsort(-num_mistakes, kind="stable")[:_NUM_MATRIX_WORST]
    return sorted(worst.tolist())


def worst_first(evaluation: Evaluation) -> list[ClassScores]:
    """Sort classes by F1, lowest first; classes without test photos come last."""
    return sorted(
        evaluation.classes, key=lambda scores: (scores.count == 0, scores.f1 or 0.0, scores.label)
    )


@dataclass(frozen=True)
class Figure:
    """A row of the table of figures.

    Attributes:
        name: Name of the metric.
        test: Value on the test photos, as text; empty if not measured.
        validation: Value on the validation photos, as text; empty if not measured.
        meaning: Explanation in one or two sentences.
    """

    name: str
    test: str
    validation: str
    meaning: str


def figures(test: Evaluation, validation: Evaluation | None) -> list[Figure]:
    """Return the rows of the table of figures, for test and validation photos."""
    meanings = _meanings(test)
    test_texts = _figure_texts(test)
    validation_texts = [""] * len(meanings) if validation is None else _figure_texts(validation)
    return [
        Figure(name, test_text, validation_text, meaning)
        for (name, meaning), test_text, validation_text in zip(
            meanings.items(), test_texts, validation_texts, strict=True
        )
    ]


def _meanings(evaluation: Evaluation) -> dict[str, str]:
    return {
        "Photos": "Number of photos in the split.",
        "Accuracy": "Percentage of photos that were classified correctly (95 % interval).",
        f"Top-{evaluation.top_k} accuracy": (
            f"Percentage of photos whose class is among the {evaluation.top_k} most probable."
        ),
        "Balanced accuracy": "Mean recall over the classes; every class has the same weight.",
        "Accuracy by group": "Accuracy with one answer per group, from all its photos together.",
        "Groups that agree": (
            f"Groups in which at least {CONSENSUS_VOTES} photos have the same answer as the whole "
            "group, and the accuracy of these groups."
        ),
        "Cross entropy": "In nats; 0 is perfect. Confident wrong answers increase it most.",
        "Calibration error": (
            "Mean difference between probability and accuracy; 0 % is perfect. Also known as "
            "expected calibration error (ECE)."
        ),
    }


def _figure_texts(evaluation: Evaluation) -> list[str]:
    interval, groups = evaluation.accuracy_interval, evaluation.groups
    accuracy = percent(evaluation.accuracy)
    if interval is not None:
        ends = f"({100 * interval.low:.1f} to {100 * interval.high:.1f})"
        accuracy += " " + ends.replace(" ", _NO_BREAK)
    by_group = agreed = ""
    if groups is not None and groups.accuracy is not None:
        by_group = f"{percent(groups.accuracy)} of {groups.num_groups}"
    if groups is not None and groups.consensus is not None:
        right = percent(groups.consensus.accuracy)
        agreed = f"{groups.consensus.count} of {groups.num_groups}" + (right and f", {right} right")
    entropy = evaluation.cross_entropy
    return [
        str(evaluation.num_images),
        accuracy,
        percent(evaluation.top_k_accuracy),
        percent(evaluation.balanced_accuracy),
        by_group,
        agreed,
        "" if entropy is None else f"{entropy:.3f}",
        percent(evaluation.expected_calibration_error),
    ]


def percent(share: float | None) -> str:
    """Format a fraction as ``"61.4 %"`` with a no-break space; empty for ``None``."""
    return "" if share is None else text.percent(share).replace(" ", _NO_BREAK)


def duration(seconds: float) -> str:
    """Format a duration as ``"12.3 s"``, ``"3 min 20 s"`` or ``"2 h 05 min"``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def flatten(settings: Mapping[str, object], *, prefix: str = "") -> list[tuple[str, str]]:
    """Flatten nested settings to rows (dotted name, value)."""
    lines: list[tuple[str, str]] = []
    for name, value in settings.items():
        if isinstance(value, Mapping):
            lines += flatten(value, prefix=f"{prefix}{name}.")
        else:
            lines.append((prefix + str(name), _setting_text(value)))
    return lines


def _setting_text(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(str, value))
    return "none" if value is None else str(value)
