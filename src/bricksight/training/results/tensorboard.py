"""Write TensorBoard summaries with retrain.py's tags."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bricksight._support.filesystem.native_path import native_path
from bricksight._support.optional import require_tensorflow
from bricksight.bundle import Head
from bricksight.heads import Measurement

_MAX_HISTOGRAMS = 40
_NUM_BINS = 30


@dataclass
class WeightHistory:
    """The head at some of the measurements of a training.

    Their number is halved whenever it becomes too large, so memory stays bounded however long the
    training is.
    """

    heads: dict[int, Head] = field(default_factory=dict)
    _num_seen: int = 0
    _every: int = 1

    def take(self, measurement: Measurement, head: Head) -> None:
        """Keep the head if one is due."""
        if self._num_seen % self._every == 0:
            # The next step may change the head in place.
            self.heads[measurement.step] = Head(kernel=head.kernel.copy(), bias=head.bias.copy())
        self._num_seen += 1
        if len(self.heads) > 2 * _MAX_HISTOGRAMS:
            self._every *= 2
            self.heads = dict(list(self.heads.items())[::2])


def write_summaries(
    folder: Path, measurements: Sequence[Measurement], heads: Mapping[int, Head]
) -> None:
    """Write event files to ``folder``/train and ``folder``/validation, as retrain.py did.

    The records are made here, and TensorFlow only writes them: its ``tf.summary.scalar`` takes
    milliseconds per value, which adds up to more than the training.

    Args:
        folder: made if need be.
        measurements: all of the training, those before an interruption too.
        heads: the layer at some of their steps.
    """
    train = [
        (one.step, _scalars(one.train_accuracy, one.train_cross_entropy)) for one in measurements
    ]
    train += [(step, _weights(head)) for step, head in heads.items()]
    _write(folder / "train", train)
    validation = [
        (one.step, _scalars(one.validation_accuracy, one.validation_cross_entropy))
        for one in measurements
        if one.validation_accuracy is not None and one.validation_cross_entropy is not None
    ]
    if validation:
        _write(folder / "validation", validation)


Values = dict[str, Any]
"""Tag → a number, or an array for a histogram."""


def _write(folder: Path, records: Sequence[tuple[int, Values]]) -> None:
    v1 = require_tensorflow().compat.v1
    with (
        native_path(folder) as writable,
        v1.Graph().as_default(),
        v1.summary.FileWriter(str(writable)) as writer,
    ):
        for step, values in sorted(records, key=lambda record: record[0]):
            summary = v1.Summary()
            for tag, value in values.items():
                if isinstance(value, np.ndarray):
                    summary.value.add(tag=tag, histo=_histogram(value))
                else:
                    summary.value.add(tag=tag, simple_value=value)
            writer.add_summary(summary, step)


def _scalars(accuracy: float, cross_entropy: float) -> Values:
    return {"accuracy": accuracy, "cross_entropy": cross_entropy}


def _weights(head: Head) -> Values:
    values: Values = {}
    for name, array in (("weights", head.kernel), ("biases", head.bias)):
        tag = f"final_retrain_ops/{name}/summaries"
        for statistic in (np.mean, np.std, np.max, np.min):
            values[f"{tag}/{statistic.__name__}"] = float(statistic(array))
        values[f"{tag}/histogram"] = array
    return values


def _histogram(array: np.ndarray) -> Any:
    # Weights that are all but equal leave no room for so many bins between float32 numbers.
    counts, edges = np.histogram(array.astype(np.float64), bins=_NUM_BINS)
    return require_tensorflow().compat.v1.HistogramProto(
        min=float(array.min()),
        max=float(array.max()),
        num=array.size,
        sum=float(array.sum()),
        sum_squares=float(np.square(array).sum()),
        bucket_limit=edges[1:].tolist(),
        bucket=counts.tolist(),
    )
