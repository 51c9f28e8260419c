"""Worker process that measures one model file; requests and responses are lines of JSON.

The first request loads the model. Further requests call the methods of ``_Session``. Standard
output is reserved for responses; output of libraries goes to standard error.

It runs as a script, not with ``-m``, which would import the whole package ``benchmark`` and so make
the cold start slower than that of a user's program.
"""

import json
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bricksight import images
from bricksight.errors import BricksightError, ImageError
from bricksight.predict import Predictor

_GENERATED = (480, 640, 3)
_KIB = 1024


def main() -> None:
    """Answer requests until standard input ends; after an error, send its message and exit."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    session = None
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            if session is None:
                session = _Session(**asked)
                answer = session.opened
            else:
                answer = getattr(session, asked.pop("ask"))(**asked)
        except BricksightError as error:
            answer = {"error": str(error)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
        if "error" in answer:
            return


class _Session:
    """A loaded model and the photos for timing."""

    def __init__(
        self,
        source: str,
        runtime: str,
        threads: int,
        photos: list[str],
        trust: bool,  # noqa: FBT001  (by name, from JSON)
    ) -> None:
        start = time.perf_counter()
        self._predictor = Predictor(Path(source), runtime=runtime, threads=threads, trust=trust)
        loaded = time.perf_counter()
        self._photos = [images.decode(Path(photo)) for photo in photos] or [_generated()]
        decoded = time.perf_counter()
        self._predictor.predict(self._photos[0])
        self.opened = {
            "load_s": loaded - start,
            "first_answer_s": time.perf_counter() - decoded,
            "labels": self._predictor.labels,
            "photo_sizes": [f"{one.shape[1]}x{one.shape[0]}" for one in self._photos],
        }
        self._inputs = np.stack([self._to_input(photo) for photo in self._photos])

    def _to_input(self, photo: np.ndarray) -> np.ndarray:
        return images.to_input(photo, self._predictor.input_spec)

    def times(self, calls: int, batch: list[int]) -> dict[str, Any]:
        """Return the seconds of each call on single photos, and images per second by batch size."""
        photos = [self._photos[index % len(self._photos)] for index in range(calls)]
        inputs = [self._inputs[index % len(self._inputs)][None] for index in range(calls)]
        return {
            "latency_s": _seconds(self._predictor.predict, photos),
            "preprocessing_s": _seconds(self._to_input, photos),
            "inference_s": _seconds(self._predictor.probabilities, inputs),
            "images_per_second": [self._rate(size, calls) for size in batch],
        }

    def _rate(self, size: int, least: int) -> float:
        indices = np.arange(size) % len(self._inputs)
        repeats = -(-least // size)
        seconds = _seconds(self._predictor.probabilities, [self._inputs[indices]] * repeats)
        return repeats * size / sum(seconds)

    def answers(self, photos: list[str]) -> dict[str, Any]:
        """Return the probabilities of each photo, or the reason why it cannot be read."""
        rows = self._predictor.probabilities_of(photos)
        return {"rows": [str(row) if isinstance(row, ImageError) else row.tolist() for row in rows]}

    def memory(self) -> dict[str, int | None]:
        """Return the peak memory of the process so far."""
        return {"peak_bytes": _peak_bytes()}


def _seconds(call: Callable[[np.ndarray], object], arrays: list[np.ndarray]) -> list[float]:
    """Return the seconds of each call, after one untimed call."""
    call(arrays[0])
    taken = []
    for array in arrays:
        start = time.perf_counter()
        call(array)
        taken.append(time.perf_counter() - start)
    return taken


def _generated() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, _GENERATED, dtype=np.uint8)


def _peak_bytes() -> int | None:
    # Not getrusage on Linux: there, a process inherits the peak of its parent.
    status = Path("/proc/self/status")
    if status.exists():
        peak = re.search(r"^VmHWM:\s+(\d+) kB", status.read_text(), re.MULTILINE)
        return int(peak[1]) * _KIB if peak else None
    if sys.platform == "win32":
        return None
    import resource  # noqa: PLC0415  (not on Windows)

    peak_rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak_rss if sys.platform == "darwin" else peak_rss * _KIB


if __name__ == "__main__":
    main()
