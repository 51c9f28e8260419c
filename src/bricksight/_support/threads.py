"""Many small jobs on a few threads."""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from bricksight.errors import ConfigError

_MOST_PER_CORE = 4
_ALWAYS_ALLOWED = 64
"""As many threads do no harm anywhere, so that a command line suits small machines too."""

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextlib.contextmanager
def thread_map(
    function: Callable[[Item], Result], items: Sequence[Item], *, num_threads: int
) -> Iterator[Iterator[Result]]:
    """Yield an iterator over ``function(item)`` for each item, in order, from several threads.

    Jobs that have not begun when the block is left, as at Ctrl-C, are dropped; the executor's own
    context manager would finish them all first.
    """
    pool = ThreadPoolExecutor(num_threads)
    try:
        yield pool.map(function, items)
    finally:
        pool.shutdown(cancel_futures=True)


def num_cores() -> int:
    """Return how many threads the process may run at once."""
    # Not os.cpu_count(): a container may be given fewer cores than the machine has.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def max_threads() -> int:
    """Return how many threads may be asked for; more only wait for each other."""
    return max(_ALWAYS_ALLOWED, _MOST_PER_CORE * num_cores())


def require_threads(threads: int | None, *, name: str = "--threads") -> None:
    """Refuse a number of threads that the machine cannot run; ``None`` is the default.

    Raises:
        ConfigError: it is less than 1, or over ``max_threads``.
    """
    if threads is not None and not 1 <= threads <= max_threads():
        cores = num_cores()
        raise ConfigError(
            f"{name} is {threads}; it must be from 1 to {max_threads()}. This machine has "
            f"{cores} {'core' if cores == 1 else 'cores'}; leave it out to use all of them."
        )
