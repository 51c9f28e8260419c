"""Read the layers of a frozen graph: their weights, multiply-adds and connections."""

import math
from dataclasses import dataclass, field
from typing import Any

from bricksight._support.optional import require_tensorflow
from bricksight.backbones.freeze import FrozenBackbone

_CONVOLUTIONS = frozenset({"Conv2D", "DepthwiseConv2dNative"})
_WEIGHTED = _CONVOLUTIONS | {"MatMul"}
_POOLS = frozenset({"MaxPool", "AvgPool", "Mean"})
_PADDINGS = frozenset({"Pad", "PadV2", "MirrorPad"})
_SUMS = frozenset({"Add", "AddV2", "AddN"})
# A layer that none of these follows is linear.
_ACTIVATIONS = frozenset(
    {"Relu", "Relu6", "Elu", "Selu", "LeakyRelu", "Sigmoid", "Tanh", "Softplus"}
)

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Node:
    """An operation that depends on the image.

    Attributes:
        index: Index in topological order: every node comes after its inputs.
        operation: TensorFlow's name of the operation.
        inputs: Input nodes, without constants.
        input_shape: Shape of the first input, without the batch dimension.
        output_shape: Shape of the output, without the batch dimension.
        kernel: Shape of the weights of a convolution or matrix product, else empty.
        stride: Stride of a convolution or pooling, else 1.
        window: Height and width of a pooling window, else empty.
        parameter_sizes: Name → number of elements of the constants that it uses.
    """

    index: int
    operation: str
    inputs: tuple["Node", ...]
    input_shape: Shape
    output_shape: Shape
    kernel: Shape = ()
    stride: int = 1
    window: Shape = ()
    parameter_sizes: dict[str, int] = field(default_factory=dict)

    @property
    def has_weights(self) -> bool:
        """Whether it is a convolution or a matrix product."""
        return bool(self.kernel)

    @property
    def is_depthwise(self) -> bool:
        """Whether it is a depthwise convolution."""
        return self.operation == "DepthwiseConv2dNative"

    @property
    def is_pooling(self) -> bool:
        """Whether it is a mean or maximum over rows and columns."""
        return bool(self.window)

    @property
    def is_sum(self) -> bool:
        """Whether it adds two branches, as a residual connection does."""
        return self.operation in _SUMS and len(self.inputs) > 1

    @property
    def is_activation(self) -> bool:
        """Whether it is an activation function."""
        return self.operation in _ACTIVATIONS

    @property
    def num_channels(self) -> int:
        """Number of output channels."""
        return self.output_shape[-1]

    @property
    def num_multiply_adds(self) -> int:
        """Number of kernel elements times the number of output positions."""
        return math.prod(self.kernel) * math.prod(self.output_shape[:-1]) if self.kernel else 0


@dataclass(eq=False)
class Layer:
    """A convolution, matrix product or pooling, with the operations up to the next one.

    Attributes:
        node: The convolution, matrix product or pooling.
        num_parameters: Number of weights, including bias and batch normalisation with its
            statistics.
        has_activation: Whether an activation follows.
        is_gate: Whether it computes weights for channels from their mean (squeeze-excite).
    """

    node: Node
    num_parameters: int = 0
    has_activation: bool = False
    is_gate: bool = False


def read_nodes(frozen: FrozenBackbone) -> list[Node]:
    """Return the operations that depend on the image, in topological order.

    Constants that are used before the first layer scale the image. They are not counted as
    parameters of a layer.
    """
    tf = require_tensorflow()
    graph = tf.Graph()
    with graph.as_default():
        images = tf.compat.v1.placeholder(tf.float32, (1, frozen.height, frozen.width, 3))
        graph_def = tf.compat.v1.GraphDef.FromString(frozen.graph_def_bytes)
        tf.graph_util.import_graph_def(
            graph_def, input_map={frozen.input_name: images}, name="backbone"
        )
    nodes: dict[str, Node] = {}
    constants: dict[str, dict[str, int]] = {}
    for operation in _topological_order(graph):
        _add_operation(operation, images.op.name, nodes, constants)
    return list(nodes.values())


def _topological_order(graph: Any) -> list[Any]:
    """Return all operations sorted by their distance from the inputs."""
    depths: dict[str, int] = {}
    operations = graph.get_operations()
    pending = list(operations)
    while pending:
        operation = pending[-1]
        inputs = [tensor.op for tensor in operation.inputs]
        missing = [one for one in inputs if one.name not in depths]
        if missing:
            pending.extend(missing)
            continue
        depths[operation.name] = 1 + max((depths[one.name] for one in inputs), default=0)
        pending.pop()
    return sorted(operations, key=lambda operation: depths[operation.name])


def _add_operation(
    operation: Any, image: str, nodes: dict[str, Node], constants: dict[str, dict[str, int]]
) -> None:
    """Add an operation to ``nodes``, or to ``constants`` if it does not depend on the image."""
    sources = [tensor.op.name for tensor in operation.inputs]
    sizes: dict[str, int] = {}
    for name in sources:
        sizes |= constants.get(name, {})
    inputs = [(nodes[t.op.name], t) for t in operation.inputs if t.op.name in nodes]
    if not inputs and operation.name != image:
        constants[operation.name] = sizes or _constant_size(operation)
        return
    weighted = operation.type in _WEIGHTED and sources[1] in constants
    kernel = _shape(operation.inputs[1]) if weighted else ()
    before = _unpadded_shape(*inputs[0]) if inputs else ()
    after = _shape(operation.outputs[0])[1:] if operation.outputs else ()
    window = _window(operation, before, after)
    nodes[operation.name] = Node(
        index=len(nodes),
        operation=operation.type,
        inputs=tuple(dict.fromkeys(node for node, _ in inputs)),
        input_shape=before,
        output_shape=after,
        kernel=kernel,
        stride=_stride(operation) if operation.type in _CONVOLUTIONS or window else 1,
        window=window,
        parameter_sizes=sizes,
    )


def _constant_size(operation: Any) -> dict[str, int]:
    """Return name → number of elements; empty for scalars and integers, which are not weights."""
    if operation.type != "Const" or not operation.outputs[0].dtype.is_floating:
        return {}
    shape = operation.outputs[0].shape
    return {operation.name: int(shape.num_elements())} if shape.rank else {}


def _shape(tensor: Any) -> Shape:
    return tuple(size or 0 for size in tensor.shape.as_list()) if tensor.shape.rank else ()


def _unpadded_shape(node: Node, tensor: Any) -> Shape:
    """Return the output shape of a node, or of the input of a padding."""
    return node.input_shape if node.operation in _PADDINGS else _shape(tensor)[1:]


def _window(operation: Any, before: Shape, after: Shape) -> Shape:
    if operation.type == "Mean":
        # Only a mean over all rows and columns is a pooling; others are parts of a normalisation.
        channels = before[-1:]
        pooled = len(before) == 3 and after in (channels, (1, 1, *channels))
        return before[:2] if pooled else ()
    return tuple(operation.get_attr("ksize")[1:3]) if operation.type in _POOLS else ()


def _stride(operation: Any) -> int:
    return 1 if operation.type == "Mean" else int(operation.get_attr("strides")[1])


def read_layers(nodes: list[Node]) -> list[Layer]:
    """Return a layer for each node with weights and each pooling, in the order of ``nodes``."""
    layers: list[Layer] = []
    layer_of: dict[Node, Layer] = {}
    counted: set[str] = set()
    for node in nodes:
        previous = [layer_of[one] for one in node.inputs if one in layer_of]
        if node.has_weights or node.is_pooling:
            layer = layer_of[node] = Layer(node)
            layers.append(layer)
            layer.is_gate = bool(node.kernel) and _depends_on_mean(previous)
        elif previous:
            # An operation that joins branches belongs to the latest layer that is not a gate.
            layer = max(previous, key=lambda one: (not one.is_gate, one.node.index))
            layer_of[node] = layer
            layer.has_activation |= node.is_activation and len(previous) == 1
        else:
            continue
        # A constant may be used twice, such as the variance of a batch normalisation.
        new = node.parameter_sizes.keys() - counted
        layer.num_parameters += sum(node.parameter_sizes[name] for name in new)
        counted |= new
    return layers


def _depends_on_mean(previous: list[Layer]) -> bool:
    return any(layer.is_gate or layer.node.operation == "Mean" for layer in previous)
