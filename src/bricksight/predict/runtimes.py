"""What executes a model file: one class a runtime, one line a runtime in ``RUNTIMES``."""

import importlib
import threading
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from bricksight._files import without_wildcards
from bricksight._native_log import without_native_notices
from bricksight._optional import require, require_tensorflow
from bricksight._threads import num_cores
from bricksight.errors import BundleError, ConfigError

RUNTIMES = {
    "litert": "bricksight.predict.runtimes:LiteRT",
    "tensorflow": "bricksight.predict.runtimes:FrozenGraph",
    "saved_model": "bricksight.predict.runtimes:SavedModel",
    "onnxruntime": "bricksight.predict.runtimes:OnnxRuntime",
}
"""Runtime name → the class that runs it, imported on first use.

The class names in ``file_name`` the file of a bundle that it executes.
"""


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
    if name not in RUNTIMES:
        raise ConfigError(f"--runtime is {name!r}; it must be one of {', '.join(RUNTIMES)}.")
    module, _, attribute = RUNTIMES[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


class LiteRT:
    """A ``.tflite`` file in LiteRT with XNNPACK, one image at a time (batches gain nothing)."""

    file_name = "model.tflite"

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
        (entrance,), (exit_,) = (
            self._interpreter.get_input_details(),
            self._interpreter.get_output_details(),
        )
        self._input, self._output = entrance["index"], exit_["index"]
        self._width_out = int(exit_["shape"][-1])
        self.input_size = (int(entrance["shape"][1]), int(entrance["shape"][2]))
        self._lock = threading.Lock()

    def run(self, images: np.ndarray) -> np.ndarray:
        """Returns the network's output, float32 (num_images, num_outputs)."""
        outputs = np.empty((len(images), self._width_out), np.float32)
        with self._lock:
            for image, output in zip(images, outputs, strict=True):
                self._interpreter.set_tensor(self._input, image[None])
                self._interpreter.invoke()
                output[:] = self._interpreter.get_tensor(self._output)[0]
        return outputs


class FrozenGraph:
    """A frozen TensorFlow graph, such as retrain.py wrote, run through ``tf.compat.v1``."""

    file_name = "output_graph.pb"

    def __init__(
        self,
        path: Path,
        *,
        threads: int | None = None,
        input_layer: str = "Placeholder",
        output_layer: str = "final_result",
    ) -> None:
        """Loads ``path``.

        Args:
            path: a serialized ``GraphDef`` without variables.
            threads: how many threads one operation may use.
            input_layer: name of the node that takes the images; ``:0`` is understood.
            output_layer: name of the node that gives the probabilities.

        Raises:
            BundleError: it is not a graph, or has no such nodes.
            MissingPackageError: TensorFlow is not installed.
        """
        tf = require_tensorflow()
        graph = tf.Graph()
        graph_def = tf.compat.v1.GraphDef()
        try:
            graph_def.ParseFromString(path.read_bytes())
            with graph.as_default():
                tf.import_graph_def(graph_def, name="")
            self._input = graph.get_tensor_by_name(_tensor_name(input_layer))
            self._output = graph.get_tensor_by_name(_tensor_name(output_layer))
        except OSError as error:
            raise BundleError(f"{path} cannot be read: {error.strerror}") from error
        except KeyError as error:
            raise BundleError(
                f"{path} has no node {input_layer!r} or no node {output_layer!r}. Its inputs are "
                f"{[node.name for node in graph_def.node if node.op == 'Placeholder']}, its last "
                f"node is {graph_def.node[-1].name!r}; name them by --input_layer, --output_layer."
            ) from error
        except Exception as error:
            if type(error).__name__ not in ("DecodeError", "ValueError"):
                raise
            raise BundleError(f"{path} is not a frozen TensorFlow graph: {error}") from error
        shape = self._input.shape.as_list() if self._input.shape.rank == 4 else [None] * 4
        self.input_size = (shape[1], shape[2]) if shape[1] and shape[2] else None
        self._session = tf.compat.v1.Session(
            graph=graph,
            config=tf.compat.v1.ConfigProto(intra_op_parallelism_threads=threads or 0),
        )

    def run(self, images: np.ndarray) -> np.ndarray:
        """Returns the network's output, float32 (num_images, num_outputs)."""
        output: np.ndarray = self._session.run(self._output, {self._input: images})
        return output


def _tensor_name(layer: str) -> str:
    return layer if ":" in layer else f"{layer}:0"


class SavedModel:
    """A TensorFlow SavedModel with one input and one output in ``serving_default``."""

    file_name = "saved_model/saved_model.pb"

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        """Loads the folder ``path``, or the folder in which the file ``path`` lies.

        Args:
            path: the SavedModel.
            threads: not used; TensorFlow shares its threads between all models of a process.

        Raises:
            BundleError: it is not a SavedModel with such a signature.
            MissingPackageError: TensorFlow is not installed.
        """
        tf = require_tensorflow()
        folder = path if path.is_dir() else path.parent
        try:
            # Kept: the signature does not hold the model that owns its variables.
            with without_wildcards(folder) as readable:
                self._model = tf.saved_model.load(str(readable))
            self._function = self._model.signatures["serving_default"]
        except (OSError, KeyError, ValueError) as error:
            raise BundleError(
                f"{folder} is not a SavedModel with the signature serving_default: {error}"
            ) from error
        (self._input,) = self._function.structured_input_signature[1]
        (self._output,) = self._function.structured_outputs
        shape = self._function.structured_input_signature[1][self._input].shape.as_list()
        self.input_size = (shape[1], shape[2]) if shape[1] and shape[2] else None

    def run(self, images: np.ndarray) -> np.ndarray:
        """Returns the network's output, float32 (num_images, num_outputs)."""
        return np.asarray(self._function(**{self._input: images})[self._output])


class OnnxRuntime:
    """An ``.onnx`` file in ONNX Runtime on the CPU, whose input is NHWC or NCHW."""

    file_name = "model.onnx"

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        """Loads ``path``.

        Raises:
            BundleError: it is not a model that ONNX Runtime can run.
            MissingPackageError: ONNX Runtime is not installed.
        """
        ort = require("onnxruntime", extra="onnxruntime", feature="Running an .onnx file")
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads or num_cores()
        try:
            self._session = ort.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            if not type(error).__module__.startswith("onnxruntime"):
                raise
            raise BundleError(
                f"{path} is not a model that ONNX Runtime can run: {error}"
            ) from error
        entrance = self._session.get_inputs()[0]
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
