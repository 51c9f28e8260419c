"""One process at a time for one file."""

import contextlib
import datetime
import logging
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path

from bricksight._support.filesystem.locks import try_lock
from bricksight._support.text import printable, shortened

_POLL_SECONDS = 0.2
_MAX_HOLDER_BYTES = 200
_LOGGER = logging.getLogger(__name__)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the lock file ``path`` while the block runs; waits for another holder and says so once.

    The system gives the lock up when a process dies, so none is ever left behind. The file stays,
    and says who had it last: removing it would let two processes hold locks on two files of one
    name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if not try_lock(descriptor):
            _LOGGER.warning("Waiting for %s, which is at work on %s.", _holder(descriptor), path)
            while not try_lock(descriptor):
                time.sleep(_POLL_SECONDS)
        _write_holder(descriptor)
        yield
    finally:
        os.close(descriptor)


def _holder(descriptor: int) -> str:
    """Return what the process that holds the lock has written about itself."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    text = os.read(descriptor, _MAX_HOLDER_BYTES).decode("utf-8", "replace")
    return shortened(printable(text)) or "another process"


def _write_holder(descriptor: int) -> None:
    now = datetime.datetime.now().strftime("%Y-%m-%d %H:%M:%S")
    text = f"process {os.getpid()} on {platform.node() or 'this machine'} (since {now})"
    with contextlib.suppress(OSError):  # of a full disk: the lock holds without it
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, text.encode("utf-8", "replace")[:_MAX_HOLDER_BYTES])
