"""Window that shows frames and reads keys, with OpenCV."""

import os
import sys
from typing import Any

import numpy as np

from bricksight._support.text import printable
from bricksight.camera.video import load_cv2
from bricksight.errors import CameraError

_ESCAPE = 27
_INSTEAD = "Use --headless, which prints one JSON object per frame"


class Window:
    """A window that shows frames and returns the keys that are pressed in it."""

    def __init__(self, title: str) -> None:
        """Open the window.

        Raises:
            CameraError: There is no screen, or OpenCV was built without window support.
        """
        self._title = title = printable(title)
        # Checked before OpenCV is used: without a screen, Qt would abort the process.
        if sys.platform.startswith("linux") and not (
            os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
        ):
            raise CameraError(
                f"No window can be opened: DISPLAY is not set, so there is no screen. {_INSTEAD}, "
                "or start from a terminal on the desktop (ssh -X over a network)."
            )
        self._cv2: Any = load_cv2()
        try:
            # GUI_NORMAL: no tool bar, which would receive the keys.
            look = self._cv2.WINDOW_KEEPRATIO | self._cv2.WINDOW_GUI_NORMAL
            self._cv2.namedWindow(title, self._cv2.WINDOW_NORMAL | look)
        except self._cv2.error as error:
            raise CameraError(
                "No window can be opened: the installed OpenCV has no window support. "
                f"{_INSTEAD}, or: "
                "pip uninstall opencv-python-headless; pip install --force-reinstall opencv-python"
            ) from error
        self._is_sized = False

    def __enter__(self) -> "Window":
        return self

    def __exit__(self, *_: object) -> None:
        self._cv2.destroyAllWindows()

    def show(self, picture: np.ndarray, wait_s: float) -> str:
        """Show a frame and wait for a key.

        Args:
            picture: uint8 (height, width, 3), BGR.
            wait_s: Seconds to wait for a key; at least a millisecond, so that the window is drawn.

        Returns:
            The key, "" for none; "q" for Escape and if the window was closed.
        """
        if not self._is_sized:
            height, width = picture.shape[:2]
            self._cv2.resizeWindow(self._title, width, height)
            self._is_sized = True
        self._cv2.imshow(self._title, picture)
        code = self._cv2.waitKey(max(1, round(1000 * wait_s)))
        if code == _ESCAPE or not self._is_open():
            return "q"
        return chr(code & 0xFF) if code >= 0 else ""

    def _is_open(self) -> bool:
        try:
            visible: float = self._cv2.getWindowProperty(self._title, self._cv2.WND_PROP_VISIBLE)
        except self._cv2.error:  # Qt, after the last window was closed
            return False
        return visible >= 1
