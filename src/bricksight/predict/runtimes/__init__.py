"""What executes a model file: one class a runtime, one line a runtime in ``RUNTIMES``."""

import importlib
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from bricksight._support.untrusted.folders import MODEL_FOLDERS
from bricksight.errors import BundleError, ConfigError

RUNTIMES = {
    "litert": "bricksight.predict.runtimes.litert:LiteRT",
    "tensorflow": "bricksight.predict.runtimes.tensorflow:FrozenGraph",
    "saved_model": "bricksight.predict.runtimes.tensorflow:SavedModel",
    "keras": "bricksight.predict.runtimes.tensorflow:Keras",
    "onnxruntime": "bricksight.predict.runtimes.onnx:OnnxRuntime",
    "openvino": "bricksight.predict.runtimes.openvino:OpenVINO",
    "tfjs": "bricksight.predict.runtimes.tfjs:TensorFlowJs",
}
"""Runtime name → the class that runs it, imported on first use.

A class names in ``file_name`` the file of a bundle that it executes, in ``format_name`` the format
that ``bricksight export`` writes for it, and in ``may_reach_out`` whether its models can hold
operations on files and the like; then it takes ``trust``.
"""

_OF_SUFFIX = {
    ".keras": "keras",
    ".onnx": "onnxruntime",
    ".pb": "tensorflow",
    ".tflite": "litert",
    ".xml": "openvino",
}


class Runtime(Protocol):
    """A loaded model file. ``run`` may be called from several threads."""

    input_size: tuple[int, int] | None
    """Height and width that the file takes, ``None`` if it takes any."""

    def run(self, images: np.ndarray) -> np.ndarray:
        """Returns the network's output, float32 (num_images, num_outputs).

        Args:
            images: float32 (num_images, height, width, 3), RGB, in [0, 1].
        """


def runtime_class(name: str) -> Any:
    """Returns the class of runtime ``name``.

    Raises:
        ConfigError: there is no such runtime.
    """
    if not isinstance(name, str) or name not in RUNTIMES:
        raise ConfigError(f"--runtime is {name!r}; it must be one of {', '.join(RUNTIMES)}.")
    module, _, attribute = RUNTIMES[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def is_model_folder(path: Path) -> bool:
    """Returns whether ``path`` is a folder that as a whole is one model."""
    return any((path / name).is_file() for name in MODEL_FOLDERS)


def require_runs(name: str, path: Path) -> None:
    """Refuses a file that is for other runtimes.

    Raises:
        BundleError: runtime ``name`` does not execute such a file, or none does.
    """
    own = runtime_of(path)
    able = (own, "openvino") if own == "onnxruntime" else (own,)
    if name not in able:
        raise BundleError(f"{name} does not execute {path}; {' and '.join(able)} does.")


def runtime_of(path: Path) -> str:
    """Returns the name of the runtime that the file, or the folder of a model, is for.

    Raises:
        BundleError: it is for none.
    """
    for name, runtime in MODEL_FOLDERS.items():
        if (path / name).is_file():
            return runtime
    if path.suffix not in _OF_SUFFIX:
        raise BundleError(
            f"{path} is no model file that bricksight runs; it runs bundles, folders with "
            f"{' or '.join(MODEL_FOLDERS)}, and files that end in {', '.join(_OF_SUFFIX)}."
        )
    return _OF_SUFFIX[path.suffix]
