"""The file of an interrupted training, from which it resumes."""

import contextlib
import json
import logging
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bricksight._support.filesystem.files import atomic_write
from bricksight.errors import OutputError

_LOGGER = logging.getLogger(__name__)

_DESCRIBED = "described"
"""Name of the array that holds everything but the arrays, as JSON."""


@dataclass
class Checkpoint:
    """Arrays and JSON values of a training in one ``.npz`` file.

    Attributes:
        path: The file. It stays until ``discard``, which the writer of the model calls.
        key: Differs wherever another training would give another result, so that a checkpoint is
            never continued with other photos or settings.
        resume: Whether to continue from the file. The result is the same as without the
            interruption.
    """

    path: Path
    key: str
    resume: bool = False
    _has_warned: bool = field(default=False, repr=False)
    _saved: float = field(default_factory=time.monotonic, repr=False)

    @property
    def seconds_since_save(self) -> float:
        """Seconds since the last ``save``, or since this was made."""
        return time.monotonic() - self._saved

    @property
    def is_kept(self) -> bool:
        """Whether the file exists and belongs to this training."""
        return self._read(with_arrays=False) is not None

    def save(self, values: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """Replace the file; a full disk does not end the training, but gives a warning.

        Args:
            values: JSON-compatible values.
            arrays: by any name but "described".
        """
        described = json.dumps({"key": self.key, **values})
        try:
            with atomic_write(self.path) as part, part.open("wb") as file:
                np.savez(file, **{_DESCRIBED: np.array(described)}, **arrays)  # type: ignore[arg-type]
        except OutputError as error:
            if not self._has_warned:
                _LOGGER.warning(
                    "%s The training goes on; --resume will not go on from here.", error
                )
            self._has_warned = True
        self._saved = time.monotonic()

    def load(self) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
        """Return values and arrays to resume from, ``None`` to start from the beginning.

        A warning tells where ``resume`` is set and there is nothing to resume from.
        """
        if not self.resume:
            return None
        found = self._read()
        if found is None:
            _LOGGER.warning(
                "There is nothing to resume: %s holds no training of these photos with these "
                "settings. The training starts from the beginning.",
                self.path,
            )
        return found

    def discard(self) -> None:
        """Remove the file, if it can be removed."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _read(
        self, *, with_arrays: bool = True
    ) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
        try:
            with self.path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
                values = json.loads(str(kept[_DESCRIBED]))
                if not isinstance(values, dict) or values.get("key") != self.key:
                    return None
                names = [name for name in kept.files if with_arrays and name != _DESCRIBED]
                return values, {name: kept[name] for name in names}
        except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError):
            return None
