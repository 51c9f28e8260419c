"""Train the weights of a TensorFlow 2 SavedModel, which has no Keras layers.

The interface is that of reusable SavedModels, https://www.tensorflow.org/hub/reusable_saved_models.
If the loaded object accepts ``training=True``, it updates its batch-norm statistics then. Otherwise
the inference graph is trained, with constant statistics. Regularisation losses of the SavedModel
are ignored, as are those of Keras networks, because weight decay is done by the optimizer.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from bricksight._support.optional import require_tensorflow
from bricksight.errors import BackboneError

_TOLERANCE = 1e-3
"""Largest difference between features of the two inference graphs, relative to the largest one."""


class GraphNetwork:
    """A network without Keras layers that is called like a ``keras.Model``.

    Attributes:
        weights: All variables that it uses, in the same order in every process.
        trainable_variables: The trainable ones of them.
        output_shape: ``(None, num_features)``.
        has_training_mode: Whether it can be called with ``training=True``.
        height: Height of the images, in pixels; see ``takes`` for other sizes.
        width: Width of the images, in pixels.
    """

    def __init__(
        self,
        *,
        inference: Callable[[Any], Any],
        with_training: Callable[[Any, bool], Any],
        text: str,
        height: int,
        width: int,
    ) -> None:
        """Trace the network, and find its variables.

        Args:
            inference: Function from images, float32 (num_images, height, width, 3), to features.
            with_training: Function from images and ``training`` to features. It may fail if the
                SavedModel has no training mode.
            text: The reference, for messages.
            height: Height of the images, in pixels.
            width: Width of the images, in pixels.

        Raises:
            BackboneError: The network has no trainable weights.
        """
        tf = require_tensorflow()
        self.height, self.width = height, width
        self._text, self._inference, self._with_training = text, inference, with_training
        self.has_training_mode = self._has_training_mode()
        spec = tf.TensorSpec((None, height, width, 3), tf.float32)
        traced = tf.function(lambda images: self(images), autograph=False)
        concrete = traced.get_concrete_function(spec)
        # ``concrete.variables`` has any order; the captured inputs have the order of the graph.
        of_handle = {id(one.handle): one for one in concrete.variables}
        captured = [id(handle) for handle in concrete.captured_inputs]
        self.weights = [of_handle[handle] for handle in captured if handle in of_handle]
        self.trainable_variables = [one for one in self.weights if one.trainable]
        self.output_shape = (None, int(concrete.outputs[0].shape[1]))
        if not self.trainable_variables:
            raise BackboneError(
                f"{text} is a SavedModel without trainable weights. Fine-tune the SavedModel that "
                "it was frozen from, or a keras:NAME from `bricksight backbones`."
            )

    def __call__(self, images: Any, *, training: bool = False) -> Any:
        """Compute features, float32 (num_images, num_features).

        Args:
            images: float32 (num_images, height, width, 3), RGB, in [0, 1].
            training: Whether batch normalisation uses and updates the statistics of these images.
                It has no effect without ``has_training_mode``.
        """
        if self.has_training_mode:
            return self._with_training(images, training)
        return self._inference(images)

    def takes(self, size: int) -> bool:
        """Return whether the network accepts images of ``size`` x ``size`` pixels."""
        tf = require_tensorflow()
        try:
            self(tf.zeros((1, size, size, 3)))
        except (ValueError, TypeError, tf.errors.OpError):
            return False
        return True

    def _has_training_mode(self) -> bool:
        """Return whether the object takes ``training``, and gives the same features without it."""
        tf = require_tensorflow()
        shape = (2, self.height, self.width, 3)
        images = tf.constant(np.random.default_rng(0).random(shape, dtype=np.float32))
        traced = tf.function(lambda given: self._with_training(given, True), autograph=False)
        try:
            found = np.asarray(self._with_training(images, False))
            # Tracing runs nothing, so that no statistics are updated.
            traced.get_concrete_function(tf.TensorSpec(shape, tf.float32))
        except (ValueError, TypeError, KeyError, BackboneError, tf.errors.OpError):
            return False
        expected = np.asarray(self._inference(images))
        return expected.shape == found.shape and bool(
            np.abs(found - expected).max() <= _TOLERANCE * np.abs(expected).max()
        )
