"""Runtimes execute model files: one class each, listed in ``RUNTIMES``."""

import importlib
import shlex
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from bricksight._support.untrusted.folders import MODEL_FOLDERS
from bricksight.bundle import Bundle
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
"""Runtime name → its class, imported on first use.

A class has ``file_name``, the file of a bundle that it executes; ``format_name``, the format that
``bricksight export`` writes for it; and ``takes_trust``, whether its models can access files or the
network, so that its constructor takes ``trust``.
"""

_OF_SUFFIX = {
    ".keras": "keras",
    ".onnx": "onnxruntime",
    ".pb": "tensorflow",
    ".tflite": "litert",
    ".xml": "openvino",
}


class Runtime(Protocol):
    """A loaded model file. ``run`` may be called from several threads.

    Attributes:
        input_size: Height and width of the images that the file takes, ``None`` if it takes any.
    """

    input_size: tuple[int, int] | None

    def run(self, images: np.ndarray) -> np.ndarray:
        """Run the model on a batch and return its output, float32 (num_images, num_outputs).

        Args:
            images: float32 (num_images, height, width, 3), RGB, in [0, 1].
        """


def runtime_class(name: str) -> Any:
    """Return the class of the runtime ``name``.

    Raises:
        ConfigError: There is no such runtime.
    """
    if not isinstance(name, str) or name not in RUNTIMES:
        raise ConfigError(f"--runtime is {name!r}; it must be one of {', '.join(RUNTIMES)}.")
    module, _, attribute = RUNTIMES[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def file_in_bundle(bundle: Bundle, runtime: Any) -> Path:
    """Return the file of a bundle that a runtime executes.

    Args:
        bundle: The bundle.
        runtime: A class of ``RUNTIMES``.

    Raises:
        BundleError: The bundle does not have the file, or its checksum differs.
    """
    if runtime.file_name not in bundle.manifest.files and runtime.file_name.startswith("exports/"):
        folder = shlex.quote(str(bundle.path))
        raise BundleError(
            f"The bundle {bundle.path} has no {runtime.file_name}, which this runtime needs. "
            f"Write it with: bricksight export {folder} --format {runtime.format_name}"
        )
    return bundle.file(runtime.file_name)


def is_model_folder(path: Path) -> bool:
    """Return whether ``path`` is a folder in a model format, such as a SavedModel."""
    return any((path / name).is_file() for name in MODEL_FOLDERS)


def require_runnable(name: str, path: Path) -> None:
    """Check that the runtime ``name`` can execute a file.

    Raises:
        BundleError: It cannot, or no runtime can.
    """
    own = runtime_of(path)
    able = (own, "openvino") if own == "onnxruntime" else (own,)
    if name not in able:
        raise BundleError(f"The runtime {name} does not execute {path}. Use {' or '.join(able)}.")


def runtime_of(path: Path) -> str:
    """Return the name of the runtime for a model file or folder.

    Raises:
        BundleError: No runtime executes it.
    """
    for name, runtime in MODEL_FOLDERS.items():
        if (path / name).is_file():
            return runtime
    if path.suffix not in _OF_SUFFIX:
        raise BundleError(
            f"{path} is not a model that bricksight can run. Expected a bundle, a folder with "
            f"{' or '.join(MODEL_FOLDERS)}, or a file that ends in {', '.join(_OF_SUFFIX)}."
        )
    return _OF_SUFFIX[path.suffix]
