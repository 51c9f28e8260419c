"""Draw the classified region, the answer and the frame rate onto a frame."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from bricksight._support.lettering import Colour, draw_text, text_width
from bricksight._support.text import percent
from bricksight.camera.observe import Observation
from bricksight.camera.region import Region
from bricksight.predict import Prediction

# Channel order BGR, as in frames.
_WHITE: Colour = (255, 255, 255)
_GREY: Colour = (190, 190, 190)
_KNOWN: Colour = (90, 220, 90)
_UNKNOWN: Colour = (40, 170, 255)
_RED: Colour = (60, 60, 230)

_OUTSIDE = 0.6
_BEHIND_TEXT = 0.3


def draw_overlay(
    observation: Observation, *, message: str = "", hint: str = "", is_recording: bool = False
) -> np.ndarray:
    """Return an annotated copy of the frame: uint8 (height, width, 3), BGR.

    Args:
        observation: The classified frame.
        message: Line at the top, such as the name of a saved photo.
        hint: Small line below the label, such as the available keys.
        is_recording: Whether to show a red dot.
    """
    height, width = observation.frame.picture.shape[:2]
    unit = max(8, round(min(height, 0.75 * width) / 28))
    rows = observation.answer.predictions
    strip = 5 * unit
    colour = _UNKNOWN if observation.answer.is_unknown else _KNOWN
    canvas = _darkened(
        observation.frame.picture, observation.region, top=round(1.8 * unit), bottom=strip
    )
    picture = Image.fromarray(canvas)
    draw = ImageDraw.Draw(picture)
    _draw_guide(draw, observation.region, colour, unit)
    _draw_status(draw, width, unit, fps=observation.fps, message=message, is_recording=is_recording)
    top = height - strip
    label = observation.answer.label or "unknown"
    room = width // 2 - unit
    place = (unit, top + 0.5 * unit)
    draw_text(draw, place, label, size=1.9 * unit, colour=colour, room=room)
    draw_text(draw, (unit, top + 2.9 * unit), hint, size=0.8 * unit, colour=_GREY, room=room)
    # With many rows, the text shrinks so that it does not cover the region.
    row_unit = max(6, min(unit, round(4.4 * unit / (1.4 * len(rows)))))
    _draw_rows(draw, rows, (width // 2, top + 0.4 * unit, width - unit), row_unit, colour)
    return np.asarray(picture)


def _darkened(picture: np.ndarray, region: Region, *, top: int, bottom: int) -> np.ndarray:
    """Darken the frame outside the region, most where text is drawn."""
    canvas = (picture * np.float32(_OUTSIDE)).astype(np.uint8)
    region.crop(canvas)[:] = region.crop(picture)
    for strip in (canvas[:top], canvas[max(0, len(canvas) - bottom) :]):
        strip[:] = strip * np.float32(_BEHIND_TEXT)
    return canvas


def _draw_guide(draw: ImageDraw.ImageDraw, region: Region, colour: Colour, unit: int) -> None:
    """Draw the corners of the region, just outside of it if the frame has room."""
    line = max(2, unit // 6)
    arm = (region.right - region.left) // 6
    width, height = draw.im.size
    left, top = max(0, region.left - line), max(0, region.top - line)
    right, bottom = (
        min(width, region.right + line) - 1,
        min(height, region.bottom + line) - 1,
    )
    for x, toward in ((left, 1), (right, -1)):
        for y, down in ((top, 1), (bottom, -1)):
            _bar(draw, (x, y, x + toward * arm, y + down * (line - 1)), colour)
            _bar(draw, (x, y, x + toward * (line - 1), y + down * arm), colour)


def _bar(draw: ImageDraw.ImageDraw, ends: Sequence[float], colour: Colour) -> None:
    x0, y0, x1, y1 = ends
    draw.rectangle((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)), fill=colour)


def _draw_status(
    draw: ImageDraw.ImageDraw,
    width: int,
    unit: int,
    *,
    fps: float,
    message: str,
    is_recording: bool,
) -> None:
    rate = f"{fps:.1f} frames/s"
    room = width - 12 * unit
    draw_text(draw, (unit, 0.4 * unit), message, size=unit, colour=_WHITE, room=room)
    left = width - unit - text_width(rate, unit)
    draw_text(draw, (left, 0.4 * unit), rate, size=unit, colour=_WHITE)
    if is_recording:
        draw.ellipse((left - 1.6 * unit, 0.5 * unit, left - 0.7 * unit, 1.4 * unit), fill=_RED)


def _draw_rows(
    draw: ImageDraw.ImageDraw,
    predictions: Sequence[Prediction],
    place: tuple[float, float, float],
    unit: int,
    colour: Colour,
) -> None:
    """Draw one row per class: key for saving, label, bar, probability."""
    left, top, right = place
    number = text_width("100.0 %", unit)
    bar_left, bar_right = left + 0.55 * (right - left), right - number - 0.5 * unit
    for rank, one in enumerate(predictions, start=1):
        y = top + 1.4 * unit * (rank - 1)
        shade = colour if rank == 1 else _GREY
        named, room = f"{rank}  {one.label}", bar_left - left - unit
        draw_text(draw, (left, y), named, size=unit, colour=shade, room=room)
        bar = (bar_left, y + 0.3 * unit, bar_left + one.probability * (bar_right - bar_left))
        if bar[2] >= bar[0]:
            draw.rectangle((*bar, y + 0.9 * unit), fill=shade)
        share = percent(one.probability)
        draw_text(draw, (right, y), share, size=unit, colour=shade, anchor="ra")
