"""What commands show while they work: progress on stderr, results on stdout."""

import contextlib
import functools
import io
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import IO, Any

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
_NO_LIMIT = 10_000
_SECONDS_TO_RATE = 0.1  # what takes less was read from the cache, or is too little to tell


class _RateColumn(ProgressColumn):
    """Items a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None or task.total is None else f"{speed:.0f}/s")


def stdout_console() -> Console:
    """Returns a console on stdout that shows text as it is; brackets are no markup.

    Where stdout is no terminal, lines are as long as they need to be.
    """
    return Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else _NO_LIMIT)


def stderr_console(*, quiet: bool = False) -> Console:
    """Returns a console on stderr that stays visible while descriptor 2 is turned elsewhere."""
    return Console(file=own_stderr(), quiet=quiet, highlight=False, markup=False)


def own_stderr() -> IO[str]:
    """Returns stderr, visible also while another thread has descriptor 2 turned elsewhere."""
    with contextlib.suppress(OSError, AttributeError, ValueError):  # not a real file, or closed
        if sys.stderr.fileno() == _STDERR:
            return _duplicate_of_stderr()
    return sys.stderr


@functools.cache
def _duplicate_of_stderr() -> IO[str]:
    file = io.BufferedWriter(_Patient(os.dup(_STDERR), "w"))
    return io.TextIOWrapper(file, line_buffering=True, encoding="utf-8")


class _Patient(io.FileIO):
    """A stream whose reader may go, or whose disk may be full: no run ends for its progress."""

    def write(self, content: Any, /) -> int:
        """Writes what can be written, and drops the rest."""
        with contextlib.suppress(OSError):
            return super().write(content)
        return len(memoryview(content).cast("B"))


class ConsoleReporter:
    """Shows the stages of a run on stderr: bars on a terminal, a line a stage elsewhere.

    Args:
        quiet: Show nothing.
        lines: Whether a stage that has ended gets a line where there is no terminal.
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
        yield lambda _: None
        if self._lines:
            self.say(_told(title, total, time.perf_counter() - start))

    @contextlib.contextmanager
    def _bar(self, title: str, total: int | None) -> Iterator[Callable[[int], None]]:
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
    logger.handlers = [handler]
    logger.propagate = False
