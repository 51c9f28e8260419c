"""Build EfficientNet-Lite0 in Keras.

The network of Google's ``efficientnet_lite_builder.py``: EfficientNet-B0 without squeeze-excite and
with ReLU6, for small devices. Layers are named as in ``keras.applications.EfficientNetB0``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bricksight._support.optional import require_tensorflow

NUM_FEATURES = 1280

_EPSILON = 1e-3


@dataclass(frozen=True)
class _Stage:
    """A run of inverted residual blocks; ``stride`` applies to the first block."""

    num_blocks: int
    kernel_size: int
    stride: int
    expansion: int
    num_channels: int


_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)


def build_network(size: int) -> Any:
    """Return a ``keras.Model`` with random weights, from images to features.

    The input is float32 (num_images, size, size, 3), RGB, in [0, 1]. The output is float32
    (num_images, 1280). The first layer scales images to (255 x - 127) / 128, as in Google's
    training, not by the mean and standard deviation of ImageNet.
    """
    keras = require_tensorflow().keras
    images = keras.Input((size, size, 3), name="images")
    x = keras.layers.Rescaling(255 / 128, offset=-127 / 128, name="rescaling")(images)
    x = _conv(x, 32, kernel_size=3, stride=2, name="stem")
    for number, stage in enumerate(_STAGES, start=1):
        for index in range(stage.num_blocks):
            stride = stage.stride if index == 0 else 1
            x = _block(x, stage, stride=stride, name=f"block{number}{'abcd'[index]}_")
    x = _conv(x, NUM_FEATURES, kernel_size=1, stride=1, name="top")
    x = keras.layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return keras.Model(images, x, name="efficientnet_lite0")


def _block(x: Any, stage: _Stage, *, stride: int, name: str) -> Any:
    """Add an inverted residual block: expand, depthwise convolution, project."""
    layers = require_tensorflow().keras.layers
    entrance = x
    num_channels = x.shape[-1]
    if stage.expansion != 1:
        widened = num_channels * stage.expansion
        x = _conv(x, widened, kernel_size=1, stride=1, name=f"{name}expand")
    x = layers.DepthwiseConv2D(
        stage.kernel_size, strides=stride, padding="same", use_bias=False, name=f"{name}dwconv"
    )(x)
    x = layers.BatchNormalization(epsilon=_EPSILON, name=f"{name}bn")(x)
    x = layers.ReLU(6.0, name=f"{name}activation")(x)
    x = layers.Conv2D(stage.num_channels, 1, use_bias=False, name=f"{name}project_conv")(x)
    x = layers.BatchNormalization(epsilon=_EPSILON, name=f"{name}project_bn")(x)
    if stride == 1 and num_channels == stage.num_channels:
        x = layers.Add(name=f"{name}add")([x, entrance])
    return x


def _conv(x: Any, num_channels: int, *, kernel_size: int, stride: int, name: str) -> Any:
    layers = require_tensorflow().keras.layers
    x = layers.Conv2D(
        num_channels,
        kernel_size,
        strides=stride,
        padding="same",
        use_bias=False,
        name=f"{name}_conv",
    )(x)
    x = layers.BatchNormalization(epsilon=_EPSILON, name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_activation")(x)


def set_weights(network: Any, tensors: Mapping[str, np.ndarray]) -> None:
    """Set the weights of ``network`` to those of the PyTorch port of EfficientNet-Lite0.

    Args:
        network: A network from ``build_network``.
        tensors: Name → tensor, with the names of
            https://github.com/ml-illustrated/EfficientNet-Lite-PyTorch. The classification layer is
            ignored.

    Raises:
        KeyError: A tensor is missing.
        ValueError: The shape of a tensor does not fit its layer.
    """
    _set_conv(network, tensors, layer="stem", conv="_conv_stem", norm="_bn0")
    index = 0
    for number, stage in enumerate(_STAGES, start=1):
        for letter in "abcd"[: stage.num_blocks]:
            _set_block(network, tensors, layer=f"block{number}{letter}_", block=f"_blocks.{index}.")
            index += 1
    _set_conv(network, tensors, layer="top", conv="_conv_head", norm="_bn1")


def _set_block(network: Any, tensors: Mapping[str, np.ndarray], *, layer: str, block: str) -> None:
    if f"{block}_expand_conv.weight" in tensors:
        _set_conv(
            network,
            tensors,
            layer=f"{layer}expand",
            conv=f"{block}_expand_conv",
            norm=f"{block}_bn0",
        )
    # PyTorch's kernels are (out, in, height, width); a depthwise kernel has one input channel.
    depthwise = tensors[f"{block}_depthwise_conv.weight"].transpose(2, 3, 0, 1)
    network.get_layer(f"{layer}dwconv").set_weights([depthwise])
    _set_norm(network.get_layer(f"{layer}bn"), tensors, f"{block}_bn1")
    _set_conv(
        network, tensors, layer=f"{layer}project", conv=f"{block}_project_conv", norm=f"{block}_bn2"
    )


def _set_conv(
    network: Any, tensors: Mapping[str, np.ndarray], *, layer: str, conv: str, norm: str
) -> None:
    kernel = tensors[f"{conv}.weight"].transpose(2, 3, 1, 0)
    network.get_layer(f"{layer}_conv").set_weights([kernel])
    _set_norm(network.get_layer(f"{layer}_bn"), tensors, norm)


def _set_norm(layer: Any, tensors: Mapping[str, np.ndarray], name: str) -> None:
    parts = ("weight", "bias", "running_mean", "running_var")
    layer.set_weights([tensors[f"{name}.{part}"] for part in parts])
