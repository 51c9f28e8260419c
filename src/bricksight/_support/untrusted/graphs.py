"""Check that a TensorFlow graph has no access to files, the network or other programs.

Operations are accepted by their definition in TensorFlow: stateless, inputs and outputs are
numbers, and no attribute is text that could name something outside the graph. ``_ALLOWED`` lists
further operations that a classifier needs; they all work in memory.
"""

import functools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bricksight._support.optional import require, require_tensorflow
from bricksight._support.text import some
from bricksight.errors import UntrustedModelError

_NAMES = (
    # Photos and other values out of bytes that are handed over.
    "DecodeAndCropJpeg DecodeBase64 DecodeBmp DecodeGif DecodeImage DecodeJpeg DecodePaddedRaw "
    "DecodePng DecodeRaw DecodeWebP ExtractJpegShape ParseExample ParseExampleV2 "
    "ParseSingleExample "
    # Text in memory.
    "AsString ReduceJoin RegexFullMatch ShardedFilename StaticRegexFullMatch StringFormat "
    "StringJoin StringLength StringSplit StringSplitV2 StringToNumber Substr "
    # Numbers, with an attribute of free text that names an axis, a formula or a filter.
    "DataFormatDimMap DataFormatVecPermute Einsum ExtractGlimpse ExtractGlimpseV2 "
    "GatherNd ImageProjectiveTransformV2 ImageProjectiveTransformV3 PreventGradient "
    "ScaleAndTranslate ScatterNd ScatterNdAdd ScatterNdMax ScatterNdMin ScatterNdSub "
    "ScatterNdUpdate TensorScatterAdd TensorScatterMax TensorScatterMin TensorScatterSub "
    "TensorScatterUpdate "
    # Functions of the same graph, and loops.
    "Case Enter If PartitionedCall RefEnter StatefulPartitionedCall StatelessCase "
    "StatelessIf StatelessWhile While "
    # What optimisers make of the above.
    "_FusedBatchNormEx _FusedConv2D _FusedDepthwiseConv2dNative _FusedMatMul "
    # Lists of tensors.
    "EmptyTensorList TensorArrayCloseV3 TensorArrayConcatV3 TensorArrayGatherV3 "
    "TensorArrayReadV3 TensorArrayScatterV3 TensorArraySizeV3 TensorArraySplitV3 "
    "TensorArrayV3 TensorArrayWriteV3 TensorListConcatV2 TensorListElementShape "
    "TensorListFromTensor TensorListGather TensorListGetItem TensorListLength "
    "TensorListPopBack TensorListPushBack TensorListReserve TensorListResize "
    "TensorListScatterIntoExistingList TensorListScatterV2 TensorListSetItem "
    "TensorListSplit TensorListStack "
    # Variables, and tables that are filled from tensors.
    "AssignAddVariableOp AssignSubVariableOp AssignVariableOp DisableCopyOnRead "
    "GuaranteeConst HashTable HashTableV2 InitializeTable InitializeTableV2 "
    "LookupTableExportV2 LookupTableFind LookupTableFindV2 LookupTableImportV2 "
    "LookupTableSize LookupTableSizeV2 MutableHashTableV2 ReadVariableOp ResourceGather "
    "ResourceGatherNd VarHandleOp VarIsInitializedOp Variable VariableShape VariableV2 "
    # Chance.
    "Multinomial RandomShuffle RandomStandardNormal RandomUniform RandomUniformInt "
    "RngReadAndSkip SampleDistortedBoundingBox SampleDistortedBoundingBoxV2 "
    "StatelessRandomGetAlg TruncatedNormal "
    # Checks.
    "Assert CheckNumerics CheckNumericsV2 Empty "
)
_ALLOWED = frozenset(_NAMES.split())
_RESTORING, _WRITING = frozenset({"RestoreV2"}), frozenset({"SaveV2", "MergeV2Checkpoints"})
_CHECKPOINTS = _RESTORING | _WRITING
"""Operations by which a SavedModel reads and writes its variables; bricksight only reads."""


def require_pure_graph(graph_def: Any, path: Path) -> None:
    """Raise an error if a graph has an operation that may access anything outside the graph.

    Args:
        graph_def: A ``GraphDef``; the functions in its library are checked too.
        path: Path of the graph, for the message.

    Raises:
        UntrustedModelError: There is such an operation.
    """
    functions = {one.signature.name for one in graph_def.library.function}
    bodies = (one.node_def for one in graph_def.library.function)
    _refuse(_impure(graph_def.node, functions), path)
    _refuse((name for body in bodies for name in _impure(body, functions)), path)


def require_pure_saved_model(folder: Path) -> None:
    """Raise an error if a SavedModel has an operation that may access anything outside of it.

    Operations that read and write its own variables are accepted if only its saver calls them.

    Raises:
        OSError: TensorFlow cannot read ``saved_model.pb``.
        UntrustedModelError: There is such an operation.
    """
    require_tensorflow("Running a TensorFlow model")
    # The parser of ``tf.saved_model.load``, so that the same content is checked and loaded.
    loader_impl = _require_part("tensorflow.python.saved_model.loader_impl")
    for meta_graph in loader_impl.parse_saved_model(str(folder)).meta_graphs:
        _refuse(_impure_in_meta_graph(meta_graph), folder)


def _refuse(names: Iterable[str], path: Path) -> None:
    found = sorted(set(names))
    if found:
        raise UntrustedModelError(
            f"{path} has operations that may access files, the network or other programs on this "
            f"machine: {some(found)}. It was not run. If you trust its author as you would trust "
            "the author of a program, add --trust (in Python trust=True)."
        )


def _impure_in_meta_graph(meta_graph: Any) -> Iterator[str]:
    graph, library = meta_graph.graph_def, meta_graph.graph_def.library
    bodies = {one.signature.name: one for one in library.function}
    # Function → the operations in it that read or write variables.
    keeping = {
        name: found
        for name, one in bodies.items()
        if (found := {node.op for node in one.node_def} & _CHECKPOINTS)
    }
    for name, one in bodies.items():
        allowed = _CHECKPOINTS if name in keeping else frozenset[str]()
        yield from _impure(one.node_def, bodies, allowed)
        yield from _foreign_restores(one.node_def, {arg.name for arg in one.signature.input_arg})
        # Only the saver of the meta graph may call functions that read or write files.
        yield from _called(_names_in(one.node_def), keeping)
    yield from _called(meta_graph.object_graph_def.concrete_functions, keeping)
    yield from _called((one.function_name for one in library.gradient), keeping)
    yield from _called((one.gradient_func for one in library.gradient), keeping)
    saver = meta_graph.saver_def
    yield from _impure(graph.node, bodies, _CHECKPOINTS)
    yield from _foreign_restores(graph.node, {_node(saver.filename_tensor_name)})
    answering = _names_in(_leading_to(graph.node, _answers(meta_graph)))
    yield from {*answering & _CHECKPOINTS, *_called(answering, keeping)}
    restoring = _names_in(_leading_to(graph.node, {_node(saver.restore_op_name)}))
    yield from {*restoring, *_called(restoring, keeping)} & _WRITING


def _impure(
    nodes: Iterable[Any], functions: Iterable[str], allowed: frozenset[str] = frozenset()
) -> Iterator[str]:
    """Yield operations that are not accepted, and functions that are not in the library."""
    known = set(functions)
    for node in nodes:
        is_function = node.op in known and _definition(node.op) is None
        if not (is_function or node.op in allowed or _is_pure(node.op)):
            yield node.op
        # A name that is not a function of the graph could be an operation.
        yield from set(_functions_of(node)) - known


def _functions_of(node: Any) -> Iterator[str]:
    for value in node.attr.values():
        kind = value.WhichOneof("value")
        if kind == "func":
            yield value.func.name
        elif kind == "list":
            yield from (one.name for one in value.list.func)


def _names_in(nodes: Iterable[Any]) -> set[str]:
    """Return the operations of nodes and the functions that they call."""
    return {name for node in nodes for name in (node.op, *_functions_of(node))}


def _called(names: Iterable[str], keeping: Mapping[str, set[str]]) -> Iterator[str]:
    for name in names:
        yield from keeping.get(name, ())


def _foreign_restores(nodes: Iterable[Any], sources: set[str]) -> Iterator[str]:
    """Yield ``RestoreV2`` if it reads another file than the one in ``sources``."""
    for node in nodes:
        if node.op in _RESTORING and _node(next(iter(node.input), "")) not in sources:
            yield node.op


def _answers(meta_graph: Any) -> set[str]:
    """Return the nodes that run at inference or at initialization."""
    infos = [
        info
        for signature in meta_graph.signature_def.values()
        for info in (*signature.inputs.values(), *signature.outputs.values())
    ]
    names = {info.name for info in infos}
    for info in infos:
        sparse = info.coo_sparse
        names |= {
            sparse.values_tensor_name,
            sparse.indices_tensor_name,
            sparse.dense_shape_tensor_name,
            *(part.name for part in info.composite_tensor.components),
        }
    for collection in meta_graph.collection_def.values():
        names |= set(collection.node_list.value)
    return {_node(name) for name in names if name}


def _leading_to(nodes: Iterable[Any], targets: set[str]) -> list[Any]:
    by_name = {node.name: node for node in nodes}
    left, seen = list(targets), set(targets)
    while left:
        node = by_name.get(left.pop())
        new = {_node(name) for name in node.input} - seen if node is not None else set()
        seen |= new
        left += new
    return [by_name[name] for name in seen if name in by_name]


def _node(name: str) -> str:
    """Return the node name of a tensor name or control input, such as ``^save/Assign``."""
    return name.removeprefix("^").partition(":")[0]


@functools.cache
def _is_pure(operation: str) -> bool:
    if operation in _ALLOWED:
        return True
    definition = _definition(operation)
    if definition is None or definition.is_stateful or operation.startswith("_"):
        return False
    types = require_tensorflow("Running a TensorFlow model").dtypes
    beyond_numbers = {one.as_datatype_enum for one in (types.string, types.resource, types.variant)}
    ends = (*definition.input_arg, *definition.output_arg)
    return not any(one.type in beyond_numbers for one in ends) and not any(
        "func" in one.type or ("string" in one.type and not one.HasField("allowed_values"))
        for one in definition.attr
    )


def _definition(operation: str) -> Any:
    """Return the ``OpDef`` of an operation, ``None`` if TensorFlow does not know it."""
    require_tensorflow("Running a TensorFlow model")
    return _require_part("tensorflow.python.framework.op_def_registry").get(operation)


def _require_part(module: str) -> Any:
    return require(module, extra="train", feature="Running a TensorFlow model")
