"""The ONNX file: what TensorRT 8.2 and ONNX Runtime 1.10 can read, and the same each time."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bricksight._support.optional import require_tensorflow
from bricksight.backbones import frozen_graph, resolve
from bricksight.bundle import Head
from bricksight.config import InputSpec
from bricksight.errors import ConfigError, ExportError
from bricksight.formats import (
    Classifier,
    ParityReference,
    Request,
    build_classifier,
    load_classifier,
)
from bricksight.formats.onnx.onnx import IMAGENET_MEAN, IMAGENET_STD, convert
from bricksight.predict import Predictor
from bricksight.training import TrainingResult
from helpers.tiny_backbones import noise

pytestmark = pytest.mark.tf

MOBILENET = "https://tfhub.dev/google/imagenet/mobilenet_v2_100_224/feature_vector/3"

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def classifier(tiny_run: TrainingResult) -> Classifier:
    return load_classifier(tiny_run.bundle)


@pytest.fixture(scope="module")
def request_(tiny_run: TrainingResult) -> Request:
    spec = tiny_run.bundle.manifest.input
    labels = tiny_run.bundle.labels
    return Request(
        reference=ParityReference(photos=[], probabilities=np.empty(0), labels=labels, spec=spec)
    )


def answers(content: bytes, images: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
    rows = [session.run(["output_0"], {"input_0": one[None]})[0][0] for one in images]
    return np.stack(rows)


def channels_first(images: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))


def dims(value: Any) -> list[int | str]:
    return [one.dim_param or one.dim_value for one in value.type.tensor_type.shape.dim]


def test_convert__versions_names_and_shapes(classifier: Classifier, request_: Request) -> None:
    model = onnx.load_from_string(convert(classifier, request_))
    assert model.ir_version == 7
    assert [(one.domain, one.version) for one in model.opset_import] == [("", 13)]
    (entrance,), (exit_,) = model.graph.input, model.graph.output
    assert (entrance.name, dims(entrance)) == ("input_0", [1, 3, 32, 32])
    assert (exit_.name, dims(exit_)) == ("output_0", [1, 3])
    operations = {node.op_type for node in model.graph.node}
    assert {"Conv", "Softmax"} <= operations
    assert not operations & {"BatchNormalization", "Transpose", "Cast"}


def test_convert__labels_and_preparation_are_inside(
    classifier: Classifier, request_: Request
) -> None:
    model = onnx.load_from_string(convert(classifier, request_))
    told = {one.key: json.loads(one.value) for one in model.metadata_props}
    assert told["labels"] == list(request_.reference.labels)
    assert told["preprocessing"]["height"] == 32
    assert told["preprocessing"]["layout"] == "nchw"
    assert told["preprocessing"]["values"] == {"range": [0, 1]}


def test_convert__the_same_network_is_the_same_file(
    classifier: Classifier, request_: Request
) -> None:
    assert convert(classifier, request_) == convert(classifier, request_)


@pytest.mark.parametrize("batch", [1, None])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_convert__layouts_and_batches_give_the_same_answers(
    classifier: Classifier, request_: Request, tiny_run: TrainingResult, layout: Any, batch: Any
) -> None:
    content = convert(classifier, replace(request_, layout=layout, batch=batch))
    images = noise()
    size = [3, 32, 32] if layout == "nchw" else [32, 32, 3]
    model = onnx.load_from_string(content)
    assert dims(model.graph.input[0]) == [batch or "batch", *size]
    given = channels_first(images) if layout == "nchw" else images
    expected = Predictor(tiny_run.bundle.path).probabilities(images)
    np.testing.assert_allclose(answers(content, given), expected, atol=1e-5)
    if batch is None:
        session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
        together = session.run(None, {"input_0": given})[0]
        np.testing.assert_allclose(together, expected, atol=1e-5)


def test_convert__imagenets_normalisation_is_taken_back(
    classifier: Classifier, request_: Request, tiny_run: TrainingResult
) -> None:
    content = convert(classifier, request_, undo_imagenet=True)
    images = noise()
    normalised = (images - np.float32(IMAGENET_MEAN)) / np.float32(IMAGENET_STD)
    expected = Predictor(tiny_run.bundle.path).probabilities(images)
    found = answers(content, channels_first(normalised))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    (told,) = (
        json.loads(one.value)["values"]
        for one in onnx.load_from_string(content).metadata_props
        if one.key == "preprocessing"
    )
    assert told["normalised_by"] == "imagenet"


def test_convert__another_precision_is_refused(classifier: Classifier, request_: Request) -> None:
    with pytest.raises(ConfigError, match=r"--precision is float16 for an .onnx file"):
        convert(classifier, replace(request_, precision="float16"))


def test_convert__an_operation_that_not_every_reader_has(request_: Request) -> None:
    tf = require_tensorflow()
    with tf.Graph().as_default() as graph:
        images = tf.compat.v1.placeholder(tf.float32, (None, 32, 32, 3), name="Placeholder")
        features = tf.reduce_mean(tf.math.sin(images), axis=(1, 2))
        tf.nn.softmax(features, name="final_result")
    odd = Classifier(
        graph_def_bytes=graph.as_graph_def().SerializeToString(),
        input_layer="Placeholder",
        output_layer="final_result",
    )
    with pytest.raises(
        ExportError, match=r"The network has the ONNX operators Sin, which some runtimes"
    ):
        convert(odd, request_)


@pytest.mark.slow
def test_convert__mobilenet_v2_has_nothing_but_what_it_needs(
    shared_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(shared_dir / "modules" / "tfhub_cache"))
    frozen = frozen_graph(resolve(MOBILENET))
    rng = np.random.default_rng(0)
    head = Head(
        kernel=rng.normal(size=(frozen.num_features, 4)).astype("f4"), bias=np.ones(4, "f4")
    )
    classifier = build_classifier(frozen, head)
    spec = InputSpec(height=frozen.height, width=frozen.width)
    reference = ParityReference(
        photos=[], probabilities=np.empty(0), labels=tuple("abcd"), spec=spec
    )
    content = convert(classifier, Request(reference=reference))
    found = Counter(node.op_type for node in onnx.load_from_string(content).graph.node)
    assert found["Conv"] == 52
    assert found["Clip"] == 35
    assert found["Add"] == 10  # the residual ones: no batch normalisation is left
    assert not set(found) & {"BatchNormalization", "Transpose", "Pad"}
    images = noise(size=frozen.height, count=2)
    tf = require_tensorflow()
    expected = classifier.concrete_function()(tf.constant(images)).numpy()
    np.testing.assert_allclose(answers(content, channels_first(images)), expected, atol=1e-4)
