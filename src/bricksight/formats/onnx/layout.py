"""Transposes that tf2onnx leaves around what it knows no layout of, moved out of the way.

tf2onnx reads a LiteRT file, whose images have their channels last, and moves the transposes of
another layout through what it knows. A ``Gather``, by which images are mirrored, it does not know.
"""

from collections.abc import Callable, Sequence
from typing import Any

from bricksight._support.optional import require


def without_layout_changes(graph: Any) -> None:
    """Change a ``GraphProto`` so that no image changes its layout around a ``Gather``."""
    while _move_one(graph) or _merge_one(graph):
        _remove_unused(graph)


def moves_channels(node: Any) -> bool:
    """Tell whether a ``NodeProto`` turns images from one layout into another.

    Rows and columns may change places: that is how images are turned.
    """
    return node.op_type == "Transpose" and sorted(_order(node)[2:]) != [2, 3]


def _move_one(graph: Any) -> bool:
    """Put one transpose after the ``Gather`` that follows it; tells whether there was one."""
    lists = {weights.name for weights in graph.initializer if len(weights.dims) == 1}
    found = _pair(
        graph,
        # By a list the rank stays; the axis is left out where it is 0.
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
    """Make one transpose of two that follow each other; tells whether there were any."""
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
    """Return a transpose, and where a wanted node is that follows it; ``None`` without any."""
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
