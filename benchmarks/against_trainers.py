"""Training from the same photos, against the recipes of others: same folds, same machine.

    python benchmarks/against_trainers.py PHOTOS --group_by REGEX [--folds 5] [--minutes 3]

- "TensorFlow's tutorial" is tensorflow.org/tutorials/images/transfer_learning: MobileNetV2 at
  160 px, mirrored and turned at random, the layer for 10 epochs with Adam, then everything from
  layer 100 up for 10 more with RMSprop at a tenth of the rate;
- "Keras's guide" is keras.io/guides/transfer_learning: the layer with Adam for 20 epochs, then the
  whole network with Adam at 1e-5 for 10, here at 160 px too, of the same network;
- "..., all the time" has as many epochs of both parts as fit into the time;
- "ours" is ``--recipe balanced --time_budget``, of the same network.

All begin with the same ImageNet weights of Keras Applications. Fastai, timm and Ultralytics load
theirs from the network when they begin to train and are not among these.
"""

import argparse
import itertools
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from _machine import describe_machine
from tensorflow import keras

from bricksight import images
from bricksight.config import (
    AugmentConfig,
    FineTuneConfig,
    HeadConfig,
    InputSpec,
    RetrainConfig,
    SplitConfig,
)
from bricksight.dataset import Dataset, deal_folds, scan
from bricksight.features import default_cache_path
from bricksight.modules import resolve
from bricksight.retrain import SilentReporter
from bricksight.retrain._photos import open_photos
from bricksight.retrain._progress import Stopwatch
from bricksight.retrain._workflow import fit

NETWORK = "keras:MobileNetV2"
SIZE = 160
BATCH = 32


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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--group_by", required=True)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--only", type=int, help="so many of the folds")
    parser.add_argument("--minutes", type=float, default=3)
    options = parser.parse_args()
    data = scan(options.photos, split=SplitConfig(group_by=options.group_by))
    print(f"{describe_machine()}; {options.minutes:g} minutes a fold", flush=True)
    right: dict[str, list[bool]] = defaultdict(list)
    seconds: dict[str, list[float]] = defaultdict(list)
    dealt = deal_folds(data, num_folds=options.folds, seed=0)
    for number, fold in enumerate(itertools.islice(dealt, options.only)):
        for name, found, taken in run_all(fold, number, options):
            right[name] += found.tolist()
            seconds[name].append(taken)
            print(f"fold {number}, {name}: {100 * found.mean():.1f} %, {taken:.0f} s", flush=True)
    print("\n| recipe | right | minutes a fold |\n|---|---|---|")
    for name, found in right.items():
        print(f"| {name} | {100 * np.mean(found):.1f} % | {np.mean(seconds[name]) / 60:.1f} |")


def run_all(
    fold: Dataset, number: int, options: argparse.Namespace
) -> Iterator[tuple[str, np.ndarray, float]]:
    """Yields the name of each recipe, which test photos it has right, and its seconds."""
    for name, guide in GUIDES.items():
        yield (name, *by_guide(fold, guide, number))
        yield (f"{name}, all the time", *by_guide(fold, guide, number, 60 * options.minutes))
    yield ("ours", *by_ours(fold, number, options))


def by_guide(
    fold: Dataset, guide: Guide, seed: int, budget: float | None = None
) -> tuple[np.ndarray, float]:
    """Trains as the guide says, on training and validation photos."""
    keras.utils.set_random_seed(seed)
    start = time.perf_counter()
    pixels, labels = read(fold, "training", "validation")
    network = resolve(f"{NETWORK}@size={SIZE}").network()
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
    test, expected = read(fold, "testing")
    return model.predict(test, verbose=0).argmax(axis=1) == expected, taken


def read(fold: Dataset, *sides: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns the photos in [0, 1] and their labels."""
    records = tuple(record for side in sides for record in fold.bucket(side))
    spec = InputSpec(height=SIZE, width=SIZE)
    pixels = np.stack([images.to_input(images.decode(one.path), spec) for one in records])
    return pixels, fold.label_indices(records)


def by_ours(fold: Dataset, seed: int, options: argparse.Namespace) -> tuple[np.ndarray, float]:
    start = time.perf_counter()
    config = RetrainConfig(image_dir=options.photos, tfhub_module=NETWORK)
    watch = Stopwatch(SilentReporter())
    photos = open_photos(fold, config, cache_path=default_cache_path(), watch=watch)
    tuning = FineTuneConfig(recipe="balanced", time_budget=f"{60 * options.minutes:.0f}s")
    configs = (config, SplitConfig(), AugmentConfig(), HeadConfig(seed=seed), tuning.resolved)
    through, trained = fit(replace(photos, data=fold), configs, observer=lambda *_: None)
    taken = time.perf_counter() - start
    _, test = through.plain("testing")
    return trained.head.probabilities(test.plain()).argmax(axis=1) == test.labels, taken


if __name__ == "__main__":
    main()
