"""Compute an ``Evaluation`` from probabilities and true classes."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from bricksight._support.fusion import count_votes, fuse
from bricksight._support.optional import require
from bricksight.evaluation._calibration import expected_calibration_error, reliability_bins
from bricksight.evaluation._intervals import Interval, accuracy_interval, wilson_interval
from bricksight.evaluation._result import (
    CONSENSUS_VOTES,
    Answered,
    ClassScores,
    ConfusedPair,
    Evaluation,
    GroupScores,
    Mistake,
)

# The output of an int8 model rounds each probability to 1/256, so that its rows sum to 1 only
# roughly. Rows of logits, or of values from 0 to 255, differ by far more.
_ROW_SUM_TOLERANCE = 0.05

# Lower limit of probabilities before the logarithm, as in sklearn.metrics.log_loss for float32.
_SMALLEST = float(np.finfo(np.float32).eps)


def evaluate(
    probabilities: np.ndarray,
    label_indices: np.ndarray,
    *,
    labels: Sequence[str],
    paths: Sequence[str],
    groups: Sequence[str] | None = None,
    k: int = 5,
) -> Evaluation:
    """Compute all metrics that ``metrics.json`` and the report show.

    The answer for a photo is its most probable class, and the first one of equally probable ones.

    Args:
        probabilities: float32 (num_images, num_classes), in [0, 1]; each row sums to 1. Without
            photos, metrics are ``None``.
        label_indices: True class of each photo as an index into ``labels``, int (num_images,).
        labels: Names of the classes.
        paths: Path of each photo, for the list of mistakes.
        groups: Group of each photo; photos of one group are not independent.
        k: The k of the top-k accuracy.

    Raises:
        ValueError: The arguments have different lengths, or are not probabilities.
    """
    probabilities = np.asarray(probabilities, dtype=np.float64)
    label_indices = np.asarray(label_indices)
    _check_shapes(probabilities, label_indices, labels=labels, paths=paths, groups=groups)
    _check_values(probabilities, label_indices, k=k)

    predicted = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    correct = predicted == label_indices
    group_indices = _group_indices(groups)
    classes = _class_scores(label_indices, predicted, labels=labels)
    recalls = [one.recall for one in classes if one.recall is not None]
    confusion = _confusion_matrix(label_indices, predicted, num_classes=len(labels))
    reliability = reliability_bins(confidence, correct)
    return Evaluation(
        labels=tuple(labels),
        num_images=len(correct),
        accuracy=_mean(correct),
        accuracy_interval=accuracy_interval(correct, group_indices) if len(correct) else None,
        top_k=k,
        top_k_accuracy=_top_k_accuracy(probabilities, label_indices, k=k),
        balanced_accuracy=_mean(recalls) if len(recalls) > 1 else None,
        cross_entropy=_cross_entropy(probabilities, label_indices),
        expected_calibration_error=expected_calibration_error(reliability),
        reliability=reliability,
        classes=classes,
        confusion_matrix=confusion,
        confused_pairs=_confused_pairs(confusion, labels=labels),
        mistakes=_mistakes(probabilities, label_indices, labels=labels, paths=paths),
        groups=_group_scores(probabilities, label_indices, group_indices=group_indices),
        confidence=confidence,
        correct=correct,
    )


def _top_k_accuracy(
    probabilities: np.ndarray, label_indices: np.ndarray, *, k: int
) -> float | None:
    if k >= probabilities.shape[1]:
        return None
    return _mean(_rank_of_label(probabilities, label_indices) < k)


def _cross_entropy(probabilities: np.ndarray, label_indices: np.ndarray) -> float | None:
    of_label = np.take_along_axis(probabilities, label_indices[:, np.newaxis], axis=1)[:, 0]
    return _mean(-np.log(np.maximum(of_label, _SMALLEST)))


def _check_shapes(
    probabilities: np.ndarray,
    label_indices: np.ndarray,
    *,
    labels: Sequence[str],
    paths: Sequence[str],
    groups: Sequence[str] | None,
) -> None:
    if probabilities.ndim != 2 or probabilities.shape[1] != len(labels) or len(labels) == 0:
        raise ValueError(
            f"probabilities has the shape {probabilities.shape}; "
            f"expected (num_images, {len(labels)}), one column per label"
        )
    lengths = {"label_indices": len(label_indices), "paths": len(paths)}
    if groups is not None:
        lengths["groups"] = len(groups)
    for name, length in lengths.items():
        if length != len(probabilities):
            raise ValueError(
                f"{name} has {length} entries and probabilities {len(probabilities)} rows; "
                "expected one of each per photo"
            )


def _check_values(probabilities: np.ndarray, label_indices: np.ndarray, *, k: int) -> None:
    num_classes = probabilities.shape[1]
    if k < 1:
        raise ValueError(f"k is {k}; expected at least 1")
    if not np.issubdtype(label_indices.dtype, np.integer) and len(label_indices):
        raise ValueError(f"label_indices has the dtype {label_indices.dtype}; expected integers")
    outside = label_indices[(label_indices < 0) | (label_indices >= num_classes)]
    if len(outside):
        raise ValueError(
            f"label_indices holds {outside[0]}; expected values from 0 to {num_classes - 1}"
        )
    wrong = ~((probabilities >= 0) & (probabilities <= 1 + _ROW_SUM_TOLERANCE))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"probabilities[{row}, {column}] is {probabilities[row, column]}; expected a value "
            "from 0 to 1. Apply softmax to logits first."
        )
    sums = probabilities.sum(axis=1)
    wrong_rows = np.flatnonzero(np.abs(sums - 1) > _ROW_SUM_TOLERANCE)
    if len(wrong_rows):
        row = wrong_rows[0]
        raise ValueError(f"probabilities[{row}] sums to {sums[row]:.4g}; expected 1")


def _mean(values: np.ndarray | Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _group_indices(groups: Sequence[str] | None) -> np.ndarray | None:
    """Return the group of each photo as an integer; ``None`` if no group has two photos."""
    if groups is None or len(set(groups)) == len(groups):
        return None
    return np.unique(np.asarray(groups), return_inverse=True)[1].reshape(-1)


def _rank_of_label(probabilities: np.ndarray, label_indices: np.ndarray) -> np.ndarray:
    """Return the rank of the true class of each photo, int (num_images,); 0 is a right answer.

    Of equally probable classes the first one comes first, as in ``argmax``. So a model that gives
    all classes the same probability does not count as right for all photos.
    """
    true = label_indices[:, np.newaxis]
    label_probability = np.take_along_axis(probabilities, true, axis=1)
    earlier = np.arange(probabilities.shape[1]) < true
    before = (probabilities > label_probability) | ((probabilities == label_probability) & earlier)
    return np.asarray(before.sum(axis=1))


def _confusion_matrix(true: np.ndarray, predicted: np.ndarray, *, num_classes: int) -> np.ndarray:
    if len(true) == 0:
        return np.zeros((num_classes, num_classes), np.int64)
    with _ignore_class_count_warning():
        matrix: np.ndarray = _sklearn_metrics().confusion_matrix(
            true, predicted, labels=np.arange(num_classes)
        )
    return matrix


def _class_scores(
    true: np.ndarray, predicted: np.ndarray, *, labels: Sequence[str]
) -> tuple[ClassScores, ...]:
    if len(true) == 0:
        return tuple(ClassScores(label, 0, 0, None, None, None) for label in labels)
    with _ignore_class_count_warning():
        precision, recall, f1, count = _sklearn_metrics().precision_recall_fscore_support(
            true, predicted, labels=np.arange(len(labels)), zero_division=np.nan
        )
    predicted_count = np.bincount(predicted, minlength=len(labels))
    if len(np.unique(true)) == 1:  # with one tested class, precision is always 1
        precision, f1 = np.full_like(precision, np.nan), np.full_like(f1, np.nan)
    return tuple(
        ClassScores(
            label=label,
            count=int(count[index]),
            predicted_count=int(predicted_count[index]),
            precision=_none_if_nan(precision[index]),
            recall=_none_if_nan(recall[index]),
            f1=_none_if_nan(f1[index]),
        )
        for index, label in enumerate(labels)
    )


def _sklearn_metrics() -> Any:
    """Import ``sklearn.metrics``; not at the top of the file, because it takes a second."""
    return require("sklearn.metrics", extra="check", feature="Evaluating a model")


@contextmanager
def _ignore_class_count_warning() -> Iterator[None]:
    """Silence a warning of some scikit-learn versions about few samples of many classes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The number of unique classes is greater")
        yield


def _none_if_nan(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _confused_pairs(confusion: np.ndarray, *, labels: Sequence[str]) -> tuple[ConfusedPair, ...]:
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    pairs = [
        ConfusedPair(
            label=labels[row],
            predicted=labels[column],
            count=int(wrong[row, column]),
            share=float(wrong[row, column] / confusion[row].sum()),
        )
        for row, column in np.argwhere(wrong).tolist()
    ]
    return tuple(sorted(pairs, key=lambda pair: (-pair.count, -pair.share)))


def _mistakes(
    probabilities: np.ndarray,
    label_indices: np.ndarray,
    *,
    labels: Sequence[str],
    paths: Sequence[str],
) -> tuple[Mistake, ...]:
    predicted = probabilities.argmax(axis=1)
    mistakes = []
    for row in np.flatnonzero(predicted != label_indices).tolist():
        true, answer = int(label_indices[row]), int(predicted[row])
        mistakes.append(
            Mistake(
                path=paths[row],
                label=labels[true],
                predicted=labels[answer],
                probability=float(probabilities[row, answer]),
                probability_of_label=float(probabilities[row, true]),
            )
        )
    return tuple(sorted(mistakes, key=lambda mistake: (-mistake.probability, mistake.path)))


def _group_scores(
    probabilities: np.ndarray, label_indices: np.ndarray, *, group_indices: np.ndarray | None
) -> GroupScores | None:
    if group_indices is None:
        return None
    num_groups = int(group_indices.max()) + 1
    group_labels = np.unique(np.column_stack([group_indices, label_indices]), axis=0)
    if len(group_labels) > num_groups:
        return GroupScores(num_groups, accuracy=None, accuracy_interval=None, consensus=None)
    fused = fuse(probabilities, group_indices)
    right = fused.argmax(axis=1) == group_labels[:, 1]
    agreed = count_votes(probabilities, group_indices, fused) >= CONSENSUS_VOTES
    num_right = int(right.sum())
    return GroupScores(
        num_groups=num_groups,
        accuracy=num_right / num_groups,
        accuracy_interval=Interval(*wilson_interval(num_right, num_groups), method="wilson"),
        consensus=Answered(count=int(agreed.sum()), accuracy=_mean(right[agreed])),
    )
