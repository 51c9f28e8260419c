"""ONNX for ONNX Runtime, TensorRT on Jetson boards, OpenVINO and onnxruntime-web."""

import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from bricksight._support.native_log import without_native_notices
from bricksight._support.optional import require, require_tensorflow
from bricksight._support.text import json_text
from bricksight.errors import ConfigError, ExportError
from bricksight.formats.classifier import INPUT_LAYER, Classifier
from bricksight.formats.onnx.layout import moves_channels, without_layout_changes
from bricksight.formats.request import Request
from bricksight.formats.tflite import tflite

OPSET = 13
"""What TensorRT 8.2 of JetPack 4.6 reads, the oldest reader that we care for."""

IR_VERSION = 7
"""ONNX Runtime 1.10, the last one for Python 3.6, refuses files of a newer layout."""

INPUT, OUTPUT = "input_0", "output_0"
"""The names that NVIDIA's jetson-inference and its guides use."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_ALLOWED = frozenset(
    {"Add", "AveragePool", "Clip", "Concat", "Conv", "Div", "Gather", "Gemm", "GlobalAveragePool"}
    | {"GlobalMaxPool", "Identity", "MatMul", "MaxPool", "Mul", "Pad", "ReduceMean", "Relu"}
    | {"Reshape", "Sigmoid", "Softmax", "Squeeze", "Sub", "Transpose"}
)
"""Operations that every reader named above has, TensorRT 8.2 with them."""


def write(classifier: Classifier, path: Path, request: Request) -> None:
    """Write the model to the file ``path``."""
    path.write_bytes(convert(classifier, request))


def convert(classifier: Classifier, request: Request, *, undo_imagenet: bool = False) -> bytes:
    """Return an ``.onnx`` file of float32 with scaling and softmax inside.

    It is made from the LiteRT file, as LiteRT's converter folds every batch normalisation into the
    convolution before it, the depthwise ones too. The same network gives the same bytes.

    Args:
        classifier: the network.
        request: labels and preparation, batch and layout.
        undo_imagenet: whether the input is to be normalised by ImageNet's mean and deviation, as
            jetson-inference does with every picture; the file then takes that back first.

    Raises:
        ConfigError: another precision than float32 is asked for.
        ExportError: the network has operations that not all readers of the file have.
        MissingPackageError: tf2onnx or onnx is not installed.
    """
    if request.precision != "float32":
        raise ConfigError(
            f"An .onnx file holds float32; it was asked for as {request.precision}. TensorRT and "
            "other runtimes make float16 of it themselves."
        )
    onnx = require("onnx", extra="onnx", feature="Writing an .onnx file")
    model = _from_litert(_denormalised(classifier) if undo_imagenet else classifier, request)
    without_layout_changes(model.graph)
    _rename(model.graph)
    for value in (model.graph.input[0], model.graph.output[0]):
        _set_batch(value, request.batch)
    _describe(model, request, undo_imagenet=undo_imagenet)
    _require_portable(model, request)
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _from_litert(classifier: Classifier, request: Request) -> Any:
    """Return an ``onnx.ModelProto`` of the right version and layout."""
    onnx = require("onnx", extra="onnx", feature="Writing an .onnx file")
    require_tensorflow()
    tf2onnx = require("tf2onnx", extra="onnx", feature="Writing an .onnx file")
    content = tflite.convert(classifier, replace(request, precision="float32", io="float32"))
    with (
        tempfile.TemporaryDirectory(prefix="bricksight-") as folder,
        without_native_notices(),
        warnings.catch_warnings(),
    ):
        # tf2onnx asks TensorFlow's own interpreter, which announces its end.
        warnings.simplefilter("ignore")
        file = Path(folder) / "model.tflite"
        file.write_bytes(content)
        model, _ = tf2onnx.convert.from_tflite(
            str(file),
            opset=OPSET,
            inputs_as_nchw=["image"] if request.layout == "nchw" else None,
        )
    # tf2onnx also names the domain ai.onnx.ml, which no operation is of.
    del model.opset_import[:]
    model.opset_import.append(onnx.helper.make_opsetid("", OPSET))
    return model


def _denormalised(classifier: Classifier) -> Classifier:
    """Return the network behind ``x * deviation + mean``."""
    tf = require_tensorflow()
    shape = classifier.concrete_function().inputs[0].shape
    with tf.Graph().as_default() as graph:
        images = tf.compat.v1.placeholder(tf.float32, shape, name=INPUT_LAYER)
        pixels = images * tf.constant(IMAGENET_STD) + tf.constant(IMAGENET_MEAN)
        (probabilities,) = tf.graph_util.import_graph_def(
            tf.compat.v1.GraphDef.FromString(classifier.graph_def_bytes),
            input_map={f"{classifier.input_layer}:0": pixels},
            return_elements=[f"{classifier.output_layer}:0"],
            name="classifier",
        )
        tf.identity(probabilities, name=classifier.output_layer)
    # The network's own placeholder feeds nothing any more.
    needed = tf.compat.v1.graph_util.extract_sub_graph(
        graph.as_graph_def(), [classifier.output_layer]
    )
    return Classifier(
        graph_def_bytes=needed.SerializeToString(deterministic=True),
        input_layer=INPUT_LAYER,
        output_layer=classifier.output_layer,
    )


def _rename(graph: Any) -> None:
    """Give nodes and tensors names by their order; tf2onnx's differ from run to run."""
    names = {graph.input[0].name: INPUT, graph.output[0].name: OUTPUT, "": ""}

    def renamed(name: str) -> str:
        return names.setdefault(name, f"tensor_{len(names) - 3}")

    for index, node in enumerate(graph.node):
        node.name = f"{node.op_type}_{index}"
        node.input[:] = [renamed(name) for name in node.input]
        node.output[:] = [renamed(name) for name in node.output]
    graph.name = "classifier"
    graph.input[0].name, graph.output[0].name = INPUT, OUTPUT
    for weights in graph.initializer:
        weights.name = renamed(weights.name)
    in_order = sorted(
        graph.initializer, key=lambda weights: list(names.values()).index(weights.name)
    )
    del graph.initializer[:]
    graph.initializer.extend(in_order)
    del graph.value_info[:]


def _set_batch(value: Any, batch: int | None) -> None:
    size = value.type.tensor_type.shape.dim[0]
    if batch is None:
        size.dim_param = "batch"
    else:
        size.dim_value = batch


def _describe(model: Any, request: Request, *, undo_imagenet: bool) -> None:
    """Write into the file what a program needs that has nothing else."""
    onnx = require("onnx", extra="onnx", feature="Writing an .onnx file")
    values = (
        {"normalised_by": "imagenet", "mean": IMAGENET_MEAN, "std": IMAGENET_STD}
        if undo_imagenet
        else {"range": [0, 1]}
    )
    described: Mapping[str, object] = {
        "labels": list(request.proof.labels),
        "preprocessing": {
            **asdict(request.proof.spec),
            "layout": request.layout,
            "color": "RGB",
            "values": values,
        },
    }
    model.producer_name = "bricksight"
    model.producer_version = ""
    model.doc_string = "RGB image in, probability of each class out."
    texts = {name: json_text(value) for name, value in described.items()}
    onnx.helper.set_model_props(model, texts)


def _require_portable(model: Any, request: Request) -> None:
    """Check what readers of the file rely on, by reading it."""
    graph = model.graph
    found = {node.op_type for node in graph.node}
    if foreign := found - _ALLOWED:
        raise ExportError(
            f"The network needs {', '.join(sorted(foreign))}, which not every runtime of .onnx "
            "files has; the file was not kept. Choose another format, or train on another module."
        )
    spec = request.proof.spec
    size = (
        (3, spec.height, spec.width) if request.layout == "nchw" else (spec.height, spec.width, 3)
    )
    expected = (
        [(INPUT, (request.batch, *size)), (OUTPUT, (request.batch, len(request.proof.labels)))],
        [OPSET],
        IR_VERSION,
        0,
    )
    layout_is_kept = request.layout == "nhwc" or not any(map(moves_channels, graph.node))
    actual = (
        [_shape(value) for value in (*graph.input, *graph.output)],
        [one.version for one in model.opset_import],
        model.ir_version,
        sum(not np.isfinite(_array(weights)).all() for weights in graph.initializer),
    )
    if actual != expected or not layout_is_kept:
        left = "" if layout_is_kept else ", and a Transpose of the channels is left in it"
        raise ExportError(
            "The .onnx file is not as runtimes expect it: inputs and outputs, opset, IR version, "
            f"tensors that are not finite are {actual}, expected {expected}{left}. It was not "
            "kept. Choose another format, or train on another module."
        )


def _array(weights: Any) -> np.ndarray:
    onnx = require("onnx", extra="onnx", feature="Writing an .onnx file")
    array: np.ndarray = onnx.numpy_helper.to_array(weights)
    return array


def _shape(value: Any) -> tuple[str, tuple[int | None, ...]]:
    dims = value.type.tensor_type.shape.dim
    return value.name, tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in dims)
