"""Photos a second in training a network: ours beside Keras's fit, one network, one size.

    python benchmarks/finetune_speed.py [--backbone keras:MobileNetV2] [--size 160]

Both train in turns on the same images in memory with AdamW and batches of 32. The image pipeline
is left out of Keras's time and not of ours; the first step, which traces the graph, of both times.
The median of the rounds is told. Keras trains all layers; ours does so too, and leaves the layers
whose maps are fine as they are, which `retrain` does by default.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from _machine import describe_machine

from bricksight._support.optional import require_tensorflow
from bricksight.backbones import resolve
from bricksight.config import AugmentConfig, InputSpec
from bricksight.finetuning import BatchGenerator, ImageSet, Stage, Trainer, TrainerOptions
from bricksight.finetuning.layer_freezing import WHOLE, freeze

NUM_CLASSES = 54
BATCH = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backbone", default="keras:MobileNetV2")
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    num_images = options.steps * BATCH
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (num_images, options.size, options.size, 3), dtype=np.uint8)
    labels = rng.integers(0, NUM_CLASSES, num_images).astype(np.int32)
    ways: dict[str, Callable[[], float]] = {
        "Keras fit": keras_fit(options, pixels, labels),
        "ours, the whole network": ours(options, pixels, labels, first=WHOLE),
        "ours": ours(options, pixels, labels, first=None),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, run in ways.items():
            seconds[name].append(run())
    print(f"{describe_machine()}\n{options.backbone} at {options.size} px, batches of {BATCH}\n")
    print("| way | images/s | times Keras fit |\n|---|---|---|")
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, median in medians.items():
        print(f"| {name} | {num_images / median:.0f} | {medians['Keras fit'] / median:.2f} |")


def keras_fit(
    options: argparse.Namespace, pixels: np.ndarray, labels: np.ndarray
) -> Callable[[], float]:
    """The network with a dense layer, compiled and fitted as Keras's guides do."""
    keras = require_tensorflow().keras
    own = resolve(options.backbone).network()
    images = keras.Input((options.size, options.size, 3))
    # The same layers for another size, with random weights, which take the same time.
    network = keras.models.clone_model(own, [images] if isinstance(own.input, list) else images)
    logits = keras.layers.Dense(NUM_CLASSES)(network.output)
    model = keras.Model(network.input, logits)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(1e-4), loss)
    inputs = pixels.astype(np.float32) / 255
    model.fit(inputs[:BATCH], labels[:BATCH], batch_size=BATCH, verbose=0)

    def run() -> float:
        start = time.perf_counter()
        model.fit(inputs, labels, batch_size=BATCH, verbose=0)
        return time.perf_counter() - start

    return run


def ours(
    options: argparse.Namespace, pixels: np.ndarray, labels: np.ndarray, *, first: str | None
) -> Callable[[], float]:
    """One stage as the workflow runs it, views of unchanged photos included."""
    backbone = resolve(options.backbone)
    network = backbone.network()
    freeze(network, first, backbone)
    trainer = Trainer(network, NUM_CLASSES, TrainerOptions())
    spec = InputSpec(height=options.size, width=options.size)
    batch_generator = BatchGenerator(
        photos=ImageSet(pixels=list(pixels), labels=labels),
        augments=(AugmentConfig(),),
        batch_size=BATCH,
        seed=0,
    )
    # An epoch and one batch, whose time does not count.
    stage = Stage(
        batch_generator=batch_generator, epochs=1 + 1 / options.steps, size=spec.height, rate=1e-4
    )

    def run() -> float:
        ends: list[float] = []
        trainer.run(stage, after_step=lambda: ends.append(time.perf_counter()))
        return ends[-1] - ends[0]

    return run


if __name__ == "__main__":
    main()
