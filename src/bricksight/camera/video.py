"""Read frames with OpenCV: every frame of a file, the newest frame of a live source."""

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from bricksight._support.filesystem.native_path import native_path
from bricksight._support.optional import require
from bricksight._support.text import pluralize
from bricksight.camera.observe import Frame
from bricksight.camera.source import (
    Source,
    no_gstreamer,
    not_opened,
    parse_source,
    without_password,
)
from bricksight.errors import CameraError

SILENCE_S = 10.0
"""Timeout for the next frame of a live source, in seconds."""

_USUAL_FPS = 30.0
_MAX_FPS = 240.0


def load_cv2() -> Any:
    """Import OpenCV with its log messages turned off.

    Raises:
        MissingPackageError: OpenCV is not installed.
    """
    # OpenCV reads these variables when it is imported. Values set by the user are kept.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    os.environ.setdefault("QT_LOGGING_RULES", "default.warning=false")  # missing fonts
    return require("cv2", extra="camera", feature="The camera")


class Capture(Protocol):
    """The methods of ``cv2.VideoCapture`` that are used here."""

    def read(self) -> tuple[bool, np.ndarray | None]:
        """Wait for the next frame; returns (False, None) at the end."""

    def release(self) -> None:
        """Release the device."""


class Video:
    """An open source; iterating over it yields frames.

    Attributes:
        source: The source.
        fps: Frames per second, as reported by the source.
    """

    def __init__(self, source: Source, capture: Capture, fps: float) -> None:
        self.source = source
        self.fps = fps
        self._capture = capture
        self._reader: NewestFrame | None = None

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames until the file ends.

        Raises:
            CameraError: A live source ended or sent no frame in time, or a file has no frames.
        """
        return self._newest() if self.source.is_live else self._every()

    def close(self) -> None:
        """Stop reading and release the device."""
        if self._reader is None or self._reader.stop():
            self._capture.release()

    def _every(self) -> Iterator[Frame]:
        count = 0
        while (picture := self._capture.read()[1]) is not None:
            yield Frame(count / self.fps, picture)
            count += 1
        if not count:
            raise CameraError(
                f"{without_password(self.source.text)} was opened, but no frame can be read: the "
                "file is damaged or truncated. Record it again."
            )

    def _newest(self) -> Iterator[Frame]:
        count = 0
        self._reader = reader = self._reader or NewestFrame(self._capture)
        while (frame := reader.take(SILENCE_S)) is not None:
            yield frame
            count += 1
        raise self._broken_off(count, ended=reader.ended)

    def _broken_off(self, count: int, *, ended: bool) -> CameraError:
        what = "ended" if ended else f"sent no frame for {SILENCE_S:.0f} s"
        return CameraError(
            f"--source {without_password(self.source.text)} {what} after "
            f"{pluralize(count, 'frame')}. Check cable, power and network, then start again. For a "
            "USB camera, try another port without a hub."
        )


class NewestFrame:
    """Reads a live capture in a separate thread and keeps only the newest frame.

    OpenCV and drivers queue frames, so a reader that is slower than the camera would lag more and
    more.
    """

    def __init__(self, capture: Capture) -> None:
        self.ended = False
        self._capture = capture
        self._frame: Frame | None = None
        self._changed = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._read, name="camera", daemon=True)
        self._thread.start()

    def take(self, timeout_s: float) -> Frame | None:
        """Wait for a new frame and return it; ``None`` after the timeout or at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._frame is not None or self.ended, timeout_s)
            frame, self._frame = self._frame, None
            return frame

    def stop(self) -> bool:
        """Stop reading; returns whether the capture can be released.

        Waits at most two seconds, because a read may hang in the driver.
        """
        self._stopped = True
        self._thread.join(timeout=2)
        return not self._thread.is_alive()

    def _read(self) -> None:
        start = time.monotonic()
        try:
            while not self._stopped and (picture := self._capture.read()[1]) is not None:
                with self._changed:
                    self._frame = Frame(time.monotonic() - start, picture)
                    self._changed.notify()
        finally:
            with self._changed:
                self.ended = True
                self._changed.notify()


@contextlib.contextmanager
def open_video(source: str | int | os.PathLike[str] | Source) -> Iterator[Video]:
    """Open a camera, a stream or a file; see ``parse_source`` for the texts.

    Example:
        ``with open_video("0") as video: observations = observe(Predictor("photos-model"), video)``

    Raises:
        CameraError: The source cannot be opened; the message says what to do.
        MissingPackageError: OpenCV is not installed.
    """
    parsed = source if isinstance(source, Source) else parse_source(source)
    capture = _open(parsed)
    fps = capture.get(load_cv2().CAP_PROP_FPS)
    video = Video(parsed, capture, fps if 0 < fps <= _MAX_FPS else _USUAL_FPS)
    try:
        yield video
    finally:
        video.close()


def _open(source: Source) -> Any:
    cv2 = load_cv2()
    if source.kind == "gstreamer":
        if "GStreamer:                   YES" not in cv2.getBuildInformation():
            raise no_gstreamer(source)
        capture = cv2.VideoCapture(source.target, cv2.CAP_GSTREAMER)
    elif source.kind == "stream":
        patience = int(1000 * SILENCE_S)
        waits = (cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, cv2.CAP_PROP_READ_TIMEOUT_MSEC)
        options = [value for wait in waits for value in (wait, patience)]
        capture = cv2.VideoCapture(source.target, cv2.CAP_FFMPEG, options)
    elif source.kind == "file":
        with native_path(Path(str(source.target))) as readable:
            capture = cv2.VideoCapture(str(readable))
    else:
        capture = cv2.VideoCapture(source.target)
    if not capture.isOpened():
        raise not_opened(source)
    return capture
