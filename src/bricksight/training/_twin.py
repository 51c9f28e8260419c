"""The same network, built for training on a CPU: same weights, same function, faster gradients.

Keras 3 spells batch normalisation out in a dozen element-wise operations, each of which goes
through memory; on TensorFlow they take more than half of a training step of MobileNetV2. One fused
operation does the same in two passes. A 1 x 1 convolution is a matrix product, and the gradient of
a matrix product is better served than that of a convolution. docs/finetune.md has the profile.
"""

from typing import Any

from bricksight._optional import require_tensorflow

BATCH_NORM_MOMENTUM = 0.9
"""Share of the old statistics that one step keeps.

ImageNet's 0.99 or 0.999 would need thousands of steps to forget ImageNet, and here are hundreds.
"""


def build_twin(network: Any, *, adapt_batch_norm: bool = True) -> Any:
    """Returns a ``keras.Model`` that shares every variable with ``network``.

    It takes images of any size that the network's layers allow, float32 (num_images, height, width,
    3), and gives the same features as ``network`` in inference, within rounding. In training, a
    batch normalisation whose layer is trainable uses the statistics of the batch and updates the
    moving ones.

    Args:
        network: a functional ``keras.Model`` from images to features.
        adapt_batch_norm: false leaves the statistics as they are, in training too.
    """
    keras = require_tensorflow().keras

    def twin_of(layer: Any) -> Any:
        if type(layer) is keras.layers.BatchNormalization and _is_over_channels(layer):
            return _layers().FusedBatchNorm(layer, adapts=adapt_batch_norm and layer.trainable)
        if type(layer) is keras.layers.Conv2D and _is_matrix_product(layer):
            return _layers().Pointwise(layer)
        return layer  # it may stand in two models

    def clone(height: int | None, width: int | None) -> Any:
        images = keras.Input((height, width, 3), name="images")
        inputs = [images] if isinstance(network.input, list) else images
        return keras.models.clone_model(network, inputs, clone_function=twin_of)

    try:
        return clone(None, None)
    except ValueError:  # a layer insists on the network's own size
        return clone(*network.inputs[0].shape[1:3])


def _is_over_channels(layer: Any) -> bool:
    return layer.axis in (-1, 3)


def _is_matrix_product(layer: Any) -> bool:
    plain = layer.activation is require_tensorflow().keras.activations.linear
    return (
        plain
        and layer.kernel_size == (1, 1)
        and layer.strides == (1, 1)
        and layer.groups == 1
        and not layer.use_bias
        and layer.data_format == "channels_last"
    )


class _Namespace:
    FusedBatchNorm: Any
    Pointwise: Any


_found: list[_Namespace] = []


def _layers() -> _Namespace:
    """Returns the layer classes, which cannot exist before TensorFlow is loaded."""
    if not _found:
        _found.append(_make_layers())
    return _found[0]


def _make_layers() -> _Namespace:
    tf = require_tensorflow()
    keras = tf.keras

    class FusedBatchNorm(keras.layers.Layer):  # type: ignore[misc, name-defined]
        """Batch normalisation as one operation, on the variables of a Keras layer."""

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

    class Pointwise(keras.layers.Layer):  # type: ignore[misc, name-defined]
        """A 1 x 1 convolution as a matrix product, on the kernel of a Keras layer."""

        def __init__(self, layer: Any) -> None:
            super().__init__(name=layer.name)
            self._layer = layer

        def call(self, inputs: Any) -> Any:
            kernel = tf.convert_to_tensor(self._layer.kernel)
            flat = tf.reshape(inputs, (-1, kernel.shape[2]))
            shape = tf.concat([tf.shape(inputs)[:-1], kernel.shape[3:]], axis=0)
            outputs = tf.reshape(flat @ kernel[0, 0], shape)
            outputs.set_shape((*inputs.shape[:-1], kernel.shape[3]))
            return outputs

    namespace = _Namespace()
    namespace.FusedBatchNorm, namespace.Pointwise = FusedBatchNorm, Pointwise
    return namespace
