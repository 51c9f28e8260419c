"""A bound on the pixels that all threads together hold decoded at once."""

import contextlib
import threading
from collections.abc import Iterator


class PixelBudget:
    """Lets threads decode as long as their pixels fit; the others wait for room.

    A few bytes can hold a picture of gigabytes, so that as many of them as there are cores would
    fill the memory. A picture that is larger than the whole budget is decoded alone. A thread that
    holds pixels already never waits, so that threads cannot wait for each other.

    Args:
        limit: pixels.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._in_flight = 0
        self._changed = threading.Condition()
        self._mine = threading.local()

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Count what the thread takes in the block until the outermost such block ends."""
        depth = getattr(self._mine, "depth", 0)
        self._mine.depth = depth + 1
        try:
            yield
        finally:
            self._mine.depth = depth
            if depth == 0:
                self._release()

    def take(self, pixels: int) -> None:
        """Wait until there is room for so many pixels; only within ``hold``."""
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
