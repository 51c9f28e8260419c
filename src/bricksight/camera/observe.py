"""Classify frames: crop, predict, smooth over frames."""

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
    """A frame of a camera or video.

    Attributes:
        time_s: Seconds since the start of the source.
        picture: uint8 (height, width, 3), BGR.
    """

    time_s: float
    picture: np.ndarray


@dataclass(frozen=True)
class Observation:
    """A classified frame.

    Attributes:
        index: Number of the frame, from 0.
        frame: The frame.
        region: The region that was classified.
        answer: Predicted classes, from probabilities averaged over frames.
        fps: Frames per second over the last 30 frames.
    """

    index: int
    frame: Frame
    region: Region
    answer: Answer
    fps: float


class Smoother:
    """Moving average of probabilities over the last frames."""

    def __init__(self, num_frames: int) -> None:
        """Create an average over ``num_frames`` frames.

        Raises:
            ConfigError: ``num_frames`` is under 1.
        """
        if num_frames < 1:
            raise ConfigError(f"--smooth is {num_frames}; it must be at least 1 frame.")
        self._rows: deque[np.ndarray] = deque(maxlen=num_frames)

    def add(self, probabilities: np.ndarray) -> np.ndarray:
        """Add the probabilities of a frame, float32 (num_classes,); returns the new average."""
        self._rows.append(probabilities)
        return np.asarray(np.mean(self._rows, axis=0, dtype=np.float32))


class FpsMeter:
    """Frame rate over the last frames."""

    def __init__(self, num_frames: int = _FPS_FRAMES) -> None:
        self._times: deque[float] = deque(maxlen=num_frames + 1)

    def tick(self, now_s: float) -> float:
        """Count a frame at the time ``now_s``; returns frames per second, 0 for the first frame."""
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
    """Classify each frame and yield an ``Observation``.

    Args:
        predictor: The model.
        frames: Frames with uint8 (height, width, 3), BGR.
        region: Size of the classified region, see ``central_region``; ``None`` classifies the
            whole frame, resized as the model's photos.
        smooth: Number of frames over which probabilities are averaged; 1 does not average.
        top_k: Number of predicted classes per frame.

    Raises:
        ConfigError: A value is out of range.
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
    """Convert BGR pixels to RGB, or RGB to BGR, as a contiguous copy."""
    return np.ascontiguousarray(picture[..., ::-1])
