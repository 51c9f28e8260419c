"""retrain.py's training, step for step, on features that were computed beforehand.

Each item of a batch is drawn by choosing a class and then a photo of that class, both uniformly and
with replacement, so that batches are class-balanced whatever the class sizes. The layer starts from
a truncated normal of standard deviation 0.001 and follows the gradient of the softmax cross entropy
at a constant rate. Source: tensorflow/hub, examples/image_retraining/retrain.py.

retrain.py pushed every distorted photo through the network again; here a view is drawn from those
that were computed once.
"""

import contextlib
import json
import logging
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from bricksight._support.filesystem.files import atomic_write
from bricksight.bundle import Head
from bricksight.config import HeadConfig
from bricksight.errors import OutputError
from bricksight.features.labeled_features import LabeledFeatures
from bricksight.heads.blas import one_blas_thread
from bricksight.heads.results import History, Measurement, Observer, TrainedHead

_LOGGER = logging.getLogger(__name__)

DEFAULT_STEPS = 4000
DEFAULT_LEARNING_RATE = 0.01
DEFAULT_BATCH_SIZE = 100

_INITIAL_STDDEV = 0.001
_SECONDS_BETWEEN_CHECKPOINTS = 2.0


@dataclass
class Checkpoint:
    """Where an interrupted training is kept.

    Attributes:
        path: The file; whoever writes the model discards it.
        key: Differs wherever another training would give another head, so that a checkpoint is
            never continued with other photos or settings.
        resume: Whether to go on from it; the result is the same as without the interruption.
    """

    path: Path
    key: str
    resume: bool = False
    _has_warned: bool = field(default=False, repr=False)

    @property
    def is_kept(self) -> bool:
        """Whether the file is there and holds this training."""
        try:
            with np.load(self.path, allow_pickle=False) as arrays:
                described = json.loads(str(arrays["described"]))
        except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError):
            return False
        return isinstance(described, dict) and described.get("key") == self.key

    def discard(self) -> None:
        """Removes the file, if it may be removed."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

    def warn_once(self, error: OutputError) -> None:
        """Says that the training cannot be kept."""
        if not self._has_warned:
            _LOGGER.warning("%s The training goes on; --resume will not go on from here.", error)
        self._has_warned = True


@dataclass
class _State:
    step: int
    kernel: np.ndarray
    bias: np.ndarray
    rng: np.random.Generator
    history: History

    @property
    def head(self) -> Head:
        return Head(kernel=self.kernel, bias=self.bias)


def train_by_sgd(
    training: LabeledFeatures,
    validation: LabeledFeatures | None,
    *,
    num_classes: int,
    config: HeadConfig,
    observer: Observer | None = None,
    after_step: Callable[[int, Head], None] | None = None,
    checkpoint: Checkpoint | None = None,
) -> TrainedHead:
    """Returns the head after the last step, as retrain.py did.

    Args:
        training: every class has at least one photo.
        validation: ``None`` if there are no such photos.
        num_classes: how many classes there are.
        config: steps, rate, batch sizes, seed.
        observer: told of each evaluation.
        after_step: told of every step.
        checkpoint: where to keep the state every few seconds. It is written between two steps
            only, so that whatever ends the process leaves a state that can be gone on from.
    """
    state = _resumed(checkpoint) if checkpoint is not None and checkpoint.resume else None
    if state is None:
        state = _initial_state(training.features.shape[2], num_classes, config.seed)
    start = state.step
    keeper = _Keeper(checkpoint)
    with one_blas_thread():
        for measurement in _steps(state, training, validation, config=config):
            if measurement is not None:
                state.history.measurements.append(measurement)
                if observer is not None:
                    observer(measurement, state.head)
            if after_step is not None:
                after_step(state.step, state.head)
            state.step += 1
            keeper.keep(state)
    state.history.best_step = state.step
    return TrainedHead(
        head=state.head,
        held_out=state.head.probabilities(
            training.original()[:0] if validation is None else validation.original()
        ),
        history=state.history,
        choices={
            "algorithm": "gradient descent at a constant rate, as retrain.py",
            "class_weight": _or(config.class_weight, "balanced"),
            "how_many_training_steps": state.step,
            "learning_rate": _or(config.learning_rate, DEFAULT_LEARNING_RATE),
            "train_batch_size": _or(config.train_batch_size, DEFAULT_BATCH_SIZE),
            "resumed_at_step": start or None,
        },
    )


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


def _initial_state(num_features: int, num_classes: int, seed: int) -> _State:
    rng = np.random.default_rng(seed)
    # A normal distribution cut off at two standard deviations, by its inverse; scipy.stats, which
    # gives the same numbers, takes 0.7 s to load.
    quantiles = rng.uniform(ndtr(-2), ndtr(2), size=(num_features, num_classes))
    kernel = _INITIAL_STDDEV * ndtri(quantiles)
    return _State(
        step=0,
        kernel=kernel.astype(np.float32),
        bias=np.zeros(num_classes, np.float32),
        rng=rng,
        history=History(),
    )


def _steps(
    state: _State,
    training: LabeledFeatures,
    validation: LabeledFeatures | None,
    *,
    config: HeadConfig,
) -> Iterator[Measurement | None]:
    """Does one step at a time; yields the measurement after it, ``None`` where none is due.

    Steps are counted from 0 and the last one is measured, as retrain.py did.
    """
    last = _or(config.how_many_training_steps, DEFAULT_STEPS) - 1
    rate = np.float32(_or(config.learning_rate, DEFAULT_LEARNING_RATE))
    batch_size = _or(config.train_batch_size, DEFAULT_BATCH_SIZE)
    draw = _Sampler(training, balanced=config.class_weight != "none")
    draw_validation = None if validation is None else _Sampler(validation, balanced=True)
    while state.step <= last:
        batch = draw.batch(batch_size, state.rng)
        _descend(state, *batch, rate)
        if state.step % config.eval_step_interval and state.step != last:
            yield None
        elif draw_validation is None:
            yield Measurement.of(state.step, state.head, batch, None)
        else:
            drawn = draw_validation.batch(config.validation_batch_size, state.rng)
            yield Measurement.of(state.step, state.head, batch, drawn)


def _descend(state: _State, features: np.ndarray, labels: np.ndarray, rate: np.float32) -> None:
    residual = state.head.probabilities(features)
    residual[np.arange(len(labels)), labels] -= 1
    residual *= rate / np.float32(len(labels))
    state.kernel -= features.T @ residual
    state.bias -= residual.sum(axis=0)


class _Sampler:
    """Draws photos with replacement, and one of the views of each."""

    def __init__(self, labeled: LabeledFeatures, *, balanced: bool) -> None:
        self._examples = labeled
        order = np.argsort(labeled.labels, kind="stable")
        _, starts = np.unique(labeled.labels[order], return_index=True)
        self._by_class = np.split(order, starts[1:]) if balanced else [order]
        self._shares = None if labeled.weights is None else _shares(self._by_class, labeled)
        self._sizes = np.array([len(rows) for rows in self._by_class])
        self._starts = np.concatenate([[0], np.cumsum(self._sizes)[:-1]])
        self._rows = np.concatenate(self._by_class)

    def batch(self, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Returns float32 (size, num_features) and int (size,); all photos if size is negative."""
        labeled = self._examples
        if size < 0:
            return labeled.original(), labeled.labels
        kind = rng.integers(len(self._sizes), size=size)
        if self._shares is None:
            within = (rng.random(size) * self._sizes[kind]).astype(np.int64)
            rows = self._rows[self._starts[kind] + within]
        else:
            rows = self._rows[np.searchsorted(self._shares, kind + rng.random(size), side="right")]
        views = rng.integers(labeled.features.shape[1], size=size)
        return labeled.features[rows, views], labeled.labels[rows]


def _shares(by_class: Sequence[np.ndarray], labeled: LabeledFeatures) -> np.ndarray:
    """Returns where each photo's part of the drawing ends; those of class k are from k to k + 1."""
    weights = labeled.each_weight().astype(np.float64)
    ends = [k + np.cumsum(weights[rows]) / weights[rows].sum() for k, rows in enumerate(by_class)]
    found = np.concatenate(ends)
    found[np.cumsum([len(rows) for rows in by_class]) - 1] = np.arange(1, len(by_class) + 1)
    return found


class _Keeper:
    """Writes the checkpoint every few seconds, between two steps."""

    def __init__(self, checkpoint: Checkpoint | None) -> None:
        self._checkpoint = checkpoint
        self._written = time.monotonic()

    def keep(self, state: _State) -> None:
        now = time.monotonic()
        if self._checkpoint is not None and now - self._written > _SECONDS_BETWEEN_CHECKPOINTS:
            try:
                _write(self._checkpoint, state)
            except OutputError as error:
                self._checkpoint.warn_once(error)
            self._written = now


def _write(checkpoint: Checkpoint, state: _State) -> None:
    described = {
        "key": checkpoint.key,
        "step": state.step,
        "rng": state.rng.bit_generator.state,
        "measurements": [asdict(measurement) for measurement in state.history.measurements],
    }
    with atomic_write(checkpoint.path) as part, part.open("wb") as file:
        np.savez(
            file, kernel=state.kernel, bias=state.bias, described=np.array(json.dumps(described))
        )


def _resumed(checkpoint: Checkpoint) -> _State | None:
    """Returns where the training goes on, and says so; ``None`` if it has to begin anew."""
    state = _read(checkpoint)
    if state is None:
        _LOGGER.warning(
            "There is nothing to resume: %s holds no training of these photos with these settings. "
            "The training begins anew.",
            checkpoint.path,
        )
    else:
        _LOGGER.info("The training goes on after %d steps.", state.step)
    return state


def _read(checkpoint: Checkpoint) -> _State | None:
    """Returns what ``_write`` wrote, ``None`` if there is none or it is another training's."""
    try:
        with checkpoint.path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            described = json.loads(str(arrays["described"]))
            if described["key"] != checkpoint.key:
                return None
            kernel, bias = arrays["kernel"], arrays["bias"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError):
        return None
    rng = np.random.default_rng()
    rng.bit_generator.state = described["rng"]
    history = History([Measurement(**item) for item in described["measurements"]])
    return _State(described["step"], kernel, bias, rng, history)
