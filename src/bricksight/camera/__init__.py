"""Live classification of frames from a camera or a video.

``open_video`` reads frames, ``observe`` classifies them, ``watch`` shows, records and saves them.
Only ``open_video``, ``Recorder`` and ``Window`` need OpenCV. Frames are uint8 (height, width, 3) in
OpenCV's channel order, BGR. Input of the ``Predictor`` and saved photos are RGB.
"""

from bricksight.camera.keeper import Keeper
from bricksight.camera.observe import FpsMeter, Frame, Observation, Smoother, observe
from bricksight.camera.overlay import draw_overlay
from bricksight.camera.recorder import Recorder
from bricksight.camera.region import Region, central_region
from bricksight.camera.source import Source, parse_source
from bricksight.camera.video import Video, open_video
from bricksight.camera.watch import Screen, watch
from bricksight.camera.window import Window

__all__ = [
    "FpsMeter",
    "Frame",
    "Keeper",
    "Observation",
    "Recorder",
    "Region",
    "Screen",
    "Smoother",
    "Source",
    "Video",
    "Window",
    "central_region",
    "draw_overlay",
    "observe",
    "open_video",
    "parse_source",
    "watch",
]
