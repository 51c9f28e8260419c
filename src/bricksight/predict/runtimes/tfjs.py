"""TensorFlow.js graph models, run in TensorFlow: the very weights and operations of the files."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from bricksight._optional import require, require_tensorflow
from bricksight.predict.runtimes._errors import loading
from bricksight.predict.runtimes.tensorflow import Graph

_DEPTHWISE = "FusedDepthwiseConv2dNative"


class TensorFlowJs(Graph):
    """A folder with ``model.json`` and the weights that it names."""

    file_name = "exports/tfjs/model.json"
    format_name = "tfjs"

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        """Loads the folder ``path``, or the folder in which the file ``path`` lies.

        Args:
            path: the graph model.
            threads: how many threads one operation may use.

        Raises:
            BundleError: it is not a graph model with one input and one output, or its weights are
                not all there.
            MissingPackageError: TensorFlow is not installed.
        """
        require_tensorflow()
        folder = path if path.is_dir() else path.parent
        with loading(
            folder,
            "a TensorFlow.js graph model of one input and one output that TensorFlow can run",
        ):
            model = json.loads((folder / "model.json").read_bytes())
            (images,) = model["signature"]["inputs"].values()
            (answers,) = model["signature"]["outputs"].values()
            self._open(
                folder,
                _graph_def(model["modelTopology"], _weights(folder, model["weightsManifest"])),
                images=images["name"],
                answers=answers["name"],
                threads=threads,
            )


def _weights(folder: Path, groups: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Returns name → array of what lies one after the other in the files of each group."""
    found: dict[str, np.ndarray] = {}
    for group in groups:
        content = b"".join((folder / name).read_bytes() for name in group["paths"])
        start = 0
        for one in group["weights"]:
            count = int(np.prod(one["shape"]))
            array = np.frombuffer(content, np.dtype(one["dtype"]), count, start)
            found[one["name"]] = array.reshape(one["shape"])
            start += array.nbytes
        if start != len(content):
            raise ValueError(f"{group['paths']} hold {len(content)} bytes of weights, not {start}")
    return found


def _graph_def(topology: dict[str, Any], weights: dict[str, np.ndarray]) -> Any:
    """Returns the ``GraphDef``, its weights in it and every operation one of TensorFlow's."""
    tf = require_tensorflow()
    json_format = require("google.protobuf.json_format", extra=None, feature="Running tfjs")
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
