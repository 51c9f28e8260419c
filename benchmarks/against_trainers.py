"""Training from the same photos, against the recipes of others: same folds, same machine.

    python benchmarks/against_trainers.py PHOTOS --group_by REGEX [--folds 5] [--minutes 3]

- "TensorFlow's tutorial" is tensorflow.org/tutorials/images/transfer_learning: MobileNetV2 at
  160 px, mirrored and turned at random, the layer for 10 epochs with Adam, then everything from
  layer 100 up for 10 more with RMSprop at a tenth of the rate;
- "Keras's guide" is keras.io/guides/transfer_learning: the layer with Adam for 20 epochs, then the
  whole network with Adam at 1e-5 for 10, here at 160 px too, of the same network;
- "..., all the time" has as many epochs of both parts as fit into the time;
- "ours" is ``--recipe balanced --time_budget``, of the same network, "ours, the layer alone"
  ``--recipe fast``, which takes the time that it takes.

All begin with the same ImageNet weights of Keras Applications, those for 224 px. Fastai and timm,
whose weights a package brings, are in ``against_fastai.py``. Ultralytics loads its own from the
network when it begins to train and is not among these.
"""

import argparse
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from _trainers import BATCH, OURS, SIZE, Answers, by_ours, compare, parser_of
from tensorflow import keras

from bricksight import images
from bricksight.backbones import resolve
from bricksight.config import InputSpec
from bricksight.dataset import Dataset

NETWORK = "keras:MobileNetV2"


@dataclass(frozen=True)
class Guide:
    """A published recipe in two parts: the layer alone, then the network too."""

    head_epochs: int
    network_epochs: int
    head_rate: float
    rotation: float
    first_layer: int
    optimizer: Any


GUIDES = {
    "TensorFlow's tutorial": Guide(10, 10, 1e-4, 0.2, 100, keras.optimizers.RMSprop),
    "Keras's guide": Guide(20, 10, 1e-3, 0.1, 0, keras.optimizers.Adam),
}
NETWORK_RATE = 1e-5  # of both


def main() -> None:
    compare(run_all, parser_of(__doc__).parse_args())


def run_all(fold: Dataset, number: int, options: argparse.Namespace) -> Iterator[Answers]:
    for name, guide in GUIDES.items():
        yield (name, *by_guide(fold, guide, number))
        yield (f"{name}, all the time", *by_guide(fold, guide, number, 60 * options.minutes))
    for name, recipe in OURS.items():
        yield (name, *by_ours(fold, number, options, network=NETWORK, recipe=recipe))


def by_guide(
    fold: Dataset, guide: Guide, seed: int, budget: float | None = None
) -> tuple[np.ndarray, float]:
    """Trains as the guide says, on training and validation photos."""
    keras.utils.set_random_seed(seed)
    start = time.perf_counter()
    pixels, labels = read(fold, "training", "validation")
    network = resolve(f"{NETWORK}@weights=random,size={SIZE}").network()
    network.set_weights(resolve(NETWORK).network().get_weights())
    inputs = keras.Input((SIZE, SIZE, 3))
    changed = keras.layers.RandomFlip("horizontal")(inputs)
    changed = keras.layers.RandomRotation(guide.rotation)(changed)
    features = keras.layers.Dropout(0.2)(network(changed, training=False))
    model = keras.Model(inputs, keras.layers.Dense(len(fold.labels))(features))
    batches = tf.data.Dataset.from_tensor_slices((pixels, labels))
    batches = batches.shuffle(len(labels)).batch(BATCH).prefetch(tf.data.AUTOTUNE)

    def train(optimizer: Any, epochs: int, share: float) -> None:
        model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        end = None if budget is None else start + share * budget
        for epoch in itertools.count():
            if epoch >= epochs if end is None else time.perf_counter() > end:
                return
            model.fit(batches, verbose=0)

    network.trainable = False
    train(keras.optimizers.Adam(guide.head_rate), guide.head_epochs, 0.3)
    network.trainable = True
    for layer in network.layers[: guide.first_layer]:
        layer.trainable = False
    train(guide.optimizer(NETWORK_RATE), guide.network_epochs, 1.0)
    taken = time.perf_counter() - start
    test, _ = read(fold, "test")
    return np.asarray(tf.nn.softmax(model.predict(test, verbose=0))), taken


def read(fold: Dataset, *splits: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns the photos in [0, 1] and their labels."""
    examples = tuple(example for side in splits for example in fold.in_split(side))
    spec = InputSpec(height=SIZE, width=SIZE)
    pixels = np.stack([images.to_input(images.decode(one.path), spec) for one in examples])
    return pixels, fold.label_indices(examples)


if __name__ == "__main__":
    main()
