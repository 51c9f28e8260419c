"""The annotated picture as a video file."""

from pathlib import Path
from typing import Any

import numpy as np

from bricksight._support.filesystem.files import writing
from bricksight._support.filesystem.native_path import native_path
from bricksight._support.filesystem.places import try_file
from bricksight.camera.video import load_cv2
from bricksight.errors import CameraError, ConfigError, OutputError

CODECS = {".mp4": "mp4v", ".avi": "MJPG", ".mkv": "mp4v"}
"""File name extension → FourCC of a codec that every build of OpenCV can write."""

_MAX_LIVE_FPS = 30.0


class Recorder:
    """Writes frames so that the video lasts as long as what was seen, however slow we were."""

    def __init__(self, path: Path, *, fps: float) -> None:
        """Prepare ``path``; the file is made with the first frame, which sets its size.

        Args:
            path: a new file that ends with one of ``CODECS``.
            fps: frames a second of the file.

        Raises:
            ConfigError: the extension is another.
            CameraError: the file exists, or its folder does not.
            OutputError: the file cannot be written.
        """
        if path.suffix.lower() not in CODECS:
            raise ConfigError(f"--record is {path}; it must end with {', '.join(CODECS)}.")
        if path.exists():
            raise CameraError(f"--record {path} exists already. Name another file, or remove it.")
        if not path.parent.is_dir():
            raise CameraError(f"--record {path}: the folder {path.parent} does not exist. Make it.")
        try_file(path)
        self.path = path
        self.fps = min(fps, _MAX_LIVE_FPS)
        self._writer: Any = None
        self._start_s = 0.0
        self._num_written = 0

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, picture: np.ndarray, time_s: float) -> None:
        """Write a picture as often as it takes to reach its time; not at all if it is too early.

        Args:
            picture: uint8 (height, width, 3), BGR, of one size throughout.
            time_s: seconds since the beginning of the source.

        Raises:
            CameraError: the file cannot be written.
        """
        if self._writer is None:
            self._writer = self._open(picture)
            self._start_s = time_s
        num_due = round((time_s - self._start_s) * self.fps) + 1
        for _ in range(num_due - self._num_written):
            self._writer.write(picture)
        self._num_written = max(num_due, self._num_written)

    def close(self) -> None:
        """End the file; without this it does not play.

        Raises:
            CameraError: the disk is full, so that the end is missing.
        """
        if self._writer is not None:
            self._writer.release()
            self._writer = None
            try:
                try_file(self.path)  # OpenCV does not say that a disk is full
            except OutputError as error:
                raise CameraError(f"{error} The recording is not complete.") from error

    def _open(self, picture: np.ndarray) -> Any:
        cv2 = load_cv2()
        height, width = picture.shape[:2]
        codec = cv2.VideoWriter_fourcc(*CODECS[self.path.suffix.lower()])
        with writing(self.path):
            self.path.touch()  # so that frames go into it from the first on, under whatever name
        with native_path(self.path) as writable:
            writer = cv2.VideoWriter(str(writable), codec, self.fps, (width, height))
        if not writer.isOpened():
            self.path.unlink()
            raise CameraError(
                f"--record {self.path} cannot be written. Is there room on the disk, and may you "
                "write there? An .avi file needs the least of OpenCV."
            )
        return writer
