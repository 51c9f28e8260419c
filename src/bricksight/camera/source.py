"""What ``--source`` names, and what to do when it cannot be opened."""

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
    """Where frames come from.

    Attributes:
        text: As the user wrote it.
        kind: A camera of this machine, a network stream, a file, or a GStreamer pipeline.
        target: What OpenCV opens: the camera's number, or a text.
        is_live: Whether frames that come too fast are dropped; a file is read frame by frame.
    """

    text: str
    kind: Kind
    target: int | str
    is_live: bool


def parse_source(name: str | int | os.PathLike[str]) -> Source:
    """Return what ``name`` names, a text, the number of a camera or the path of a video file.

    It is a camera's number, ``/dev/video1``, ``rtsp://…`` or ``http://…``, ``csi`` (``csi:1`` for
    the second sensor), a GStreamer pipeline that ends in ``appsink``, or a video file.

    Raises:
        CameraError: there is no such file.
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
    if " ! " in text and not os.path.lexists(text):  # a name is a path before it is a pipeline
        return Source(text, "gstreamer", text, is_live=True)
    if "://" in text:
        # A video file behind a web server is no camera: every frame of it counts.
        is_file = Path(urlsplit(text).path).suffix.lower() in _VIDEO_EXTENSIONS
        is_live = not (is_file and text.startswith("http"))
        return Source(text, "stream", text, is_live=is_live)
    path = input_path(text, "--source")
    if not path.is_file():
        found = "a folder" if path.is_dir() else "and there is no such file"
        raise CameraError(
            f"--source is {text!r}, {found}. Name a video file, a camera's number such "
            "as 0, an address such as rtsp://..., or csi; photos are for bricksight classify."
        )
    # OpenCV takes what precedes a colon in a relative path for a protocol.
    return Source(text, "file", str(path.absolute()), is_live=False)


def csi_pipeline(sensor: int) -> str:
    """Return the GStreamer pipeline of a Jetson's CSI camera: 1280x720 at 30 Hz, newest frame."""
    return (
        f"nvarguscamerasrc sensor-id={sensor} ! video/x-raw(memory:NVMM), width=(int)1280, "
        "height=(int)720, format=(string)NV12, framerate=(fraction)30/1 ! nvvidconv flip-method=0 "
        "! video/x-raw, width=(int)1280, height=(int)720, format=(string)BGRx ! videoconvert ! "
        "video/x-raw, format=(string)BGR ! appsink drop=true max-buffers=1 sync=false"
    )


def not_opened(source: Source) -> CameraError:
    """Return the error for a source that OpenCV does not open: what was found, what to do."""
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
            f"{without_password(source.text)} cannot be opened. Is the address right, does it need "
            "a user and a password (rtsp://USER:PASSWORD@HOST/...), and is the camera reached from "
            "here? Try it in VLC or ffplay."
        )
    return CameraError(
        f"{source.text} is not a video that OpenCV can read. Convert it: "
        "ffmpeg -i FILE -c:v libx264 video.mp4"
    )


def no_gstreamer(source: Source) -> CameraError:
    """Return the error for an OpenCV without GStreamer."""
    return CameraError(
        f"--source {source.text} needs an OpenCV with GStreamer, and this one is built without, as "
        "all that pip installs. On a Jetson: pip uninstall opencv-python opencv-python-headless; "
        "sudo apt install libopencv-python; python3 -m venv --system-site-packages .venv. Or use a "
        "USB camera: --source 0."
    )


def without_password(address: str) -> str:
    """Return the address as it may be shown: user and password left out."""
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
        f"{what}, though {path} exists. Another program may be using it, or it is no camera: one "
        "camera often has two numbers, so try the next (v4l2-ctl --list-devices). The CSI camera "
        "of a Jetson is --source csi."
    )
