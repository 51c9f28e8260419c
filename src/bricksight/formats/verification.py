"""Verify an exported file: compare its answers on photos with the reference."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bricksight.config import InputSpec
from bricksight.errors import ExportError, ImageError
from bricksight.predict import Predictor
from bricksight.predict.runtimes import runtime_class

_TIMED_RUNS = 9


@dataclass(frozen=True, kw_only=True)
class ParityReference:
    """Photos and the probabilities that an exported file must reproduce.

    Attributes:
        photos: Paths of real photos.
        probabilities: float32 (num_photos, num_classes), from the trained model.
        labels: Class labels, in the order of the outputs.
        spec: Input size and resize mode.
        truth: Row of a held-out photo → index of its true class.
    """

    photos: Sequence[Path]
    probabilities: np.ndarray
    labels: Sequence[str]
    spec: InputSpec
    truth: Mapping[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Parity:
    """Agreement of an exported file with the reference.

    Attributes:
        num_photos: Number of photos that were compared.
        largest_difference: Largest absolute difference of a probability.
        top1_agreement: Fraction of photos with the same top-1 answer.
    """

    num_photos: int
    largest_difference: float
    top1_agreement: float


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Top-1 accuracy on held-out photos.

    Attributes:
        num_photos: Number of photos.
        reference: Accuracy of the trained model.
        file: Accuracy of the exported file.
    """

    num_photos: int
    reference: float
    file: float


@dataclass(frozen=True, kw_only=True)
class VerificationResult:
    """Result of the verification of an exported file.

    Attributes:
        agreement: Comparison with the reference.
        accuracy: Accuracy on held-out photos, ``None`` if none of them has a known label.
        inference_ms: Median milliseconds per photo over 9 runs on all cores, without decoding.
            ``bricksight benchmark`` measures more precisely.
    """

    agreement: Parity
    accuracy: Accuracy | None
    inference_ms: float


def verify_export(
    path: Path,
    *,
    runtime: str,
    reference: ParityReference,
    options: dict[str, str],
    trust: bool = False,
    extra_check: Callable[[Any, ParityReference], None] | None = None,
) -> VerificationResult:
    """Run an exported file on photos with ``Predictor`` and compare it with the reference.

    Args:
        path: The file or folder.
        runtime: Name of the runtime that runs it.
        reference: Photos and their expected probabilities.
        options: Options of the runtime.
        trust: Accept a model with operations that do more than compute.
        extra_check: Called with the opened file and the reference; raises ``ExportError``.

    Raises:
        ExportError: A photo can no longer be read, or ``extra_check`` failed.
    """
    kind = runtime_class(runtime)
    trusted = {"trust": trust} if kind.takes_trust else {}
    opened = kind(path, **options, **trusted)
    if extra_check is not None:
        extra_check(opened, reference)
    predictor = Predictor.from_runtime(
        opened, reference.labels, reference.spec, source=f"{path.name} in {runtime}"
    )
    found = _answers(predictor, reference.photos)
    answers, expected = found.argmax(axis=1), reference.probabilities.argmax(axis=1)
    agreement = Parity(
        num_photos=len(found),
        largest_difference=float(np.abs(found - reference.probabilities).max()),
        top1_agreement=float((answers == expected).mean()),
    )
    return VerificationResult(
        agreement=agreement,
        accuracy=_accuracy(answers, expected, reference.truth) if reference.truth else None,
        inference_ms=_inference_ms(predictor),
    )


def _answers(predictor: Predictor, photos: Sequence[Path]) -> np.ndarray:
    rows = []
    for photo, row in zip(photos, predictor.probabilities_of(photos), strict=True):
        if isinstance(row, ImageError):
            raise ExportError(
                f"{photo} was readable before, but now cannot be used for the verification: {row}. "
                "Restore the photo."
            ) from row
        rows.append(row)
    return np.stack(rows)


def _accuracy(answers: np.ndarray, expected: np.ndarray, truth: Mapping[int, int]) -> Accuracy:
    rows, labels = list(truth), np.array(list(truth.values()))
    return Accuracy(
        num_photos=len(rows),
        reference=float((expected[rows] == labels).mean()),
        file=float((answers[rows] == labels).mean()),
    )


def _inference_ms(predictor: Predictor) -> float:
    spec = predictor.input_spec
    inputs = np.full((1, spec.height, spec.width, 3), 0.5, np.float32)
    found = []
    for _ in range(_TIMED_RUNS):
        start = time.perf_counter()
        predictor.probabilities(inputs)
        found.append(time.perf_counter() - start)
    return 1e3 * statistics.median(found)
