"""The process around a command: its signals, and standard streams that are closed or broken."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType

_ENDING = ("SIGTERM", "SIGHUP")  # Windows has no SIGHUP


class Terminated(KeyboardInterrupt):
    """The process is asked to end by a signal other than Ctrl-C; cleaned up after all the same."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextlib.contextmanager
def ending_cleanly() -> Iterator[None]:
    """Has SIGTERM and SIGHUP end the block as Ctrl-C does: what is half done is removed.

    A signal that is ignored stays so, as ``nohup`` wants it.
    """
    before = {}
    for name in _ENDING:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            with contextlib.suppress(ValueError):  # signals belong to the main thread
                before[number] = signal.signal(number, _end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # a second one must not break off the cleaning up
    raise Terminated(number)


def exit_code_of(stop: KeyboardInterrupt) -> int:
    """Returns what shells report of a process that a signal has ended."""
    return 128 + (stop.number if isinstance(stop, Terminated) else signal.SIGINT)


def flush_stdout() -> None:
    """Writes what is left, while an error can still be told.

    Raises:
        OSError: stdout cannot be written.
    """
    if not sys.stdout.closed:
        sys.stdout.flush()


def silence_stdout() -> None:
    """Has the interpreter not complain when it flushes what could not be written."""
    with contextlib.suppress(OSError, ValueError):
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, sys.stdout.fileno())
        os.close(descriptor)


def stdout_fails() -> bool:
    """Whether an error came from stdout: what it could not write is written again."""
    try:
        flush_stdout()
    except OSError:
        return True
    return False
