"""What the commands of packs share with ours: options, results on stdout, progress on stderr."""

from typing import TYPE_CHECKING

from bricksight.cli._help import panel
from bricksight.cli._output import note, say

if TYPE_CHECKING:
    from bricksight.cli._console import ConsoleReporter

__all__ = ["console_reporter", "note", "panel", "say"]


def console_reporter(*, quiet: bool = False) -> "ConsoleReporter":
    """Return what shows the stages of a long run.

    Args:
        quiet: show nothing.
    """
    from bricksight.cli._console import ConsoleReporter

    return ConsoleReporter(quiet=quiet)
