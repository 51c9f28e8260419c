"""retrain.py's training, step for step, on features that were computed before.

Each item of a batch is drawn by choosing a class and then a photo of that class, both uniformly and
with replacement, so batches are balanced over classes whatever their sizes. The head starts from
a truncated normal distribution of standard deviation 0.001 and follows the gradient of the softmax
cross entropy at a constant rate. Source: tensorflow/hub, examples/image_retraining/retrain.py.

retrain.py ran every distorted photo through the network again; here a copy is drawn from those that
were computed once.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from bricksight.bundle import Head
from bricksight.config import HeadConfig
from bricksight.features.labeled_features import LabeledFeatures
from bricksight.heads.blas import one_blas_thread
from bricksight.heads.checkpoint import Checkpoint
from bricksight.heads.results import History, Measurement, Observer, TrainedHead

_LOGGER = logging.getLogger(__name__)

DEFAULT_STEPS = 4000
DEFAULT_LEARNING_RATE = 0.01
DEFAULT_BATCH_SIZE = 100

_INITIAL_STDDEV = 0.001
_SECONDS_BETWEEN_CHECKPOINTS = 2.0


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
    """Return the head after the last step, as retrain.py did.

    Args:
        training: at least one photo of every class.
        validation: ``None`` without validation photos.
        num_classes: how many classes there are.
        config: steps, learning rate, batch sizes, seed.
        observer: called with each measurement.
        after_step: called with the number of each step and the head after it.
        checkpoint: written every few seconds, and only between two steps, so that the training can
            resume whatever ends the process.
    """
    state = None if checkpoint is None else _resumed(checkpoint)
    if state is None:
        state = _initial_state(training.features.shape[2], num_classes, config.seed)
    start = state.step
    with one_blas_thread():
        for measurement in _steps(state, training, validation, config=config):
            if measurement is not None:
                state.history.measurements.append(measurement)
                if observer is not None:
                    observer(measurement, state.head)
            if after_step is not None:
                after_step(state.step, state.head)
            state.step += 1
            _save_if_due(checkpoint, state)
    state.history.best_step = state.step
    held_out = training.original()[:0] if validation is None else validation.original()
    return TrainedHead(
        head=state.head,
        held_out=state.head.probabilities(held_out),
        history=state.history,
        choices=_choices(config, num_steps=state.step, resumed_at=start or None),
    )


def _choices(config: HeadConfig, *, num_steps: int, resumed_at: int | None) -> dict[str, object]:
    return {
        "algorithm": "gradient descent at a constant rate, as retrain.py",
        "class_weight": _or(config.class_weight, "balanced"),
        "how_many_training_steps": num_steps,
        "learning_rate": _or(config.learning_rate, DEFAULT_LEARNING_RATE),
        "train_batch_size": _or(config.train_batch_size, DEFAULT_BATCH_SIZE),
        "resumed_at_step": resumed_at,
    }


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
    """Do one step at a time; yield the measurement after it, ``None`` where none is due.

    Steps are counted from 0 and the last one is measured, as in retrain.py.
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
    """Draw photos with replacement, and one of the copies of each."""

    def __init__(self, labeled: LabeledFeatures, *, balanced: bool) -> None:
        self._labeled = labeled
        order = np.argsort(labeled.labels, kind="stable")
        _, starts = np.unique(labeled.labels[order], return_index=True)
        self._by_class = np.split(order, starts[1:]) if balanced else [order]
        self._shares = None if labeled.weights is None else _shares(self._by_class, labeled)
        self._sizes = np.array([len(rows) for rows in self._by_class])
        self._starts = np.concatenate([[0], np.cumsum(self._sizes)[:-1]])
        self._rows = np.concatenate(self._by_class)

    def batch(self, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return float32 (size, num_features) and int (size,); all photos if size is negative."""
        labeled = self._labeled
        if size < 0:
            return labeled.original(), labeled.labels
        kind = rng.integers(len(self._sizes), size=size)
        if self._shares is None:
            within = (rng.random(size) * self._sizes[kind]).astype(np.int64)
            rows = self._rows[self._starts[kind] + within]
        else:
            rows = self._rows[np.searchsorted(self._shares, kind + rng.random(size), side="right")]
        copies = rng.integers(labeled.features.shape[1], size=size)
        return labeled.features[rows, copies], labeled.labels[rows]


def _shares(by_class: Sequence[np.ndarray], labeled: LabeledFeatures) -> np.ndarray:
    """Return the end of each photo's interval for drawing; class k has the interval k to k + 1."""
    weights = labeled.each_weight().astype(np.float64)
    ends = [k + np.cumsum(weights[rows]) / weights[rows].sum() for k, rows in enumerate(by_class)]
    found = np.concatenate(ends)
    found[np.cumsum([len(rows) for rows in by_class]) - 1] = np.arange(1, len(by_class) + 1)
    return found


def _save_if_due(checkpoint: Checkpoint | None, state: _State) -> None:
    if checkpoint is None or checkpoint.seconds_since_save <= _SECONDS_BETWEEN_CHECKPOINTS:
        return
    values = {
        "step": state.step,
        "rng": state.rng.bit_generator.state,
        "measurements": [asdict(measurement) for measurement in state.history.measurements],
    }
    checkpoint.save(values, {"kernel": state.kernel, "bias": state.bias})


def _resumed(checkpoint: Checkpoint) -> _State | None:
    """Return the state to resume from, ``None`` to start from the beginning."""
    found = checkpoint.load()
    if found is None:
        return None
    values, arrays = found
    rng = np.random.default_rng()
    rng.bit_generator.state = values["rng"]
    history = History([Measurement(**item) for item in values["measurements"]])
    _LOGGER.info("The training resumes after %d steps.", values["step"])
    return _State(values["step"], arrays["kernel"], arrays["bias"], rng, history)
