"""Run a benchmark: cold starts, then timed rounds over all files, then accuracy on photos."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bricksight._support.optional import require_installed
from bricksight._support.text import some
from bricksight.benchmark._machine import machine
from bricksight.benchmark._models import ModelFile, find_models
from bricksight.benchmark._processes import Worker
from bricksight.benchmark._result import BenchmarkResult, Measurement
from bricksight.benchmark._settings import Settings
from bricksight.bundle import open_bundle
from bricksight.config import AnyPath
from bricksight.dataset import Example
from bricksight.errors import BricksightError, BundleError, DataError
from bricksight.evaluation import Evaluation, evaluate
from bricksight.predict._sidecar import read_sidecar

Progress = Callable[[str, int, int], None]
"""Callback with the stage, the number of finished steps and the number of steps."""

# Idle threads of a runtime spin for a while after a call and would slow down the next file.
_SECONDS_BETWEEN_TURNS = 0.05
_TIMED_PHOTOS = 8
_PHOTOS_A_TURN = 32
_MS = 1e3


@dataclass(kw_only=True)
class _Candidate:
    """A file with a number of threads, and its measurements so far."""

    model: ModelFile
    threads: int
    settings: Settings
    starts: list[dict[str, Any]] = field(default_factory=list)
    rounds: list[dict[str, Any]] = field(default_factory=list)
    labels: tuple[str, ...] = ()


def benchmark(
    models: Sequence[AnyPath],
    *,
    photos: Sequence[Example] = (),
    settings: Settings = Settings(),  # noqa: B008  (frozen)
    progress: Progress | None = None,
) -> BenchmarkResult:
    """Compare the speed, memory, size and accuracy of model files.

    Args:
        models: Bundles and model files; a bundle is replaced by all model files in it.
        photos: Examples of ``dataset.scan`` for accuracy and timing; without photos, only speed is
            measured, on a generated image.
        settings: Runtimes, threads, batch sizes and numbers of repetitions.
        progress: Callback for progress.

    Raises:
        BundleError: A path is not a model, or none of the files can be executed.
        DataError: The photos have classes that a model does not have.

    Example:
        ``benchmark(["photos-model"]).measurements[0].latency_p50_ms``
    """
    if photos:
        require_installed("sklearn", extra="check", feature="Measuring accuracy")
    found, left_out = find_models(models, runtimes=settings.runtimes)
    candidates = [
        _Candidate(model=model, threads=threads, settings=settings)
        for model in found
        for threads in settings.threads
    ]
    _require_known({model.name: _labels(model) for model in found}, photos)
    tell = progress or _silent
    timed = _spread(photos)
    candidates = _start_cold(candidates, left_out, timed, settings, tell)
    if not candidates:
        reasons = "\n".join(f"  {name}: {reason}" for name, reason in left_out.items())
        raise BundleError(f"None of the files can be measured:\n{reasons}")
    with ExitStack() as stack:
        workers = []
        for candidate in candidates:
            worker = _worker(candidate, timed)
            stack.callback(worker.close)
            workers.append(worker)
        _time(candidates, workers, settings, tell)
        # Threads do not change answers.
        asked = {one.model: worker for one, worker in zip(candidates, workers, strict=True)}
        evaluations, set_aside = _answers(asked, candidates, photos, tell)
    return BenchmarkResult(
        measurements=tuple(_measurement(one, photos, evaluations) for one in candidates),
        left_out=left_out,
        set_aside=set_aside,
        machine=machine(),
        settings=_recorded_settings(settings, candidates[0], photos),
    )


def _recorded_settings(
    settings: Settings, candidate: _Candidate, photos: Sequence[Example]
) -> dict[str, Any]:
    """Return the settings with the photos that were used, as they are written to JSON."""
    return asdict(settings) | {
        "photo_sizes": sorted(set(candidate.starts[0]["photo_sizes"])),
        "num_photos": len(photos),
        "data": _folder_name(photos),
    }


def _silent(stage: str, done: int, total: int) -> None:
    pass


def _spread(photos: Sequence[Example]) -> list[Path]:
    """Return a few photos, evenly spaced over the list and so over the classes."""
    step = max(1, len(photos) // _TIMED_PHOTOS)
    return [example.path for example in photos[::step]][:_TIMED_PHOTOS]


def _folder_name(photos: Sequence[Example]) -> str | None:
    if not photos:
        return None
    first = photos[0]
    return first.path.parents[first.relative_path.count("/")].name


def _start_cold(
    candidates: Sequence[_Candidate],
    left_out: dict[str, str],
    timed: Sequence[Path],
    settings: Settings,
    tell: Progress,
) -> list[_Candidate]:
    """Measure cold starts; returns the files that started, the others go to ``left_out``."""
    left = list(candidates)
    total, done = settings.cold_starts * len(left), 0
    tell("Starting cold", done, total)
    for _ in range(settings.cold_starts):
        for candidate in tuple(left):
            model = candidate.model
            try:
                start = _cold_start(candidate, timed)
            except BricksightError as error:
                left_out[f"{model.name} in {model.runtime}"] = str(error)
                left.remove(candidate)
            else:
                candidate.starts.append(start)
                candidate.labels = tuple(start["labels"])
            done += 1
            tell("Starting cold", done, total)
    return left


def _cold_start(candidate: _Candidate, timed: Sequence[Path]) -> dict[str, Any]:
    worker = _worker(candidate, timed[:1])
    try:
        found = {**worker.opened, "cold_start_s": worker.started_s, **worker.ask("memory")}
    finally:
        worker.close()
    return found


def _worker(candidate: _Candidate, photos: Sequence[Path]) -> Worker:
    return Worker(
        candidate.model,
        threads=candidate.threads,
        photos=photos,
        trust=candidate.settings.trust,
    )


def _labels(model: ModelFile) -> tuple[str, ...] | None:
    """Return the classes from a file's sidecar, ``None`` if there is none."""
    try:
        return read_sidecar(model.path).labels
    except BundleError:
        return None  # an error is reported when the file is loaded


def _require_known(labels: Mapping[str, tuple[str, ...] | None], photos: Sequence[Example]) -> None:
    """Check, before the measurements, that every model has the classes of the photos."""
    for name, known in labels.items():
        missing = sorted({example.label for example in photos} - set(known or ()))
        if missing and known is not None:
            raise DataError(
                f"The photos have classes that {name} does not have: {some(missing)}. It has "
                f"{some(known)}. Remove these folders, or name other photos with --data."
            )


def _time(
    candidates: Sequence[_Candidate],
    workers: Sequence[Worker],
    settings: Settings,
    tell: Progress,
) -> None:
    total, done = settings.rounds * len(workers), 0
    tell("Timing in turn", done, total)
    for _ in range(settings.rounds):
        for candidate, worker in zip(candidates, workers, strict=True):
            time.sleep(_SECONDS_BETWEEN_TURNS)
            candidate.rounds.append(
                worker.ask("times", calls=settings.calls, batch=list(settings.batch))
            )
            done += 1
            tell("Timing in turn", done, total)


def _answers(
    workers: Mapping[ModelFile, Worker],
    candidates: Sequence[_Candidate],
    photos: Sequence[Example],
    tell: Progress,
) -> tuple[dict[ModelFile, Evaluation], dict[str, str]]:
    """Evaluate each file on the photos; also returns path → reason for unreadable photos."""
    if not photos:
        return {}, {}
    rows: dict[ModelFile, list[str | list[float]]] = defaultdict(list)
    tell("Classifying", 0, len(photos))
    for start in range(0, len(photos), _PHOTOS_A_TURN):
        part = photos[start : start + _PHOTOS_A_TURN]
        for model, worker in workers.items():
            rows[model] += worker.ask("answers", photos=[str(one.path) for one in part])["rows"]
        tell("Classifying", start + len(part), len(photos))
    labels = {candidate.model: candidate.labels for candidate in candidates}
    bad = {
        example.relative_path: row
        for answers in rows.values()
        for example, row in zip(photos, answers, strict=True)
        if isinstance(row, str)
    }
    return {model: _evaluation(rows[model], photos, labels[model]) for model in workers}, bad


def _evaluation(
    rows: Sequence[str | list[float]], photos: Sequence[Example], labels: Sequence[str]
) -> Evaluation:
    answered = [
        (row, example)
        for row, example in zip(rows, photos, strict=True)
        if not isinstance(row, str)
    ]
    order = {label: index for index, label in enumerate(labels)}
    return evaluate(
        np.array([row for row, _ in answered], np.float32).reshape(len(answered), len(labels)),
        np.array([order[example.label] for _, example in answered], np.int32),
        labels=labels,
        paths=[example.relative_path for _, example in answered],
        groups=[example.group for _, example in answered],
    )


def _measurement(
    candidate: _Candidate, photos: Sequence[Example], evaluations: Mapping[ModelFile, Evaluation]
) -> Measurement:
    model, starts, rounds = candidate.model, candidate.starts, candidate.rounds

    def milliseconds(name: str, percentile: int) -> float:
        values = [value for one in rounds for value in one[name]]
        return float(np.percentile(values, percentile)) * _MS

    def median(name: str) -> float:
        return float(np.median([one[name] for one in starts]))

    rates = np.median([one["images_per_second"] for one in rounds], axis=0)
    peaks = [one["peak_bytes"] for one in starts]
    return Measurement(
        name=model.name,
        path=model.path,
        runtime=model.runtime,
        threads=candidate.threads,
        size_bytes=model.size_bytes,
        cold_start_s=median("cold_start_s"),
        load_s=median("load_s"),
        first_answer_s=median("first_answer_s"),
        peak_memory_bytes=None if None in peaks else int(np.median(peaks)),
        latency_p50_ms=milliseconds("latency_s", 50),
        latency_p95_ms=milliseconds("latency_s", 95),
        preprocessing_p50_ms=milliseconds("preprocessing_s", 50),
        inference_p50_ms=milliseconds("inference_s", 50),
        inference_p95_ms=milliseconds("inference_s", 95),
        images_per_second=dict(zip(candidate.settings.batch, map(float, rates), strict=True)),
        evaluation=evaluations.get(model),
        num_trained_on=_num_trained_on(model, photos),
    )


def _num_trained_on(model: ModelFile, photos: Sequence[Example]) -> int | None:
    if model.bundle is None or not photos:
        return None
    trained_on = open_bundle(model.bundle).trained_on()
    return sum(example.sha256 in trained_on for example in photos)
