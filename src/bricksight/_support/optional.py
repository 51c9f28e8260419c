"""Import packages that are optional or slow to load, with an error that names the extra."""

import importlib
import importlib.util
import logging
import os
import sys
from contextlib import nullcontext
from typing import Any

from bricksight._support.native_log import without_native_notices
from bricksight.errors import MissingPackageError

_NAMES = {
    "PIL": "Pillow",
    "ai_edge_litert": "LiteRT",
    "cv2": "OpenCV",
    "google": "Protocol Buffers",
    "jinja2": "Jinja2",
    "mitsuba": "Mitsuba",
    "onnx": "ONNX",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
    "scipy": "SciPy",
    "sklearn": "scikit-learn",
    "tensorflow": "TensorFlow",
    "tensorflowjs": "the TensorFlow.js converter",
}
"""Import name → what messages call the package; others are called by their import name."""

_COMMANDS = {
    "ai_edge_litert": "pip install ai-edge-litert",
    # No extra can name it: what it depends on excludes a current TensorFlow.
    "tensorflowjs": "pip install --no-deps tensorflowjs==4.22.0",
}
"""Import name → the command that installs a package that belongs to no extra."""


def require(package: str, *, extra: str | None, feature: str) -> Any:
    """Import a package and return the module.

    Args:
        package: dotted import name, such as ``"onnxruntime"``.
        extra: the extra of bricksight that installs it, ``None`` if the base install does.
        feature: what the user wants to do, the subject of the message: ``"Training"``.

    Raises:
        MissingPackageError: the package is not installed, or cannot be imported.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) and package.startswith(error.name or "-")
        reason = "" if missing else f", which cannot be imported ({error}). Install it again"
        raise _missing(package, extra, feature, reason) from error


def require_installed(package: str, *, extra: str | None, feature: str) -> None:
    """Check that a package is installed, without loading it.

    Raises:
        MissingPackageError: it is not installed.
    """
    try:
        is_installed = importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # the parent of a dotted name
        is_installed = False
    if not is_installed:
        raise _missing(package, extra, feature)


def _missing(
    package: str, extra: str | None, feature: str, reason: str = ""
) -> MissingPackageError:
    root = package.partition(".")[0]
    command = f'pip install "bricksight[{extra}]"' if extra else f"pip install {root}"
    name = _NAMES.get(root, root)
    return MissingPackageError(f"{feature} needs {name}{reason}: {_COMMANDS.get(root, command)}")


def require_tensorflow(feature: str = "Training") -> Any:
    """Import TensorFlow without its start-up messages and return the module.

    The import takes seconds and hundreds of megabytes, so call this inside the functions that need
    TensorFlow, never at module level.

    Args:
        feature: what the user wants to do, the subject of the message.

    Raises:
        MissingPackageError: TensorFlow is not installed.
    """
    # Read by TensorFlow's C++ half while it loads; what the user has set stays.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    quiet = without_native_notices() if "tensorflow" not in sys.modules else nullcontext()
    with quiet:
        tensorflow = require("tensorflow", extra="train", feature=feature)
    # At every call: modules that TensorFlow loads later set absl's level, that of its converters.
    for name in ("tensorflow", "absl"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return tensorflow
