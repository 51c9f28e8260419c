"""Frames in, observations out: crop, classify, smooth. No OpenCV here."""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bricksight.camera.region import Region, central_region, whole_region
from bricksight.errors import ConfigError
from bricksight.images import to_input
from bricksight.predict import Answer, Predictor

_FPS_FRAMES = 30


class Frame(NamedTuple):
    """One frame.

    Attributes:
        time_s: Seconds since the beginning of the source.
        picture: uint8 (height, width, 3), BGR.
    """

    time_s: float
    picture: np.ndarray


@dataclass(frozen=True)
class Observation:
    """What the model says of one frame.

    Attributes:
        index: How many frames were observed before it.
        frame: The frame.
        region: The part that was classified.
        answer: The classes, from probabilities that are smoothed over frames.
        fps: Frames a second, over the last thirty.
    """

    index: int
    frame: Frame
    region: Region
    answer: Answer
    fps: float


class Smoother:
    """The mean of the last frames' probabilities: one odd frame does not change the label."""

    def __init__(self, num_frames: int) -> None:
        """Start without frames.

        Raises:
            ConfigError: ``num_frames`` is under 1.
        """
        if num_frames < 1:
            raise ConfigError(f"--smooth is {num_frames}; it must be at least 1 frame.")
        self._rows: deque[np.ndarray] = deque(maxlen=num_frames)

    def add(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the mean with the new row, float32 (num_classes,), as is the row."""
        self._rows.append(probabilities)
        return np.asarray(np.mean(self._rows, axis=0, dtype=np.float32))


class FpsMeter:
    """Frames a second over the last ones."""

    def __init__(self, num_frames: int = _FPS_FRAMES) -> None:
        self._times: deque[float] = deque(maxlen=num_frames + 1)

    def tick(self, now_s: float) -> float:
        """Count a frame at the time ``now_s`` and return the rate, 0 for the first frame."""
        self._times.append(now_s)
        passed = self._times[-1] - self._times[0]
        return (len(self._times) - 1) / passed if passed > 0 else 0.0


def observe(
    predictor: Predictor,
    frames: Iterable[Frame],
    *,
    region: float | None = 0.6,
    smooth: int = 5,
    top_k: int = 3,
) -> Iterator[Observation]:
    """Yield what the model says of each frame.

    Args:
        predictor: the model.
        frames: pictures uint8 (height, width, 3), BGR, with their times.
        region: share of the frame that is classified, see ``central_region``; ``None`` for all of
            it, stretched or letterboxed as the model's photos were.
        smooth: over how many frames probabilities are averaged; 1 for none.
        top_k: how many classes to name.

    Raises:
        ConfigError: a value cannot be used.
    """
    smoother, meter = Smoother(smooth), FpsMeter()
    for index, frame in enumerate(frames):
        height, width = frame.picture.shape[:2]
        part = (
            whole_region(height, width)
            if region is None
            else central_region(height, width, predictor.input_spec, share=region)
        )
        inputs = to_input(to_rgb(part.crop(frame.picture)), predictor.input_spec)
        probabilities = smoother.add(predictor.probabilities(inputs[None])[0])
        answer = predictor.answer(probabilities, top_k=top_k)
        yield Observation(index, frame, part, answer, meter.tick(time.perf_counter()))


def to_rgb(picture: np.ndarray) -> np.ndarray:
    """Return BGR pixels as RGB, or the other way round, in a memory block of their own."""
    return np.ascontiguousarray(picture[..., ::-1])
