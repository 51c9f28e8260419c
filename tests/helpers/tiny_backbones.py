"""Networks of a few hundred weights, written the way real ones are."""

import functools
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from bricksight._support.optional import require_tensorflow
from bricksight.backbones import Backbone
from bricksight.backbones.sources.saved_model import feature_function
from bricksight.config import InputSpec


def tiny_network(size: int | None = 32, *, pooled: bool = True) -> Any:
    """Returns a ``keras.Model`` from images to 6 features, or to their map; weights are seeded."""
    keras = require_tensorflow().keras
    keras.utils.set_random_seed(7)
    images = keras.Input((size, size, 3), name="images")
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same", activation="relu6")(images)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Conv2D(6, 1, activation="relu")(x)
    if pooled:
        x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(images, x)


def write_saved_model(folder: Path, network: Any) -> Path:
    """Writes a SavedModel as Keras's ``export`` does, without its progress on stdout."""
    network.export(folder, verbose=False)
    return folder


def write_keras_file(path: Path, network: Any) -> Path:
    """Writes a ``.keras`` file."""
    with warnings.catch_warnings():
        # Keras 3.15 asks NumPy 2 for an array in NumPy 1's way.
        warnings.filterwarnings("ignore", message="__array__", category=DeprecationWarning)
        network.save(path)
    return path


def write_reusable_saved_model(folder: Path, *, size: int | None = 32) -> Path:
    """Writes a SavedModel as TensorFlow Hub wants them: called with or without ``training``."""
    tf, initial = require_tensorflow(), np.random.RandomState(1)

    class Network(tf.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            self.kernel = tf.Variable(initial.normal(size=(3, 3, 3, 8)).astype("f4") / 3)
            self.beta = tf.Variable(tf.zeros(8))
            self.mean = tf.Variable(tf.zeros(8), trainable=False)
            self.variance = tf.Variable(tf.ones(8), trainable=False)

        @tf.function  # type: ignore[untyped-decorator]
        def __call__(self, images: Any, training: bool = False) -> Any:
            maps = tf.nn.conv2d(images, self.kernel, strides=2, padding="SAME")
            mean, variance = self.mean, self.variance
            if training:
                mean, variance = tf.nn.moments(maps, (0, 1, 2))
                for moving, new in ((self.mean, mean), (self.variance, variance)):
                    moving.assign(0.999 * moving + 0.001 * new)
            maps = tf.nn.batch_normalization(maps, mean, variance, self.beta, None, 1e-3)
            return tf.reduce_mean(tf.nn.relu6(maps), axis=(1, 2))

    network = Network()
    spec = tf.TensorSpec((None, size, size, 3), tf.float32)
    for training in (True, False):
        concrete = network.__call__.get_concrete_function(spec, training=training)
    tf.saved_model.save(network, str(folder), signatures=concrete)
    return folder


def write_hub_module(folder: Path, *, num_features: int = 5) -> Path:
    """Writes a module in TF1 Hub format: untagged, with the signature "default"."""
    tf = require_tensorflow()
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        images = v1.placeholder(tf.float32, (None, 32, 32, 3), name="images")
        kernel = v1.get_variable(
            "kernel",
            initializer=np.random.RandomState(0).normal(size=(3, 3, 3, num_features)).astype("f4"),
        )
        maps = tf.nn.relu6(tf.nn.conv2d(images, kernel, strides=2, padding="SAME"))
        features = tf.reduce_mean(maps, axis=(1, 2))
        session.run(v1.global_variables_initializer())
        signature = v1.saved_model.signature_def_utils.build_signature_def(
            {"images": v1.saved_model.utils.build_tensor_info(images)},
            {"default": v1.saved_model.utils.build_tensor_info(features)},
        )
        builder = v1.saved_model.builder.SavedModelBuilder(str(folder))
        builder.add_meta_graph_and_variables(session, [], signature_def_map={"default": signature})
        builder.save()
    (folder / "tfhub_module.pb").write_bytes(b"\x08\x03")
    return folder


def as_backbone(network: Any, *, name: str, size: int) -> Backbone:
    """Returns a ``keras.Model`` as a module, as if it had been found under ``name``."""
    call = functools.partial(network, training=False)
    return Backbone(
        reference=name,
        source="test",
        title=name,
        input_spec=InputSpec(height=size, width=size),
        num_features=None,
        licence=None,
        fingerprint=f"{name}-{size}",
        location=None,
        loader=functools.partial(feature_function, call, text=name, height=size, width=size),
    )


def noise(*, size: int = 32, count: int = 3) -> np.ndarray:
    """Returns images of seeded noise, float32 (count, size, size, 3) in [0, 1]."""
    return np.random.default_rng(0).random((count, size, size, 3), dtype=np.float32)
