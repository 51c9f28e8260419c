"""One BLAS thread per worker, so that threads do not compete for cores."""

import contextlib
from collections.abc import Iterator

from threadpoolctl import threadpool_limits


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep linear algebra on the thread that calls it.

    NumPy and SciPy each bring a BLAS whose idle threads spin. Called in turn, as an optimiser does,
    they take the cores from each other: fits of a few hundred photos took 20 to 60 times as long.
    Not to be entered from two threads at once, which could leave it in force.
    """
    with threadpool_limits(limits=1):
        yield
