"""TensorFlow.js: the folder, what cannot be converted, and the page in a real browser."""

import base64
import contextlib
import functools
import hashlib
import html
import json
import re
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bricksight._support.optional import require_tensorflow
from bricksight.config import InputSpec
from bricksight.errors import BundleError, ExportError, MissingPackageError
from bricksight.formats import Classifier, ParityReference, Request, load_classifier, tfjs
from bricksight.predict import Predictor
from bricksight.predict.runtimes.litert import LiteRT
from bricksight.predict.runtimes.tfjs import TensorFlowJs
from bricksight.training import TrainingResult
from helpers.tiny_backbones import noise

pytestmark = pytest.mark.tf

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
TENSORFLOW_JS = "@tensorflow/tfjs@4.22.0"


def request_of(labels: tuple[str, ...], spec: InputSpec, threshold: float | None) -> Request:
    reference = ParityReference(photos=[], probabilities=np.empty(0), labels=labels, spec=spec)
    return Request(reference=reference, unknown_threshold=threshold)


def classifier_of(network: Any) -> Classifier:
    """A classifier of what ``network`` makes of the images' tensor."""
    tf = require_tensorflow()
    with tf.Graph().as_default() as graph:
        images = tf.compat.v1.placeholder(tf.float32, (None, 32, 32, 3), name="Placeholder")
        tf.nn.softmax(network(images), name="final_result")
    content = graph.as_graph_def().SerializeToString()
    return Classifier(
        graph_def_bytes=content, input_layer="Placeholder", output_layer="final_result"
    )


@pytest.fixture(scope="module")
def folder(tiny_run: TrainingResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle's network as a TensorFlow.js model; no answer of it is unknown."""
    path = tmp_path_factory.mktemp("tfjs") / "site"
    bundle = tiny_run.bundle
    request = request_of(bundle.labels, bundle.manifest.input, None)
    tfjs.write(load_classifier(bundle), path, request)
    return path


def test_folder__holds_model_labels_and_page(folder: Path, tiny_run: TrainingResult) -> None:
    assert {path.name for path in folder.iterdir()} == {
        "classifier.json",
        "group1-shard1of1.bin",
        "index.html",
        "model.json",
    }
    assert json.loads((folder / "classifier.json").read_text(encoding="utf-8")) == {
        "labels": list(tiny_run.bundle.labels),
        "input": {"height": 32, "width": 32, "resize": "stretch", "letterbox_grey": 128},
        "unknown_threshold": None,
    }
    model = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    assert model["format"] == "graph-model"
    (image,) = model["signature"]["inputs"].items()
    sizes = [{"size": size} for size in ("-1", "32", "32", "3")]
    described = {"name": "Placeholder:0", "dtype": "DT_FLOAT", "tensorShape": {"dim": sizes}}
    assert image == ("image", described)
    assert model["signature"]["outputs"]["prediction"]["name"] == "final_result:0"


def test_write__the_same_network_gives_the_same_bytes(
    folder: Path, tiny_run: TrainingResult, tmp_path: Path
) -> None:
    request = request_of(tiny_run.bundle.labels, tiny_run.bundle.manifest.input, None)
    tfjs.write(load_classifier(tiny_run.bundle), tmp_path / "again", request)
    for path in (tmp_path / "again").iterdir():
        assert path.read_bytes() == (folder / path.name).read_bytes(), path.name


def test_runtime__runs_what_the_converter_joins_and_stores_otherwise(tmp_path: Path) -> None:
    tf = require_tensorflow()
    rng = np.random.default_rng(0)

    def network(images: Any) -> Any:
        kernel = tf.constant(rng.normal(size=(3, 3, 3, 2)), tf.float32)
        maps = tf.nn.depthwise_conv2d(images, kernel, (1, 2, 2, 1), "SAME")
        maps = tf.nn.relu6(tf.nn.bias_add(maps, tf.constant(rng.normal(size=6), tf.float32)))
        kernel = tf.constant(rng.normal(size=(3, 3, 6, 1)), tf.float32)
        maps = tf.nn.depthwise_conv2d(maps, kernel, (1, 1, 1, 1), "VALID")
        maps = tf.nn.bias_add(maps, tf.constant(rng.normal(size=6), tf.float32))
        return tf.reduce_mean(maps, axis=tf.constant([1, 2], tf.int64))

    classifier = classifier_of(network)
    labels = tuple("abcdef")
    tfjs.write(
        classifier, tmp_path / "tfjs", request_of(labels, InputSpec(height=32, width=32), None)
    )
    model = json.loads((tmp_path / "tfjs" / "model.json").read_text(encoding="utf-8"))
    operations = [node["op"] for node in model["modelTopology"]["node"]]
    assert operations.count("FusedDepthwiseConv2dNative") == 2
    kinds = {weights["dtype"] for weights in model["weightsManifest"][0]["weights"]}
    assert kinds == {"float32", "int32"}
    images = noise(count=3)
    expected = classifier.concrete_function()(tf.constant(images)).numpy()
    runtime = TensorFlowJs(tmp_path / "tfjs")
    assert runtime.input_size == (32, 32)
    np.testing.assert_allclose(runtime.run(images), expected, atol=1e-6)


def test_runtime__weights_that_are_cut_short_are_noticed(folder: Path, tmp_path: Path) -> None:
    path = shutil.copytree(folder, tmp_path / "tfjs")
    weights = path / "group1-shard1of1.bin"
    content = weights.read_bytes()
    for damaged in (content[:-4], content + b"more", b""):
        weights.write_bytes(damaged)
        with pytest.raises(BundleError, match=r"tfjs is not a TensorFlow\.js graph model"):
            TensorFlowJs(path)
    weights.unlink()
    with pytest.raises(BundleError, match=r"group1-shard1of1\.bin cannot be read: No such file"):
        TensorFlowJs(path)


def test_write__an_operation_that_browsers_lack_is_named(tmp_path: Path) -> None:
    tf = require_tensorflow()
    odd = classifier_of(lambda images: tf.math.erfinv(tf.reduce_mean(images, axis=(1, 2))))
    request = request_of(tuple("abc"), InputSpec(height=32, width=32), None)
    with pytest.raises(ExportError, match=r"TensorFlow\.js: Unsupported Ops .* Erfinv\. Choose"):
        tfjs.write(odd, tmp_path / "tfjs", request)


def test_write__without_the_converter_the_command_is_named(
    tiny_run: TrainingResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorflowjs", None)  # type: ignore[arg-type]
    request = request_of(tiny_run.bundle.labels, tiny_run.bundle.manifest.input, None)
    command = r": pip install --no-deps tensorflowjs==4\.22\.0$"
    with pytest.raises(MissingPackageError, match=command):
        tfjs.write(load_classifier(tiny_run.bundle), tmp_path / "tfjs", request)
    assert not (tmp_path / "tfjs").exists()


# The page, in Chromium.


@pytest.fixture(scope="module")
def tensorflow_js(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """``tf.min.js`` as npm delivers it."""
    if shutil.which("npm") is None:
        pytest.skip("npm, which delivers TensorFlow.js, is not installed")
    packed = tmp_path_factory.mktemp("npm")
    try:
        subprocess.run(
            ["npm", "pack", TENSORFLOW_JS, "--pack-destination", str(packed)],
            capture_output=True,
            check=True,
            timeout=60,
        )
    except subprocess.SubprocessError as error:
        pytest.skip(f"npm does not deliver TensorFlow.js: {error}")
    (archive,) = packed.glob("*.tgz")
    with tarfile.open(archive) as members:
        member = members.extractfile("package/dist/tf.min.js")
        assert member is not None
        return member.read()


@pytest.fixture
def site(folder: Path, tensorflow_js: bytes, tmp_path: Path) -> Path:
    """The folder with TensorFlow.js beside the page, for a test to write to."""
    path = shutil.copytree(folder, tmp_path / "site")
    (path / "tf.min.js").write_bytes(tensorflow_js)
    return path


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Yields the address at which the files of ``folder`` are."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def page_at(url: str, profile: Path) -> str:
    """What Chromium has made of the page when there is nothing left to do for it."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    finished = subprocess.run(
        [
            CHROMIUM,
            "--headless",
            "--no-sandbox",  # there is none where tests run as root
            "--disable-gpu",
            "--enable-unsafe-swiftshader",  # WebGL without a graphics card
            f"--user-data-dir={profile}",
            # Its clock leaps while nothing but timers is left, so this much takes no time.
            "--virtual-time-budget=1000000000",
            "--dump-dom",
            url,
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return finished.stdout


def result_of(url: str, profile: Path) -> dict[str, Any]:
    """What the page tells programs."""
    page = page_at(url, profile)
    found = re.search(r'<pre id="result"[^>]*>(.*?)</pre>', page, re.DOTALL)
    assert found, page
    return json.loads(html.unescape(found.group(1)))


def probabilities(predictions: Any) -> dict[str, float]:
    return {one["label"]: one["probability"] for one in predictions}


def test_page__answers_as_the_predictor_does(
    site: Path, tiny_run: TrainingResult, tmp_path: Path
) -> None:
    """A lossless photo of the network's size: nothing differs but the order of additions."""
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(site / "photo.png")
    expected = Predictor(tiny_run.bundle.path).predict(pixels)
    with served(site) as address:
        found = result_of(f"{address}/index.html?photo=photo.png", tmp_path / "profile")
    assert found["photo"] == "photo.png"
    assert found["is_unknown"] is False
    assert found["label"] == expected.predictions[0].label
    assert probabilities(found["predictions"]) == pytest.approx(
        {one.label: one.probability for one in expected.predictions}, abs=1e-5
    )


@pytest.mark.parametrize("resize", ["stretch", "letterbox"])
def test_page__prepares_photos_as_bricksight_does(
    site: Path, tiny_run: TrainingResult, tmp_path: Path, resize: Any
) -> None:
    """A photo that is to be turned, reduced, and told as unknown.

    Two decoders of JPEG may differ by a step of 255 at a pixel, and so may two that round. One that
    is resized otherwise, or not turned, gives other answers.
    """
    spec = replace(tiny_run.bundle.manifest.input, resize=resize)
    described = json.loads((site / "classifier.json").read_text(encoding="utf-8"))
    described["input"]["resize"] = resize
    described["unknown_threshold"] = 0.9999
    (site / "classifier.json").write_text(json.dumps(described), encoding="utf-8")
    rng = np.random.default_rng(1)
    coarse = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8))
    photo = coarse.resize((150, 101), Image.Resampling.NEAREST)
    exif = Image.Exif()
    exif[0x0112] = 6  # stored on its side
    photo.save(site / "photo.jpg", quality=95, exif=exif)
    runtime = LiteRT(tiny_run.bundle.path / "model.tflite")
    expected = Predictor.from_runtime(runtime, tiny_run.bundle.labels, spec)
    predictions = expected.predict(site / "photo.jpg").predictions
    with served(site) as address:
        found = result_of(f"{address}/index.html?photo=photo.jpg", tmp_path / "profile")
    assert found["is_unknown"] is True
    assert found["label"] is None
    assert probabilities(found["predictions"]) == pytest.approx(
        {one.label: one.probability for one in predictions}, abs=1e-4
    )


def test_page__opened_as_a_file_it_says_what_to_do(folder: Path, tmp_path: Path) -> None:
    found = result_of((folder / "index.html").as_uri(), tmp_path / "profile")
    assert "python -m http.server" in found["error"]


def test_page__a_photo_or_a_model_that_cannot_be_read(site: Path, tmp_path: Path) -> None:
    (site / "text.jpg").write_text("no photo")
    with served(site) as address:
        url = f"{address}/index.html?photo="
        assert "text.jpg is not a photo" in result_of(f"{url}text.jpg", tmp_path / "a")["error"]
        (site / "group1-shard1of1.bin").unlink()
        error = result_of(f"{url}text.jpg", tmp_path / "b")["error"]
    assert "model.json beside this page cannot be loaded" in error


def test_page__knows_the_script_that_it_fetches_from_the_network(
    folder: Path, tensorflow_js: bytes
) -> None:
    page = (folder / "index.html").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha384(tensorflow_js).digest()).decode()
    assert f"https://cdn.jsdelivr.net/npm/{TENSORFLOW_JS}/dist/tf.min.js" in page
    assert f'"sha384-{digest}"' in page
