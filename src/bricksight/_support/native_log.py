"""Suppress log messages that native libraries write directly to file descriptor 2 (stderr)."""

import atexit
import contextlib
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import BinaryIO

# Lines of absl and TFLite begin with: "INFO: ...", "I0000 00:00:1700000000.000000 ...",
# "2026-01-01 00:00:00.000000: I external/...", "WARNING: All log messages before absl::...",
# "fully_quantize: 0, inference_type: 6, input_inference_type: ...".
_NOTICE = re.compile(
    rb"^(INFO: |[IW]\d{4} |\d{4}-\d\d-\d\d [\d:.]+: [IW] |WARNING: All log messages before absl"
    rb"|fully_quantize: )"
)


class _Diversion:
    """Redirects file descriptor 2 to a file while at least one block is active in any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0
        self._saved: int | None = None
        self._caught: BinaryIO | None = None

    def enter(self) -> None:
        with self._lock:
            self._depth += 1
            if self._depth > 1:
                return
            with contextlib.suppress(OSError, AttributeError, ValueError):  # a GUI has no stderr
                sys.stderr.flush()
                self._saved = os.dup(2)
                self._caught = tempfile.TemporaryFile()  # noqa: SIM115  (closed in leave)
                os.dup2(self._caught.fileno(), 2)

    def leave(self) -> None:
        with self._lock:
            self._depth -= 1
            if not self._depth:
                self._end()

    def at_exit(self) -> None:
        """Write the captured output if the process exits while a block is still active."""
        with contextlib.suppress(OSError, AttributeError, ValueError):
            sys.stderr.flush()
        self._end()

    def _end(self) -> None:
        if self._saved is not None and self._caught is not None:
            os.dup2(self._saved, 2)
            os.close(self._saved)
            self._caught.seek(0)
            for line in self._caught:
                if not _NOTICE.match(line):
                    with contextlib.suppress(OSError):  # stderr may be closed
                        os.write(2, line)
            self._caught.close()
            self._saved = self._caught = None


_diversion = _Diversion()
atexit.register(_diversion.at_exit)


@contextlib.contextmanager
def without_native_notices() -> Iterator[None]:
    """Drop info and warning lines that native code writes to stderr inside the block.

    TensorFlow writes some while it loads, regardless of TF_CPP_MIN_LOG_LEVEL, and TFLite has no
    Python setting for "Created TensorFlow Lite XNNPACK delegate for CPU"
    (https://github.com/google-ai-edge/mediapipe/issues/2354). Other lines, such as errors, are
    written when the block ends. Blocks may overlap in several threads.
    """
    _diversion.enter()
    try:
        yield
    finally:
        _diversion.leave()
