"""The graph of a TensorFlow 2 SavedModel as a network whose weights can be trained.

The interface is that of reusable SavedModels, https://www.tensorflow.org/hub/reusable_saved_models:
the loaded object may be called with ``training=True``, in which it updates the statistics of its
normalisations by itself. Without that, the graph for inference is trained, statistics as they are.
The regularisation losses that it may name are left out, as those of Keras networks are: the decay
of the weights is the optimizer's.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from bricksight._support.optional import require_tensorflow
from bricksight.errors import BackboneError

_TOLERANCE = 1e-3
"""Largest difference, relative to the largest feature, between two ways to the same features."""


class GraphNetwork:
    """A network without layers, called as a ``keras.Model`` is.

    Attributes:
        weights: All variables that it uses, in an order that is the same in every process.
        trainable_variables: Those of them that are to be trained.
        output_shape: ``(None, num_features)``.
        has_training_mode: Whether it does anything else in training than in inference.
        height: Rows of the images that it takes, in pixels; see ``takes`` for others.
        width: Columns of these images.
    """

    def __init__(
        self,
        *,
        plain: Callable[[Any], Any],
        with_mode: Callable[[Any, bool], Any],
        text: str,
        height: int,
        width: int,
    ) -> None:
        """Traces the network.

        Args:
            plain: from images, float32 (num_images, height, width, 3), to features in inference.
            with_mode: takes whether it is for training too; may fail where there is no such mode.
            text: the reference, for messages.
            height: of the images, in pixels.
            width: of the images, in pixels.

        Raises:
            BackboneError: none of the weights can be trained.
        """
        tf = require_tensorflow()
        self.height, self.width = height, width
        self._text, self._plain, self._with_mode = text, plain, with_mode
        self.has_training_mode = self._agrees()
        spec = tf.TensorSpec((None, height, width, 3), tf.float32)
        traced = tf.function(lambda images: self(images), autograph=False)
        concrete = traced.get_concrete_function(spec)
        # ``concrete.variables`` comes in any order, what is captured in that of the graph.
        of_handle = {id(one.handle): one for one in concrete.variables}
        captured = [id(handle) for handle in concrete.captured_inputs]
        self.weights = [of_handle[handle] for handle in captured if handle in of_handle]
        self.trainable_variables = [one for one in self.weights if one.trainable]
        self.output_shape = (None, int(concrete.outputs[0].shape[1]))
        if not self.trainable_variables:
            raise BackboneError(
                f"{text} is a SavedModel whose weights are constants, or not to be trained. "
                "Fine-tune the SavedModel that it was frozen from, or keras:NAME from `bricksight "
                "modules`."
            )

    def __call__(self, images: Any, *, training: bool = False) -> Any:
        """Return features, float32 (num_images, num_features).

        Args:
            images: float32 (num_images, height, width, 3), RGB, in [0, 1].
            training: whether normalisations use the statistics of these images and keep them, where
                the graph has such a mode.
        """
        if self.has_training_mode:
            return self._with_mode(images, training)
        return self._plain(images)

    def takes(self, size: int) -> bool:
        """Tells whether images of this many rows and columns can be given."""
        tf = require_tensorflow()
        try:
            self(tf.zeros((1, size, size, 3)))
        except (ValueError, TypeError, tf.errors.OpError):
            return False
        return True

    def _agrees(self) -> bool:
        """Tells whether there is a mode for training, and out of it the same features."""
        tf = require_tensorflow()
        shape = (2, self.height, self.width, 3)
        images = tf.constant(np.random.default_rng(0).random(shape, dtype=np.float32))
        traced = tf.function(lambda given: self._with_mode(given, True), autograph=False)
        try:
            found = np.asarray(self._with_mode(images, False))
            traced.get_concrete_function(tf.TensorSpec(shape, tf.float32))  # nothing is updated
        except (ValueError, TypeError, KeyError, BackboneError, tf.errors.OpError):
            return False
        expected = np.asarray(self._plain(images))
        return expected.shape == found.shape and bool(
            np.abs(found - expected).max() <= _TOLERANCE * np.abs(expected).max()
        )
