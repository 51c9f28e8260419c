"""Remove layout transposes that tf2onnx leaves around ``Gather`` operators.

tf2onnx converts a channels-last LiteRT file to channels first and moves the transposes through
operators that it supports. It does not support ``Gather``, by which images are mirrored.
"""

from collections.abc import Callable, Sequence
from typing import Any

from bricksight._support.optional import require


def without_layout_changes(graph: Any) -> None:
    """Move transposes of a ``GraphProto`` past ``Gather`` and merge them until none is left."""
    while _move_one(graph) or _merge_one(graph):
        _remove_unused(graph)


def moves_channels(node: Any) -> bool:
    """Return whether a ``NodeProto`` is a transpose that moves the channels.

    A transpose of rows and columns only does not count: it is part of an image rotation.
    """
    return node.op_type == "Transpose" and sorted(_order(node)[2:]) != [2, 3]


def _move_one(graph: Any) -> bool:
    """Move one transpose behind the ``Gather`` that follows it; returns whether there was one."""
    lists = {weights.name for weights in graph.initializer if len(weights.dims) == 1}
    found = _pair(
        graph,
        # With a list of indices, Gather keeps the rank. Axis 0 has no attribute.
        lambda node: node.op_type == "Gather" and node.input[1] in lists and node.attribute,
    )
    if found is None:
        return False
    transpose, index = found
    gather = graph.node[index]
    order, (axis,) = _order(transpose), gather.attribute
    between, output = f"{gather.output[0]}_before", gather.output[0]
    gather.input[0], gather.output[0], axis.i = transpose.input[0], between, order[axis.i]
    graph.node.insert(index + 1, _transpose(between, output, order))
    return True


def _merge_one(graph: Any) -> bool:
    """Merge two consecutive transposes; returns whether there were any."""
    found = _pair(graph, lambda node: node.op_type == "Transpose")
    if found is None:
        return False
    first, index = found
    second = graph.node[index]
    before, after = _order(first), _order(second)
    order, output = [before[axis] for axis in after], second.output[0]
    del graph.node[index]
    if order != sorted(order):
        graph.node.insert(index, _transpose(first.input[0], output, order))
        return True
    for node in graph.node:
        node.input[:] = [first.input[0] if name == output else name for name in node.input]
    return True


def _pair(graph: Any, is_wanted: Callable[[Any], Any]) -> tuple[Any, int] | None:
    """Return a transpose and the index of a matching node after it; ``None`` if there is none."""
    made_by = {node.output[0]: node for node in graph.node if node.op_type == "Transpose"}
    for index, node in enumerate(graph.node):
        if is_wanted(node) and node.input[0] in made_by:
            return made_by[node.input[0]], index
    return None


def _remove_unused(graph: Any) -> None:
    used = {name for node in graph.node for name in node.input}
    used.update(output.name for output in graph.output)
    kept = [node for node in graph.node if used.intersection(node.output)]
    del graph.node[:]
    graph.node.extend(kept)


def _transpose(source: str, output: str, order: Sequence[int]) -> Any:
    onnx = require("onnx", extra="onnx", feature="Writing an .onnx file")
    return onnx.helper.make_node("Transpose", [source], [output], perm=list(order))


def _order(transpose: Any) -> list[int]:
    return list(transpose.attribute[0].ints)
