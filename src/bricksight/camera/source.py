"""Parse ``--source``, and explain errors when a source cannot be opened."""

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from bricksight.config import input_path
from bricksight.errors import CameraError

Kind = Literal["device", "stream", "file", "gstreamer"]

_CSI = re.compile(r"csi(?:(?:://|:)?(\d+))?")
_VIDEO_EXTENSIONS = {".mp4", ".m4v", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg"}


@dataclass(frozen=True)
class Source:
    """A source of frames.

    Attributes:
        text: The source as the user gave it.
        kind: A local camera, a network stream, a file, or a GStreamer pipeline.
        target: Argument for OpenCV: the number of the camera, or a text.
        is_live: Whether frames are dropped if they come too fast; of a file, every frame is read.
    """

    text: str
    kind: Kind
    target: int | str
    is_live: bool


def parse_source(name: str | int | os.PathLike[str]) -> Source:
    """Parse a source of frames.

    ``name`` is the number of a camera, ``/dev/video1``, ``rtsp://…`` or ``http://…``, ``csi``
    (``csi:1`` for the second sensor), a GStreamer pipeline that ends in ``appsink``, or the path of
    a video file.

    Raises:
        CameraError: ``name`` is none of these, or the file does not exist.
    """
    if isinstance(name, bool) or not isinstance(name, str | int | os.PathLike):
        raise CameraError(f"The source is {name!r}; expected text, a number or a path.")
    text = os.fsdecode(name) if isinstance(name, os.PathLike) else str(name)
    if text.isdecimal():
        return Source(text, "device", int(text), is_live=True)
    if text.startswith("/dev/"):
        return Source(text, "device", text, is_live=True)
    if csi := _CSI.fullmatch(text):
        return Source(text, "gstreamer", csi_pipeline(int(csi[1] or 0)), is_live=True)
    if " ! " in text and not os.path.lexists(text):  # an existing file may have this name
        return Source(text, "gstreamer", text, is_live=True)
    if "://" in text:
        # A video file on a web server is not live: every frame is read.
        is_file = Path(urlsplit(text).path).suffix.lower() in _VIDEO_EXTENSIONS
        is_live = not (is_file and text.startswith("http"))
        return Source(text, "stream", text, is_live=is_live)
    path = input_path(text, "--source")
    if not path.is_file():
        found = "which is a folder" if path.is_dir() else "which does not exist"
        raise CameraError(
            f"--source is {text!r}, {found}. Name a video file, the number of a camera such as 0, "
            "an address such as rtsp://..., or csi. For photos, use bricksight classify."
        )
    # In a relative path, OpenCV would treat the text before a colon as a protocol.
    return Source(text, "file", str(path.absolute()), is_live=False)


def csi_pipeline(sensor: int) -> str:
    """Return the GStreamer pipeline of a Jetson's CSI camera: 1280x720, 30 Hz, no queueing."""
    return (
        f"nvarguscamerasrc sensor-id={sensor} ! video/x-raw(memory:NVMM), width=(int)1280, "
        "height=(int)720, format=(string)NV12, framerate=(fraction)30/1 ! nvvidconv flip-method=0 "
        "! video/x-raw, width=(int)1280, height=(int)720, format=(string)BGRx ! videoconvert ! "
        "video/x-raw, format=(string)BGR ! appsink drop=true max-buffers=1 sync=false"
    )


def not_opened(source: Source) -> CameraError:
    """Return the error for a source that OpenCV cannot open, with advice by kind of source."""
    if source.kind == "device":
        return CameraError(_device_not_opened(source))
    if source.kind == "gstreamer":
        return CameraError(
            f"The pipeline of --source {source.text} cannot be opened: {source.target} "
            "Try it alone: gst-launch-1.0 nvarguscamerasrc ! fakesink. No other program may use "
            "the camera; after a crash: sudo systemctl restart nvargus-daemon."
        )
    if source.kind == "stream":
        return CameraError(
            f"{without_password(source.text)} cannot be opened. Check the address, user and "
            "password (rtsp://USER:PASSWORD@HOST/...) and the network connection. Try the address "
            "in VLC or ffplay."
        )
    return CameraError(
        f"{source.text} is not a video that OpenCV can read. Convert it: "
        "ffmpeg -i FILE -c:v libx264 video.mp4"
    )


def no_gstreamer(source: Source) -> CameraError:
    """Return the error for an OpenCV that was built without GStreamer."""
    return CameraError(
        f"--source {source.text} needs an OpenCV with GStreamer, but the installed OpenCV has none "
        "(packages from pip never have it). On a Jetson: pip uninstall opencv-python "
        "opencv-python-headless; "
        "sudo apt install libopencv-python; python3 -m venv --system-site-packages .venv. Or use a "
        "USB camera: --source 0."
    )


def without_password(address: str) -> str:
    """Remove user and password from an address."""
    return re.sub(r"//[^/@]*@", "//", address)


def _device_not_opened(source: Source) -> str:
    what = f"The camera --source {source.text} cannot be opened"
    if sys.platform == "darwin":
        return (
            f"{what}. Allow the terminal to use the camera (System Settings, Privacy & Security, "
            "Camera), or try another number: --source 1."
        )
    if not sys.platform.startswith("linux"):
        return f"{what}. Close other programs that use it, or try another number: --source 1."
    path = Path(f"/dev/video{source.target}" if isinstance(source.target, int) else source.target)
    if not path.exists():
        found = sorted(str(one) for one in Path("/dev").glob("video*"))
        there = f"There are {', '.join(found)}" if found else "This machine has no /dev/video*"
        return (
            f"{what}: {path} does not exist. {there}. Plug the camera in and name its number; in a "
            f"container, start it with --device {path}."
        )
    if not os.access(path, os.R_OK | os.W_OK):
        return f"{what}: no permission for {path}. sudo usermod -aG video $USER, then log in again."
    return (
        f"{what}, although {path} exists. Another program may be using it, or it is not a camera: "
        "one camera often has two numbers, so try the next (v4l2-ctl --list-devices). For the CSI "
        "camera of a Jetson, use --source csi."
    )
