"""How ``--help`` shows options, and the panels into which it puts them."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cyclopts import Group, Parameter

if TYPE_CHECKING:
    from cyclopts.help import ColumnSpec, DefaultFormatter, HelpEntry
    from rich.console import Console, ConsoleOptions

_NAMES_SHARE = 0.45
"""How much of the terminal's width names may take, unless one alone needs more."""


def panel(title: str) -> Parameter:
    """Returns how the fields of a settings class become options in a panel of their own."""
    return Parameter(name="*", group=Group.create_ordered(title))


def default_shown(value: Any) -> str | None:
    """Returns the default as ``--help`` shows it, ``None`` where there is nothing to say."""
    return None if value is None or value is False else str(value)


def formatter() -> "DefaultFormatter":
    """Returns what prints the panels."""
    from cyclopts.help import DefaultFormatter

    return DefaultFormatter(column_specs=_columns)


def _columns(
    console: "Console", options: "ConsoleOptions", entries: "Sequence[HelpEntry]"
) -> "tuple[ColumnSpec, ...]":
    """Returns the columns of a panel, with as much room for the names as the longest needs."""
    from cyclopts.help import AsteriskRenderer, ColumnSpec, DescriptionRenderer, NameRenderer

    names = [str(NameRenderer()(entry)) for entry in entries]
    width = max(len(word) for name in names for word in name.split())
    width = max(width, min(math.ceil(_NAMES_SHARE * console.width), max(map(len, names))))
    columns = (
        ColumnSpec(renderer=NameRenderer(max_width=width), style="cyan", max_width=width),
        ColumnSpec(renderer=DescriptionRenderer(), overflow="fold"),
    )
    if not any(entry.required for entry in entries):
        return columns
    return (ColumnSpec(renderer=AsteriskRenderer(), width=1, style="red bold"), *columns)
