"""Whether a file gives the answers that the trained model gave, from photo to probability."""

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
    """Photos and the answers to be got.

    Attributes:
        photos: A few real photos.
        probabilities: float32 (num_photos, num_classes), the reference.
        labels: In the order of the outputs.
        spec: How the photos are prepared.
        truth: Row of a photo that the training has not seen → index of its label.
    """

    photos: Sequence[Path]
    probabilities: np.ndarray
    labels: Sequence[str]
    spec: InputSpec
    truth: Mapping[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Parity:
    """How near a file comes to the reference.

    Attributes:
        num_photos: On how many photos.
        largest_difference: Of any probability.
        top1_agreement: Share of the photos with the same first answer.
    """

    num_photos: int
    largest_difference: float
    top1_agreement: float


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Share of right first answers on photos that the training has not seen.

    Attributes:
        num_photos: On how many photos.
        reference: Of the reference.
        file: Of the file.
    """

    num_photos: int
    reference: float
    file: float


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a written file turned out to be.

    Attributes:
        agreement: How near it is to the reference.
        accuracy: On held-out photos, ``None`` where none of them has a known label.
        inference_ms: Of one photo, from the network's input to probabilities on all cores; the
            median of a few. ``bricksight benchmark`` compares files with more care.
    """

    agreement: Parity
    accuracy: Accuracy | None
    inference_ms: float


def measured(
    path: Path,
    *,
    runtime: str,
    proof: ParityReference,
    options: dict[str, str],
    trust: bool = False,
    also: Callable[[Any, ParityReference], None] | None = None,
) -> Measured:
    """Return how near the file ``path``, run as users will run it, comes to ``proof``.

    Args:
        path: the file, or the folder.
        runtime: what runs it.
        proof: photos and answers.
        options: of the runtime.
        trust: let a model pass that does more than compute.
        also: what else is checked of the opened file; it raises ``ExportError``.

    Raises:
        ExportError: a photo of the proof can no longer be read.
    """
    kind = runtime_class(runtime)
    trusted = {"trust": trust} if kind.takes_trust else {}
    opened = kind(path, **options, **trusted)
    if also is not None:
        also(opened, proof)
    predictor = Predictor.from_runtime(
        opened, proof.labels, proof.spec, source=f"{path.name} in {runtime}"
    )
    rows = []
    for photo, row in zip(proof.photos, predictor.probabilities_of(proof.photos), strict=True):
        if isinstance(row, ImageError):
            raise ExportError(f"{photo} was trained on, and now {row}.") from row
        rows.append(row)
    found = np.stack(rows)
    answers, expected = found.argmax(axis=1), proof.probabilities.argmax(axis=1)
    agreement = Parity(
        num_photos=len(rows),
        largest_difference=float(np.abs(found - proof.probabilities).max()),
        top1_agreement=float((answers == expected).mean()),
    )
    return Measured(
        agreement=agreement,
        accuracy=_accuracy(answers, expected, proof.truth) if proof.truth else None,
        inference_ms=_inference_ms(predictor),
    )


def _accuracy(answers: np.ndarray, expected: np.ndarray, truth: Mapping[int, int]) -> Accuracy:
    seen, labels = list(truth), np.array(list(truth.values()))
    return Accuracy(
        num_photos=len(seen),
        reference=float((expected[seen] == labels).mean()),
        file=float((answers[seen] == labels).mean()),
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
