"""Progress where there is no terminal: now and then a line, so that a long stage is not silent."""

import threading
import time
from collections.abc import Callable
from types import TracebackType

from bricksight._support.text import about

SECONDS_BETWEEN = 20.0


class ProgressLines:
    """Says every so often, while the block runs, how far a stage is.

    The lines come from a thread of their own: a step may take minutes in native code.

    Args:
        title: What is done.
        total: How many items there are, ``None`` if they are not counted.
        say: Shows a line.
        seconds: How long to wait between lines.
    """

    def __init__(
        self,
        title: str,
        total: int | None,
        say: Callable[[str], None],
        *,
        seconds: float = SECONDS_BETWEEN,
    ) -> None:
        self._title, self._total, self._say, self._seconds = title, total, say, seconds
        self._done = 0
        self._start = time.perf_counter()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "ProgressLines":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def advance(self, count: int) -> None:
        """Notes that so many more items are done."""
        self._done += count

    @property
    def line(self) -> str:
        """Such as "Training: 120 of 400, 2 min left"."""
        took = time.perf_counter() - self._start
        if self._total is None:
            return f"{self._title}: {about(took)} so far"
        text = f"{self._title}: {self._done:,} of {self._total:,}"
        if not self._done:
            return f"{text}, {about(took)} so far"
        return f"{text}, {about(took / self._done * max(self._total - self._done, 0))} left"

    def _run(self) -> None:
        while not self._ended.wait(self._seconds):
            self._say(self.line)
