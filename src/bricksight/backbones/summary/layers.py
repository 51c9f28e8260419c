"""The layers of a frozen graph: what has weights, what they cost, how they hang together."""

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
# After a layer without one of these, the network is linear there.
_ACTIVATIONS = frozenset(
    {"Relu", "Relu6", "Elu", "Selu", "LeakyRelu", "Sigmoid", "Tanh", "Softplus"}
)

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Node:
    """One operation that depends on the image.

    Attributes:
        index: Its place in an order in which every node comes after its inputs.
        operation: TensorFlow's name for what it does.
        inputs: The nodes that it takes, without constants.
        input_shape: Of the first of them, without the batch.
        output_shape: Without the batch.
        kernel: Shape of the weights of a convolution or matrix product, else empty.
        stride: Of a convolution or pooling, else 1.
        window: Rows and columns that a pooling looks at, else empty.
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
        """Whether it filters each channel alone."""
        return self.operation == "DepthwiseConv2dNative"

    @property
    def is_pooling(self) -> bool:
        """Whether it takes the mean or the maximum over rows and columns."""
        return bool(self.window)

    @property
    def is_sum(self) -> bool:
        """Whether it adds two branches, as a residual connection does."""
        return self.operation in _SUMS and len(self.inputs) > 1

    @property
    def is_activation(self) -> bool:
        """Whether it is not linear."""
        return self.operation in _ACTIVATIONS

    @property
    def num_channels(self) -> int:
        """Channels of the output."""
        return self.output_shape[-1]

    @property
    def num_multiply_adds(self) -> int:
        """Kernel elements times the positions that they are applied at."""
        return math.prod(self.kernel) * math.prod(self.output_shape[:-1]) if self.kernel else 0


@dataclass(eq=False)
class Layer:
    """A convolution, matrix product or pooling with everything up to the next one.

    Attributes:
        node: The operation itself.
        num_parameters: Its weights with bias and batch normalisation, whose mean and variance
            count too.
        has_activation: Whether an activation follows.
        is_gate: Whether it computes weights for channels from their mean (squeeze-excite).
    """

    node: Node
    num_parameters: int = 0
    has_activation: bool = False
    is_gate: bool = False


def read_nodes(frozen: FrozenBackbone) -> list[Node]:
    """Return the operations that depend on the image, inputs before their users.

    Constants that are only used before the first layer belong to the scaling of the image and
    count as nobody's parameters.
    """
    tf = require_tensorflow()
    graph = tf.Graph()
    with graph.as_default():
        images = tf.compat.v1.placeholder(tf.float32, (1, frozen.height, frozen.width, 3))
        graph_def = tf.compat.v1.GraphDef.FromString(frozen.graph_def_bytes)
        tf.graph_util.import_graph_def(
            graph_def, input_map={frozen.input_name: images}, name="module"
        )
    nodes: dict[str, Node] = {}
    constants: dict[str, dict[str, int]] = {}
    for operation in _in_order(graph):
        _add_operation(operation, images.op.name, nodes, constants)
    return list(nodes.values())


def _in_order(graph: Any) -> list[Any]:
    """Return operations after their inputs, and the steps of one branch side by side."""
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
    """Files ``operation`` under the nodes, or under the constants with the sizes it is made of."""
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
    """Return the number of elements by name, empty for what is no weight: numbers and shapes."""
    if operation.type != "Const" or not operation.outputs[0].dtype.is_floating:
        return {}
    shape = operation.outputs[0].shape
    return {operation.name: int(shape.num_elements())} if shape.rank else {}


def _shape(tensor: Any) -> Shape:
    return tuple(size or 0 for size in tensor.shape.as_list()) if tensor.shape.rank else ()


def _unpadded_shape(node: Node, tensor: Any) -> Shape:
    """Return the shape of a node's output, for a padding that of what is padded."""
    return node.input_shape if node.operation in _PADDINGS else _shape(tensor)[1:]


def _window(operation: Any, before: Shape, after: Shape) -> Shape:
    if operation.type == "Mean":
        # The mean over rows and columns, not one of the steps of a normalisation.
        channels = before[-1:]
        pooled = len(before) == 3 and after in (channels, (1, 1, *channels))
        return before[:2] if pooled else ()
    return tuple(operation.get_attr("ksize")[1:3]) if operation.type in _POOLS else ()


def _stride(operation: Any) -> int:
    return 1 if operation.type == "Mean" else int(operation.get_attr("strides")[1])


def read_layers(nodes: list[Node]) -> list[Layer]:
    """Return a layer for every node with weights and every pooling, in the order of ``nodes``."""
    layers: list[Layer] = []
    owners: dict[Node, Layer] = {}
    pluralize: set[str] = set()
    for node in nodes:
        behind = [owners[one] for one in node.inputs if one in owners]
        if node.has_weights or node.is_pooling:
            layer = owners[node] = Layer(node)
            layers.append(layer)
            layer.is_gate = bool(node.kernel) and _looks_at_a_mean(behind)
        elif behind:
            # Of two branches the later one owns what follows, but a gate only what it lets through.
            layer = max(behind, key=lambda one: (not one.is_gate, one.node.index))
            owners[node] = layer
            layer.has_activation |= node.is_activation and len(behind) == 1
        else:
            continue
        # One constant may be used twice, as the variance of a batch normalisation is.
        new = node.parameter_sizes.keys() - pluralize
        layer.num_parameters += sum(node.parameter_sizes[name] for name in new)
        pluralize |= new
    return layers


def _looks_at_a_mean(behind: list[Layer]) -> bool:
    return any(layer.is_gate or layer.node.operation == "Mean" for layer in behind)
