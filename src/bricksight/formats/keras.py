"""Write a ``.keras`` file of standard layers, with batch normalization folded into them."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bricksight._support.filesystem.native_path import native_path
from bricksight._support.optional import require, require_tensorflow
from bricksight.errors import ExportError
from bricksight.formats.classifier import Classifier
from bricksight.formats.onnx import onnx as onnx_export
from bricksight.formats.request import Request


def write(classifier: Classifier, path: Path, request: Request) -> None:
    """Write the model to the file ``path``; Keras 3 loads it without bricksight.

    The network is rebuilt layer by layer from the ONNX file, because backbones from TensorFlow Hub
    have no Keras layers, and a layer that wraps the graph would depend on a folder.

    Raises:
        ExportError: The network has an operator without a Keras layer in ``_LAYERS``.
        MissingPackageError: tf2onnx or onnx is not installed.
    """
    onnx = require("onnx", extra="onnx", feature="Writing a .keras file")
    content = onnx_export.convert(
        classifier, replace(request, batch=1, layout="nchw", precision="float32")
    )
    model = _build_keras_model(onnx.load_from_string(content).graph)
    with warnings.catch_warnings(), native_path(path) as writable:
        # Keras triggers a deprecation warning of NumPy 2 here.
        warnings.simplefilter("ignore", DeprecationWarning)
        model.save(writable)


def _build_keras_model(graph: Any) -> Any:
    """Build a channels-last ``keras.Model`` from a channels-first ``GraphProto``."""
    onnx = require("onnx", extra="onnx", feature="Writing a .keras file")
    keras = require_tensorflow().keras
    constants = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
    _, channels, height, width = (
        size.dim_value for size in graph.input[0].type.tensor_type.shape.dim
    )
    images = keras.Input((height, width, channels), name="image")
    tensors = {graph.input[0].name: images}
    for node in graph.node:
        step = _Node(
            name=node.name.lower(),
            operation=node.op_type,
            settings={one.name: onnx.helper.get_attribute_value(one) for one in node.attribute},
            inputs=[tensors[name] for name in node.input if name in tensors],
            constants=[constants[name] for name in node.input if name in constants],
        )
        if step.operation not in _LAYERS:
            raise _no_layer(step)
        tensors[node.output[0]] = _LAYERS[step.operation](keras.layers, step)
    return keras.Model(images, tensors[graph.output[0].name], name="classifier")


@dataclass(frozen=True)
class _Node:
    """A node of the ONNX graph.

    Attributes:
        name: Name of the Keras layer.
        operation: ONNX operator type.
        settings: Attributes of the node.
        inputs: Keras tensors, channels last.
        constants: Weights of the node.
    """

    name: str
    operation: str
    settings: dict[str, Any]
    inputs: list[Any]
    constants: list[np.ndarray]


def _no_layer(node: _Node) -> ExportError:
    return ExportError(
        f"The network's operator {node.operation} ({node.name}) cannot be converted to a standard "
        "Keras layer. Nothing was written. Use --format saved_model."
    )


def _convolution(layers: Any, node: _Node) -> Any:
    kernel, bias = node.constants[0], node.constants[1] if len(node.constants) > 1 else None
    top, left, bottom, right = node.settings.get("pads", (0, 0, 0, 0))
    (images,) = node.inputs
    if top or left or bottom or right:
        padding = ((top, bottom), (left, right))
        images = layers.ZeroPadding2D(padding, name=f"{node.name}_pad")(images)
    shared: dict[str, Any] = {
        "strides": tuple(node.settings.get("strides", (1, 1))),
        "dilation_rate": tuple(node.settings.get("dilations", (1, 1))),
        "use_bias": bias is not None,
        "name": node.name,
    }
    groups = node.settings.get("group", 1)
    if groups == 1:
        layer = layers.Conv2D(kernel.shape[0], kernel.shape[2:], **shared)
        weights = [kernel.transpose(2, 3, 1, 0)]
    elif groups == kernel.shape[0] and kernel.shape[1] == 1:
        layer = layers.DepthwiseConv2D(kernel.shape[2:], **shared)
        weights = [kernel.transpose(2, 3, 0, 1)]
    else:
        raise _no_layer(node)
    outputs = layer(images)
    layer.set_weights(weights if bias is None else [*weights, bias])
    return outputs


def _clip(layers: Any, node: _Node) -> Any:
    low, high = node.constants
    if low != 0:
        raise _no_layer(node)
    return layers.ReLU(max_value=float(high), name=node.name)(node.inputs[0])


def _scaled(layers: Any, node: _Node) -> Any:
    """Convert ``Add``, ``Mul`` or ``Sub``, with a constant or without one."""
    if not node.constants:
        if node.operation != "Add":
            raise _no_layer(node)
        return layers.Add(name=node.name)(node.inputs)
    (constant,) = node.constants
    values = constant.reshape(-1).tolist()
    if node.operation == "Sub":
        values = [-value for value in values]
    value = values if len(values) > 1 else values[0]
    if node.operation == "Mul":
        layer = layers.Rescaling(value, name=node.name)
    else:
        layer = layers.Rescaling(1.0, offset=value, name=node.name)
    return layer(node.inputs[0])


def _dense(layers: Any, node: _Node) -> Any:
    kernel = node.constants[0].T if node.settings.get("transB") else node.constants[0]
    bias = node.constants[1:]
    layer = layers.Dense(kernel.shape[1], use_bias=bool(bias), name=node.name)
    outputs = layer(node.inputs[0])
    layer.set_weights([kernel, *bias])
    return outputs


def _joined(layers: Any, node: _Node) -> Any:
    if node.settings["axis"] == 0:  # the batch dimension
        return require_tensorflow().keras.ops.concatenate(node.inputs, axis=0)
    return layers.Concatenate(name=node.name)(node.inputs)


def _mirrored(_: Any, node: _Node) -> Any:
    (images,), (order,) = node.inputs, node.constants
    axis = node.settings.get("axis", 0) - 1
    if axis not in (1, 2) or order.tolist() != list(range(images.shape[axis] - 1, -1, -1)):
        raise _no_layer(node)
    return require_tensorflow().keras.ops.flip(images, axis=axis)


def _rows_and_columns_swapped(layers: Any, node: _Node) -> Any:
    if list(node.settings["perm"]) != [0, 1, 3, 2]:
        raise _no_layer(node)
    return layers.Permute((2, 1, 3), name=node.name)(node.inputs[0])


def _features_reshaped(_: Any, node: _Node) -> Any:
    (features,), (shape,) = node.inputs, node.constants
    if len(features.shape) != 2:  # a feature map has another channel order in Keras
        raise _no_layer(node)
    return require_tensorflow().keras.ops.reshape(features, shape.tolist())


def _mean(_: Any, node: _Node) -> Any:
    (values,) = node.inputs
    axes, keeps = node.settings["axes"], bool(node.settings["keepdims"])
    if len(values.shape) == 4:
        raise _no_layer(node)
    return require_tensorflow().keras.ops.mean(values, axis=tuple(axes), keepdims=keeps)


_LAYERS: dict[str, Callable[[Any, _Node], Any]] = {
    "Add": _scaled,
    "Clip": _clip,
    "Concat": _joined,
    "Conv": _convolution,
    "Gather": _mirrored,
    "Gemm": _dense,
    "GlobalAveragePool": lambda layers, node: layers.GlobalAveragePooling2D(name=node.name)(
        node.inputs[0]
    ),
    "GlobalMaxPool": lambda layers, node: layers.GlobalMaxPooling2D(name=node.name)(node.inputs[0]),
    "MatMul": _dense,
    "Mul": _scaled,
    "ReduceMean": _mean,
    "Relu": lambda layers, node: layers.ReLU(name=node.name)(node.inputs[0]),
    "Reshape": _features_reshaped,
    "Softmax": lambda layers, node: layers.Softmax(name=node.name)(node.inputs[0]),
    "Squeeze": lambda _, node: node.inputs[0],  # the pooling layer has dropped these dimensions
    "Sub": _scaled,
    "Transpose": _rows_and_columns_swapped,
}
"""ONNX operator → function that applies the Keras layer."""
