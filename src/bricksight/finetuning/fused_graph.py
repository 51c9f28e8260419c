"""A fused training graph: same weights, same function, faster gradients on a CPU.

Keras 3 computes batch normalization by a dozen element-wise operations, each of which goes through
memory; on TensorFlow they take more than half of a training step of MobileNetV2. One fused
operation does the same in two passes. Where the statistics are frozen, a normalization is folded
into the kernel of the convolution before it, and needs no pass at all. A 1 x 1 convolution becomes
a matrix product, whose gradient is faster. docs/explanation/fine-tuning.md has the profile.
"""

from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import Any

from bricksight._support.optional import require_tensorflow
from bricksight.finetuning.fused_saved_model import BATCH_NORM_MOMENTUM, SavedModelTrainingGraph


def build_training_graph(network: Any, *, adapt_batch_norm: bool = True) -> Any:
    """Return a faster network that shares every variable with ``network``.

    It takes images of any size that the layers allow, float32 (num_images, height, width, 3), and
    in inference gives the features of ``network`` within rounding. In training, a trainable batch
    normalization uses the statistics of the batch and updates the moving ones.

    Args:
        network: a functional ``keras.Model`` from images to features, or a graph without layers,
            which is called unchanged.
        adapt_batch_norm: false freezes the statistics in training too.
    """
    keras = require_tensorflow().keras
    if not isinstance(network, keras.Model):
        return SavedModelTrainingGraph(network, adapts=adapt_batch_norm)

    def adapts(layer: Any) -> bool:
        return adapt_batch_norm and layer.trainable

    folded = {
        conv.name: norm for conv, norm in _normalised_convolutions(network) if not adapts(norm)
    }
    normalisations = {norm.name for norm in folded.values()}

    def replacement_of(layer: Any) -> Any:
        if layer.name in folded:
            return _folded_convolution()(layer, folded[layer.name])
        if layer.name in normalisations:
            return _identity()(name=layer.name)
        if type(layer) is keras.layers.BatchNormalization and _is_over_channels(layer):
            return _fused_batch_norm()(layer, adapts=adapts(layer))
        if type(layer) is keras.layers.Conv2D and _is_matrix_product(layer):
            return _pointwise()(layer)
        return layer  # a layer can be in two models

    def clone(height: int | None, width: int | None) -> Any:
        images = keras.Input((height, width, 3), name="images")
        inputs = [images] if isinstance(network.input, list) else images
        return keras.models.clone_model(network, inputs, clone_function=replacement_of)

    try:
        return clone(None, None)
    except ValueError:  # a layer needs the original size
        return clone(*network.inputs[0].shape[1:3])


def takes_size(training_graph: Any, size: int) -> bool:
    """Tell whether a training graph takes images of ``size`` x ``size`` pixels."""
    if isinstance(training_graph, SavedModelTrainingGraph):
        return training_graph.takes(size)
    inputs = training_graph.inputs[0].shape
    return {inputs[1], inputs[2]} <= {None, size}


def _normalised_convolutions(network: Any) -> Iterator[tuple[Any, Any]]:
    """Yield convolutions whose output only goes into a batch normalization, with that layer."""
    norm_type = require_tensorflow().keras.layers.BatchNormalization
    users = defaultdict(list)
    for nodes in network._nodes_by_depth.values():
        for node in nodes:
            for tensor in node.input_tensors:
                users[tensor._keras_history.operation.name].append(node.operation)
    for layer in network.layers:
        only = users[layer.name] if _is_plain(layer) else []
        if len(only) == 1 and type(only[0]) is norm_type and _is_over_channels(only[0]):
            yield layer, only[0]


def _is_plain(layer: Any) -> bool:
    """Tell whether ``FoldedConvolution`` can replace the layer."""
    keras = require_tensorflow().keras
    return (
        type(layer) in (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
        and layer.activation is keras.activations.linear
        and layer.data_format == "channels_last"
        and layer.strides[0] == layer.strides[1]  # TensorFlow supports no others for depthwise ones
        and getattr(layer, "groups", 1) == 1
    )


def _is_over_channels(layer: Any) -> bool:
    return layer.axis in (-1, 3)


def _is_matrix_product(layer: Any) -> bool:
    return (
        _is_plain(layer)
        and layer.kernel_size == (1, 1)
        and layer.strides == (1, 1)
        and not layer.use_bias
    )


# The layer classes cannot exist before TensorFlow is loaded.


@cache
def _fused_batch_norm() -> Any:
    tf = require_tensorflow()

    class FusedBatchNorm(tf.keras.layers.Layer):  # type: ignore[misc, name-defined]
        """Batch normalization as one operation, on the variables of a Keras layer."""

        def __init__(self, layer: Any, *, adapts: bool) -> None:
            super().__init__(name=layer.name)
            self._layer, self._adapts = layer, adapts

        def call(self, inputs: Any, *, training: bool = False, mask: Any = None) -> Any:
            own = self._layer
            if inputs.shape.rank != 4:
                return own(inputs, training=training and self._adapts)
            adapts = bool(training) and self._adapts
            statistics = [] if adapts else [own.moving_mean, own.moving_variance]
            mean, variance = statistics or ([], [])
            outputs, batch_mean, batch_variance, *_ = tf.raw_ops.FusedBatchNormV3(
                x=inputs,
                scale=own.gamma if own.scale else tf.ones_like(own.moving_mean),
                offset=own.beta if own.center else tf.zeros_like(own.moving_mean),
                mean=mean,
                variance=variance,
                epsilon=own.epsilon,
                is_training=adapts,
            )
            if adapts:
                for moving, new in (
                    (own.moving_mean, batch_mean),
                    (own.moving_variance, batch_variance),
                ):
                    moving.assign(new + BATCH_NORM_MOMENTUM * (moving - new))
            return outputs

    return FusedBatchNorm


@cache
def _pointwise() -> Any:
    tf = require_tensorflow()

    class Pointwise(tf.keras.layers.Layer):  # type: ignore[misc, name-defined]
        """A 1 x 1 convolution as a matrix product, on the kernel of a Keras layer."""

        def __init__(self, layer: Any) -> None:
            super().__init__(name=layer.name)
            self._layer = layer

        def call(self, inputs: Any) -> Any:
            return _matrix_product(inputs, tf.convert_to_tensor(self._layer.kernel))

    return Pointwise


@cache
def _folded_convolution() -> Any:
    tf = require_tensorflow()

    class FoldedConvolution(tf.keras.layers.Layer):  # type: ignore[misc, name-defined]
        """A convolution with the batch normalization after it, whose statistics are frozen."""

        def __init__(self, layer: Any, norm: Any) -> None:
            super().__init__(name=layer.name)
            self._layer, self._norm = layer, norm

        def call(self, inputs: Any) -> Any:
            own, norm = self._layer, self._norm
            factor = tf.math.rsqrt(norm.moving_variance + norm.epsilon)
            factor = factor * norm.gamma if norm.scale else factor
            bias = (own.bias if own.use_bias else 0.0) - norm.moving_mean
            bias = bias * factor + (norm.beta if norm.center else 0.0)
            return tf.nn.bias_add(_convolution(own, inputs, factor), bias)

    return FoldedConvolution


@cache
def _identity() -> Any:
    class Identity(require_tensorflow().keras.layers.Layer):  # type: ignore[misc]
        """Replaces a batch normalization that is folded into the convolution before it."""

        def call(self, inputs: Any, *, mask: Any = None) -> Any:
            return inputs

    return Identity


def _convolution(layer: Any, inputs: Any, factor: Any) -> Any:
    """Return the convolution with a kernel that is multiplied by a factor per channel."""
    tf = require_tensorflow()
    padding, dilations = layer.padding.upper(), layer.dilation_rate
    if isinstance(layer, tf.keras.layers.DepthwiseConv2D):
        kernel = layer.kernel * tf.reshape(factor, layer.kernel.shape[2:])
        strides = (1, *layer.strides, 1)
        return tf.nn.depthwise_conv2d(inputs, kernel, strides, padding, dilations=dilations)
    kernel = layer.kernel * factor
    if layer.kernel_size == layer.strides == (1, 1):
        return _matrix_product(inputs, kernel)
    return tf.nn.conv2d(inputs, kernel, layer.strides, padding, dilations=dilations)


def _matrix_product(inputs: Any, kernel: Any) -> Any:
    """Return the 1 x 1 convolution as a matrix product."""
    tf = require_tensorflow()
    flat = tf.reshape(inputs, (-1, kernel.shape[2]))
    shape = tf.concat([tf.shape(inputs)[:-1], kernel.shape[3:]], axis=0)
    outputs = tf.reshape(flat @ kernel[0, 0], shape)
    outputs.set_shape((*inputs.shape[:-1], kernel.shape[3]))
    return outputs
