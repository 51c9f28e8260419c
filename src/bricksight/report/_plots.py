"""Curves and the reliability diagram, as SVG in data URIs.

What names classes (the confusion matrix, the bars) is HTML instead: the browser has a glyph for
every script and wraps, searches and escapes the names, which matplotlib's one font does not.
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
    """Return accuracy and cross entropy over the steps as a data URI."""
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
    # One measurement is a point: a line would not show it.
    marker = "o" if len(history.steps) == 1 else None
    axes.plot(history.steps, train, color=_TRAIN, marker=marker, label="training")
    if len(validation):
        axes.plot(history.steps, validation, color=_VALIDATION, marker=marker, label="validation")
    if history.best_step is not None:
        axes.axvline(
            history.best_step, color=FAINT, linestyle="--", label=f"kept: {history.best_step}"
        )
    axes.locator_params(axis="x", integer=True, min_n_ticks=1)  # there is no step 0.98
    axes.set_xlabel(history.unit)


def reliability_plot(bins: Sequence[ReliabilityBin]) -> str:
    """Return accuracy over probability, with the number of answers below, as a data URI."""
    with new_figure(5, 5) as figure:
        figure.subplots_adjust(left=0.16, right=0.94, bottom=0.1, top=0.97, hspace=0.08)
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        left = [one.low for one in bins]
        width = bins[0].high - bins[0].low
        upper.plot(
            [0, 1], [0, 1], color=_VALIDATION, linestyle="--", label="well calibrated", zorder=3
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
        upper.set(ylabel="share that is right", ylim=(0, 1), xlim=(0, 1))
        upper.legend(loc="upper left")
        lower.bar(
            left, [one.count for one in bins], width, align="edge", color=FAINT, edgecolor="white"
        )
        lower.set(xlabel="probability of the answer", ylabel="answers")
        for axis in (upper.xaxis, upper.yaxis):
            axis.set_major_formatter("{x:.0%}")
        return _svg_uri(figure)


def _svg_uri(figure: "Figure") -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
