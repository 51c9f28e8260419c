"""Run TensorFlow.js graph models in TensorFlow, with the same weights and operations."""

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
    """A folder with ``model.json`` and its weight files."""

    file_name = "exports/tfjs/model.json"
    format_name = "tfjs"

    def __init__(self, path: Path, *, threads: int | None = None, trust: bool = False) -> None:
        """Load a graph model.

        Args:
            path: The folder, or ``model.json`` in it.
            threads: Number of threads for one operation; all cores by default.
            trust: Allow operations that access files, the network or other programs.

        Raises:
            BundleError: It is not a graph model with one input and one output, or some of its
                weights are missing.
            UntrustedModelError: It has such operations, and ``trust`` is false.
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
    """Yield name and array of all weights; the files of a group hold them one after another."""
    for group in groups:
        expected = [_described(one) for one in group["weights"]]
        num_bytes = sum(math.prod(shape) * dtype.itemsize for _, shape, dtype in expected)
        files = [_shard(folder, name) for name in group["paths"]]
        found = sum(file.stat().st_size for file in files)
        if found != num_bytes:  # checked before anything is read
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
    """Return the path of a weight file, after checking that it is a file in the folder."""
    path = folder / str(text()(name, "a file of weights"))
    is_plain = name not in (".", "..") and not set("/\\:") & set(name)
    if is_plain:
        path.stat()  # raises if the file is missing
    if not is_plain or not path.is_file() or not is_inside(path, folder):
        raise UnexpectedValueError(
            "a file of weights", name, "the plain name of a file in the folder"
        )
    return path


def _graph_def(topology: dict[str, Any], weights: dict[str, np.ndarray]) -> Any:
    """Return the model as a ``GraphDef`` with its weights, using operations of TensorFlow only."""
    tf = require_tensorflow("Running a TensorFlow.js model")
    json_format = require(
        "google.protobuf.json_format", extra="train", feature="Running a TensorFlow.js model"
    )
    graph_def = tf.compat.v1.GraphDef()
    json_format.ParseDict(topology, graph_def)
    for node in list(graph_def.node):
        if node.op == "Const":
            # TensorFlow.js has fewer dtypes: int64, for example, is stored as int32.
            kind = tf.as_dtype(node.attr["dtype"].type)
            value = tf.make_tensor_proto(weights[node.name], dtype=kind)
            node.attr["value"].tensor.CopyFrom(value)
        elif node.op == _DEPTHWISE:
            _unfuse(node, graph_def)
    return graph_def


def _unfuse(node: Any, graph_def: Any) -> None:
    """Replace a fused depthwise convolution by convolution, bias and activation.

    TensorFlow has the fused operation too, but only with oneDNN, which not every machine has.
    """
    name, inputs = node.name, list(node.input)
    steps = [step.decode() for step in node.attr["fused_ops"].list.s if step != b"NoOp"]
    node.op = "DepthwiseConv2dNative"
    del node.input[2:], node.attr["fused_ops"], node.attr["num_args"]
    for index, step in enumerate(steps):
        before = f"{name}/{index}"
        # The last operation keeps the name, because other nodes refer to it.
        previous, node.name = node, before
        node = graph_def.node.add(op=step, name=name, input=[previous.name])
        node.attr["T"].CopyFrom(previous.attr["T"])
        if step == "BiasAdd":
            node.input.append(inputs[2])
