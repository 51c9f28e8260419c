"""ONNX Runtime."""

from pathlib import Path

import numpy as np

from bricksight._optional import require
from bricksight._threads import num_cores
from bricksight._untrusted.onnx_files import require_own_weights
from bricksight.errors import BundleError


class OnnxRuntime:
    """An ``.onnx`` file in ONNX Runtime on the CPU, whose input is NHWC or NCHW."""

    file_name = "exports/model.onnx"
    format_name = "onnx"
    may_reach_out = False

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        """Loads ``path``.

        Raises:
            BundleError: it is not a model that ONNX Runtime can run.
            MissingPackageError: ONNX Runtime is not installed.
        """
        ort = require("onnxruntime", extra="onnx", feature="Running an .onnx file")
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads or num_cores()
        try:
            require_own_weights(path)
            self._session = ort.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            is_told = isinstance(error, OSError | ValueError)
            if not is_told and not type(error).__module__.startswith("onnxruntime"):
                raise
            raise BundleError(
                f"{path} is not a model that ONNX Runtime can run: {error}"
            ) from error
        entrances = self._session.get_inputs()
        if len(entrances) != 1 or len(entrances[0].shape) != 4:
            raise BundleError(
                f"{path} takes {[(one.name, one.shape) for one in entrances]}; expected one input "
                "of images."
            )
        (entrance,) = entrances
        self._input = entrance.name
        shape = [size if isinstance(size, int) else None for size in entrance.shape]
        self._channels_first = shape[1] == 3
        self._fixed_batch = shape[0]
        height, width = shape[2:] if self._channels_first else shape[1:3]
        self.input_size = (height, width) if height and width else None

    def run(self, images: np.ndarray) -> np.ndarray:
        """Returns the network's output, float32 (num_images, num_outputs)."""
        if self._channels_first:
            images = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        step = self._fixed_batch or max(len(images), 1)
        batches = [
            self._session.run(None, {self._input: images[start : start + step]})[0]
            for start in range(0, len(images), step)
        ]
        output: np.ndarray = np.concatenate(batches)
        return output
