"""Memory limit for the decoded images of all threads together, counted in pixels."""

import contextlib
import threading
from collections.abc import Iterator


class PixelBudget:
    """A limit on the pixels in memory; a thread that would exceed it waits.

    A file of a few bytes can decode to gigabytes. One such file per thread would exhaust the
    memory. An image that is larger than the limit is decoded while no other is in memory. A thread
    that already holds pixels never waits, which rules out deadlocks.

    Args:
        limit: Number of pixels.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._in_flight = 0
        self._changed = threading.Condition()
        self._mine = threading.local()

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Keep what the thread takes in the block reserved until its outermost block ends."""
        depth = getattr(self._mine, "depth", 0)
        self._mine.depth = depth + 1
        try:
            yield
        finally:
            self._mine.depth = depth
            if depth == 0:
                self._release()

    def take(self, pixels: int) -> None:
        """Reserve ``pixels``; wait until they fit. Call it only within ``hold``."""
        held = getattr(self._mine, "pixels", 0)
        with self._changed:
            if not held:
                self._changed.wait_for(
                    lambda: not self._in_flight or self._in_flight + pixels <= self._limit
                )
            self._in_flight += pixels
        self._mine.pixels = held + pixels

    def _release(self) -> None:
        with self._changed:
            self._in_flight -= getattr(self._mine, "pixels", 0)
            self._changed.notify_all()
        self._mine.pixels = 0
