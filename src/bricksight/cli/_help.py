"""How ``--help`` looks: its panels, columns and defaults."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cyclopts import Group, Parameter

if TYPE_CHECKING:
    from cyclopts.help import ColumnSpec, DefaultFormatter, HelpEntry
    from rich.console import Console, ConsoleOptions

HELP_ALL = "--help-all"
"""Shows all panels; ``--help`` hides those whose title begins with ``ADVANCED``."""

ADVANCED = "Advanced"

_NAMES_SHARE = 0.45
"""Largest share of the terminal's width for names, unless a single name needs more."""


def panel(title: str) -> Parameter:
    """Return the annotation that puts the fields of a settings class into a panel of their own."""
    return Parameter(name="*", group=Group.create_ordered(title))


def default_shown(value: Any) -> str | None:
    """Return a default as ``--help`` shows it, ``None`` for defaults that say nothing."""
    return None if value is None or value is False else str(value)


def formatter(command: str, *, show_advanced: bool) -> "DefaultFormatter":
    """Return what prints the panels.

    Args:
        command: name of the command.
        show_advanced: whether to print the advanced panels, or one line that tells of them.
    """
    from cyclopts.help import DefaultFormatter

    class Formatter(DefaultFormatter):
        is_told = False

        def __call__(self, console: "Console", options: "ConsoleOptions", panel: Any) -> None:
            if show_advanced or not panel.title.startswith(ADVANCED):
                super().__call__(console, options, panel)
            elif not self.is_told:
                type(self).is_told = True
                console.print(f"More options: bricksight {command} {HELP_ALL}")

    return Formatter(column_specs=_columns)


def _columns(
    console: "Console", options: "ConsoleOptions", entries: "Sequence[HelpEntry]"
) -> "tuple[ColumnSpec, ...]":
    """Return the columns of a panel; names are wide enough for the longest word."""
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
