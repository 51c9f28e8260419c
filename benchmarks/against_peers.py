"""One photo at a time: bricksight against a bare LiteRT loop, Keras, TensorFlow and ONNX Runtime.

    python benchmarks/against_peers.py BUNDLE IMAGE_DIR [--threads 2] [--rounds 15] [--calls 40]

Bricksight is timed from a decoded photo to labels; so is the loop "from the photo", written by hand
as one would without bricksight. All others are handed the network's ready input, which favours
them. Everything runs in this process, in turn, and the medians are compared. The photo is first
brought to the network's size, as a camera can be set to; --full_photo leaves it as it is.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from _machine import describe_machine
from PIL import Image

from bricksight import Predictor, images, open_bundle
from bricksight._support.optional import require_tensorflow
from bricksight.bundle import Bundle
from bricksight.dataset import scan

LOOP = "bare LiteRT loop, from the photo"
OURS = "bricksight"
SECONDS_BETWEEN_TURNS = 0.05  # idle threads of the one before may still spin

Call = Callable[[], object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("image_dir", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=40)
    parser.add_argument("--full_photo", action="store_true")
    options = parser.parse_args()
    # Read by TensorFlow when it starts its threads.
    os.environ["TF_NUM_INTRAOP_THREADS"] = str(options.threads)

    bundle = open_bundle(options.bundle)
    spec = bundle.manifest.input
    photo = images.decode(scan(options.image_dir).examples[0].path)
    if not options.full_photo:
        photo = images.to_pixels(photo, spec)
    entry = images.to_input(photo, spec)[None]
    predictor = Predictor(options.bundle, threads=options.threads)
    calls = {
        OURS: lambda: predictor.predict(photo),
        **litert_loops(bundle, photo, entry, options.threads),
        **keras(bundle, entry),
        **frozen_graph(bundle, entry, options.threads),
        **onnx_runtime(bundle, entry, options.threads),
    }
    medians = in_turn(calls, rounds=options.rounds, count=options.calls)
    print(describe_machine())
    print(
        f"{options.threads} threads, photo {photo.shape[1]}x{photo.shape[0]}; medians of "
        f"{options.rounds} rounds in turn, each the median of {options.calls} calls\n"
    )
    show(medians)


def litert_loops(
    bundle: Bundle, photo: np.ndarray, entry: np.ndarray, threads: int
) -> dict[str, Call]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(bundle.file("model.tflite")), num_threads=threads)
    interpreter.allocate_tensors()
    index_in = interpreter.get_input_details()[0]["index"]
    index_out = interpreter.get_output_details()[0]["index"]
    size = bundle.manifest.input.width, bundle.manifest.input.height

    def invoke(batch: np.ndarray) -> np.ndarray:
        interpreter.set_tensor(index_in, batch)
        interpreter.invoke()
        return interpreter.get_tensor(index_out)

    def from_photo() -> str:
        resized = Image.fromarray(photo).resize(size, Image.Resampling.BILINEAR)
        output = invoke((np.asarray(resized) / np.float32(255))[None])
        return bundle.labels[int(output[0].argmax())]

    return {LOOP: from_photo, "bare LiteRT loop, input ready": lambda: invoke(entry)}


def keras(bundle: Bundle, entry: np.ndarray) -> dict[str, Call]:
    tf = require_tensorflow()
    files = exported(bundle, ".keras")
    if files:
        model, name = tf.keras.models.load_model(files[0]), f"Keras predict, {files[0].name}"
    else:
        network = tf.keras.applications.MobileNetV2(
            input_shape=entry.shape[1:], weights=None, classes=len(bundle.labels)
        )
        scaled = tf.keras.layers.Rescaling(2.0, offset=-1.0)
        model = tf.keras.Sequential([tf.keras.Input(entry.shape[1:]), scaled, network])
        name = "Keras predict, MobileNetV2 of keras.applications"
    return {name: lambda: model.predict(entry, verbose=0)}


def frozen_graph(bundle: Bundle, entry: np.ndarray, threads: int) -> dict[str, Call]:
    tf = require_tensorflow()
    graph = tf.Graph()
    content = bundle.file("output_graph.pb").read_bytes()
    with graph.as_default():
        tf.graph_util.import_graph_def(tf.compat.v1.GraphDef.FromString(content), name="")
    config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=threads)
    session = tf.compat.v1.Session(graph=graph, config=config)
    output, feed = f"{bundle.manifest.output_layer}:0", {"Placeholder:0": entry}
    return {"TensorFlow session, frozen graph": lambda: session.run(output, feed)}


def onnx_runtime(bundle: Bundle, entry: np.ndarray, threads: int) -> dict[str, Call]:
    files = exported(bundle, ".onnx")
    if not files:
        print(f"No .onnx file in {bundle.path / 'exports'}: ONNX Runtime is left out.\n")
        return {}
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        str(files[0]), options, providers=["CPUExecutionProvider"]
    )
    described = session.get_inputs()[0]
    if described.shape[1] == 3:
        entry = np.ascontiguousarray(entry.transpose(0, 3, 1, 2))
    return {f"ONNX Runtime, {files[0].name}": lambda: session.run(None, {described.name: entry})}


def exported(bundle: Bundle, suffix: str) -> list[Path]:
    return sorted((bundle.path / "exports").glob(f"*{suffix}"))


def in_turn(calls: dict[str, Call], *, rounds: int, count: int) -> dict[str, float]:
    """Returns the median, over the rounds, of each call's median, in milliseconds."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            time.sleep(SECONDS_BETWEEN_TURNS)
            call()
            found[name].append(statistics.median(milliseconds(call) for _ in range(count)))
    return {name: statistics.median(values) for name, values in found.items()}


def milliseconds(call: Call) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3


def target(name: str, ratio: float) -> str:
    if name == LOOP:
        return f"ours at most 1.10 times: {'met' if 1 / ratio <= 1.1 else 'MISSED'}"
    if name.startswith(("Keras", "TensorFlow")):
        return f"at least 3: {'met' if ratio >= 3 else 'MISSED'}"
    if name.startswith("ONNX"):
        return f"equal, within 10 %: {'met' if ratio >= 0.9 else 'MISSED'}"
    return ""


def show(medians: dict[str, float]) -> None:
    print("| what | ms, median | times ours | ours / it | target |\n|---|---:|---:|---:|---|")
    for name, median in medians.items():
        ratio = median / medians[OURS]
        print(f"| {name} | {median:.2f} | {ratio:.2f} | {1 / ratio:.3f} | {target(name, ratio)} |")


if __name__ == "__main__":
    main()
