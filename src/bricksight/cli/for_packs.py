"""What the commands of packs share with ours: options, results on stdout, progress on stderr."""

from typing import TYPE_CHECKING

from bricksight.cli._help import panel
from bricksight.cli._output import note, say

if TYPE_CHECKING:
    from bricksight._support.progress import Progress

__all__ = ["console_progress", "note", "panel", "say"]


def console_progress(*, quiet: bool = False) -> "Progress":
    """Return the progress of a command, shown on stderr.

    Args:
        quiet: show nothing.
    """
    from bricksight._support.progress import Progress
    from bricksight.cli._console import ConsoleReporter

    return Progress(ConsoleReporter(quiet=quiet))
