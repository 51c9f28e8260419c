"""Probabilities and true classes in, an ``Evaluation`` out."""

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

# An output of eight bits rounds each probability to 1/256, so its rows sum to 1 only roughly;
# logits or values of 0 to 255 miss by far more.
_ROW_SUM_TOLERANCE = 0.05

# Keeps the logarithm of a probability that was rounded to 0 finite, as sklearn.metrics.log_loss
# does for float32.
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
    """Return every figure that ``metrics.json`` and the report show.

    The answer for a photo is its most probable class, the first one where several are equal.

    Args:
        probabilities: float32 (num_images, num_classes), in [0, 1], each row sums to 1; no photos
            are allowed and give figures that are ``None``.
        label_indices: int (num_images,), the true classes as indices into ``labels``.
        labels: the names of the classes.
        paths: one a photo, for the list of mistakes.
        groups: one a photo; photos of the same group are not independent of one another.
        k: how many answers count for the top-k accuracy.

    Raises:
        ValueError: the arguments do not fit together or are not probabilities.
    """
    probabilities = np.asarray(probabilities, dtype=np.float64)
    label_indices = np.asarray(label_indices)
    _check_shapes(probabilities, label_indices, labels=labels, paths=paths, groups=groups)
    _check_values(probabilities, label_indices, k=k)

    predicted = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    of_label = np.take_along_axis(probabilities, label_indices[:, np.newaxis], axis=1)[:, 0]
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
        top_k_accuracy=_mean(_rank_of_label(probabilities, label_indices) < k)
        if k < len(labels)
        else None,
        balanced_accuracy=_mean(recalls) if len(recalls) > 1 else None,
        cross_entropy=_mean(-np.log(np.maximum(of_label, _SMALLEST))),
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
            f"it must be (num_images, {len(labels)}), one column a label"
        )
    lengths = {"label_indices": len(label_indices), "paths": len(paths)}
    if groups is not None:
        lengths["groups"] = len(groups)
    for name, length in lengths.items():
        if length != len(probabilities):
            raise ValueError(
                f"{name} has {length} entries and probabilities {len(probabilities)} rows; "
                "both must be one a photo"
            )


def _check_values(probabilities: np.ndarray, label_indices: np.ndarray, *, k: int) -> None:
    num_classes = probabilities.shape[1]
    if k < 1:
        raise ValueError(f"k is {k}; it must be at least 1")
    if not np.issubdtype(label_indices.dtype, np.integer) and len(label_indices):
        raise ValueError(f"label_indices is {label_indices.dtype}; it must be of integers")
    outside = label_indices[(label_indices < 0) | (label_indices >= num_classes)]
    if len(outside):
        raise ValueError(
            f"label_indices holds {outside[0]}; it must be from 0 to {num_classes - 1}"
        )
    wrong = ~((probabilities >= 0) & (probabilities <= 1 + _ROW_SUM_TOLERANCE))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"probabilities[{row}, {column}] is {probabilities[row, column]}; it must be from 0 to "
            "1 (apply softmax to logits first)"
        )
    sums = probabilities.sum(axis=1)
    wrong_rows = np.flatnonzero(np.abs(sums - 1) > _ROW_SUM_TOLERANCE)
    if len(wrong_rows):
        row = wrong_rows[0]
        raise ValueError(f"probabilities[{row}] sums to {sums[row]:.4g}; every row must sum to 1")


def _mean(values: np.ndarray | Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _group_indices(groups: Sequence[str] | None) -> np.ndarray | None:
    """Return a number a photo, or ``None`` where every photo is a group of its own."""
    if groups is None or len(set(groups)) == len(groups):
        return None
    return np.unique(np.asarray(groups), return_inverse=True)[1].reshape(-1)


def _rank_of_label(probabilities: np.ndarray, label_indices: np.ndarray) -> np.ndarray:
    """Return int (num_images,): how many classes come before the true one; 0 is a right answer.

    Of equal probabilities the first class comes first, as in ``argmax``: a network that finds every
    class equally likely has not found the right one.
    """
    true = label_indices[:, np.newaxis]
    of_label = np.take_along_axis(probabilities, true, axis=1)
    earlier = np.arange(probabilities.shape[1]) < true
    before = (probabilities > of_label) | ((probabilities == of_label) & earlier)
    return np.asarray(before.sum(axis=1))


def _confusion_matrix(true: np.ndarray, predicted: np.ndarray, *, num_classes: int) -> np.ndarray:
    if len(true) == 0:
        return np.zeros((num_classes, num_classes), np.int64)
    with _few_photos_of_many_classes():
        matrix: np.ndarray = _metrics().confusion_matrix(
            true, predicted, labels=np.arange(num_classes)
        )
    return matrix


def _class_scores(
    true: np.ndarray, predicted: np.ndarray, *, labels: Sequence[str]
) -> tuple[ClassScores, ...]:
    if len(true) == 0:
        return tuple(ClassScores(label, 0, 0, None, None, None) for label in labels)
    with _few_photos_of_many_classes():
        precision, recall, f1, count = _metrics().precision_recall_fscore_support(
            true, predicted, labels=np.arange(len(labels)), zero_division=np.nan
        )
    predicted_count = np.bincount(predicted, minlength=len(labels))
    if len(np.unique(true)) == 1:  # whatever is taken for the only class that is tested is of it
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


def _metrics() -> Any:
    """Return ``sklearn.metrics``, which takes a second to load."""
    return require("sklearn.metrics", extra="check", feature="Evaluating a model")


@contextmanager
def _few_photos_of_many_classes() -> Iterator[None]:
    """Keep scikit-learn from asking whether this is a regression; its versions differ in it."""
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
