"""One process at a time for one file."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from bricksight._locks import try_lock

_POLL_SECONDS = 0.2


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the lock file ``path`` while the block runs; waits for another holder.

    The system gives the lock up when a process dies, so none is ever left behind. The empty file
    stays: removing it would let two processes hold locks on two files of one name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        while not try_lock(descriptor):
            time.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)
