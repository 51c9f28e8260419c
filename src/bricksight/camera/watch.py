"""Main loop of the camera: show, record and save classified frames."""

import time
from collections.abc import Callable, Iterable
from typing import Protocol

import numpy as np

from bricksight.camera.keeper import Keeper
from bricksight.camera.observe import Observation
from bricksight.camera.overlay import draw_overlay
from bricksight.camera.recorder import Recorder

_MESSAGE_S = 2.0


class Screen(Protocol):
    """A display with keyboard input, such as ``Window``."""

    def show(self, picture: np.ndarray, wait_s: float) -> str:
        """Show uint8 (height, width, 3), BGR; returns the key pressed, "" for none."""


def watch(
    observations: Iterable[Observation],
    *,
    screen: Screen | None = None,
    recorder: Recorder | None = None,
    keeper: Keeper | None = None,
    write: Callable[[Observation], None] | None = None,
    save_every_s: float | None = None,
    in_real_time: bool = False,
) -> int:
    """Show, record and save observations until they end or the user quits.

    Args:
        observations: Classified frames, see ``observe``.
        screen: Shows the annotated frames; the key "q" ends the loop.
        recorder: Records the annotated frames.
        keeper: Saves a frame as a photo when a key is pressed.
        write: Called with every observation.
        save_every_s: Let ``keeper`` save a frame automatically, every so many seconds.
        in_real_time: Show each frame at its time in the video, not as fast as possible.

    Returns:
        The number of observations.

    Raises:
        CameraError: The source ended unexpectedly, or a file cannot be written.
    """
    start_s = time.perf_counter()
    note, count, saved_s = _Note(), 0, float("-inf")
    hint = "" if screen is None else _hint(keeper)
    for observation in observations:
        count += 1
        if write is not None:
            write(observation)
        if (
            keeper is not None
            and save_every_s
            and observation.frame.time_s - saved_s >= save_every_s
        ):
            saved_s = observation.frame.time_s
            note.put(keeper.press("s", observation))
        if screen is None and recorder is None:
            continue
        picture = draw_overlay(
            observation, message=note.text(), hint=hint, is_recording=recorder is not None
        )
        if recorder is not None:
            recorder.write(picture, observation.frame.time_s)
        if screen is not None:
            passed = time.perf_counter() - start_s
            key = screen.show(picture, observation.frame.time_s - passed if in_real_time else 0)
            if key == "q":
                break
            note.put(_pressed(key, keeper, observation))
    return count


def _hint(keeper: Keeper | None) -> str:
    if keeper is None:
        return "q quit"
    return f"q quit   s save as {keeper.label or 'predicted'}   1-9 save as class of that rank"


def _pressed(key: str, keeper: Keeper | None, observation: Observation) -> str | None:
    if keeper is not None:
        return keeper.press(key, observation)
    return "to save photos, start bricksight camera with --save_dir DIR" if key == "s" else None


class _Note:
    """A message that is shown for two seconds."""

    def __init__(self) -> None:
        self._text, self._until_s = "", 0.0

    def put(self, text: str | None) -> None:
        if text:
            self._text, self._until_s = text, time.perf_counter() + _MESSAGE_S

    def text(self) -> str:
        return self._text if time.perf_counter() < self._until_s else ""
