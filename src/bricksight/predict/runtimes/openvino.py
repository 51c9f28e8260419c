"""Run .xml and .onnx files in OpenVINO."""

import threading
from pathlib import Path
from typing import Any

import numpy as np

from bricksight._support.optional import require
from bricksight._support.threads import num_cores
from bricksight._support.untrusted.onnx_files import require_own_weights
from bricksight.errors import BundleError
from bricksight.predict.runtimes._images import image_input, only
from bricksight.predict.runtimes._loading import loading


class OpenVINO:
    """An OpenVINO ``.xml`` with its ``.bin``, or an ``.onnx`` file, on the CPU."""

    file_name = "exports/model.xml"
    format_name = "openvino"
    takes_trust = False

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        """Load the file ``path``.

        Raises:
            BundleError: It is not a model that OpenVINO can run.
            MissingPackageError: OpenVINO is not installed.
        """
        weights = path.with_suffix(".bin")
        if path.suffix == ".xml" and not weights.is_file():
            raise BundleError(
                f"{path} needs its weights, {weights.name}, in the same folder. Copy both files."
            )
        openvino = require("openvino", extra="openvino", feature="Running an OpenVINO file")
        options = {
            "INFERENCE_NUM_THREADS": threads or num_cores(),
            # By default OpenVINO uses bfloat16 on CPUs that have it, which changed probabilities of
            # a float32 file by 0.05.
            "INFERENCE_PRECISION_HINT": "f32",
        }
        with loading(path, "a model that OpenVINO can run") as readable:
            if path.suffix == ".onnx":
                require_own_weights(path)
            compiled = openvino.Core().compile_model(str(readable), "CPU", options)
            entrance = only(path, "input", compiled.inputs, _name_of)
            only(path, "output", compiled.outputs, _name_of)
            shape = [
                size.get_length() if size.is_static else None
                for size in entrance.get_partial_shape()
            ]
            self._images = image_input(path, shape, entrance.get_element_type().to_dtype())
            self._request = compiled.create_infer_request()
        self.input_size = self._images.size
        self._lock = threading.Lock()

    def run(self, images: np.ndarray) -> np.ndarray:
        """Run the model on a batch; see ``Runtime.run``."""
        with self._lock:
            return self._images.run(lambda values: self._request.infer([values])[0].copy(), images)


def _name_of(port: Any) -> str:
    return str(port.any_name) if port.names else "without a name"
