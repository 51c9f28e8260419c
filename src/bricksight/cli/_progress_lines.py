"""Progress where there is no terminal: a line now and then, so that long work is not silent."""

import threading
from collections.abc import Callable

from bricksight._support.progress import ProgressEvent
from bricksight.cli._running_stages import RunningStages

SECONDS_BETWEEN = 20.0
_SECONDS_TO_TELL = 1.0  # what is not counted and takes less gets no line
_SECONDS_TO_RATE = 0.1  # what takes less was read from the cache, or is too little to tell


class ProgressLines:
    """Writes a line when an outermost stage ends, and every so often while it runs.

    The lines in between come from a thread of their own: native code may take minutes for one item.

    Args:
        write: Shows a line.
        seconds: Time between lines.
    """

    def __init__(self, write: Callable[[str], None], *, seconds: float = SECONDS_BETWEEN) -> None:
        self._write, self._seconds = write, seconds
        self._running = RunningStages()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __call__(self, event: ProgressEvent) -> None:
        """Follow an event."""
        self._running.follow(event)
        if self._running and self._thread is None:
            self._ended.clear()
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
        elif not self._running and self._thread is not None:
            self._ended.set()
            self._thread.join()
            self._thread = None
        if event.kind == "finished" and event.level == 0:
            self._tell_end(event)

    def _run(self) -> None:
        while not self._ended.wait(self._seconds):
            now = self._running
            self._write(", ".join(filter(None, (now.title, now.count, now.metrics, now.time))))

    def _tell_end(self, event: ProgressEvent) -> None:
        """Write such as "Step 2 of 7: Computing features, 752 in 4.2 s (179/s)"."""
        place = f"Step {event.step} of {event.num_steps}: " if event.step else ""
        if event.total is not None:
            told = event.seconds > _SECONDS_TO_RATE and event.total > event.seconds
            rate = f" ({event.total / event.seconds:,.0f}/s)" if told else ""
            self._write(f"{place}{event.stage}, {event.total:,} in {event.seconds:.1f} s{rate}")
        elif event.seconds >= _SECONDS_TO_TELL:
            self._write(f"{place}{event.stage}, {event.seconds:.1f} s")
