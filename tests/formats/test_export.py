"""What is written: the names that old scripts look for, and only files that were verified."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bricksight import images
from bricksight._support.optional import require_tensorflow
from bricksight.backbones import frozen_graph
from bricksight.bundle import Head
from bricksight.config import GRAPH_NAMES
from bricksight.errors import ConfigError, ExportError
from bricksight.formats import (
    FORMATS,
    Classifier,
    ParityReference,
    Request,
    build_classifier,
    export,
)
from bricksight.formats.saved_model import saved_model
from bricksight.training import TrainingResult
from helpers.photos import draw

pytestmark = pytest.mark.tf


def contents(folder: Path) -> dict[str, bytes]:
    """Path below ``folder`` → bytes of the file."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def classifier(tiny_run: TrainingResult) -> Classifier:
    findings = tiny_run.findings
    return build_classifier(frozen_graph(findings.compiled.backbone), findings.trained.head)


@pytest.fixture(scope="module")
def reference(tiny_run: TrainingResult) -> ParityReference:
    """Six photos, with the answers of the bundle's LiteRT file."""
    from bricksight.predict import Predictor

    photos = [record.path for record in tiny_run.findings.data.examples[::6]]
    rows = np.stack(list(Predictor(tiny_run.bundle.path).probabilities_of(photos)))
    spec = tiny_run.bundle.manifest.input
    return ParityReference(
        photos=photos, probabilities=rows, labels=tiny_run.bundle.labels, spec=spec
    )


def test_frozen_graph__keeps_the_names_and_shapes_of_retrain(tiny_run: TrainingResult) -> None:
    tf = require_tensorflow()
    content = (tiny_run.bundle.path / "output_graph.pb").read_bytes()
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(tf.compat.v1.GraphDef.FromString(content), name="")
    shapes = {
        "Placeholder:0": [None, 32, 32, 3],
        "input/BottleneckInputPlaceholder:0": [None, 6],
        "final_retrain_ops/weights/final_weights:0": [6, 3],
        "final_retrain_ops/biases/final_biases:0": [3],
        "final_result:0": [None, 3],
    }
    for name, shape in shapes.items():
        tensor = graph.get_tensor_by_name(name)
        assert tensor.dtype == tf.float32, name
        assert tensor.shape.as_list() == shape, name
    assert not [node for node in graph.as_graph_def().node if "Variable" in node.op]


def test_frozen_graph__has_one_input_and_names_that_are_kept_from_the_output(
    tiny_run: TrainingResult,
) -> None:
    content = (tiny_run.bundle.path / "output_graph.pb").read_bytes()
    nodes = require_tensorflow().compat.v1.GraphDef.FromString(content).node
    assert [node.name for node in nodes if node.op == "Placeholder"] == ["Placeholder"]
    beginnings = {node.name.partition("/")[0] for node in nodes}
    assert beginnings == {*GRAPH_NAMES, "final_result"}


def test_frozen_graph__features_may_enter_by_the_bottleneck_placeholder(
    tiny_run: TrainingResult,
) -> None:
    v1 = require_tensorflow().compat.v1
    features = np.random.default_rng(0).random((4, 6), dtype=np.float32)
    content = (tiny_run.bundle.path / "output_graph.pb").read_bytes()
    with v1.Graph().as_default(), v1.Session() as session:
        v1.import_graph_def(v1.GraphDef.FromString(content), name="")
        found = session.run("final_result:0", {"input/BottleneckInputPlaceholder:0": features})
    expected = tiny_run.findings.trained.head.probabilities(features)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_saved_model__serves_prediction_for_image(tiny_run: TrainingResult) -> None:
    tf = require_tensorflow()
    model = tf.saved_model.load(str(tiny_run.bundle.path / "saved_model"))
    serve = model.signatures["serving_default"]
    _, inputs = serve.structured_input_signature
    assert inputs["image"].shape.as_list() == [None, 32, 32, 3]
    assert inputs["image"].dtype == tf.float32
    assert {name: spec.shape.as_list() for name, spec in serve.structured_outputs.items()} == {
        "prediction": [None, 3]
    }
    answers = serve(image=tf.zeros((5, 32, 32, 3)))["prediction"].numpy()
    np.testing.assert_allclose(answers.sum(axis=1), np.ones(5), atol=1e-5)


@pytest.mark.parametrize("resize", ["stretch", "letterbox"])
def test_saved_model__serves_prediction_for_encoded_photos(
    classifier: Classifier, reference: ParityReference, tmp_path: Path, resize: Any
) -> None:
    tf = require_tensorflow()
    spec = replace(reference.spec, resize=resize)
    photos = [photo for photo in reference.photos if photo.suffix in (".jpg", ".png")]
    inputs = np.stack([images.load_input(photo, spec) for photo in photos])
    expected = classifier.concrete_function()(tf.constant(inputs)).numpy()
    path = tmp_path / "served"
    saved_model.write(
        classifier, path, Request(reference=replace(reference, spec=spec), io="bytes")
    )
    serve = tf.saved_model.load(str(path)).signatures["serving_default"]
    contents = tf.constant([photo.read_bytes() for photo in photos])
    found = serve(image_bytes=contents)["prediction"].numpy()
    assert len(photos) > 2
    np.testing.assert_allclose(found, expected, atol=2e-3)


@pytest.fixture(scope="module")
def decoding() -> Any:
    """Bytes of a file → what the graph of ``serving_bytes`` makes of them."""
    from bricksight.formats.saved_model.photo_decoding import decode_photo

    tf = require_tensorflow()
    signature = [tf.TensorSpec((), tf.string)]
    return tf.function(
        lambda content: decode_photo(content, 64), input_signature=signature, autograph=False
    )


def file_of(image: Image.Image, picture_format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, picture_format, **options)
    return file.getvalue()


def clear(image: Image.Image) -> Image.Image:
    with_alpha = image.convert("RGBA")
    with_alpha.putalpha(Image.linear_gradient("L").resize(image.size))
    return with_alpha


def exif(orientation: int) -> Image.Exif:
    found = Image.Exif()
    found[0x0112] = orientation
    return found


def deep(image: Image.Image, factor: int) -> Image.Image:
    return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * factor)


def two_blacks() -> bytes:
    image = Image.new("P", (8, 8), 0)
    image.putpalette([0, 0, 0, 0, 0, 0, 200, 0, 0])
    image.paste(1, (0, 0, 4, 4))
    image.paste(2, (4, 4, 8, 8))
    return file_of(image, "GIF", transparency=1, optimize=False)


PICTURE = draw("red", 5).resize((90, 70))
AS_FILES = {
    "jpeg": file_of(PICTURE, "JPEG", quality=90),
    "jpeg-large": file_of(PICTURE.resize((900, 700)), "JPEG"),
    "jpeg-grey": file_of(PICTURE.convert("L"), "JPEG"),
    "jpeg-cmyk": file_of(PICTURE.convert("CMYK"), "JPEG"),
    "png": file_of(PICTURE, "PNG"),
    "png-alpha": file_of(clear(PICTURE), "PNG"),
    "png-grey-alpha": file_of(clear(PICTURE).convert("LA"), "PNG"),
    "png-palette": file_of(PICTURE.quantize(64), "PNG"),
    "png-transparent-colour": file_of(PICTURE.quantize(64), "PNG", transparency=1),
    "png-16": file_of(deep(PICTURE, 257), "PNG"),
    "png-12-in-16": file_of(deep(PICTURE, 16), "PNG"),
    "gif": file_of(PICTURE.quantize(64), "GIF"),
    "gif-animated": file_of(
        PICTURE.quantize(64), "GIF", save_all=True, append_images=[PICTURE.rotate(180)]
    ),
    "gif-two-blacks-one-transparent": two_blacks(),
    "gif-transparent": file_of(PICTURE.quantize(64), "GIF", transparency=1),
    "bmp": file_of(PICTURE, "BMP"),
    "bmp-grey": file_of(PICTURE.convert("L"), "BMP"),
    "bmp-palette": file_of(PICTURE.quantize(64), "BMP"),
    "bmp-32": file_of(clear(PICTURE), "BMP"),
    **{f"jpeg-turned-{way}": file_of(PICTURE, "JPEG", exif=exif(way)) for way in range(1, 9)},
    **{f"png-turned-{way}": file_of(PICTURE, "PNG", exif=exif(way)) for way in (6, 8)},
}
REFUSED = {
    "WebP": (file_of(PICTURE, "WEBP"), "not a JPEG, PNG, BMP or GIF"),
    "text": (b"not a photo", "not a JPEG, PNG, BMP or GIF"),
    "empty": (b"", "not a JPEG, PNG, BMP or GIF"),
    "BMP of one bit": (file_of(PICTURE.convert("1"), "BMP"), "not uncompressed"),
    "PNG of one bit": (file_of(PICTURE.convert("1"), "PNG"), "less than 8 bits"),
    "cut JPEG": (AS_FILES["jpeg"][:700], "JPEG"),
}


@pytest.mark.parametrize("kind", AS_FILES)
def test_saved_model__decodes_files_as_we_do(decoding: Any, kind: str) -> None:
    expected = images.decode(AS_FILES[kind], min_size=64)
    found = decoding(require_tensorflow().constant(AS_FILES[kind])).numpy()
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", REFUSED)
def test_saved_model__refuses_files_that_it_would_misread(decoding: Any, kind: str) -> None:
    tf = require_tensorflow()
    content, reason = REFUSED[kind]
    with pytest.raises(tf.errors.InvalidArgumentError, match=reason):
        decoding(tf.constant(content))


@pytest.mark.parametrize("fault", ["fails", "misreads"])
def test_export__a_signature_that_is_wrong_is_not_handed_out(
    classifier: Classifier,
    reference: ParityReference,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
) -> None:
    tf = require_tensorflow()

    def as_before(content: Any, min_size: int) -> Any:
        pixels = tf.io.decode_jpeg(content, channels=3)
        return tf.cast(pixels if fault == "fails" else 255 - pixels, tf.float32)

    monkeypatch.setattr(saved_model, "decode_photo", as_before)
    path = tmp_path / "saved_model"
    with pytest.raises(ExportError, match=r"The signature serving_bytes of the SavedModel"):
        export(classifier, "saved_model", path, Request(reference=reference))
    assert not path.exists()


def test_build_classifier__a_name_that_tensorflow_refuses(tiny_run: TrainingResult) -> None:
    findings = tiny_run.findings
    frozen = frozen_graph(findings.compiled.backbone)
    with pytest.raises(ConfigError, match=r"--final_tensor_name 'my result' is not a valid name"):
        build_classifier(frozen, findings.trained.head, final_tensor_name="my result")


@pytest.mark.parametrize("format_name", FORMATS)
def test_export__every_format_is_verified(
    classifier: Classifier, reference: ParityReference, tmp_path: Path, format_name: str
) -> None:
    path = tmp_path / FORMATS[format_name].file_name
    exported = export(classifier, format_name, path, Request(reference=reference))
    assert exported.path == path
    assert exported.agreement.num_photos == 6
    assert exported.agreement.top1_agreement == 1.0
    assert 0 <= exported.agreement.largest_difference < 1e-4
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert exported.size_bytes == sum(path.stat().st_size for path in files) > 0


@pytest.mark.parametrize(
    "format_name",
    # The others are made of these.
    ["frozen_graph", "saved_model", "tflite", "onnx", "openvino", "keras"],
)
def test_export__what_is_none_of_the_classes_takes_part_in_every_format(
    tiny_run: TrainingResult, reference: ParityReference, tmp_path: Path, format_name: str
) -> None:
    backbone, head = tiny_run.findings.compiled.backbone, tiny_run.findings.trained.head
    rng = np.random.default_rng(0)
    background = Head(
        kernel=rng.normal(size=(len(head.kernel), 2)).astype(np.float32),
        bias=np.float32([0.5, 1.5]),
    )
    knowing = replace(head, background=background)
    features = np.asarray(frozen_graph(backbone).load()(_inputs(reference)))
    expected = knowing.probabilities(features)
    assert np.abs(expected - reference.probabilities).max() > 0.1
    classifier = build_classifier(frozen_graph(backbone), knowing)
    request = Request(reference=replace(reference, probabilities=expected))
    exported = export(classifier, format_name, tmp_path / FORMATS[format_name].file_name, request)
    assert exported.agreement.largest_difference < 1e-4


def _inputs(reference: ParityReference) -> np.ndarray:
    return np.stack([images.load_input(path, reference.spec) for path in reference.photos])


@pytest.mark.parametrize("format_name", FORMATS)
def test_export__other_answers_are_refused_and_nothing_is_left(
    classifier: Classifier, reference: ParityReference, tmp_path: Path, format_name: str
) -> None:
    altered = replace(reference, probabilities=reference.probabilities + np.float32(0.01))
    with pytest.raises(ExportError, match=rf"The {format_name} file .* up to 0\.01 on 6 photos"):
        path = tmp_path / "out" / FORMATS[format_name].file_name
        export(classifier, format_name, path, Request(reference=altered))
    assert not (tmp_path / "out").exists()


def test_export__an_existing_file_outlives_a_refused_one(
    classifier: Classifier, reference: ParityReference, tmp_path: Path
) -> None:
    path = tmp_path / "model.pb"
    path.write_text("the one before")
    altered = replace(reference, probabilities=reference.probabilities[::-1])
    with pytest.raises(ExportError, match="The file was not kept"):
        export(classifier, "frozen_graph", path, Request(reference=altered))
    assert path.read_text() == "the one before"
    export(classifier, "frozen_graph", path, Request(reference=reference))
    assert path.read_bytes() == classifier.graph_def_bytes


def test_export__a_saved_model_takes_the_place_of_an_older_one(
    classifier: Classifier, reference: ParityReference, tmp_path: Path
) -> None:
    path = tmp_path / "served"
    path.mkdir()
    (path / "old.txt").write_text("old")
    altered = replace(reference, probabilities=reference.probabilities[::-1])
    with pytest.raises(ExportError, match="saved_model"):
        export(classifier, "saved_model", path, Request(reference=altered))
    assert (path / "old.txt").read_text() == "old"
    export(
        classifier, "saved_model", path, Request(reference=reference), written_before=["old.txt"]
    )
    assert not (path / "old.txt").exists()
    assert (path / "saved_model.pb").is_file()


def test_export__a_missing_photo_of_the_reference(
    classifier: Classifier, reference: ParityReference, tmp_path: Path
) -> None:
    gone = replace(reference, photos=[*reference.photos[:-1], tmp_path / "gone.jpg"])
    with pytest.raises(ExportError, match=r"gone\.jpg .* verification: cannot be read"):
        export(classifier, "frozen_graph", tmp_path / "model.pb", Request(reference=gone))
    assert not (tmp_path / "model.pb").exists()


def test_export__an_unknown_format_lists_the_known(
    classifier: Classifier, reference: ParityReference, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"--format is 'onyx'; .*frozen_graph, saved_model"):
        export(classifier, "onyx", tmp_path / "model", Request(reference=reference))
