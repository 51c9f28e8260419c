"""LiteRT, formerly TensorFlow Lite."""

import threading
from pathlib import Path
from typing import Any

import numpy as np

from bricksight._native_log import without_native_notices
from bricksight._native_path import native_path
from bricksight._optional import require
from bricksight._threads import num_cores
from bricksight.errors import BundleError


class LiteRT:
    """A ``.tflite`` file in LiteRT with XNNPACK, one image at a time (batches gain nothing)."""

    file_name = "model.tflite"
    format_name = "tflite"

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        """Loads ``path``.

        Raises:
            BundleError: it is not a model that LiteRT can run.
            MissingPackageError: LiteRT is not installed.
        """
        litert = require("ai_edge_litert.interpreter", extra=None, feature="Running a .tflite file")
        try:
            with without_native_notices(), native_path(path) as readable:
                self._interpreter = litert.Interpreter(
                    str(readable), num_threads=threads or num_cores()
                )
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise BundleError(f"{path} is not a model that LiteRT can run: {error}") from error
        (self._input,), (self._output,) = (
            self._interpreter.get_input_details(),
            self._interpreter.get_output_details(),
        )
        _, height, width, _ = self._input["shape"]
        self.input_size = (int(height), int(width))
        self._lock = threading.Lock()

    def run(self, images: np.ndarray) -> np.ndarray:
        """Returns the network's output, float32 (num_images, num_outputs)."""
        outputs = np.empty((len(images), int(self._output["shape"][-1])), np.float32)
        with self._lock:
            for image, output in zip(images, outputs, strict=True):
                self._interpreter.set_tensor(self._input["index"], _quantised(image, self._input))
                self._interpreter.invoke()
                found = self._interpreter.get_tensor(self._output["index"])[0]
                output[:] = _dequantised(found, self._output)
        return outputs


def _quantised(image: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    """Returns a batch of one image in the type that the file takes."""
    if details["dtype"] is np.float32:
        return image[None]
    scale, zero_point = details["quantization"]
    limits = np.iinfo(details["dtype"])
    steps = np.rint(image[None] / np.float32(scale)) + zero_point
    quantised: np.ndarray = np.clip(steps, limits.min, limits.max).astype(details["dtype"])
    return quantised


def _dequantised(outputs: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    if details["dtype"] is np.float32:
        return outputs
    scale, zero_point = details["quantization"]
    return (outputs.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)
