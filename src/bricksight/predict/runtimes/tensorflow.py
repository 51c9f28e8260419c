"""What runs in TensorFlow: frozen graphs, SavedModels, Keras files."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bricksight._files import without_wildcards
from bricksight._optional import require_tensorflow
from bricksight.errors import BundleError


class Graph:
    """A graph without variables, run through ``tf.compat.v1``."""

    def _open(self, graph_def: Any, *, images: str, answers: str, threads: int | None) -> None:
        """Takes the graph, a ``GraphDef``, and the names of its input and output tensors.

        Raises:
            KeyError: it has no such tensors.
            ValueError: it is no graph that TensorFlow knows.
        """
        tf = require_tensorflow()
        graph = tf.Graph()
        with graph.as_default():
            tf.import_graph_def(graph_def, name="")
        self._input = graph.get_tensor_by_name(images)
        self._output = graph.get_tensor_by_name(answers)
        shape = self._input.shape
        self.input_size = _input_size(shape.as_list() if shape.rank == 4 else [None] * 4)
        self._session = tf.compat.v1.Session(
            graph=graph,
            config=tf.compat.v1.ConfigProto(intra_op_parallelism_threads=threads or 0),
        )

    def run(self, images: np.ndarray) -> np.ndarray:
        """Returns the network's output, float32 (num_images, num_outputs)."""
        output: np.ndarray = self._session.run(self._output, {self._input: images})
        return output


class FrozenGraph(Graph):
    """A frozen TensorFlow graph, such as retrain.py wrote."""

    file_name = "output_graph.pb"
    format_name = "frozen_graph"

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
        graph_def = require_tensorflow().compat.v1.GraphDef()
        images, answers = _tensor_name(input_layer), _tensor_name(output_layer)
        try:
            graph_def.ParseFromString(path.read_bytes())
            self._open(graph_def, images=images, answers=answers, threads=threads)
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


def _tensor_name(layer: str) -> str:
    return layer if ":" in layer else f"{layer}:0"


def _input_size(shape: Sequence[int | None]) -> tuple[int, int] | None:
    _, height, width, _ = shape
    return (height, width) if height and width else None


class _Function(ABC):
    """A function of TensorFlow, which shares its threads between all models of a process."""

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        """Loads ``path``.

        Args:
            path: the file; of a SavedModel the folder, or a file in it.
            threads: not used, as all models of a process share TensorFlow's.

        Raises:
            BundleError: it is not such a model.
            MissingPackageError: TensorFlow is not installed.
        """
        self._function, shape = self._load(path)
        self.input_size = _input_size(shape)

    @abstractmethod
    def _load(self, path: Path) -> tuple[Callable[[np.ndarray], Any], Sequence[int | None]]:
        """Returns what goes from images to probabilities, and the shape of its input."""

    def run(self, images: np.ndarray) -> np.ndarray:
        """Returns the network's output, float32 (num_images, num_outputs)."""
        return np.asarray(self._function(images))


class SavedModel(_Function):
    """A TensorFlow SavedModel: its signature ``serving_array``, or else ``serving_default``."""

    file_name = "saved_model/saved_model.pb"
    format_name = "saved_model"

    def _load(self, path: Path) -> tuple[Callable[[np.ndarray], Any], Sequence[int | None]]:
        tf = require_tensorflow()
        folder = path if path.is_dir() else path.parent
        try:
            # Kept: the signature does not hold the model that owns its variables.
            with without_wildcards(folder) as readable:
                self._model = tf.saved_model.load(str(readable))
            self.signatures = self._model.signatures
            array = "serving_array" if "serving_array" in self.signatures else "serving_default"
            function = self.signatures[array]
        except (OSError, KeyError, ValueError) as error:
            raise BundleError(
                f"{folder} is not a SavedModel with the signature serving_default: {error}"
            ) from error
        _, inputs = function.structured_input_signature
        ((name, spec),) = inputs.items()
        (output,) = function.structured_outputs
        return lambda images: function(**{name: images})[output], spec.shape.as_list()


class Keras(_Function):
    """A ``.keras`` file of standard layers."""

    file_name = "exports/model.keras"
    format_name = "keras"

    def _load(self, path: Path) -> tuple[Callable[[np.ndarray], Any], Sequence[int | None]]:
        tf = require_tensorflow()
        try:
            model = tf.keras.models.load_model(path, compile=False)
        except (OSError, KeyError, ValueError, TypeError) as error:
            raise BundleError(f"{path} is not a model that Keras can load: {error}") from error
        # As one graph: `predict` costs milliseconds a call, and a call layer by layer more.
        return tf.function(model, reduce_retracing=True), model.input_shape
