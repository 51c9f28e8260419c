"""Reproducible function names in a SavedModel."""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_FINGERPRINT = "fingerprint.pb"
_COUNTED = re.compile(r"(.*?)_(\d+)")


def name_functions_by_order(folder: Path) -> None:
    """Renumber the functions of a SavedModel from 0, so that the same model gives the same bytes.

    TensorFlow numbers functions by a counter of the process, and stores settings of the process in
    calls.

    Args:
        folder: A SavedModel written by ``tf.saved_model.save``.
    """
    # The file format has no public API.
    from tensorflow.core.protobuf import fingerprint_pb2, saved_model_pb2  # noqa: PLC0415, TID251
    from tensorflow.python.saved_model import fingerprinting_utils  # noqa: PLC0415, TID251

    file = folder / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    for graph in model.meta_graphs:
        library = graph.graph_def.library
        names = _numbered([function.signature.name for function in library.function])
        _rename_calls(graph.graph_def.node, names)
        for function in library.function:
            _rename_arguments(function, names)
            function.signature.name = names[function.signature.name]
            _rename_calls(function.node_def, names)
        for gradient in library.gradient:
            gradient.function_name = names.get(gradient.function_name, gradient.function_name)
        ordered = sorted(library.function, key=lambda function: function.signature.name)
        del library.function[:]
        library.function.extend(ordered)
        _rename_objects(graph.object_graph_def, names)
    file.write_bytes(model.SerializeToString(deterministic=True))
    fingerprinting_utils.write_fingerprint(str(folder))
    path = folder / _FINGERPRINT
    fingerprint = fingerprint_pb2.FingerprintDef.FromString(path.read_bytes())
    # TensorFlow draws the UUID at random, and its hash depends on the order of maps.
    if "uuid" in fingerprint.DESCRIPTOR.fields_by_name:  # TensorFlow 2.18 has none
        fingerprint.uuid = str(_number_of(model, num_bytes=16))
    fingerprint.saved_object_graph_hash = _number_of(
        *(graph.object_graph_def for graph in model.meta_graphs), num_bytes=8
    )
    path.write_bytes(fingerprint.SerializeToString(deterministic=True))


def _number_of(*messages: Any, num_bytes: int) -> int:
    digest = hashlib.sha256()
    for message in messages:
        digest.update(message.SerializeToString(deterministic=True))
    return int.from_bytes(digest.digest()[:num_bytes], "big")


def _numbered(names: list[str]) -> dict[str, str]:
    """Return old name → new name; functions keep the order of TensorFlow's numbers."""
    parts = [(*match.groups(), name) for name in names if (match := _COUNTED.fullmatch(name))]
    found, seen = dict(zip(names, names, strict=True)), Counter[str]()
    for base, _, name in sorted(parts, key=lambda part: (part[0], int(part[1]))):
        found[name] = f"{base}_{seen[base]}"
        seen[base] += 1
    return found


def _rename_arguments(function: Any, names: Mapping[str, str]) -> None:
    """Rename unused arguments of loops, whose names contain the names of functions."""
    renamed = {}
    for argument in function.signature.input_arg:
        for name in names:
            if f"_{name}___" in argument.name:
                old, argument.name = argument.name, argument.name.replace(name, names[name])
                renamed[old] = argument.name
    for node in function.node_def if renamed else ():
        node.input[:] = [renamed.get(name, name) for name in node.input]


def _rename_calls(nodes: Any, names: Mapping[str, str]) -> None:
    for node in nodes:
        node.op = names.get(node.op, node.op)
        if "config_proto" in node.attr:  # devices and options of the process that wrote it
            node.attr["config_proto"].s = b""
        for value in node.attr.values():
            for called in (*((value.func,) if value.HasField("func") else ()), *value.list.func):
                called.name = names.get(called.name, called.name)


def _rename_objects(graph: Any, names: Mapping[str, str]) -> None:
    functions = {names.get(name, name): one for name, one in graph.concrete_functions.items()}
    kept = {name: type(one).FromString(one.SerializeToString()) for name, one in functions.items()}
    graph.concrete_functions.clear()
    for name, one in kept.items():
        graph.concrete_functions[name].CopyFrom(one)
    for node in graph.nodes:
        if node.HasField("function"):
            called = [names.get(name, name) for name in node.function.concrete_functions]
            node.function.concrete_functions[:] = called
        if node.HasField("bare_concrete_function"):
            bare = node.bare_concrete_function
            bare.concrete_function_name = names.get(
                bare.concrete_function_name, bare.concrete_function_name
            )
