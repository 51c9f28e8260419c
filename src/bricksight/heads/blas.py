"""Limit linear algebra to one thread per worker, so that threads do not compete for cores."""

import contextlib
from collections.abc import Iterator

from threadpoolctl import threadpool_limits


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Run linear algebra on the calling thread while the block runs.

    NumPy and SciPy each bring a BLAS library whose idle threads spin. Called in turn, as an
    optimizer does, they take the cores from each other: fits of a few hundred photos took 20 to 60
    times as long. Do not enter it from two threads at once: the limit could stay.
    """
    with threadpool_limits(limits=1):
        yield
