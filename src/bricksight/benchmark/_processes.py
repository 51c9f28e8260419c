"""Start and query the worker process that benchmarks one model file; see ``_worker``."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bricksight.benchmark._models import ModelFile
from bricksight.errors import BricksightError

_WORKER = Path(__file__).with_name("_worker.py")
_SECONDS_TO_END = 10
_LAST_LINES = 5


class Worker:
    """A worker process that has loaded a model file and classified a first photo.

    Attributes:
        opened: Its first response, with load times and labels; see ``_worker``.
        started_s: Seconds from the start of the process to its first response.
    """

    def __init__(
        self, model: ModelFile, *, threads: int, photos: Sequence[Path], trust: bool = False
    ) -> None:
        """Start the process and load the model.

        Raises:
            BricksightError: The model cannot be loaded, or its runtime is not installed.
        """
        self._name = f"{model.name} in {model.runtime}"
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        start = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, str(_WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            encoding="utf-8",
            env=_environment(threads),
        )
        try:
            self.opened = self._ask(
                source=str(model.source),
                runtime=model.runtime,
                threads=threads,
                photos=[str(photo) for photo in photos],
                trust=trust,
            )
        except BaseException:
            self.close()
            raise
        self.started_s = time.perf_counter() - start

    def ask(self, question: str, **details: Any) -> dict[str, Any]:
        """Call a method of the worker's session and return its result.

        Raises:
            BricksightError: The method failed, or the process ended.
        """
        return self._ask(ask=question, **details)

    def _ask(self, **words: Any) -> dict[str, Any]:
        line = ""
        try:
            self._stdin.write(json.dumps(words) + "\n")
            self._stdin.flush()
            line = self._stdout.readline()
        except BrokenPipeError:
            pass
        if not line:
            raise BricksightError(f"The process for {self._name} {self._end()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise BricksightError(answer["error"])
        return answer

    def _end(self) -> str:
        code = self._process.wait(_SECONDS_TO_END)
        self._errors.seek(0)
        last = "\n".join(f"  {line}" for line in self._errors.read().splitlines()[-_LAST_LINES:])
        return f"ended with exit code {code}. Its last error output:\n{last}"

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(BrokenPipeError):  # it has ended by itself
            self._stdin.close()
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._stdout.close()
        self._errors.close()

    @property
    def _stdin(self) -> Any:
        return self._process.stdin

    @property
    def _stdout(self) -> Any:
        return self._process.stdout


def _environment(threads: int) -> dict[str, str]:
    """Return environment variables that limit all libraries to ``threads``."""
    # The threads of SavedModels in TensorFlow can only be limited by these variables.
    names = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    return {**os.environ, **dict.fromkeys(names, str(threads)), "PYTHONUTF8": "1"}
