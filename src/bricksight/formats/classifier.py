"""The classifier (backbone and head) as one TensorFlow graph, from which formats are written."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from bricksight._support.optional import require_tensorflow
from bricksight._support.untrusted.graphs import require_pure_graph
from bricksight.backbones import FrozenBackbone
from bricksight.backbones.freeze import without_defaults
from bricksight.bundle import Bundle, Head, as_bundle
from bricksight.config import AnyPath, require_tensor_name
from bricksight.errors import BundleError

INPUT_LAYER = "Placeholder"
"""Name of the input node, as in retrain.py."""


@dataclass(frozen=True, kw_only=True)
class Classifier:
    """A network from images to probabilities.

    Attributes:
        graph_def_bytes: A serialized ``GraphDef`` without variables: what output_graph.pb holds.
        input_layer: Node that takes float32 (num_images, height, width, 3), RGB, in [0, 1].
        output_layer: Node that gives float32 (num_images, num_classes), the softmax.
    """

    graph_def_bytes: bytes
    input_layer: str
    output_layer: str

    def concrete_function(self) -> Any:
        """Return the graph as a TensorFlow ``ConcreteFunction`` from images to probabilities."""
        tf = require_tensorflow()
        graph_def = tf.compat.v1.GraphDef.FromString(self.graph_def_bytes)

        def load() -> None:
            tf.graph_util.import_graph_def(graph_def, name="")

        wrapped = tf.compat.v1.wrap_function(load, [])
        tensors = wrapped.graph.get_tensor_by_name
        return wrapped.prune(tensors(f"{self.input_layer}:0"), tensors(f"{self.output_layer}:0"))


def load_classifier(bundle: Bundle | AnyPath, *, trust: bool = False) -> Classifier:
    """Load the classifier of a bundle from its frozen graph.

    Args:
        bundle: A bundle or its path.
        trust: Allow operations that access files, the network or other programs.

    Raises:
        BundleError: The frozen graph is missing, has a wrong checksum, or lacks input or output.
        UntrustedModelError: The graph has such operations, and ``trust`` is not set.
    """
    bundle = as_bundle(bundle)
    path = bundle.file("output_graph.pb")
    content, output_layer = path.read_bytes(), bundle.manifest.output_layer
    try:
        graph_def = require_tensorflow().compat.v1.GraphDef.FromString(content)
    except Exception as error:
        if type(error).__name__ != "DecodeError":
            raise
        raise BundleError(f"{path} is not a frozen TensorFlow graph: {error}") from error
    if not trust:
        require_pure_graph(graph_def, path)
    missing = {INPUT_LAYER, output_layer} - {node.name for node in graph_def.node}
    if missing:
        raise BundleError(
            f"{path} has no node {' and no node '.join(sorted(missing))}. Copy the bundle again, "
            "or train it again."
        )
    return Classifier(graph_def_bytes=content, input_layer=INPUT_LAYER, output_layer=output_layer)


def build_classifier(
    frozen: FrozenBackbone, head: Head, *, final_tensor_name: str = "final_result"
) -> Classifier:
    """Build the classifier from a backbone and a head.

    Nodes have the names of retrain.py, because scripts look for them: features enter the head
    through ``input/BottleneckInputPlaceholder``, and the head's nodes are in ``final_retrain_ops``.

    Raises:
        ConfigError: ``final_tensor_name`` is not a valid node name, or is used already.
    """
    require_tensor_name(final_tensor_name)
    tf = require_tensorflow()
    with tf.Graph().as_default() as graph:
        shape = (None, frozen.height, frozen.width, 3)
        images = tf.compat.v1.placeholder(tf.float32, shape, name=INPUT_LAYER)
        (features,) = tf.graph_util.import_graph_def(
            tf.compat.v1.GraphDef.FromString(frozen.graph_def_bytes),
            input_map={frozen.input_name: images},
            return_elements=[frozen.output_name],
            name="module_apply_default",
        )
        with tf.name_scope("input"):
            entrance = tf.compat.v1.placeholder_with_default(
                features, (None, frozen.num_features), name="BottleneckInputPlaceholder"
            )
        logits = _head_layer(entrance, head)
        if head.background is None:
            tf.nn.softmax(logits, name=final_tensor_name)
        else:
            _deal(tf.nn.softmax(logits), len(head.bias), name=final_tensor_name)
    # The network's own placeholder feeds nothing any more.
    needed = tf.compat.v1.graph_util.extract_sub_graph(graph.as_graph_def(), [final_tensor_name])
    graph_def = without_defaults(needed)
    return Classifier(
        graph_def_bytes=graph_def.SerializeToString(deterministic=True),
        input_layer=INPUT_LAYER,
        output_layer=final_tensor_name,
    )


def _deal(shares: Any, num_classes: int, *, name: str) -> Any:
    """Return the classes' probabilities, with the background's spread evenly over them."""
    num_background = shares.shape[-1] - num_classes
    spread = np.full((num_background, num_classes), 1 / num_classes, np.float32)
    matrix = np.concatenate([np.eye(num_classes, dtype=np.float32), spread])
    return require_tensorflow().matmul(shares, matrix, name=name)


def _head_layer(features: Any, head: Head) -> Any:
    """Return the logits of the classes, followed by those of the background."""
    tf, head = require_tensorflow(), head.flat
    with tf.name_scope("final_retrain_ops"):
        with tf.name_scope("weights"):
            kernel = tf.constant(head.kernel, name="final_weights")
        with tf.name_scope("biases"):
            bias = tf.constant(head.bias, name="final_biases")
        with tf.name_scope("Wx_plus_b"):
            return tf.add(tf.matmul(features, kernel), bias, name="add")
