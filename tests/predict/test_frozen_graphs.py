"""Frozen graphs of retrain.py's and others: what they take decides what they are given."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bricksight._support.optional import require_tensorflow
from bricksight.cli import main
from bricksight.errors import BricksightError, BundleError, ConfigError
from bricksight.predict import Predictor

pytestmark = pytest.mark.tf

PHOTO = np.full((40, 40, 3), (255, 51, 102), np.uint8)
"""Its mean in [0, 1] is (1, 0.2, 0.4)."""

LABELS = ("red", "green", "blue")


def placeholder(*shape: int | None, name: str = "Placeholder", kind: str = "float32") -> Any:
    tf1 = require_tensorflow().compat.v1
    return tf1.placeholder(kind, shape, name=name)


def answer(images: Any) -> Any:
    """Ends a graph with the softmax of the mean colour, by which we see what it was given."""
    tf = require_tensorflow()
    means = tf.reduce_mean(tf.cast(images, tf.float32), [1, 2])
    return tf.nn.softmax(means, name="final_result")


def inception() -> None:
    """As retrain.py froze InceptionV3: a JPEG goes in, and pixels at "Mul"."""
    tf = require_tensorflow()
    content = placeholder(name="DecodeJpeg/contents", kind="string")
    pixels = tf.cast(tf.image.decode_jpeg(content, channels=3), tf.float32)
    resized = tf.compat.v1.image.resize_bilinear(pixels[None], [64, 64])
    answer(tf.multiply(resized - 128.0, 1 / 128.0, name="Mul"))


def mobilenet() -> None:
    """As retrain.py froze MobileNetV1."""
    tf = require_tensorflow()
    images = placeholder(1, 48, 48, 3, name="input")
    answer(tf.identity(images, name="MobilenetV1/Conv2d_0"))


def channels_first() -> None:
    tf = require_tensorflow()
    answer(tf.transpose(placeholder(None, 3, 32, 48), [0, 2, 3, 1]))


def uint8() -> None:
    tf = require_tensorflow()
    answer(tf.cast(placeholder(None, 32, 32, 3, kind="uint8"), tf.float32) / 255)


GRAPHS: dict[str, Callable[[], Any]] = {
    "inception": inception,
    "mobilenet": mobilenet,
    "channels_first": channels_first,
    "float32": lambda: answer(placeholder(None, 32, 32, 3)),
    "float16": lambda: answer(placeholder(None, 32, 32, 3, kind="float16")),
    "uint8": uint8,
    "batch_of_four": lambda: answer(placeholder(4, 32, 32, 3)),
    "open": lambda: answer(placeholder(None, None, None, 3)),
    "int32": lambda: answer(placeholder(None, 32, 32, 3, kind="int32")),
    "grey": lambda: answer(placeholder(None, 28, 28, 1)),
    "flat": lambda: answer(placeholder(None, 3)[:, None, None]),
    "tiny": lambda: answer(placeholder(None, 4, 4, 3)),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("graphs")
    tf = require_tensorflow()
    for name, build in GRAPHS.items():
        with tf.Graph().as_default() as graph:
            build()
        (folder / f"{name}.pb").write_bytes(graph.as_graph_def().SerializeToString())
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in LABELS))
    return folder


def given(folder: Path, name: str, **options: Any) -> list[float]:
    """Returns what the graph was given of red, green and blue, relative to red."""
    predictor = Predictor.from_graph(str(folder / f"{name}.pb"), folder / "labels.txt", **options)
    found = {one.label: one.probability for one in predictor.predict(PHOTO).predictions}
    logits = np.log([found[label] for label in LABELS])
    return list(logits - logits[0])


@pytest.mark.parametrize("name", ["float32", "float16", "channels_first", "batch_of_four", "open"])
def test_from_graph__floating_point_is_from_zero_to_one(folder: Path, name: str) -> None:
    assert given(folder, name) == pytest.approx([0, -0.8, -0.6], abs=1e-3)


def test_from_graph__uint8_is_from_zero_to_255(folder: Path) -> None:
    assert given(folder, "uint8") == pytest.approx([0, -0.8, -0.6], abs=1e-3)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("inception", {"input_layer": "Mul"}),
        ("mobilenet", {"input_layer": "input"}),
        ("float32", {}),
    ],
)
def test_from_graph__another_range_is_named(
    folder: Path, name: str, options: dict[str, Any]
) -> None:
    values = given(folder, name, **options, input_mean=127.5, input_std=127.5)
    assert values == pytest.approx([0, -1.6, -1.2], abs=1e-3)


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("inception", "Placeholder"),
        ("inception", "Mul"),
        ("inception", "DecodeJpeg/contents"),
        ("mobilenet", "Placeholder"),
        ("mobilenet", "input"),
    ],
)
def test_from_graph__networks_of_the_older_retrain_name_their_options(
    folder: Path, name: str, layer: str
) -> None:
    own = {"inception": "Mul", "mobilenet": "input"}[name]
    advice = f"--input_layer {own} --input_mean 128 --input_std 128"
    with pytest.raises(BricksightError, match=advice):
        given(folder, name, input_layer=layer)


def test_from_graph__many_photos_in_a_graph_of_fixed_batch(folder: Path) -> None:
    predictor = Predictor.from_graph(folder / "batch_of_four.pb", folder / "labels.txt")
    images = np.random.default_rng(0).random((6, 32, 32, 3), np.float32)
    exponentials = np.exp(images.mean(axis=(1, 2)))
    expected = exponentials / exponentials.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(predictor.probabilities(images), expected, atol=1e-6)


def test_from_graph__the_size_that_the_graph_leaves_open(folder: Path) -> None:
    files = (folder / "open.pb", folder / "labels.txt")
    assert Predictor.from_graph(*files).input_spec.height == 224
    assert Predictor.from_graph(*files, input_size=64).input_spec.width == 64
    fixed = (folder / "channels_first.pb", folder / "labels.txt")
    spec = Predictor.from_graph(*fixed).input_spec
    assert (spec.height, spec.width) == (32, 48)
    with pytest.raises(ConfigError, match=r"input_size is 64, but .* 32 x 48 pixels"):
        Predictor.from_graph(*fixed, input_size=64)


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("grey", {}, r"shape \(any, 28, 28, 1\); expected \(num_images, height, width, 3\)"),
        ("flat", {}, r"shape \(any, 3\)"),
        ("tiny", {}, r"images of 4 x 4 pixels; expected a height and width from 8 to 4096"),
        ("int32", {}, r"values of type int32; expected pixels"),
        ("inception", {"input_layer": "DecodeJpeg/contents", "input_mean": 0}, "type string"),
        ("float32", {"input_layer": "input"}, r"no node 'input'.* inputs are \['Placeholder'\]"),
        ("float32", {"output_layer": "softmax"}, r"no node 'softmax'.* last node is"),
        ("float32", {"input_layer": "Placeholder:3"}, "is not a frozen TensorFlow graph"),
        ("float32", {"input_layer": "Placeholder:x"}, "is not a frozen TensorFlow graph"),
        ("float32", {"input_layer": ""}, "no node ''"),
        ("float32", {"input_layer": None}, "must be text"),
        ("uint8", {"input_mean": 0}, "takes uint8 pixels"),
        ("float32", {"input_std": 0}, "--input_std is 0"),
        ("float32", {"input_mean": float("nan")}, "--input_mean is nan"),
        ("float32", {"input_mean": "128"}, "--input_mean is '128'"),
        ("float32", {"input_mean": 1e300}, "too large for float32"),
        ("float16", {"input_std": 1e-3}, "too large for float16"),
        ("float32", {"threads": 0}, "threads is 0"),
        ("float32", {"trust": "no"}, "trust is 'no'"),
        ("open", {"input_size": 4}, "--input_size is 4"),
        ("open", {"input_size": "big"}, "--input_size is 'big'"),
        ("labels", {}, "cannot be read: No such file"),
    ],
)
def test_from_graph__what_does_not_fit_is_explained(
    folder: Path, name: str, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(BricksightError, match=reason):
        given(folder, name, **options)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
@pytest.mark.parametrize("which", ["graph", "labels"])
def test_from_graph__a_pipe_is_not_waited_for(folder: Path, tmp_path: Path, which: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    files = {"graph": folder / "float32.pb", "labels": folder / "labels.txt"}
    with pytest.raises(BundleError, match="not a regular file"):
        Predictor.from_graph(**files | {which: tmp_path / "pipe"})


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model", "--input_size", "64"], "--input_size is for a frozen graph"),
        (["model", "--input_mean", "0"], "--input_mean is for a frozen graph"),
        (["--graph", "g.pb", "--labels", "l.txt", "--runtime", "keras"], "--runtime is 'keras'"),
    ],
)
def test_classify__options_that_nothing_would_heed_are_refused(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["classify", *words, "photo.jpg"]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"no graph", b"\x0a\x10 no graph at all", None])
def test_from_graph__a_file_that_is_no_graph(
    folder: Path, tmp_path: Path, content: bytes | None
) -> None:
    whole = (folder / "inception.pb").read_bytes()
    path = tmp_path / "graph.pb"
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(BundleError, match="is not a frozen TensorFlow graph"):
        Predictor.from_graph(path, folder / "labels.txt")


def test_classify__the_range_is_an_option(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:

    Image.fromarray(PHOTO).save(tmp_path / "photo.png")
    files = ["--graph", str(folder / "inception.pb"), "--labels", str(folder / "labels.txt")]
    command = ["classify", *files, "--input_layer", "Mul", str(tmp_path / "photo.png")]
    assert main(command) == 2
    assert "--input_mean 128 --input_std 128" in capsys.readouterr().err
    assert main([*command, "--input_mean", "0", "--input_std", "255"]) == 0
    assert "red 50.0 %, blue 27.5 %, green 22.5 %" in capsys.readouterr().out
