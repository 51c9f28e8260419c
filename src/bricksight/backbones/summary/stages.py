"""Group layers into blocks, and equal consecutive blocks into stages."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bricksight.backbones.summary.layers import Layer, Node, Shape


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A run of equal blocks.

    Attributes:
        input_shape: Height, width and channels of the first block's input.
        operator: "conv2d", "bottleneck" (inverted residual), "fused_bottleneck", "separable"
            (depthwise, then 1x1), "residual" with the kernels of its longer branch, "avgpool",
            "maxpool" or "dense". In a network that concatenates branches, "convolutions" stands
            for all layers of one resolution. Kernels other than 3x3 are added to the name.
        expansion: t, the expansion factor of a bottleneck, else ``None``.
        num_channels: c, the number of output channels, ``None`` for a pooling.
        num_blocks: n, the number of blocks; for "convolutions", the number of layers.
        stride: s, the stride of the first block, ``None`` for the last pooling.
        num_parameters: Number of parameters of all blocks, including batch-norm statistics.
        num_multiply_adds: Multiply-adds of all blocks for one photo.
    """

    input_shape: Shape
    operator: str
    expansion: float | None
    num_channels: int | None
    num_blocks: int
    stride: int | None
    num_parameters: int
    num_multiply_adds: int


def stages_of(nodes: Sequence[Node], layers: Sequence[Layer]) -> list[Stage]:
    """Return the stages of a network, from the image to the features."""
    if any(node.operation == "ConcatV2" for node in nodes):
        return _by_resolution(nodes, layers)
    stages: list[Stage] = []
    for block in _blocks(nodes, layers):
        if stages and _repeats(stages[-1], block):
            stages[-1] = _merge(stages[-1], block)
        else:
            stages.append(block)
    return stages


def _repeats(stage: Stage, block: Stage) -> bool:
    same = (stage.operator, stage.expansion, stage.num_channels)
    return (
        same == (block.operator, block.expansion, block.num_channels)
        and block.stride == 1
        and block.input_shape[-1] == block.num_channels
    )


def _merge(stage: Stage, block: Stage) -> Stage:
    return replace(
        stage,
        num_blocks=stage.num_blocks + block.num_blocks,
        num_parameters=stage.num_parameters + block.num_parameters,
        num_multiply_adds=stage.num_multiply_adds + block.num_multiply_adds,
    )


def _blocks(nodes: Sequence[Node], layers: Sequence[Layer]) -> Iterator[Stage]:
    residuals = _residual_branches(nodes, layers)
    remaining = list(layers)
    while remaining:
        operator, block, main = _inverted(remaining) or _fused(remaining) or ("", [], [])
        if not block:
            operator, block, main = _residual(remaining, residuals)
        if not block:
            operator, block, main = _single(remaining[0])
        used = set(map(id, block))
        remaining = [layer for layer in remaining if id(layer) not in used]
        yield _block(operator, block, main)


_Found = tuple[str, list[Layer], list[Layer]]
"""Operator, all layers of a block, and the layers of its main branch."""


def _block(operator: str, block: list[Layer], main: list[Layer]) -> Stage:
    first, last = main[0].node, main[-1].node
    bottleneck = operator.split()[0] in ("bottleneck", "fused_bottleneck")
    wide = max(layer.node.num_channels for layer in main[:-1]) if bottleneck else 0
    expansion = wide / first.input_shape[-1] if bottleneck else None
    is_pooling, is_last_pooling = last.is_pooling, last.operation == "Mean"
    return Stage(
        input_shape=first.input_shape,
        operator=operator,
        expansion=expansion,
        num_channels=None if is_pooling else last.num_channels,
        num_blocks=1,
        stride=None if is_last_pooling else math.prod(layer.node.stride for layer in main),
        num_parameters=sum(layer.num_parameters for layer in block),
        num_multiply_adds=sum(layer.node.num_multiply_adds for layer in block),
    )


def _inverted(layers: list[Layer]) -> _Found | None:
    """Return the block with a depthwise convolution that ``layers`` begin with, if any."""
    expands = len(layers) > 1 and _is_pointwise(layers[0]) and layers[1].node.is_depthwise
    depthwise, *rest = layers[1:] if expands else layers
    if not depthwise.node.is_depthwise:
        return None
    gates = _leading_gates(rest)
    if len(rest) == len(gates) or not _is_pointwise(rest[len(gates)]):
        return None
    project = rest[len(gates)]
    main = [*layers[: 1 if expands else 0], depthwise, project]
    if project.has_activation and expands:
        return None
    kind = "separable" if project.has_activation else "bottleneck"
    return f"{kind}{_kernel_text(depthwise)}", [*main, *gates], main


def _leading_gates(layers: list[Layer]) -> list[Layer]:
    """Return the squeeze-excite layers that ``layers`` begin with: pooling and gates."""
    gates: list[Layer] = []
    for layer, following in itertools.pairwise(layers):
        if not (layer.is_gate or (layer.node.is_pooling and following.is_gate)):
            break
        gates.append(layer)
    return gates


def _fused(layers: list[Layer]) -> _Found | None:
    """Return the fused bottleneck that ``layers`` begin with, if any.

    It expands and filters in one convolution, and projects in a second one.
    """
    main = layers[:2]
    if len(main) < 2 or not _is_convolution(main[0]) or not _is_pointwise(main[1]):
        return None
    wide = main[0].node.num_channels
    fused = (
        not _is_pointwise(main[0])
        and main[0].has_activation
        and not main[1].has_activation
        and wide > main[0].node.input_shape[-1]
        and wide > main[1].node.num_channels
    )
    return (f"fused_bottleneck{_kernel_text(main[0])}", main, main) if fused else None


def _residual(layers: list[Layer], residuals: list[tuple[list[Layer], list[Layer]]]) -> _Found:
    """Return the residual block of the first layer, empty if it is in none."""
    for main, shortcut in residuals:
        if layers[0] in main or layers[0] in shortcut:
            kernels = "+".join(_kernel(layer) for layer in main)
            return f"residual {kernels}", [*main, *shortcut], main
    return "", [], []


def _residual_branches(
    nodes: Sequence[Node], layers: Sequence[Layer]
) -> list[tuple[list[Layer], list[Layer]]]:
    """Return the layers of the main (longer) branch and of the shortcut of every sum."""
    by_node = {layer.node: layer for layer in layers}
    found = []
    for node in nodes:
        if node.is_sum and len(node.inputs) == 2:
            left, right = (_chain(one) for one in node.inputs)
            branches = [
                _layers_before_join(left, right, by_node),
                _layers_before_join(right, left, by_node),
            ]
            shortcut, main = sorted(branches, key=len)
            if main and _is_convolution(main[-1]):
                found.append((main, shortcut))
    return found


def _chain(node: Node) -> list[Node]:
    """Return ``node`` and its predecessors, back to the previous sum or the image.

    An activation or a gate may multiply a value with a function of it. Then the value itself is
    followed, which has the lower index.
    """
    chain = [node]
    while chain[-1].inputs and not chain[-1].is_sum:
        chain.append(min(chain[-1].inputs, key=lambda one: one.index))
    return chain


def _layers_before_join(
    chain: list[Node], other: list[Node], layers: dict[Node, Layer]
) -> list[Layer]:
    """Return the layers of ``chain`` after the node where ``other`` branches off."""
    shared = set(other)
    own = [node for node in chain if node not in shared]
    return [layers[node] for node in reversed(own) if node in layers]


def _single(layer: Layer) -> _Found:
    node = layer.node
    if node.is_pooling:
        kind = "maxpool" if node.operation == "MaxPool" else "avgpool"
        return f"{kind} {node.window[0]}x{node.window[1]}", [layer], [layer]
    if not _is_convolution(layer):
        return "dense", [layer], [layer]
    kind = "depthwise" if node.is_depthwise else "conv2d"
    return f"{kind}{_kernel_text(layer)}", [layer], [layer]


def _by_resolution(nodes: Sequence[Node], layers: Sequence[Layer]) -> list[Stage]:
    """Return a stage for each resolution of the feature maps, and the last pooling."""
    *rest, last = layers
    groups: dict[Shape, list[Layer]] = {}
    resolution: Shape = ()
    for layer in rest:
        if len(layer.node.output_shape) == 3 and not layer.is_gate:
            resolution = layer.node.output_shape[:2]
        groups.setdefault(resolution, []).append(layer)
    widths: dict[Shape, int] = {}
    for node in nodes:
        if len(node.output_shape) == 3:
            shape = node.output_shape[:2]
            widths[shape] = max(node.num_channels, widths.get(shape, 0))
    stages = []
    rows = layers[0].node.input_shape[0]
    for resolution, group in groups.items():
        block = _block("convolutions", group, group)
        num_layers = sum(layer.node.has_weights for layer in group)
        stride = round(rows / resolution[0])
        stages.append(
            replace(block, num_channels=widths[resolution], num_blocks=num_layers, stride=stride)
        )
        rows = resolution[0]
    return [*stages, _block(*_single(last))]


def _is_convolution(layer: Layer) -> bool:
    return len(layer.node.kernel) == 4


def _is_pointwise(layer: Layer) -> bool:
    is_1x1 = layer.node.kernel[:2] == (1, 1) and not layer.node.is_depthwise
    return is_1x1 and _is_convolution(layer) and not layer.is_gate


def _kernel(layer: Layer) -> str:
    return "x".join(map(str, layer.node.kernel[:2]))


def _kernel_text(layer: Layer) -> str:
    """Return the kernel size for an operator's name, empty for 3x3."""
    kernel = _kernel(layer)
    return "" if kernel == "3x3" else f" {kernel}"
