"""Run frozen graphs, SavedModels and Keras files in TensorFlow."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np

from bricksight._support.filesystem.files import read_whole
from bricksight._support.optional import require_tensorflow
from bricksight._support.untrusted.graphs import require_pure_graph, require_pure_saved_model
from bricksight._support.untrusted.keras_files import require_standard_layers
from bricksight.errors import BundleError, ConfigError
from bricksight.predict.runtimes._images import ImageInput, image_input, only
from bricksight.predict.runtimes._loading import loading

_MOST_BYTES = 2 << 30
"""Largest protocol buffer that TensorFlow reads."""


class Graph:
    """A graph without variables, run through ``tf.compat.v1``."""

    takes_trust = True

    def _open(
        self, path: Path, graph_def: Any, *, images: str, answers: str, threads: int | None
    ) -> None:
        """Import the graph and start a session.

        Args:
            path: The file, for messages.
            graph_def: The ``GraphDef``.
            images: Name of the input tensor.
            answers: Name of the output tensor.
            threads: Number of threads for one operation; all cores by default.

        Raises:
            KeyError: The graph has no such tensors.
            ValueError: TensorFlow cannot import the graph.
            BundleError: The input is not a batch of RGB images.
        """
        tf = require_tensorflow("Running a TensorFlow model")
        graph = tf.Graph()
        with graph.as_default():
            tf.import_graph_def(graph_def, name="")
        self._input = graph.get_tensor_by_name(images)
        self._output = graph.get_tensor_by_name(answers)
        self._images = _image_input(path, self._input)
        self.input_size = self._images.size
        self._session = tf.compat.v1.Session(
            graph=graph,
            config=tf.compat.v1.ConfigProto(intra_op_parallelism_threads=threads or 0),
        )

    def run(self, images: np.ndarray) -> np.ndarray:
        """Run the model on a batch; see ``Runtime.run``."""
        return self._images.run(
            lambda values: self._session.run(self._output, {self._input: values}), images
        )


def _image_input(path: Path, tensor: Any) -> ImageInput:
    """Return the image input that a tensor, or its spec, stands for."""
    shape = None if tensor.shape.rank is None else tensor.shape.as_list()
    return image_input(path, shape, tensor.dtype.name)


class FrozenGraph(Graph):
    """A frozen TensorFlow graph, as retrain.py writes it."""

    file_name = "output_graph.pb"
    format_name = "frozen_graph"

    def __init__(
        self,
        path: Path,
        *,
        threads: int | None = None,
        input_layer: str = "Placeholder",
        output_layer: str = "final_result",
        input_mean: float | None = None,
        input_std: float | None = None,
        trust: bool = False,
    ) -> None:
        """Load the file ``path``.

        Args:
            path: A serialized ``GraphDef`` without variables.
            threads: Number of threads for one operation; all cores by default.
            input_layer: Node that takes the images, with or without ``:0``.
            output_layer: Node that gives the probabilities, with or without ``:0``.
            input_mean: Subtracted from the pixels, which are 0 to 255; 0 by default.
            input_std: Divides the pixels after that; 255 by default. Without both, a uint8 input
                gets pixels from 0 to 255.
            trust: Allow operations that access files, the network or other programs.

        Raises:
            BundleError: It is not a graph, has no such nodes, or its input is not images.
            UntrustedModelError: It has such operations, and ``trust`` is false.
            ConfigError: ``input_mean`` and ``input_std`` are invalid or missing for this graph.
            MissingPackageError: TensorFlow is not installed.
        """
        graph_def = require_tensorflow("Running a TensorFlow model").compat.v1.GraphDef()
        images, answers = _tensor_name(input_layer), _tensor_name(output_layer)
        is_scaled = input_mean is not None or input_std is not None
        with loading(path, "a frozen TensorFlow graph"):
            graph_def.ParseFromString(read_whole(path, most_bytes=_MOST_BYTES))
            if not trust:
                require_pure_graph(graph_def, path)
            _require_nodes(path, graph_def, images, answers)
            if not is_scaled:
                _require_known_range(path, graph_def, images)
            self._open(path, graph_def, images=images, answers=answers, threads=threads)
        if is_scaled:
            self._images = _scaled(path, self._images, input_mean, input_std)


def _require_nodes(path: Path, graph_def: Any, *tensors: str) -> None:
    """Check that a graph has the nodes of these tensors."""
    names = [node.name for node in graph_def.node]
    missing = [repr(node) for one in tensors if (node := one.partition(":")[0]) not in names]
    if not names:
        raise BundleError(f"{path} is not a frozen TensorFlow graph: it has no nodes.")
    if missing:
        raise BundleError(
            f"{path} has no node {' and no node '.join(missing)}. Its inputs are "
            f"{[node.name for node in graph_def.node if node.op == 'Placeholder']}, its last "
            f"node is {names[-1]!r}. Give them with --input_layer and --output_layer."
            f"{_old_network(names)}"
        )


def _require_known_range(path: Path, graph_def: Any, images: str) -> None:
    """Check that the value range of the input is known.

    Raises:
        ConfigError: It is a node inside the graph, or the input of a network of an older retrain.py
            that does not take pixels from 0 to 1.
    """
    nodes = {node.name: node for node in graph_def.node}
    node = nodes[images.partition(":")[0]]
    is_placeholder = node.op in ("Placeholder", "PlaceholderWithDefault")
    hint = _old_network(nodes)
    if is_placeholder and not hint:
        return
    what = "the input" if is_placeholder else "a node within the graph"
    raise ConfigError(
        f"{node.name!r} is {what} of {path}, and its value range is unknown. Add --input_mean and "
        "--input_std; the node gets (pixel - mean) / std for pixels from 0 to 255. Mean 0 and std "
        f"255 give values from 0 to 1.{hint}"
    )


def _old_network(names: Collection[str]) -> str:
    """Return a hint for graphs of retrain.py from before TensorFlow Hub, "" for others."""
    if {"DecodeJpeg/contents", "Mul"} <= set(names):
        network, layer = "InceptionV3", "Mul"
    elif "input" in names and any(name.startswith("MobilenetV1/") for name in names):
        network, layer = "MobileNetV1", "input"
    else:
        return ""
    return (
        f" This looks like {network} from a retrain.py older than TensorFlow Hub, which needs "
        f"--input_layer {layer} --input_mean 128 --input_std 128."
    )


def _scaled(path: Path, images: ImageInput, mean: float | None, std: float | None) -> ImageInput:
    """Return the input with values (pixel - mean) / std for pixels from 0 to 255.

    Raises:
        ConfigError: ``mean`` or ``std`` is not a number that fits, or the input is uint8.
    """
    mean, std = 0 if mean is None else mean, 255 if std is None else std
    if images.dtype == np.uint8:
        raise ConfigError(
            f"{path} takes uint8 pixels from 0 to 255 unchanged. Leave --input_mean and "
            "--input_std out."
        )
    for name, value in (("mean", mean), ("std", std)):
        is_number = isinstance(value, int | float | np.number) and math.isfinite(value)
        if not is_number or (name == "std" and not value):
            raise ConfigError(
                f"--input_{name} is {value!r}; it must be a finite number"
                f"{' other than 0' if name == 'std' else ''}."
            )
    scale, offset = 255 / std, -mean / std
    if max(abs(scale), abs(offset), abs(scale + offset)) > float(np.finfo(images.dtype).max):
        raise ConfigError(
            f"--input_mean {mean} and --input_std {std} give values (pixel - mean) / std that are "
            f"too large for {images.dtype}."
        )
    return replace(images, scale=scale, offset=offset)


def _tensor_name(layer: str) -> str:
    if not isinstance(layer, str):
        raise ConfigError(f"The name of a layer is {layer!r}; it must be text.")
    return layer if ":" in layer else f"{layer}:0"


class _Function(ABC):
    """A model that is called as a TensorFlow function."""

    takes_trust = True

    def __init__(self, path: Path, *, threads: int | None = None, trust: bool = False) -> None:
        """Load the model ``path``.

        Args:
            path: The file; for a SavedModel its folder or a file in it.
            threads: Not used: all models of a process share TensorFlow's threads.
            trust: Load the model even if it can access files, the network or other programs.

        Raises:
            BundleError: It is not a model of this format.
            UntrustedModelError: It can do more than compute, and ``trust`` is false.
            MissingPackageError: TensorFlow is not installed.
        """
        self._function, self._images = self._load(path, trust=trust)
        self.input_size = self._images.size

    @abstractmethod
    def _load(self, path: Path, *, trust: bool) -> tuple[Callable[[np.ndarray], Any], ImageInput]:
        """Return the function from images to probabilities, and its input."""

    def run(self, images: np.ndarray) -> np.ndarray:
        """Run the model on a batch; see ``Runtime.run``."""
        return self._images.run(self._function, images)


class SavedModel(_Function):
    """The signature ``serving_array`` of a SavedModel, or ``serving_default`` if it has none."""

    file_name = "saved_model/saved_model.pb"
    format_name = "saved_model"

    def _load(self, path: Path, *, trust: bool) -> tuple[Callable[[np.ndarray], Any], ImageInput]:
        tf = require_tensorflow("Running a TensorFlow model")
        folder = path if path.is_dir() else path.parent
        with loading(folder, "a SavedModel with the signature serving_default") as readable:
            if not trust:
                require_pure_saved_model(readable)
            # The signature does not keep its model alive, which owns the variables.
            self._model = tf.saved_model.load(str(readable))
            self.signatures = self._model.signatures
            array = "serving_array" if "serving_array" in self.signatures else "serving_default"
            function = self.signatures[array]
            _, inputs = function.structured_input_signature
            name, spec = only(folder, "input", list(inputs.items()), _first)
            output, _ = only(folder, "output", list(function.structured_outputs.items()), _first)
            images = _image_input(folder, spec)
        return lambda values: function(**{name: tf.constant(values)})[output], images


def _first(named: tuple[str, Any]) -> str:
    return named[0]


class Keras(_Function):
    """A ``.keras`` file with standard layers."""

    file_name = "exports/model.keras"
    format_name = "keras"

    def _load(self, path: Path, *, trust: bool) -> tuple[Callable[[np.ndarray], Any], ImageInput]:
        tf = require_tensorflow("Running a TensorFlow model")
        with loading(path, "a model that Keras can load") as readable:
            if not trust:
                require_standard_layers(path)
            model = tf.keras.models.load_model(readable, compile=False, safe_mode=not trust)
            entrance = only(path, "input", model.inputs, attrgetter("name"))
            only(path, "output", model.outputs, attrgetter("name"))
            images = image_input(path, entrance.shape, entrance.dtype)
        # One graph: `predict` adds milliseconds to each call, and eager execution more.
        return tf.function(model, reduce_retracing=True), images
