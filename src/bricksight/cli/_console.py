"""What commands show while they work: progress on stderr, results on stdout."""

import contextlib
import functools
import logging
import os
import sys
from collections.abc import Callable, Iterator
from typing import IO

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

_STDERR = 2


class _RateColumn(ProgressColumn):
    """Items a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None or task.total is None else f"{speed:.0f}/s")


def stderr_console(*, quiet: bool = False) -> Console:
    """Returns a console on stderr that stays visible while descriptor 2 is turned elsewhere."""
    return Console(file=own_stderr(), quiet=quiet, highlight=False)


def own_stderr() -> IO[str]:
    """Returns stderr, visible also while another thread has descriptor 2 turned elsewhere."""
    with contextlib.suppress(OSError, AttributeError, ValueError):  # not a real file, or closed
        if sys.stderr.fileno() == _STDERR:
            return _duplicate_of_stderr()
    return sys.stderr


@functools.cache
def _duplicate_of_stderr() -> IO[str]:
    return os.fdopen(os.dup(_STDERR), "w", buffering=1, encoding="utf-8")


class ConsoleReporter:
    """Shows the stages of a run on stderr: bars on a terminal, a line a stage elsewhere."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.console = stderr_console(quiet=quiet)

    @contextlib.contextmanager
    def stage(self, title: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """Shows a stage while the block runs."""
        if not self.console.is_terminal:
            yield lambda _: None
            return
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            _RateColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        timeless = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        shown = timeless if total is None else columns
        with Progress(*shown, console=self.console, transient=True) as progress:
            task = progress.add_task(title, total=total)
            yield lambda count: progress.advance(task, count)

    def say(self, message: str) -> None:
        """Shows a line."""
        self.console.print(message)


def show_log(level: str) -> None:
    """Sends what the library logs to stderr, from ``level`` on."""
    names = {"WARN": "WARNING", "FATAL": "CRITICAL"}
    logger = logging.getLogger("bricksight")
    logger.setLevel(names.get(level, level))
    handler = RichHandler(console=stderr_console(), show_time=False, show_path=False)
    logger.handlers = [handler]
    logger.propagate = False
