"""What commands show while they work: progress on stderr, results on stdout."""

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console
from rich.logging import RichHandler
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from bricksight._support.text import message_lines, printable
from bricksight.cli._output import own_stderr
from bricksight.cli._progress_lines import ProgressLines

_NO_LIMIT = 10_000
_SECONDS_TO_RATE = 0.1  # what takes less was read from the cache, or is too little to tell


class _RateColumn(ProgressColumn):
    """Items a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None or task.total is None else f"{speed:.0f}/s")


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
    """Returns a console on stderr that stays visible while descriptor 2 is turned elsewhere."""
    return _Console(file=own_stderr(), quiet=quiet, highlight=False, markup=False, emoji=False)


class ConsoleReporter:
    """Shows the stages of a run on stderr: bars on a terminal, lines elsewhere.

    Args:
        quiet: Show nothing.
        lines: Whether a stage gets lines where there is no terminal: when it has ended, and now
            and then before.
    """

    def __init__(self, *, quiet: bool = False, lines: bool = True) -> None:
        self.console = stderr_console(quiet=quiet)
        self._lines = lines

    @contextlib.contextmanager
    def stage(self, title: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """Shows a stage while the block runs, or that it has ended."""
        if self.console.is_terminal:
            with self._bar(title, total) as advance:
                yield advance
            return
        start = time.perf_counter()
        if not self._lines or self.console.quiet:
            yield lambda _: None
            return
        with ProgressLines(title, total, self.say) as lines:
            yield lines.advance
        self.say(_told(title, total, time.perf_counter() - start))

    @contextlib.contextmanager
    def _bar(self, title: str, total: int | None) -> Iterator[Callable[[int], None]]:
        spinner = SpinnerColumn("line" if self.console.options.ascii_only else "dots")
        named = TextColumn("{task.description}", markup=False)
        columns = (
            spinner,
            named,
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            _RateColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        timeless = (spinner, named, TimeElapsedColumn())
        shown = timeless if total is None else columns
        with Progress(*shown, console=self.console, transient=True) as progress:
            task = progress.add_task(printable(title), total=total)
            yield lambda count: progress.advance(task, count)

    def say(self, message: str) -> None:
        """Shows a line."""
        self.console.print(message, soft_wrap=True)


class Stages(contextlib.ExitStack):
    """Shows one stage after the other, each beginning where its name is first heard."""

    def __init__(self, reporter: ConsoleReporter) -> None:
        super().__init__()
        self._reporter = reporter
        self._name = ""
        self._done = 0

    def update(self, name: str, done: int, total: int) -> None:
        """Shows that ``done`` of ``total`` steps are done in the stage ``name``."""
        if name != self._name:
            self.close()
            self._name, self._done = name, 0
            self._advance = self.enter_context(self._reporter.stage(name, total))
        self._advance(done - self._done)
        self._done = done


def _told(title: str, total: int | None, seconds: float) -> str:
    """Returns such as "Computing features: 752 in 4.2 s (179/s)"."""
    if total is None:
        return f"{title}: {seconds:.1f} s"
    told = seconds > _SECONDS_TO_RATE and total > seconds
    rate = f" ({total / seconds:,.0f}/s)" if told else ""
    return f"{title}: {total:,} in {seconds:.1f} s{rate}"


def show_log(level: str) -> None:
    """Sends what the library logs to stderr, from ``level`` on."""
    names = {"WARN": "WARNING", "FATAL": "CRITICAL"}
    logger = logging.getLogger("bricksight")
    logger.setLevel(names.get(level, level))
    handler = RichHandler(console=stderr_console(), show_time=False, show_path=False)
    handler.setFormatter(_Escaping())
    logger.handlers = [handler]
    logger.propagate = False


class _Escaping(logging.Formatter):
    """Lets no name in a message steer the terminal; rich shows messages as they are."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the message."""
        return "\n".join(message_lines(super().format(record)))
