"""What runs in TensorFlow: frozen graphs, SavedModels, Keras files."""

from pathlib import Path

import numpy as np

from bricksight._files import without_wildcards
from bricksight._optional import require_tensorflow
from bricksight.errors import BundleError


class FrozenGraph:
    """A frozen TensorFlow graph, such as retrain.py wrote, run through ``tf.compat.v1``."""

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
    """A TensorFlow SavedModel: its signature ``serving_array``, or else ``serving_default``."""

    file_name = "saved_model/saved_model.pb"
    format_name = "saved_model"

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
            signatures = self._model.signatures
            array = "serving_array" if "serving_array" in signatures else "serving_default"
            self._function = signatures[array]
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


class Keras:
    """A ``.keras`` file of standard layers."""

    file_name = "exports/model.keras"
    format_name = "keras"

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        """Loads ``path``.

        Args:
            path: the file.
            threads: not used; TensorFlow shares its threads between all models of a process.

        Raises:
            BundleError: it is not a file that Keras can load.
            MissingPackageError: TensorFlow is not installed.
        """
        tf = require_tensorflow()
        try:
            self._model = tf.keras.models.load_model(path, compile=False)
        except (OSError, KeyError, ValueError, TypeError) as error:
            raise BundleError(f"{path} is not a model that Keras can load: {error}") from error
        # As one graph: `predict` costs milliseconds a call, and a call layer by layer more.
        self._function = tf.function(self._model, reduce_retracing=True)
        shape = self._model.input_shape
        self.input_size = (shape[1], shape[2]) if shape[1] and shape[2] else None

    def run(self, images: np.ndarray) -> np.ndarray:
        """Returns the network's output, float32 (num_images, num_outputs)."""
        return np.asarray(self._function(images))
