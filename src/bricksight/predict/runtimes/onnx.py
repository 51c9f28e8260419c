"""Run .onnx files in ONNX Runtime."""

from operator import attrgetter
from pathlib import Path

import numpy as np

from bricksight._support.optional import require
from bricksight._support.threads import num_cores
from bricksight._support.untrusted.onnx_files import require_own_weights
from bricksight.predict.runtimes._images import image_input, only
from bricksight.predict.runtimes._loading import loading

_DTYPES = {"float": "float32", "double": "float64"}
"""Dtypes that have other names in ONNX than in NumPy."""


class OnnxRuntime:
    """An ``.onnx`` file in ONNX Runtime on the CPU; its layout may be NHWC or NCHW."""

    file_name = "exports/model.onnx"
    format_name = "onnx"
    takes_trust = False

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        """Load the file ``path``.

        Raises:
            BundleError: It is not a model that ONNX Runtime can run.
            MissingPackageError: ONNX Runtime is not installed.
        """
        ort = require("onnxruntime", extra="onnx", feature="Running an .onnx file")
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads or num_cores()
        with loading(path, "a model that ONNX Runtime can run") as readable:
            require_own_weights(path)
            self._session = ort.InferenceSession(
                str(readable),
                options,
                providers=["CPUExecutionProvider"],
                enable_fallback=0,  # it retries with the same provider and prints that
            )
        entrance = only(path, "input", self._session.get_inputs(), attrgetter("name"))
        only(path, "output", self._session.get_outputs(), attrgetter("name"))
        self._input = entrance.name
        shape = [size if isinstance(size, int) else None for size in entrance.shape]
        kind = entrance.type.removeprefix("tensor(").removesuffix(")")
        self._images = image_input(path, shape, _DTYPES.get(kind, kind))
        self.input_size = self._images.size

    def run(self, images: np.ndarray) -> np.ndarray:
        """Run the model on a batch; see ``Runtime.run``."""
        return self._images.run(
            lambda values: self._session.run(None, {self._input: values})[0], images
        )
