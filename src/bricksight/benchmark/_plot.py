"""Plot accuracy against latency, one point per file."""

from collections.abc import Sequence
from pathlib import Path

from bricksight._support.lettering import drawable, elided, text_width
from bricksight._support.optional import require
from bricksight._support.plotting import COLOURS, new_figure
from bricksight._support.text import pluralize
from bricksight.benchmark._result import Measurement

_MARKERS = "osD^vP*X"  # one per number of threads
_PLOT_INCHES, _LINE_INCHES = 4.2, 0.22
_MOST_IN_TWO_COLUMNS = 48
_LETTER_POINTS, _LEGEND_POINTS = 9, 540


def accuracy_plot(measurements: Sequence[Measurement], path: Path) -> None:
    """Plot accuracy (with 95 % intervals) against latency to a PNG file.

    Args:
        measurements: Measurements; those without accuracy are left out.
        path: The PNG file; an existing file is replaced.
    """
    ticker = require("matplotlib.ticker", extra="check", feature="Drawing a plot")
    shown = [(one, one.accuracy) for one in measurements if one.accuracy is not None]
    names = [_named(one) for one, _ in shown]
    with new_figure(9, _PLOT_INCHES, names=names, layout="constrained") as figure:
        axes = figure.subplots()
        files = list(dict.fromkeys((one.name, one.runtime) for one, _ in shown))
        threads = sorted({one.threads for one, _ in shown})
        for (one, accuracy), name in zip(shown, names, strict=True):
            index = files.index((one.name, one.runtime))
            counted_threads = f", {pluralize(one.threads, 'thread')}" if len(threads) > 1 else ""
            axes.errorbar(
                one.latency_p50_ms,
                accuracy,
                yerr=_distances(one),
                color=COLOURS[index % len(COLOURS)],
                marker=_MARKERS[
                    (threads.index(one.threads) + index // len(COLOURS)) % len(_MARKERS)
                ],
                markersize=8,
                linestyle="none",
                elinewidth=1,
                alpha=0.9,
                label=name + counted_threads,
            )
        axes.set(
            xlabel="latency of one photo, median, ms (decoded photo to labels)",
            ylabel="accuracy, with 95 % interval",
            xlim=(0, 1.1 * max(one.latency_p50_ms for one, _ in shown)),
        )
        axes.yaxis.set_major_formatter(
            ticker.PercentFormatter(1)
        )  # as many digits as the ticks need
        longest = max(len(label) for label in axes.get_legend_handles_labels()[1])
        columns = 2 if longest <= _MOST_IN_TWO_COLUMNS else 1
        figure.set_figheight(_PLOT_INCHES + _LINE_INCHES * -(-len(shown) // columns))
        figure.legend(loc="outside lower center", ncols=columns, fontsize=_LETTER_POINTS)
        figure.savefig(path, format="png", dpi=150)


def _named(one: Measurement) -> str:
    # The runtime comes first, because matplotlib omits labels that begin with an underscore.
    text = drawable(f"{one.runtime}: {one.name}")
    return elided(text, lambda line: text_width(line, _LETTER_POINTS) <= _LEGEND_POINTS)


def _distances(one: Measurement) -> list[list[float]] | None:
    found = one.evaluation
    if found is None or found.accuracy is None or found.accuracy_interval is None:
        return None
    interval = found.accuracy_interval
    return [[max(0.0, found.accuracy - interval.low)], [max(0.0, interval.high - found.accuracy)]]
