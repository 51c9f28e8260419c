"""Where the workflow says how far it is; the command line shows it, the library is silent."""

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from bricksight._support.text import about

_SECONDS_BETWEEN_MODELS = 5.0

Advance = Callable[[int], None]
"""Told how many more items of a stage are done."""


class Reporter(Protocol):
    """Follows a run."""

    def stage(self, title: str, total: int | None) -> AbstractContextManager[Advance]:
        """Shows a stage while the block runs; ``total`` items, ``None`` if they are not counted."""

    def say(self, message: str) -> None:
        """Shows a result on the way."""


class SilentReporter:
    """Shows nothing."""

    @contextlib.contextmanager
    def stage(self, title: str, total: int | None) -> Iterator[Advance]:
        """Shows nothing."""
        yield lambda _: None

    def say(self, message: str) -> None:
        """Shows nothing."""


class StageTimer:
    """Passes stages on to a reporter and notes how long each took, in seconds."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._said: set[str] = set()
        self._start = self._start_of_model = time.perf_counter()
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def stage(self, title: str, total: int | None = None) -> Iterator[Advance]:
        """Shows a stage; the time of stages of the same title adds up."""
        start = time.perf_counter()
        with self._reporter.stage(title, total) as advance:
            yield advance
        took = time.perf_counter() - start
        self.seconds[title] = self.seconds.get(title, 0.0) + took

    def say(self, message: str) -> None:
        """Shows a result on the way."""
        self._reporter.say(message)

    def say_once(self, message: str) -> None:
        """Shows a message unless it was shown before."""
        if message not in self._said:
            self._said.add(message)
            self.say(message)

    def begin_model(self) -> None:
        """Says that what follows is for another model, with a time budget of its own."""
        self._start_of_model = time.perf_counter()

    @property
    def seconds_of_model(self) -> float:
        """Seconds since ``begin_model``, or since this was made."""
        return time.perf_counter() - self._start_of_model

    def seconds_so_far(self) -> dict[str, float]:
        """Returns the seconds of each stage that has ended, and since this was made: "Total"."""
        return self.seconds | {"Total": time.perf_counter() - self._start}


class Countdown:
    """Says which of several models is trained, and about how long the others take."""

    def __init__(self, watch: StageTimer, total: int) -> None:
        self._watch, self._total = watch, total
        self._begun = 0
        self._start = self._said = time.perf_counter()

    def begin_model(self) -> None:
        """Begins the next one; says so unless it was said a moment ago."""
        self._watch.begin_model()
        now = time.perf_counter()
        if self._begun and now - self._said >= _SECONDS_BETWEEN_MODELS:
            left = (now - self._start) / self._begun * (self._total - self._begun)
            self._watch.say(f"Model {self._begun + 1} of {self._total}, {about(left)} left")
            self._said = now
        self._begun += 1
