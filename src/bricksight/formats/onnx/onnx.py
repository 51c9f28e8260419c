"""Write an ONNX file: for ONNX Runtime, TensorRT on Jetson, OpenVINO and onnxruntime-web."""

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
"""Highest opset that TensorRT 8.2 (JetPack 4.6) reads, the oldest supported reader."""

IR_VERSION = 7
"""Highest IR version that ONNX Runtime 1.10 reads, the last version for Python 3.6."""

INPUT, OUTPUT = "input_0", "output_0"
"""Names of input and output, as NVIDIA's jetson-inference expects them."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_ALLOWED = frozenset(
    {"Add", "AveragePool", "Clip", "Concat", "Conv", "Div", "Gather", "Gemm", "GlobalAveragePool"}
    | {"GlobalMaxPool", "Identity", "MatMul", "MaxPool", "Mul", "Pad", "ReduceMean", "Relu"}
    | {"Reshape", "Sigmoid", "Softmax", "Squeeze", "Sub", "Transpose"}
)
"""Operators that all of these runtimes support, including TensorRT 8.2."""


def write(classifier: Classifier, path: Path, request: Request) -> None:
    """Write the model to the file ``path``."""
    path.write_bytes(convert(classifier, request))


def convert(classifier: Classifier, request: Request, *, undo_imagenet: bool = False) -> bytes:
    """Convert a classifier to a float32 ``.onnx`` file that includes scaling and softmax.

    It is converted from the LiteRT file, because LiteRT's converter folds every batch normalization
    into the preceding convolution. The same network gives the same bytes.

    Args:
        classifier: The network.
        request: Labels, preprocessing, batch size and layout.
        undo_imagenet: Expect inputs that are normalized by ImageNet's mean and standard deviation,
            as jetson-inference does; the file starts with the inverse.

    Raises:
        ConfigError: The precision is not float32.
        ExportError: The network has operators that some runtimes do not support.
        MissingPackageError: tf2onnx or onnx is not installed.
    """
    if request.precision != "float32":
        raise ConfigError(
            f"--precision is {request.precision} for an .onnx file, which holds float32. Leave "
            "it out: TensorRT and other runtimes convert to float16 themselves."
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
        # tf2onnx uses TensorFlow's interpreter, which warns that it is deprecated.
        warnings.simplefilter("ignore")
        file = Path(folder) / "model.tflite"
        file.write_bytes(content)
        model, _ = tf2onnx.convert.from_tflite(
            str(file),
            opset=OPSET,
            inputs_as_nchw=["image"] if request.layout == "nchw" else None,
        )
    # tf2onnx also lists the domain ai.onnx.ml, which no operator uses.
    del model.opset_import[:]
    model.opset_import.append(onnx.helper.make_opsetid("", OPSET))
    return model


def _denormalised(classifier: Classifier) -> Classifier:
    """Prepend ``x * std + mean`` to the network, the inverse of ImageNet's normalization."""
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
    # Drop the network's original placeholder, which is unused now.
    needed = tf.compat.v1.graph_util.extract_sub_graph(
        graph.as_graph_def(), [classifier.output_layer]
    )
    return Classifier(
        graph_def_bytes=needed.SerializeToString(deterministic=True),
        input_layer=INPUT_LAYER,
        output_layer=classifier.output_layer,
    )


def _rename(graph: Any) -> None:
    """Name nodes and tensors by their order; the names of tf2onnx differ between runs."""
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
    """Write labels and preprocessing into the metadata of the file."""
    onnx = require("onnx", extra="onnx", feature="Writing an .onnx file")
    values = (
        {"normalised_by": "imagenet", "mean": IMAGENET_MEAN, "std": IMAGENET_STD}
        if undo_imagenet
        else {"range": [0, 1]}
    )
    described: Mapping[str, object] = {
        "labels": list(request.reference.labels),
        "preprocessing": {
            **asdict(request.reference.spec),
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
    """Check operators, shapes, versions and layout of the model."""
    graph = model.graph
    found = {node.op_type for node in graph.node}
    if foreign := found - _ALLOWED:
        raise ExportError(
            f"The network has the ONNX operators {', '.join(sorted(foreign))}, which some runtimes "
            "do not support. The file was not kept. Choose another format, or train with another "
            "backbone."
        )
    spec = request.reference.spec
    size = (
        (3, spec.height, spec.width) if request.layout == "nchw" else (spec.height, spec.width, 3)
    )
    expected = (
        [(INPUT, (request.batch, *size)), (OUTPUT, (request.batch, len(request.reference.labels)))],
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
        left = "" if layout_is_kept else "; it also has a Transpose of the channels"
        raise ExportError(
            "The .onnx file has (inputs and outputs, opset, IR version, number of tensors with "
            f"NaN or infinity) {actual}; expected {expected}{left}. The file was not kept. Choose "
            "another format, or train with another backbone."
        )


def _array(weights: Any) -> np.ndarray:
    onnx = require("onnx", extra="onnx", feature="Writing an .onnx file")
    array: np.ndarray = onnx.numpy_helper.to_array(weights)
    return array


def _shape(value: Any) -> tuple[str, tuple[int | None, ...]]:
    dims = value.type.tensor_type.shape.dim
    return value.name, tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in dims)
