"""LiteRT, formerly TensorFlow Lite."""

import threading
from pathlib import Path
from typing import Any

import numpy as np

from bricksight._native_log import without_native_notices
from bricksight._optional import require
from bricksight._threads import num_cores
from bricksight.errors import BundleError


class LiteRT:
    """A ``.tflite`` file in LiteRT with XNNPACK, one image at a time (batches gain nothing)."""

    file_name = "model.tflite"
    format_name = "tflite"
    may_reach_out = False

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        """Loads ``path``.

        Raises:
            BundleError: it is not a model that LiteRT can run.
            MissingPackageError: LiteRT is not installed.
        """
        litert = require("ai_edge_litert.interpreter", extra=None, feature="Running a .tflite file")
        try:
            with without_native_notices():
                self._interpreter = litert.Interpreter(
                    str(path), num_threads=threads or num_cores()
                )
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise BundleError(f"{path} is not a model that LiteRT can run: {error}") from error
        self._input = _only(self._interpreter.get_input_details(), "input", path)
        self._output = _only(self._interpreter.get_output_details(), "output", path)
        shape = [int(size) for size in self._input["shape"]]
        if len(shape) != 4 or shape[0] != 1 or shape[3] != 3 or len(self._output["shape"]) != 2:
            raise BundleError(
                f"{path} goes from {shape} to {self._output['shape'].tolist()}; expected a model "
                "from one image, [1, height, width, 3], to one row of probabilities."
            )
        self.input_size = (shape[1], shape[2])
        is_quantised = self._output["dtype"] is not np.float32
        self.output_step = float(self._output["quantization"][0]) if is_quantised else 0.0
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


def _only(details: list[dict[str, Any]], what: str, path: Path) -> dict[str, Any]:
    """Returns the one tensor; its values are float32, or whole numbers with a scale."""
    if len(details) != 1:
        raise BundleError(f"{path} has {len(details)} {what}s; expected a model with one.")
    (one,) = details
    is_scaled = one["dtype"] in (np.uint8, np.int8) and 0 < one["quantization"][0] < np.inf
    if one["dtype"] is not np.float32 and not is_scaled:
        raise BundleError(
            f"{path} has the {what} type {np.dtype(one['dtype']).name}; expected float32, or uint8 "
            "or int8 with a scale."
        )
    return one


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
