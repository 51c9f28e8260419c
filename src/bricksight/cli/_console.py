"""What commands show while they work: progress on stderr, results on stdout."""

import logging
import sys
from typing import Any

from rich.console import Console
from rich.logging import RichHandler
from rich.text import Text

from bricksight._support.progress import ProgressEvent, Reporter
from bricksight._support.text import message_lines
from bricksight.cli._output import own_stderr
from bricksight.cli._progress_bar import ProgressLine
from bricksight.cli._progress_lines import ProgressLines

_NO_LIMIT = 10_000


class _Console(Console):
    """Shows text as it is: brackets are no markup, colons no emoji, and a name steers nothing."""

    def render_str(self, text: str, **settings: Any) -> Text:
        """Returns a message, or a cell of a table, with what is not to be shown escaped."""
        shown = "\n".join(message_lines(text))
        # Now, as a column is to be as wide as what is written in the end.
        written = shown.encode(self.encoding, "backslashreplace").decode(self.encoding)
        return super().render_str(written, **settings)


def stdout_console(*, width: int | None = None) -> Console:
    """Returns a console on stdout; give it strings, which it escapes, and no ``Text`` of names.

    Where stdout is no terminal, lines are as long as they need to be.
    """
    if width is None and not sys.stdout.isatty():
        width = _NO_LIMIT
    return _Console(highlight=False, markup=False, emoji=False, width=width)


def stderr_console(*, quiet: bool = False) -> Console:
    """Return a console on stderr that works while another thread redirects descriptor 2."""
    return _Console(file=own_stderr(), quiet=quiet, highlight=False, markup=False, emoji=False)


class ConsoleReporter:
    """Shows the progress of a run on stderr: a bar on a terminal, lines elsewhere.

    Args:
        quiet: Show nothing.
        lines: Whether to show lines where there is no terminal.
        verbose: Show lines on a terminal too, instead of the bar.
    """

    def __init__(self, *, quiet: bool = False, lines: bool = True, verbose: bool = False) -> None:
        self.console = stderr_console(quiet=quiet)
        self._show: Reporter | None = None
        if self.console.is_terminal and not verbose:
            self._show = ProgressLine(self.console)
        elif lines:
            self._show = ProgressLines(self._write)
        for handler in logging.getLogger("bricksight").handlers:
            if isinstance(handler, RichHandler):
                handler.console = self.console  # so that messages appear above the bar

    def __call__(self, event: ProgressEvent) -> None:
        """Show an event."""
        if self.console.quiet:
            return
        if event.kind == "message":
            self._write(event.message)
        elif self._show is not None:
            self._show(event)

    def _write(self, line: str) -> None:
        self.console.print(line, soft_wrap=True)


def show_log(level: str) -> None:
    """Print log messages of the package from ``level`` on to stderr."""
    names = {"WARN": "WARNING", "FATAL": "CRITICAL"}
    logger = logging.getLogger("bricksight")
    logger.setLevel(names.get(level, level))
    handler = RichHandler(console=stderr_console(), show_time=False, show_path=False)
    handler.setFormatter(_Escaping())
    logger.handlers = [handler]
    logger.propagate = False


class _Escaping(logging.Formatter):
    """Escapes control characters in messages; rich prints them as they are."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the message."""
        return "\n".join(message_lines(super().format(record)))
