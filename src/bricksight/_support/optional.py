"""The only door to packages that may be absent or that are slow to load."""

import importlib
import importlib.util
import logging
import os
import sys
from contextlib import nullcontext
from typing import Any

from bricksight._support.native_log import without_native_notices
from bricksight.errors import MissingPackageError

_COMMANDS = {"tensorflowjs": "pip install --no-deps tensorflowjs==4.22.0"}
"""What installs a package that no extra can name, as what it depends on excludes a current
TensorFlow."""


def require(package: str, *, extra: str | None, feature: str) -> Any:
    """Returns the imported module ``package``.

    Args:
        package: dotted import name, such as ``"onnxruntime"``.
        extra: the optional dependency of bricksight that installs it, ``None`` if it is a plain
            dependency.
        feature: what the user wanted, for the message.

    Raises:
        MissingPackageError: it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise _missing(package, extra, feature, f"cannot be imported ({error})") from error


def require_installed(package: str, *, extra: str | None, feature: str) -> None:
    """Checks what ``require`` needs without loading the package into this process.

    Raises:
        MissingPackageError: it is not installed.
    """
    if importlib.util.find_spec(package) is None:
        raise _missing(package, extra, feature, "is not installed")


def _missing(package: str, extra: str | None, feature: str, why: str) -> MissingPackageError:
    what = f"bricksight[{extra}]" if extra else package.split(".")[0]
    command = _COMMANDS.get(package, f"pip install '{what}'")
    return MissingPackageError(
        f"{feature} needs the package {package!r}, which {why}. Install it: {command}"
    )


def require_tensorflow() -> Any:
    """Returns the ``tensorflow`` module, loaded without its start-up noise.

    Importing it takes seconds and hundreds of megabytes, so it happens inside the functions that
    need it, never when a room is imported.

    Raises:
        MissingPackageError: TensorFlow is not installed.
    """
    # Read by TensorFlow's C++ half while it loads; what the user has set stays.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    quiet = without_native_notices() if "tensorflow" not in sys.modules else nullcontext()
    with quiet:
        tensorflow = require("tensorflow", extra=None, feature="Training and exporting")
    # At every call: modules that TensorFlow loads later set absl's level, that of its converters.
    for name in ("tensorflow", "absl"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return tensorflow
