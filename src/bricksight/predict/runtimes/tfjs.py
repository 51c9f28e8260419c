"""TensorFlow.js graph models, run in TensorFlow: the very weights and operations of the files."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bricksight._support.optional import require, require_tensorflow
from bricksight._support.untrusted.fields import UnexpectedValueError, choice, text, whole
from bricksight._support.untrusted.folders import is_inside
from bricksight._support.untrusted.graphs import require_pure_graph
from bricksight._support.untrusted.json_files import read_json
from bricksight.predict.runtimes._loading import loading
from bricksight.predict.runtimes.tensorflow import Graph

_TYPES = ("float32", "int32", "uint8", "bool")
_DEPTHWISE = "FusedDepthwiseConv2dNative"


class TensorFlowJs(Graph):
    """A folder with ``model.json`` and the weights that it names."""

    file_name = "exports/tfjs/model.json"
    format_name = "tfjs"

    def __init__(self, path: Path, *, threads: int | None = None, trust: bool = False) -> None:
        """Loads the folder ``path``, or the folder in which the file ``path`` lies.

        Args:
            path: the graph model.
            threads: how many threads one operation may use.
            trust: allow operations that access files, the network or other programs.

        Raises:
            BundleError: it is not a graph model with one input and one output, or its weights are
                not all there.
            UntrustedModelError: it has such operations, and ``trust`` is not given.
            MissingPackageError: TensorFlow is not installed.
        """
        require_tensorflow("Running a TensorFlow.js model")
        folder = path if path.is_dir() else path.parent
        with loading(
            folder,
            "a TensorFlow.js graph model of one input and one output that TensorFlow can run",
        ):
            model = read_json(folder / "model.json")
            (images,) = model["signature"]["inputs"].values()
            (answers,) = model["signature"]["outputs"].values()
            weights = dict(_weights(folder, model["weightsManifest"]))
            graph_def = _graph_def(model["modelTopology"], weights)
            if not trust:
                require_pure_graph(graph_def, folder)
            self._open(
                folder, graph_def, images=images["name"], answers=answers["name"], threads=threads
            )


def _weights(folder: Path, groups: list[dict[str, Any]]) -> Iterator[tuple[str, np.ndarray]]:
    """Yields name and array of what lies one after the other in the files of each group."""
    for group in groups:
        expected = [_described(one) for one in group["weights"]]
        num_bytes = sum(math.prod(shape) * dtype.itemsize for _, shape, dtype in expected)
        files = [_shard(folder, name) for name in group["paths"]]
        found = sum(file.stat().st_size for file in files)
        if found != num_bytes:  # before anything is read
            raise ValueError(f"{group['paths']} hold {found:,} bytes of weights, not {num_bytes:,}")
        content = b"".join(file.read_bytes() for file in files)
        start = 0
        for name, shape, dtype in expected:
            array = np.frombuffer(content, dtype, math.prod(shape), start)
            yield name, array.reshape(shape)
            start += array.nbytes


def _described(one: dict[str, Any]) -> tuple[str, list[int], np.dtype[Any]]:
    name = text()(one["name"], "the name of weights")
    if not isinstance(one["shape"], list) or "quantization" in one:
        raise UnexpectedValueError(
            f"weights {name!r}", one, "of a list of sizes, and not quantised"
        )
    shape = [whole(0, 2**31)(size, f"the shape of {name!r}") for size in one["shape"]]
    return name, shape, np.dtype(choice(*_TYPES)(one["dtype"], f"the type of {name!r}"))


def _shard(folder: Path, name: Any) -> Path:
    """Returns the file of weights; one elsewhere, a device or a pipe is refused."""
    path = folder / str(text()(name, "a file of weights"))
    is_plain = name not in (".", "..") and not set("/\\:") & set(name)
    if is_plain:
        path.stat()  # a file that is missing is told as such
    if not is_plain or not path.is_file() or not is_inside(path, folder):
        raise UnexpectedValueError(
            "a file of weights", name, "the plain name of a file in the folder"
        )
    return path


def _graph_def(topology: dict[str, Any], weights: dict[str, np.ndarray]) -> Any:
    """Returns the ``GraphDef``, its weights in it and every operation one of TensorFlow's."""
    tf = require_tensorflow("Running a TensorFlow.js model")
    json_format = require(
        "google.protobuf.json_format", extra="train", feature="Running a TensorFlow.js model"
    )
    graph_def = tf.compat.v1.GraphDef()
    json_format.ParseDict(topology, graph_def)
    for node in list(graph_def.node):
        if node.op == "Const":
            # TensorFlow.js has fewer types; whole numbers of 64 bits, for one, are stored as 32.
            kind = tf.as_dtype(node.attr["dtype"].type)
            value = tf.make_tensor_proto(weights[node.name], dtype=kind)
            node.attr["value"].tensor.CopyFrom(value)
        elif node.op == _DEPTHWISE:
            _take_apart(node, graph_def)
    return graph_def


def _take_apart(node: Any, graph_def: Any) -> None:
    """Turns a depthwise convolution with bias and activation in it into the three.

    TensorFlow has one such operation too, but runs it by oneDNN only, which not every machine has.
    """
    name, inputs = node.name, list(node.input)
    steps = [step.decode() for step in node.attr["fused_ops"].list.s if step != b"NoOp"]
    node.op = "DepthwiseConv2dNative"
    del node.input[2:], node.attr["fused_ops"], node.attr["num_args"]
    for index, step in enumerate(steps):
        before = f"{name}/{index}"
        # What comes last keeps the name, by which others know the result.
        previous, node.name = node, before
        node = graph_def.node.add(op=step, name=name, input=[previous.name])
        node.attr["T"].CopyFrom(previous.attr["T"])
        if step == "BiasAdd":
            node.input.append(inputs[2])
