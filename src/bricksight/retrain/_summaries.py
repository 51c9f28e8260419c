"""What TensorBoard shows of a training, under retrain.py's tags."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bricksight._optional import require_tensorflow
from bricksight.bundle import Head
from bricksight.training import Measurement

_MAX_HISTOGRAMS = 40


@dataclass
class Snapshots:
    """The measurements of a training, with the layer at some of them.

    Whole layers are kept only at every so many measurements: their number is halved whenever it
    has grown too large, so that memory stays bounded however long the training is.
    """

    measurements: list[Measurement] = field(default_factory=list)
    heads: dict[int, Head] = field(default_factory=dict)
    _every: int = 1

    def take(self, measurement: Measurement, head: Head) -> None:
        """Notes one measurement."""
        if len(self.measurements) % self._every == 0:
            # The layer may be changed in place by the next step.
            self.heads[measurement.step] = Head(kernel=head.kernel.copy(), bias=head.bias.copy())
        self.measurements.append(measurement)
        if len(self.heads) > 2 * _MAX_HISTOGRAMS:
            self._every *= 2
            kept = [measurement.step for measurement in self.measurements[:: self._every]]
            self.heads = {step: self.heads[step] for step in kept}


def write_summaries(folder: Path, snapshots: Snapshots) -> None:
    """Writes event files to ``folder``/train and ``folder``/validation."""
    tf = require_tensorflow()
    with tf.summary.create_file_writer(str(folder / "train")).as_default():
        for measurement in snapshots.measurements:
            step = measurement.step
            _scalars(measurement.train_accuracy, measurement.train_cross_entropy, step)
            if step in snapshots.heads:
                _weights(snapshots.heads[step], step)
    measured = [one for one in snapshots.measurements if one.validation_accuracy is not None]
    if measured:
        _write_validation(tf, folder / "validation", measured)


def _write_validation(tf: Any, folder: Path, measured: Sequence[Measurement]) -> None:
    with tf.summary.create_file_writer(str(folder)).as_default():
        for one in measured:
            _scalars(one.validation_accuracy, one.validation_cross_entropy, one.step)


def _scalars(accuracy: float | None, cross_entropy: float | None, step: int) -> None:
    tf = require_tensorflow()
    tf.summary.scalar("accuracy", accuracy, step=step)
    tf.summary.scalar("cross_entropy", cross_entropy, step=step)


def _weights(head: Head, step: int) -> None:
    tf = require_tensorflow()
    for name, values in (("weights", head.kernel), ("biases", head.bias)):
        tag = f"final_retrain_ops/{name}/summaries"
        for statistic in (np.mean, np.std, np.max, np.min):
            tf.summary.scalar(f"{tag}/{statistic.__name__}", float(statistic(values)), step=step)
        tf.summary.histogram(f"{tag}/histogram", values, step=step)
