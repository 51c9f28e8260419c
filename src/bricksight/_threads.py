"""Many small jobs on a few threads."""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextlib.contextmanager
def in_threads(
    function: Callable[[Item], Result], items: Sequence[Item], *, num_threads: int
) -> Iterator[Iterator[Result]]:
    """Yields an iterator over ``function(item)`` for each item, in order, from several threads.

    Jobs that have not begun when the block is left, as at Ctrl-C, are dropped; the executor's own
    context manager would finish them all first.
    """
    pool = ThreadPoolExecutor(num_threads)
    try:
        yield pool.map(function, items)
    finally:
        pool.shutdown(cancel_futures=True)


def num_cores() -> int:
    """Returns how many threads the process may run at once."""
    # Not os.cpu_count(): a container may be given fewer cores than the machine has.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
