"""Record the annotated frames as a video file."""

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
    """Writes frames at a constant frame rate; slow frames are repeated, so that time is real."""

    def __init__(self, path: Path, *, fps: float) -> None:
        """Check ``path``; the file is created with the first frame, which sets the frame size.

        Args:
            path: A new file with an extension in ``CODECS``.
            fps: Frames per second of the video.

        Raises:
            ConfigError: The extension is not supported.
            CameraError: The file exists, or its folder does not.
            OutputError: The file cannot be written.
        """
        if path.suffix.lower() not in CODECS:
            raise ConfigError(f"--record is {path}; it must end with {', '.join(CODECS)}.")
        if path.exists():
            raise CameraError(f"--record {path} exists already. Name another file, or remove it.")
        if not path.parent.is_dir():
            raise CameraError(
                f"--record {path}: the folder {path.parent} does not exist. Create it first."
            )
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
        """Write a frame, repeated until the video reaches its time; skipped if it is too early.

        Args:
            picture: uint8 (height, width, 3), BGR; all frames have the same size.
            time_s: Seconds since the start of the source.

        Raises:
            CameraError: The file cannot be written.
        """
        if self._writer is None:
            self._writer = self._open(picture)
            self._start_s = time_s
        num_due = round((time_s - self._start_s) * self.fps) + 1
        for _ in range(num_due - self._num_written):
            self._writer.write(picture)
        self._num_written = max(num_due, self._num_written)

    def close(self) -> None:
        """Finish the file; without this call it cannot be played.

        Raises:
            CameraError: The disk is full, so the end of the recording is missing.
        """
        if self._writer is not None:
            self._writer.release()
            self._writer = None
            try:
                try_file(self.path)  # OpenCV does not report a full disk
            except OutputError as error:
                raise CameraError(f"{error} The recording is not complete.") from error

    def _open(self, picture: np.ndarray) -> Any:
        cv2 = load_cv2()
        height, width = picture.shape[:2]
        codec = cv2.VideoWriter_fourcc(*CODECS[self.path.suffix.lower()])
        with writing(self.path):
            self.path.touch()  # so that native_path links to it and frames go into it
        with native_path(self.path) as writable:
            writer = cv2.VideoWriter(str(writable), codec, self.fps, (width, height))
        if not writer.isOpened():
            self.path.unlink()
            raise CameraError(
                f"--record {self.path} cannot be written: OpenCV cannot open it. Check disk space "
                "and permissions, or name an .avi file, which every build of OpenCV can write."
            )
        return writer
