"""OpenVINO."""

import threading
from pathlib import Path

import numpy as np

from bricksight._optional import require
from bricksight._threads import num_cores
from bricksight._untrusted.onnx_files import require_own_weights
from bricksight.errors import BundleError


class OpenVINO:
    """An OpenVINO ``.xml`` with its ``.bin``, or an ``.onnx`` file, on the CPU."""

    file_name = "exports/model.xml"
    format_name = "openvino"
    may_reach_out = False

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        """Loads ``path``.

        Raises:
            BundleError: it is not a model that OpenVINO can run.
            MissingPackageError: OpenVINO is not installed.
        """
        weights = path.with_suffix(".bin")
        if path.suffix == ".xml" and not weights.is_file():
            raise BundleError(f"{path} needs its weights, {weights.name}, beside it. Copy both.")
        openvino = require("openvino", extra="openvino", feature="Running an OpenVINO file")
        options = {
            "INFERENCE_NUM_THREADS": threads or num_cores(),
            # Its own choice on a CPU that has bfloat16 is bfloat16, which moved probabilities of a
            # float32 file by 0.05.
            "INFERENCE_PRECISION_HINT": "f32",
        }
        try:
            if path.suffix == ".onnx":
                require_own_weights(path)
            compiled = openvino.Core().compile_model(str(path), "CPU", options)
        except (OSError, ValueError, RuntimeError) as error:
            raise BundleError(f"{path} is not a model that OpenVINO can run: {error}") from error
        if len(compiled.inputs) != 1 or compiled.input(0).get_partial_shape().rank != 4:
            raise BundleError(f"{path} takes {compiled.inputs}; expected one input of images.")
        sizes = [
            size.get_length() if size.is_static else None
            for size in compiled.input(0).get_partial_shape()
        ]
        self._channels_first = sizes[1] == 3
        self._step = sizes[0]
        height, width = sizes[2:] if self._channels_first else sizes[1:3]
        self.input_size = (height, width) if height and width else None
        self._request = compiled.create_infer_request()
        self._lock = threading.Lock()

    def run(self, images: np.ndarray) -> np.ndarray:
        """Returns the network's output, float32 (num_images, num_outputs)."""
        if self._channels_first:
            images = images.transpose(0, 3, 1, 2)
        images = np.ascontiguousarray(images)
        step = self._step or max(len(images), 1)
        with self._lock:
            batches = [
                self._request.infer([images[start : start + step]])[0].copy()
                for start in range(0, len(images), step)
            ]
        output: np.ndarray = np.concatenate(batches)
        return output
