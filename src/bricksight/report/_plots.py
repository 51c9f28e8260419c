"""Plots of the report as SVG data URIs: learning curves and reliability diagram.

Figures with class names (confusion matrix, bars) are HTML instead, because browsers have fonts for
every script and can wrap, search and escape the names.
"""

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bricksight._support.plotting import COLOURS, FAINT, new_figure
from bricksight.evaluation import ReliabilityBin
from bricksight.report._content import TrainingHistory

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TRAIN, _VALIDATION = COLOURS[:2]


def history_plot(history: TrainingHistory) -> str:
    """Plot accuracy and cross entropy over the training steps; returns a data URI."""
    with new_figure(9, 3.3) as figure:
        figure.subplots_adjust(left=0.07, right=0.99, bottom=0.16, top=0.9, wspace=0.18)
        accuracy, cross_entropy = figure.subplots(1, 2)
        _draw_curves(
            accuracy, history, train=history.train_accuracy, validation=history.validation_accuracy
        )
        accuracy.set(title="Accuracy", ylim=(0, 1.02))
        accuracy.yaxis.set_major_formatter("{x:.0%}")
        accuracy.legend(loc="lower right")
        _draw_curves(
            cross_entropy,
            history,
            train=history.train_cross_entropy,
            validation=history.validation_cross_entropy,
        )
        cross_entropy.set(title="Cross entropy (nats)")
        cross_entropy.set_ylim(bottom=0)
        return _svg_uri(figure)


def _draw_curves(
    axes: "Axes",
    history: TrainingHistory,
    *,
    train: Sequence[float],
    validation: Sequence[float],
) -> None:
    # A line through a single measurement would be invisible.
    marker = "o" if len(history.steps) == 1 else None
    axes.plot(history.steps, train, color=_TRAIN, marker=marker, label="training")
    if len(validation):
        axes.plot(history.steps, validation, color=_VALIDATION, marker=marker, label="validation")
    if history.best_step is not None:
        axes.axvline(
            history.best_step,
            color=FAINT,
            linestyle="--",
            label=f"kept weights: {history.unit} {history.best_step}",
        )
    axes.locator_params(axis="x", integer=True, min_n_ticks=1)  # steps are whole numbers
    axes.set_xlabel(history.unit)


def reliability_plot(bins: Sequence[ReliabilityBin]) -> str:
    """Plot the reliability diagram with the number of answers per bin; returns a data URI."""
    with new_figure(5, 5) as figure:
        figure.subplots_adjust(left=0.16, right=0.94, bottom=0.1, top=0.97, hspace=0.08)
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        left = [one.low for one in bins]
        width = bins[0].high - bins[0].low
        upper.plot(
            [0, 1],
            [0, 1],
            color=_VALIDATION,
            linestyle="--",
            label="perfect calibration",
            zorder=3,
        )
        upper.bar(
            left,
            [one.accuracy or 0 for one in bins],
            width,
            align="edge",
            color=_TRAIN,
            edgecolor="white",
            label="measured",
        )
        upper.set(ylabel="accuracy", ylim=(0, 1), xlim=(0, 1))
        upper.legend(loc="upper left")
        lower.bar(
            left, [one.count for one in bins], width, align="edge", color=FAINT, edgecolor="white"
        )
        lower.set(xlabel="probability of the answer", ylabel="photos")
        for axis in (upper.xaxis, upper.yaxis):
            axis.set_major_formatter("{x:.0%}")
        return _svg_uri(figure)


def _svg_uri(figure: "Figure") -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
