"""Style of all plots, and figures that need no display."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

from bricksight._support.lettering import font_families
from bricksight._support.optional import require

# The Okabe-Ito palette, which the colour-blind can tell apart.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
FAINT = "#8a8f98"

_STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": FAINT,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 11,
    "font.size": 10,
    "grid.color": "#e6e8eb",
    "legend.edgecolor": "none",
    "svg.hashsalt": "bricksight",  # the same figures give the same bytes
    "text.parse_math": False,  # a dollar in a name is a dollar
    "text.usetex": False,
}


@contextlib.contextmanager
def new_figure(
    width: float, height: float, *, names: Iterable[str] = (), **settings: Any
) -> Iterator[Any]:
    """Yield a ``matplotlib.figure.Figure`` to draw and save inside the block.

    Args:
        width: In inches.
        height: In inches.
        names: Texts such as class names, for which fonts are chosen; see ``lettering.drawable``.
        settings: Further arguments of ``Figure``.
    """
    # Loaded here: it takes half a second.
    matplotlib = require("matplotlib", extra="check", feature="Drawing a plot")
    figure = require("matplotlib.figure", extra="check", feature="Drawing a plot")

    with matplotlib.rc_context(_STYLE | {"font.family": font_families(names)}):
        yield figure.Figure(figsize=(width, height), **settings)
