"""TFLite files: what each precision answers, what stands in them, what bias correction mends."""

import io
import logging
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from flatbuffers import encode, number_types
from flatbuffers.table import Table

from bricksight import images
from bricksight._support.optional import require_tensorflow
from bricksight.backbones import frozen_graph, resolve
from bricksight.bundle import Head
from bricksight.config import InputSpec
from bricksight.errors import ConfigError, ExportError
from bricksight.formats import Classifier, ParityReference, build_classifier
from bricksight.formats.request import Request
from bricksight.formats.tflite.bias import correct_biases
from bricksight.formats.tflite.float16 import LARGEST_KEPT
from bricksight.formats.tflite.metadata import with_metadata
from bricksight.formats.tflite.tflite import convert, write
from helpers.tiny_backbones import as_backbone

pytestmark = pytest.mark.tf

SIZE = 24
FEATURES = 640  # so many that the weights of the layer before are not among the small ones
LABELS = ("blue", "größe", "red")
KINDS = [
    ("float32", "float32", 1e-5),
    ("float16", "float32", 1e-3),
    ("dynamic", "float32", 2e-2),
    ("int8", "float32", 2e-2),
    ("int8", "uint8", 2e-2),
    ("int8", "int8", 2e-2),
]


def network() -> Any:
    """Returns a ``keras.Model`` of convolutions with each common activation."""
    keras = require_tensorflow().keras
    keras.utils.set_random_seed(3)
    layers = keras.layers
    images = keras.Input((SIZE, SIZE, 3))
    x = layers.Conv2D(8, 3, strides=2, activation="relu6", bias_initializer="normal")(images)
    x = layers.DepthwiseConv2D(3, activation="relu", bias_initializer="normal")(x)
    wide = layers.Conv2D(FEATURES, 1, kernel_initializer="he_normal", bias_initializer="normal")
    x = wide(x)
    return keras.Model(images, layers.GlobalAveragePooling2D()(x))


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    rng = np.random.default_rng(2)
    head = Head(
        kernel=rng.normal(scale=0.5, size=(FEATURES, 3)).astype(np.float32),
        bias=rng.normal(scale=0.1, size=3).astype(np.float32),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BRICKSIGHT_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        return build_classifier(frozen_graph(as_backbone(network(), name="small", size=SIZE)), head)


def photos(count: int = 24, *, size: int = SIZE) -> np.ndarray:
    """Returns patches of a colour of each photo's own, float32 (count, size, size, 3) in [0, 1]."""
    rng = np.random.default_rng(5)
    colours = rng.random((count, 1, 1, 3), dtype=np.float32)
    coarse = 0.7 * colours + 0.3 * rng.random((count, 4, 4, 3), dtype=np.float32)
    return np.repeat(np.repeat(coarse, size // 4, axis=1), size // 4, axis=2)


def request(labels: Sequence[str] = LABELS, **settings: Any) -> Request:
    reference = ParityReference(
        photos=[],
        probabilities=np.empty((0, len(labels)), np.float32),
        labels=labels,
        spec=InputSpec(height=SIZE, width=SIZE),
    )
    return Request(**{"reference": reference, "calibration": photos, **settings})


def answers(content: bytes, inputs: np.ndarray) -> np.ndarray:
    """Runs a file in LiteRT, a batch of its size at a time, with numbers turned as it asks."""
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    (entrance,), (exit_,) = interpreter.get_input_details(), interpreter.get_output_details()
    rows = []
    for batch in inputs.reshape(-1, *entrance["shape"]):
        stored = batch
        if entrance["dtype"] != np.float32:
            scale, zero_point = entrance["quantization"]
            stored = np.rint(batch / scale + zero_point).astype(entrance["dtype"])
        interpreter.set_tensor(entrance["index"], stored)
        interpreter.invoke()
        found = interpreter.get_tensor(exit_["index"])
        if exit_["dtype"] != np.float32:
            scale, zero_point = exit_["quantization"]
            found = (found.astype(np.float32) - zero_point) * scale
        rows.append(found)
    return np.concatenate(rows)


@pytest.fixture(scope="module")
def expected(classifier: Classifier) -> np.ndarray:
    return np.asarray(classifier.concrete_function()(require_tensorflow().constant(photos())))


@pytest.mark.parametrize(("precision", "in_out", "tolerance"), KINDS)
def test_write__every_precision_runs_in_litert_and_is_near_the_reference(
    classifier: Classifier,
    expected: np.ndarray,
    tmp_path: Path,
    precision: str,
    in_out: str,
    tolerance: float,
) -> None:
    path = tmp_path / "model.tflite"
    write(classifier, path, request(precision=precision, io=in_out))
    content = path.read_bytes()
    interpreter = Interpreter(model_content=content)
    (entrance,), (exit_,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert entrance["dtype"] == exit_["dtype"] == np.dtype(in_out)
    assert entrance["shape_signature"].tolist() == [1, SIZE, SIZE, 3]
    assert (entrance["name"], exit_["name"]) == ("image", "prediction")
    assert interpreter.get_signature_list() == {
        "serving_default": {"inputs": ["image"], "outputs": ["prediction"]}
    }
    assert np.ptp(expected[:, 0]) > 5 * tolerance  # or an answer that never changes would do
    np.testing.assert_allclose(answers(content, photos()), expected, atol=tolerance)


def test_convert__int8_holds_int8_weights_with_a_scale_a_channel(classifier: Classifier) -> None:
    content = convert(classifier, request(precision="int8", io="uint8"))
    details = Interpreter(
        model_content=content,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    ).get_tensor_details()
    kinds = {np.dtype(tensor["dtype"]).name for tensor in details}
    assert kinds == {"int8", "uint8", "int32"}
    scales = [
        len(tensor["quantization_parameters"]["scales"])
        for tensor in details
        if len(tensor["shape"]) == 4 and tensor["dtype"] == np.int8
    ]
    assert {8, FEATURES} <= set(scales)


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize(("batch", "signature"), [(4, 4), (None, -1)])
def test_convert__batch(
    classifier: Classifier,
    expected: np.ndarray,
    precision: str,
    batch: int | None,
    signature: int,
) -> None:
    content = convert(classifier, request(precision=precision, batch=batch))
    (entrance,) = Interpreter(model_content=content).get_input_details()
    assert entrance["shape_signature"].tolist() == [signature, SIZE, SIZE, 3]
    np.testing.assert_allclose(answers(content, photos()), expected, atol=3e-2)


@pytest.mark.parametrize("precision", ["float16", "dynamic"])
def test_convert__smaller_weights_make_a_smaller_file(
    classifier: Classifier, precision: str
) -> None:
    whole, smaller = (convert(classifier, request(precision=one)) for one in ("float32", precision))
    assert len(smaller) < 0.9 * len(whole)


def test_convert__float16_narrows_large_constants_alone(classifier: Classifier) -> None:
    model = schema.ModelT.InitFromPackedBuf(convert(classifier, request(precision="float16")), 0)
    (graph,) = model.subgraphs
    constants = {
        (tensor.type, int(np.prod(tensor.shape)))
        for tensor in graph.tensors
        if model.buffers[tensor.buffer].data is not None
    }
    halves = {size for kind, size in constants if kind == schema.TensorType.FLOAT16}
    singles = {size for kind, size in constants if kind == schema.TensorType.FLOAT32}
    assert halves == {8 * FEATURES}
    assert {3 * 3 * 3 * 8, 3 * 3 * 8, FEATURES, 3 * FEATURES, 3} <= singles
    assert max(singles) <= LARGEST_KEPT < min(halves)


def test_convert__the_same_model_is_the_same_file(classifier: Classifier) -> None:
    assert convert(classifier, request()) == convert(classifier, request())


def test_convert__integers_are_for_int8_files(classifier: Classifier) -> None:
    with pytest.raises(ConfigError, match=r"--io is uint8 .* precision float16"):
        convert(classifier, request(precision="float16", io="uint8"))


@pytest.mark.parametrize("calibration", [None, lambda: np.empty((0, SIZE, SIZE, 3), np.float32)])
def test_convert__int8_needs_photos(classifier: Classifier, calibration: Any) -> None:
    with pytest.raises(ConfigError, match=r"int8 .*photos|photos .*int8"):
        convert(classifier, request(precision="int8", calibration=calibration))


def test_convert__an_operation_that_litert_lacks() -> None:
    tf = require_tensorflow()
    with tf.Graph().as_default() as graph:
        images = tf.compat.v1.placeholder(tf.float32, (None, SIZE, SIZE, 3), name="Placeholder")
        means = tf.math.betainc(1.0, 2.0, tf.reduce_mean(images, axis=(1, 2)))
        tf.nn.softmax(means, name="final_result")
    classifier = Classifier(
        graph_def_bytes=graph.as_graph_def().SerializeToString(),
        input_layer="Placeholder",
        output_layer="final_result",
    )
    with pytest.raises(ExportError, match=r"cannot be converted for LiteRT.*Betainc"):
        convert(classifier, request())


def test_convert__int8_of_a_layer_that_no_photo_wakes() -> None:
    keras = require_tensorflow().keras
    layers = keras.layers
    images = keras.Input((SIZE, SIZE, 3))
    x = layers.Conv2D(8, 3, strides=2, activation="relu6")(images)
    asleep = keras.initializers.Constant(-100)
    x = layers.Conv2D(FEATURES, 1, activation="relu6", bias_initializer=asleep, name="last")(x)
    network = keras.Model(images, layers.GlobalAveragePooling2D()(x))
    head = Head(kernel=np.zeros((FEATURES, 3), np.float32), bias=np.zeros(3, np.float32))
    classifier = build_classifier(frozen_graph(as_backbone(network, name="dead", size=SIZE)), head)
    with pytest.raises(ExportError, match=r"cannot run .*last.* 0 for all calibration photos"):
        convert(classifier, request(precision="int8"))


# Metadata


class Fields:
    """Reads a table of a flatbuffer by its slots, without the code that wrote it."""

    def __init__(self, content: bytes, position: int | None = None) -> None:
        if position is None:
            position = encode.Get(number_types.UOffsetTFlags.packer_type, content, 0)
        self._table = Table(content, position)

    def _at(self, slot: int) -> int:
        offset: int = self._table.Offset(4 + 2 * slot)
        assert offset, f"slot {slot} is empty"
        return offset

    def text(self, slot: int) -> str:
        place = self._at(slot) + self._table.Pos
        return self._table.String(place).decode()  # type: ignore[no-any-return]

    def number(self, slot: int) -> int:
        place = self._at(slot) + self._table.Pos
        return self._table.Get(number_types.Int8Flags, place)  # type: ignore[no-any-return]

    def one(self, slot: int) -> "Fields":
        return Fields(self._table.Bytes, self._table.Indirect(self._at(slot) + self._table.Pos))

    def only(self, slot: int) -> "Fields":
        assert self._table.VectorLen(self._at(slot)) == 1
        return Fields(self._table.Bytes, self._table.Indirect(self._table.Vector(self._at(slot))))

    def floats(self, slot: int) -> list[float]:
        found = self._table.GetVectorAsNumpy(number_types.Float32Flags, self._at(slot))
        return found.tolist()  # type: ignore[no-any-return]


def metadata_of(content: bytes) -> bytes:
    model = schema.Model.GetRootAs(content, 0)
    entries = [model.Metadata(row) for row in range(model.MetadataLength())]
    (found,) = [entry for entry in entries if entry.Name() == b"TFLITE_METADATA"]
    return model.Buffers(found.Buffer()).DataAsNumpy().tobytes()  # type: ignore[no-any-return]


@pytest.mark.parametrize(("precision", "in_out"), [("float32", "float32"), ("int8", "uint8")])
def test_metadata__names_preparation_and_labels(
    classifier: Classifier, precision: str, in_out: str
) -> None:
    content = convert(classifier, request(precision=precision, io=in_out))
    described = metadata_of(content)
    assert described[4:8] == b"M001"
    root = Fields(described)
    assert root.text(7) == "1.0.0"
    image, score = root.only(3).only(2), root.only(3).only(3)

    assert image.text(0) == "image"
    assert image.one(3).number(0) == 2  # ImageProperties
    assert image.one(3).one(1).number(0) == 1  # RGB
    unit = image.only(4)
    assert unit.number(0) == 1  # NormalizationOptions
    assert (unit.one(1).floats(0), unit.one(1).floats(1)) == ([0.0], [255.0])
    assert (image.one(5).floats(0), image.one(5).floats(1)) == ([1.0], [0.0])

    assert score.text(0) == "prediction"
    assert score.one(3).number(0) == 1  # FeatureProperties
    assert (score.only(6).text(0), score.only(6).number(2)) == ("labels.txt", 2)

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == ["labels.txt"]
        assert archive.getinfo("labels.txt").compress_type == zipfile.ZIP_STORED
        assert archive.read("labels.txt").decode() == "blue\ngröße\nred"


def test_metadata__changes_no_answer(classifier: Classifier) -> None:
    once = convert(classifier, request())
    twice = with_metadata(once, LABELS)
    assert len(twice) > len(once)
    np.testing.assert_array_equal(answers(once, photos()), answers(twice, photos()))


@pytest.mark.parametrize(("precision", "in_out", "tolerance"), [KINDS[0], KINDS[1], KINDS[4]])
def test_metadata__mediapipe_reads_it(
    classifier: Classifier,
    expected: np.ndarray,
    precision: str,
    in_out: str,
    tolerance: float,
) -> None:
    mediapipe = pytest.importorskip(
        "mediapipe", reason="MediaPipe, which has half a gigabyte, is not installed"
    )
    from mediapipe.tasks.python import BaseOptions, vision

    content = convert(classifier, request(precision=precision, io=in_out))
    options = vision.ImageClassifierOptions(
        base_options=BaseOptions(model_asset_buffer=content),
        running_mode=vision.RunningMode.IMAGE,
    )
    with vision.ImageClassifier.create_from_options(options) as task:
        for photo, row in zip(photos()[:4], expected, strict=False):
            image = mediapipe.Image(
                image_format=mediapipe.ImageFormat.SRGB,
                data=np.rint(photo * 255).astype(np.uint8),
            )
            found = task.classify(image).classifications[0].categories
            probabilities = {one.category_name: one.score for one in found}
            for label, probability in zip(LABELS, row, strict=True):
                assert probabilities[label] == pytest.approx(probability, abs=tolerance + 4e-3)


# Bias correction


def shifted(content: bytes, steps: int) -> bytes:
    """Returns an int8 file whose biases are all too high, as rounded weights might make them."""
    data = bytearray(content)
    model = schema.Model.GetRootAs(data, 0)
    graph = model.Subgraphs(0)
    for row in range(graph.TensorsLength()):
        tensor = graph.Tensors(row)
        if tensor.Type() == schema.TensorType.INT32 and not tensor.Quantization().ScaleIsNone():
            values = model.Buffers(tensor.Buffer()).DataAsNumpy().view(np.int32)
            values += steps
    return bytes(data)


def channel_means(content: bytes) -> dict[str, np.ndarray]:
    """Returns tensor → mean of each channel over photos and pixels, of 4-dimensional ones."""
    interpreter = Interpreter(
        model_content=content,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    sums: dict[str, Any] = {}
    for photo in photos():
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], photo[None])
        interpreter.invoke()
        for tensor in interpreter.get_tensor_details():
            if len(tensor["shape"]) == 4 and tensor["shape"][1] > 3:  # weights have 3 rows
                values = interpreter.get_tensor(tensor["index"]).astype(np.float64)
                if tensor["dtype"] == np.int8:
                    scale, zero_point = tensor["quantization"]
                    values = (values - zero_point) * scale
                mean = values.mean(axis=(0, 1, 2)) / len(photos())
                sums[tensor["name"]] = sums.get(tensor["name"], 0.0) + mean
    return sums


def test_correct_biases__brings_the_mean_of_every_layer_nearer(
    classifier: Classifier, caplog: pytest.LogCaptureFixture
) -> None:
    float32 = convert(classifier, request())
    spoilt = shifted(convert(classifier, request(precision="int8")), 500)
    with caplog.at_level(logging.INFO, logger="bricksight"):
        mended = correct_biases(spoilt, reference=float32, batches=photos()[:, None])
    assert "Corrected the biases of 4 of 4 layers on 24 photos." in caplog.text
    wanted, before, after = (channel_means(content) for content in (float32, spoilt, mended))
    layers = [name for name in wanted if name in before and len(wanted[name]) in (8, FEATURES)]
    assert len(layers) >= 3
    for name in layers:
        error_before = np.abs(before[name] - wanted[name]).mean()
        error_after = np.abs(after[name] - wanted[name]).mean()
        assert error_after < error_before / 4, name


def test_convert__float16_brings_the_mean_of_the_rounded_layer_back(
    classifier: Classifier,
) -> None:
    wanted, before, after = (
        channel_means(convert(classifier, asked))
        for asked in (
            request(),
            request(precision="float16", calibration=None),
            request(precision="float16"),
        )
    )
    (name,) = [name for name, mean in wanted.items() if len(mean) == FEATURES]
    error_before = np.abs(before[name] - wanted[name]).mean()
    error_after = np.abs(after[name] - wanted[name]).mean()
    assert 0 < error_after < error_before / 10


def test_correct_biases__a_layer_without_a_counterpart_is_left_and_named(
    classifier: Classifier, caplog: pytest.LogCaptureFixture
) -> None:
    int8 = convert(classifier, request(precision="int8"))
    other = schema.ModelT.InitFromPackedBuf(convert(classifier, request()), 0)
    (graph,) = other.subgraphs
    for number, tensor in enumerate(graph.tensors):
        tensor.name = f"renamed_{number}"
    builder = flatbuffers.Builder(1024)
    builder.Finish(other.Pack(builder), file_identifier=b"TFL3")
    with caplog.at_level(logging.INFO, logger="bricksight"):
        same = correct_biases(int8, reference=bytes(builder.Output()), batches=photos()[:2, None])
    assert "Corrected the biases of 0 of 4 layers" in caplog.text
    assert caplog.text.count("is not corrected") == 4
    np.testing.assert_array_equal(answers(same, photos()), answers(int8, photos()))


# The real network


@pytest.mark.slow
def test_convert__the_real_mobilenet_v2(
    shared_dir: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(shared_dir / "modules" / "tfhub_cache"))
    backbone = resolve("https://tfhub.dev/google/imagenet/mobilenet_v2_100_224/feature_vector/3")
    frozen = frozen_graph(backbone)
    kernel = np.random.default_rng(0).normal(scale=0.05, size=(frozen.num_features, 3))
    head = Head(kernel=kernel.astype(np.float32), bias=np.full(3, 0.1, np.float32))
    classifier = build_classifier(frozen, head)
    files = sorted((shared_dir / "data" / "lego_bricks").rglob("*.jpg"))[::80]
    inputs = np.stack([images.load_input(path, backbone.input_spec) for path in files])
    expected = np.asarray(classifier.concrete_function()(require_tensorflow().constant(inputs)))

    float32 = convert(classifier, request())
    assert np.abs(answers(float32, inputs) - expected).max() < 1e-4
    with caplog.at_level(logging.INFO, logger="bricksight"):
        int8 = convert(
            classifier, request(precision="int8", io="uint8", calibration=lambda: inputs)
        )
    assert "Corrected the biases of 53 of 53 layers" in caplog.text
    assert len(int8) < len(float32) / 3
    assert np.abs(answers(int8, inputs) - expected).max() < 0.1
