"""Signals, and standard streams that are closed or broken."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType

_ENDING = ("SIGTERM", "SIGHUP")  # Windows has no SIGHUP


class Terminated(KeyboardInterrupt):
    """Raised for SIGTERM and SIGHUP, so that they clean up like Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextlib.contextmanager
def ending_cleanly() -> Iterator[None]:
    """Raise ``Terminated`` in the block on SIGTERM and SIGHUP.

    Ignored signals stay ignored, as ``nohup`` needs it.
    """
    before = {}
    for name in _ENDING:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            with contextlib.suppress(ValueError):  # only the main thread may set handlers
                before[number] = signal.signal(number, _end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # a second signal must not interrupt the cleanup
    raise Terminated(number)


def exit_code_of(stop: KeyboardInterrupt) -> int:
    """Return the exit code that shells report for a process ended by a signal."""
    return 128 + (stop.number if isinstance(stop, Terminated) else signal.SIGINT)


def flush_stdout() -> None:
    """Flush stdout while an error can still be reported.

    Raises:
        OSError: stdout cannot be written.
    """
    if not sys.stdout.closed:
        sys.stdout.flush()


def silence_stdout() -> None:
    """Redirect stdout to the null device, so that the interpreter's last flush cannot fail."""
    with contextlib.suppress(OSError, ValueError):
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, sys.stdout.fileno())
        os.close(descriptor)


def stdout_fails() -> bool:
    """Return whether stdout cannot be written, by writing again what is in its buffer."""
    try:
        flush_stdout()
    except OSError:
        return True
    return False
