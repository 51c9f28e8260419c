"""What each precision of the .tflite file costs: size, answers, accuracy, time.

    python benchmarks/quantisation.py BUNDLE IMAGE_DIR [--rounds 7]

BUNDLE was trained on IMAGE_DIR. Ranges and biases are read from its training photos, answers are
compared on its testing and validation photos, and accuracy is that on the testing photos alone: the
last fit of the default recipe includes the validation photos.
"""

import argparse
import csv
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from _machine import describe_machine, in_turn

from bricksight import images
from bricksight._threads import num_cores
from bricksight.bundle import PHOTOS, Bundle, open_bundle
from bricksight.export import Classifier, Proof, tflite
from bricksight.export._request import Request
from bricksight.predict.runtimes.litert import LiteRT
from bricksight.predict.runtimes.tensorflow import FrozenGraph

NUM_CALIBRATION = 100
RUNS_A_ROUND = 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("image_dir", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    bundle = open_bundle(options.bundle)
    photos = {
        bucket: load(bundle, options.image_dir, bucket)
        for bucket in ("training", "validation", "testing")
    }
    tested, truth = photos["testing"]
    inputs = np.concatenate([tested, photos["validation"][0]])
    graph = FrozenGraph(
        bundle.file(FrozenGraph.file_name), output_layer=bundle.manifest.output_layer
    )
    reference = np.concatenate([graph.run(block) for block in np.array_split(inputs, 20)])
    with tempfile.TemporaryDirectory() as folder:
        files = write(bundle, calibration(photos["training"][0]), Path(folder))
        runtimes = {name: LiteRT(path) for name, path in files.items()}
        answers = {name: runtime.run(inputs) for name, runtime in runtimes.items()}
        timers = {name: timer(runtime, inputs) for name, runtime in runtimes.items()}
        times = in_turn(timers, rounds=options.rounds)
        sizes = {name: path.stat().st_size for name, path in files.items()}
    print(describe_machine())
    print(
        f"{len(truth)} testing and {len(inputs) - len(truth)} validation photos of "
        f"{options.image_dir.name}, {len(bundle.labels)} classes, {num_cores()} threads, "
        f"{options.rounds} rounds in turn of {RUNS_A_ROUND} single photos\n"
    )
    right = reference[: len(truth)].argmax(axis=1) == truth
    print(f"accuracy of the frozen graph in TensorFlow: {right.mean():.1%}\n")
    print("| file | bytes | largest difference | same first answer | accuracy", end="")
    print(" | right before, wrong now | wrong before, right now | ms, median | lowest | highest |")
    print("|---" * 10 + "|")
    for name, found in answers.items():
        now = found[: len(truth)].argmax(axis=1) == truth
        low, median, high = times[name]
        cells = [
            f"{sizes[name]:,}",
            f"{np.abs(found - reference).max():.2g}",
            f"{(found.argmax(axis=1) == reference.argmax(axis=1)).mean():.1%}",
            f"{now.mean():.1%}",
            f"{(right & ~now).sum()}",
            f"{(~right & now).sum()}",
            f"{median:.2f} | {low:.2f} | {high:.2f}",
        ]
        print(f"| {name} | " + " | ".join(cells) + " |")


def load(bundle: Bundle, image_dir: Path, bucket: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns the prepared photos of a bucket, and the rows of their labels."""
    with bundle.file(PHOTOS).open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["bucket"] == bucket]
    spec = bundle.manifest.input
    inputs = np.stack([images.load_input(image_dir / row["path"], spec) for row in rows])
    return inputs, np.array([bundle.labels.index(row["label"]) for row in rows])


def calibration(training: np.ndarray) -> np.ndarray:
    """Returns photos of all classes; the list is in the order of classes."""
    count = min(NUM_CALIBRATION, len(training))
    rows = np.linspace(0, len(training) - 1, count).astype(int)
    return training[np.random.default_rng(0).permutation(rows)]


def write(bundle: Bundle, photos: np.ndarray, folder: Path) -> dict[str, Path]:
    """Returns name → file, each for one photo at a time."""
    classifier = Classifier(
        graph_def_bytes=bundle.file(FrozenGraph.file_name).read_bytes(),
        input_layer="Placeholder",
        output_layer=bundle.manifest.output_layer,
    )
    proof = Proof(
        photos=[], probabilities=np.empty(0), labels=bundle.labels, spec=bundle.manifest.input
    )

    def request(precision: str, io: str = "float32") -> Request:
        return Request(proof=proof, calibration=lambda: photos, precision=precision, io=io)  # type: ignore[arg-type]

    contents = {
        precision: tflite.convert(classifier, request(precision))
        for precision in ("float32", "float16", "dynamic")
    }
    contents["int8, biases as converted"] = tflite._converted(
        tflite._with_batch(classifier, 1), precision="int8", batches=photos[:, None]
    )
    for io in ("float32", "uint8", "int8"):
        contents[f"int8, {io} in and out"] = tflite.convert(classifier, request("int8", io))
    files = {name: folder / f"{number}.tflite" for number, name in enumerate(contents)}
    for name, path in files.items():
        path.write_bytes(contents[name])
    return files


def timer(runtime: LiteRT, inputs: np.ndarray) -> Callable[[], float]:
    """Returns a function that gives the median milliseconds of one photo."""

    def run() -> float:
        found = []
        for row in range(RUNS_A_ROUND):
            start = time.perf_counter()
            runtime.run(inputs[row : row + 1])
            found.append(time.perf_counter() - start)
        return 1000 * float(np.median(found))

    return run


if __name__ == "__main__":
    main()
