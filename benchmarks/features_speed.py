"""Features from JPEG files, decoding included: ours, the parts alone, and tf.data with Keras.

    python benchmarks/features_speed.py IMAGE_DIR [--backbone REF] [--rounds 5]

"Parts together" is what decoding alone and LiteRT alone cost one after the other, each on all cores
with nothing else around it: 1 / (1 / decoding + 1 / LiteRT) images a second.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from _machine import describe_machine, in_turn
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

from bricksight import images
from bricksight._support.optional import require_tensorflow
from bricksight._support.threads import num_cores
from bricksight.backbones import resolve
from bricksight.dataset import Example, scan
from bricksight.features import CompiledBackbone, compile_backbone, extract

HUB = "https://tfhub.dev/google/imagenet/mobilenet_v2_100_224/feature_vector/3"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image_dir", type=Path)
    parser.add_argument("--backbone", default=HUB)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    examples = scan(options.image_dir).examples
    compiled = compile_backbone(
        resolve(options.backbone),
        images=lambda spec: np.stack([images.load_input(r.path, spec) for r in examples[:8]]),
    )
    keras = keras_pipeline(examples)
    candidates: dict[str, Callable[[], float]] = {
        "decoding alone": lambda: decoding(examples, compiled),
        "LiteRT alone": lambda: bare_litert(len(examples), compiled),
        "bricksight": lambda: ours(examples, compiled),
        "tf.data + Keras predict": keras,
    }
    for run in candidates.values():
        run()
    figures = in_turn(candidates, rounds=options.rounds)
    print(describe_machine())
    print(f"{len(examples)} photos of {options.image_dir.name}, {options.rounds} rounds in turn\n")
    print("| what | images/s, median | lowest | highest |\n|---|---|---|---|")
    for name, (low, median, high) in figures.items():
        print(f"| {name} | {median:.0f} | {low:.0f} | {high:.0f} |")
    together = 1 / (1 / figures["decoding alone"][1] + 1 / figures["LiteRT alone"][1])
    mine = figures["bricksight"][1]
    print(f"\nparts together: {together:.0f} images/s; bricksight reaches {mine / together:.1%}")
    print(f"bricksight / Keras: {mine / figures['tf.data + Keras predict'][1]:.2f}")


def rate(count: int, work: Callable[[], object]) -> float:
    """Returns items a second."""
    start = time.perf_counter()
    work()
    return count / (time.perf_counter() - start)


def ours(examples: Sequence[Example], compiled: CompiledBackbone) -> float:
    return rate(len(examples), lambda: extract(examples, compiled=compiled))


def decoding(examples: Sequence[Example], compiled: CompiledBackbone) -> float:
    """Bare Pillow: open, decode, resize with antialiasing, to float32."""
    size = (compiled.backbone.input_spec.width, compiled.backbone.input_spec.height)

    def one(example: Example) -> np.ndarray:
        with Image.open(example.path) as photo:
            photo.draft("RGB", (2 * size[0], 2 * size[1]))
            small = photo.convert("RGB").resize(size, Image.Resampling.BILINEAR)
        return np.asarray(small, np.float32) / np.float32(255)

    def work() -> None:
        with ThreadPoolExecutor(num_cores()) as pool:
            for _ in pool.map(one, examples):
                pass

    return rate(len(examples), work)


def bare_litert(count: int, compiled: CompiledBackbone) -> float:
    """One interpreter of one thread a core, on pixels that are there already."""
    spec = compiled.backbone.input_spec
    pixels = np.random.default_rng(0).random((1, spec.height, spec.width, 3), dtype=np.float32)
    interpreters = [Interpreter(str(compiled.path), num_threads=1) for _ in range(num_cores())]
    for interpreter in interpreters:
        interpreter.allocate_tensors()
    share = count // len(interpreters)

    def loop(interpreter: Interpreter) -> None:
        entrance = interpreter.get_input_details()[0]["index"]
        exit_ = interpreter.get_output_details()[0]["index"]
        for _ in range(share):
            interpreter.set_tensor(entrance, pixels)
            interpreter.invoke()
            interpreter.get_tensor(exit_)

    def work() -> None:
        with ThreadPoolExecutor(len(interpreters)) as pool:
            for _ in pool.map(loop, interpreters):
                pass

    return rate(share * len(interpreters), work)


def keras_pipeline(examples: Sequence[Example]) -> Callable[[], float]:
    """tf.data with parallel decoding and prefetching, Keras's MobileNetV2, batches of 32."""
    tf = require_tensorflow()
    model = tf.keras.applications.MobileNetV2(include_top=False, pooling="avg", weights=None)

    def load(path):
        photo = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        return tf.image.resize(photo, (224, 224), antialias=True) / 127.5 - 1.0

    paths = [str(example.path) for example in examples]
    pipeline = (
        tf.data.Dataset.from_tensor_slices(paths)
        .map(load, num_parallel_calls=tf.data.AUTOTUNE)
        .batch(32)
        .prefetch(tf.data.AUTOTUNE)
    )
    return lambda: rate(len(examples), lambda: model.predict(pipeline, verbose=0))


if __name__ == "__main__":
    main()
