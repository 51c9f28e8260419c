"""The loop: show, record, keep, write, until the source ends or the user has seen enough."""

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
    """Where pictures are shown and keys come from, such as ``Window``."""

    def show(self, picture: np.ndarray, wait_s: float) -> str:
        """Show uint8 (height, width, 3), BGR, and return the key pressed, "" for none."""


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
    """Go through observations and return how many there were.

    Args:
        observations: see ``observe``.
        screen: shows the annotated picture; "q" ends the loop.
        recorder: writes the annotated picture.
        keeper: saves frames as photos at the press of a key.
        write: called with every observation.
        save_every_s: let ``keeper`` save the frame under its label, as often as that.
        in_real_time: show no frame before its time, as a file is to be seen.

    Raises:
        CameraError: the source breaks off, or a file cannot be written.
    """
    start_s = time.perf_counter()
    note, count, saved_s = _Note(), 0, float("-inf")
    hint = "" if screen is None else _hint(keeper)
    for seen in observations:
        count += 1
        if write is not None:
            write(seen)
        if keeper is not None and save_every_s and seen.frame.time_s - saved_s >= save_every_s:
            saved_s = seen.frame.time_s
            note.put(keeper.press("s", seen))
        if screen is None and recorder is None:
            continue
        picture = draw_overlay(
            seen, message=note.text(), hint=hint, is_recording=recorder is not None
        )
        if recorder is not None:
            recorder.write(picture, seen.frame.time_s)
        if screen is not None:
            passed = time.perf_counter() - start_s
            key = screen.show(picture, seen.frame.time_s - passed if in_real_time else 0)
            if key == "q":
                break
            note.put(_pressed(key, keeper, seen))
    return count


def _hint(keeper: Keeper | None) -> str:
    if keeper is None:
        return "q quit"
    return f"q quit   s save as {keeper.label or 'shown'}   1-9 save as that class"


def _pressed(key: str, keeper: Keeper | None, seen: Observation) -> str | None:
    if keeper is not None:
        return keeper.press(key, seen)
    return "to save photos, start with --save_dir DIR" if key == "s" else None


class _Note:
    """A message that is shown for two seconds."""

    def __init__(self) -> None:
        self._text, self._until_s = "", 0.0

    def put(self, text: str | None) -> None:
        if text:
            self._text, self._until_s = text, time.perf_counter() + _MESSAGE_S

    def text(self) -> str:
        return self._text if time.perf_counter() < self._until_s else ""
