"""Parallel map with threads, and limits for the number of threads."""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from bricksight.errors import ConfigError

_MOST_PER_CORE = 4
_ALWAYS_ALLOWED = 64
"""Number of threads that is accepted on every machine, however few cores it has."""

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextlib.contextmanager
def thread_map(
    function: Callable[[Item], Result], items: Sequence[Item], *, num_threads: int
) -> Iterator[Iterator[Result]]:
    """Yield an iterator over ``function(item)`` for each item, in order, computed in threads.

    Pending calls are cancelled when the block ends, for example at Ctrl-C. The executor's own
    context manager would finish them first.
    """
    pool = ThreadPoolExecutor(num_threads)
    try:
        yield pool.map(function, items)
    finally:
        pool.shutdown(cancel_futures=True)


def num_cores() -> int:
    """Return the number of cores that the process may use."""
    # Not os.cpu_count(): a container may have fewer cores than the machine.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def max_threads() -> int:
    """Return the largest number of threads that is accepted."""
    return max(_ALWAYS_ALLOWED, _MOST_PER_CORE * num_cores())


def require_threads(threads: int | None, *, name: str = "--threads") -> None:
    """Check a number of threads; ``None`` means the default.

    Raises:
        ConfigError: The number is below 1 or over ``max_threads()``.
    """
    if threads is not None and not 1 <= threads <= max_threads():
        cores = num_cores()
        raise ConfigError(
            f"{name} is {threads}; it must be from 1 to {max_threads()}. This machine has "
            f"{cores} {'core' if cores == 1 else 'cores'}; leave it out to use all of them."
        )
