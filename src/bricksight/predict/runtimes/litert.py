"""Run .tflite files in LiteRT, formerly TensorFlow Lite."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bricksight._support.native_log import without_native_notices
from bricksight._support.optional import require
from bricksight._support.threads import num_cores
from bricksight._support.untrusted.tflite_files import require_tflite_operations
from bricksight.errors import BundleError
from bricksight.predict.runtimes._images import image_input, only
from bricksight.predict.runtimes._loading import loading


class LiteRT:
    """A ``.tflite`` file in LiteRT with XNNPACK, one image at a time: batches are not faster."""

    file_name = "model.tflite"
    format_name = "tflite"
    takes_trust = False

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        """Load the file ``path``.

        Raises:
            BundleError: It is not a model that LiteRT can run.
            MissingPackageError: LiteRT is not installed.
        """
        litert = require("ai_edge_litert.interpreter", extra=None, feature="Running a .tflite file")
        with loading(path, "a model that LiteRT can run") as readable:
            with without_native_notices():
                self._interpreter = litert.Interpreter(
                    str(readable), num_threads=threads or num_cores()
                )
                self._interpreter.allocate_tensors()
            inputs = self._interpreter.get_input_details()
            outputs = self._interpreter.get_output_details()
            require_tflite_operations(readable)
        self._input = _quantisable(path, "input", only(path, "input", inputs, _name_of))
        self._output = _quantisable(path, "output", only(path, "output", outputs, _name_of))
        _require_rows(path, self._output)
        scale, _ = self._input["quantization"]
        shape = [None if size < 0 else int(size) for size in self._input["shape_signature"]]
        found = image_input(path, shape, np.float32 if scale else self._input["dtype"])
        self._images = replace(found, batch=found.batch or 1)
        self.input_size = found.size
        self.output_step = float(self._output["quantization"][0])
        self._lock = threading.Lock()

    def run(self, images: np.ndarray) -> np.ndarray:
        """Run the model on a batch; see ``Runtime.run``."""
        with self._lock:
            return self._images.run(self._invoke, images)

    def _invoke(self, values: np.ndarray) -> np.ndarray:
        interpreter, index = self._interpreter, self._input["index"]
        if self.input_size is None:
            interpreter.resize_tensor_input(index, values.shape)
            interpreter.allocate_tensors()
        interpreter.set_tensor(index, _quantised(values, self._input))
        interpreter.invoke()
        return _dequantised(interpreter.get_tensor(self._output["index"]), self._output)


def _name_of(details: dict[str, Any]) -> str:
    return str(details["name"])


def _quantisable(path: Path, what: str, details: dict[str, Any]) -> dict[str, Any]:
    """Check the scale of a quantised input or output, and return its details."""
    scale = details["quantization"][0]
    if not 0 <= scale < np.inf or (scale and details["dtype"] not in (np.uint8, np.int8)):
        raise BundleError(
            f"{path} has an {what} of type {np.dtype(details['dtype']).name} with scale {scale}; "
            "expected float32, or uint8 or int8 with a scale."
        )
    return details


def _require_rows(path: Path, output: dict[str, Any]) -> None:
    """Check that the output can be a row of probabilities for each image."""
    is_number = output["dtype"] is np.float32 or output["quantization"][0]
    if len(output["shape"]) != 2 or not is_number:
        raise BundleError(
            f"{path} gives {np.dtype(output['dtype']).name} of shape "
            f"{output['shape'].tolist()}; expected (num_images, num_classes) of float32, or of "
            "uint8 or int8 with a scale."
        )


def _quantised(values: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    """Return the values in the integer type of the input, if it is quantised."""
    scale, zero_point = details["quantization"]
    if not scale:
        return values
    limits = np.iinfo(details["dtype"])
    steps = np.rint(values / np.float32(scale)) + zero_point
    quantised: np.ndarray = np.clip(steps, limits.min, limits.max).astype(details["dtype"])
    return quantised


def _dequantised(outputs: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    scale, zero_point = details["quantization"]
    if not scale:
        return outputs
    return (outputs.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)
