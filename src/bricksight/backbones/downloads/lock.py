"""A lock file that lets one process at a time write a file."""

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
    """Hold the lock ``path`` while the block runs; wait if another process holds it.

    The operating system releases the lock when a process ends, also if it crashes. The file itself
    is kept, and names its last holder. If it were removed, two processes could hold locks on two
    files of the same name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if not try_lock(descriptor):
            _LOGGER.warning("Waiting for %s, which holds the lock %s.", _holder(descriptor), path)
            while not try_lock(descriptor):
                time.sleep(_POLL_SECONDS)
        _write_holder(descriptor)
        yield
    finally:
        os.close(descriptor)


def _holder(descriptor: int) -> str:
    """Return the description that the process with the lock has written into the file."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    text = os.read(descriptor, _MAX_HOLDER_BYTES).decode("utf-8", "replace")
    return shortened(printable(text)) or "another process"


def _write_holder(descriptor: int) -> None:
    now = datetime.datetime.now().strftime("%Y-%m-%d %H:%M:%S")
    text = f"process {os.getpid()} on {platform.node() or 'this machine'} (since {now})"
    with contextlib.suppress(OSError):  # such as a full disk; the lock works without the text
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, text.encode("utf-8", "replace")[:_MAX_HOLDER_BYTES])
