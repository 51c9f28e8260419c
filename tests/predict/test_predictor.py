"""One contract for every runtime, and the old way of retrain.py."""

import re
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bricksight import images
from bricksight.bundle import open_bundle
from bricksight.errors import BundleError, ConfigError, ImageError, MissingPackageError
from bricksight.formats import Choices, Exporter, export_bundle
from bricksight.predict import RUNTIMES, Predictor
from bricksight.predict.runtimes import runtime_class
from bricksight.training import TrainingResult
from helpers.tiny_backbones import noise

pytestmark = pytest.mark.tf


@pytest.fixture(scope="module")
def exported(tiny_run: TrainingResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle with a file for every runtime."""
    folder = tmp_path_factory.mktemp("exported") / "bundle"
    exporter = Exporter(open_bundle(shutil.copytree(tiny_run.bundle.path, folder)))
    for name in RUNTIMES:
        kind = runtime_class(name)
        if kind.file_name.startswith("exports/"):
            exporter.export(kind.format_name)
    return folder


def unseen(run: TrainingResult) -> list[Path]:
    """Photos that the bundle was not trained on."""
    return [record.path for record in run.findings.data.in_split("test")]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_predictor__every_runtime_gives_the_same_probabilities(
    tiny_run: TrainingResult, exported: Path, runtime: str
) -> None:
    photos = unseen(tiny_run)
    predictor = Predictor(exported, runtime=runtime, threads=1)
    assert predictor.labels == tiny_run.bundle.labels
    assert predictor.unknown_threshold == tiny_run.bundle.manifest.unknown_threshold
    rows = np.stack(list(predictor.probabilities_of(photos)))
    expected = np.stack(list(Predictor(tiny_run.bundle.path).probabilities_of(photos)))
    assert rows.shape == (len(photos), 3)
    np.testing.assert_allclose(rows, expected, atol=1e-5)
    np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_predictor__many_at_once_and_from_several_threads(
    tiny_run: TrainingResult, exported: Path, runtime: str
) -> None:
    predictor = Predictor(exported, runtime=runtime)
    predictor.warm_up()
    inputs = noise(count=24)
    expected = Predictor(exported).probabilities(inputs)
    assert predictor.probabilities(inputs[:0]).shape == (0, 3)
    np.testing.assert_allclose(predictor.probabilities(inputs), expected, atol=1e-5)
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(lambda one: predictor.probabilities(one[None])[0], inputs))
    np.testing.assert_allclose(np.stack(rows), expected, atol=1e-5)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_runtime__a_missing_package_names_the_command(
    exported: Path, monkeypatch: pytest.MonkeyPatch, runtime: str
) -> None:
    packages = {"litert": "ai_edge_litert.interpreter", "onnxruntime": "onnxruntime"}
    package = packages.get(runtime, "openvino" if runtime == "openvino" else "tensorflow")
    monkeypatch.setitem(sys.modules, package, None)  # type: ignore[arg-type]
    extras = {"litert": "ai-edge-litert", "onnxruntime": '"bricksight[onnx]"'}
    extras |= {"openvino": '"bricksight[openvino]"'}
    what = extras.get(runtime, '"bricksight[train]"')
    with pytest.raises(MissingPackageError, match=f"needs .*: pip install {re.escape(what)}$"):
        Predictor(exported, runtime=runtime)


@pytest.mark.parametrize("io", ["float32", "uint8", "int8"])
def test_litert__integer_inputs_and_outputs_are_converted(
    tiny_run: TrainingResult, tmp_path: Path, io: Any
) -> None:
    choices = Choices(precision="int8", io=io)
    path = export_bundle(tiny_run.bundle, "tflite", out=tmp_path / "i.tflite", choices=choices).path
    photos = unseen(tiny_run)
    rows = np.stack(list(Predictor(path).probabilities_of(photos)))
    expected = np.stack(list(Predictor(tiny_run.bundle.path).probabilities_of(photos)))
    np.testing.assert_allclose(rows, expected, atol=0.1)
    np.testing.assert_allclose(rows.sum(axis=1), 1, atol=0.02)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_predict__path_bytes_and_pixels_are_answered_alike(
    tiny_run: TrainingResult, exported: Path, runtime: str
) -> None:
    predictor = Predictor(exported, runtime=runtime)
    path = unseen(tiny_run)[0]
    answers = [
        predictor.predict(photo)
        for photo in (path, str(path), path.read_bytes(), images.decode(path))
    ]
    assert answers[0] == answers[1] == answers[2] == answers[3]
    probabilities = [one.probability for one in answers[0].predictions]
    assert probabilities == sorted(probabilities, reverse=True)


def test_predict__names_the_class_of_photos_it_has_not_seen(tiny_run: TrainingResult) -> None:
    predictor = Predictor(tiny_run.bundle.path)
    photos = unseen(tiny_run)
    answers = list(predictor.predict_batch(photos))
    right = [
        answer.predictions[0].label == photo.parent.name
        for answer, photo in zip(answers, photos, strict=True)
    ]
    assert np.mean(right) == tiny_run.findings.test.accuracy > 0.5


def test_predict__top_k_is_how_many_are_named(tiny_run: TrainingResult) -> None:
    photo = unseen(tiny_run)[0]
    predictor = Predictor(tiny_run.bundle.path)
    assert len(predictor.predict(photo, top_k=2).predictions) == 2
    assert len(predictor.predict(photo, top_k=9).predictions) == 3


def test_predict_batch__a_bad_photo_is_an_error_in_its_place(
    tiny_run: TrainingResult, tmp_path: Path
) -> None:
    good = unseen(tiny_run)[0]
    bad = tmp_path / "bad.jpg"
    bad.write_text("no photo")
    first, second, third = Predictor(tiny_run.bundle.path).predict_batch([good, bad, good])
    assert isinstance(second, ImageError)
    assert first == third


def test_predict__below_the_threshold_the_answer_is_unknown(tiny_run: TrainingResult) -> None:
    predictor = Predictor(tiny_run.bundle.path)
    assert (
        predictor.unknown_threshold == open_bundle(tiny_run.bundle.path).manifest.unknown_threshold
    )
    assert predictor.unknown_threshold is not None
    photo = unseen(tiny_run)[0]
    best = predictor.predict(photo).predictions[0].probability
    predictor.unknown_threshold = best * 0.99
    assert predictor.predict(photo).label == predictor.predict(photo).predictions[0].label
    predictor.unknown_threshold = best * 1.01
    assert predictor.predict(photo).is_unknown
    assert predictor.predict(photo).label is None


def test_from_graph__an_old_graph_and_labels_file_are_enough(tiny_run: TrainingResult) -> None:
    folder = tiny_run.bundle.path
    predictor = Predictor.from_graph(folder / "output_graph.pb", folder / "output_labels.txt")
    photo = unseen(tiny_run)[0]
    new = Predictor(folder).predict(photo).predictions
    old = predictor.predict(photo).predictions
    assert [one.label for one in old] == [one.label for one in new]
    assert predictor.input_spec.height == 32


def test_from_graph__a_node_that_is_not_there_names_those_that_are(
    tiny_run: TrainingResult,
) -> None:
    folder = tiny_run.bundle.path
    with pytest.raises(BundleError, match=r"has no node .*'Placeholder'.*'final_result'"):
        Predictor.from_graph(
            folder / "output_graph.pb", folder / "output_labels.txt", input_layer="input"
        )


def test_from_graph__labels_of_another_model_are_noticed(
    tiny_run: TrainingResult, tmp_path: Path
) -> None:
    (tmp_path / "labels.txt").write_text("one\ntwo\n")
    predictor = Predictor.from_graph(
        tiny_run.bundle.path / "output_graph.pb", tmp_path / "labels.txt"
    )
    with pytest.raises(BundleError, match=r"there are 2 labels"):
        predictor.predict(unseen(tiny_run)[0])


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_runtime__a_file_that_is_no_model(tmp_path: Path, runtime: str) -> None:
    file_name = Path(runtime_class(runtime).file_name).name
    path = tmp_path / file_name
    path.write_bytes(b"\x0a\x10 no model at all")
    if path.suffix == ".xml":
        with pytest.raises(BundleError, match=r"needs its weights, model\.bin, in the same folder"):
            runtime_class(runtime)(path)
        path.with_suffix(".bin").write_bytes(b"none either")
    with pytest.raises(BundleError, match=r" is not a "):
        runtime_class(runtime)(path)


def test_predictor__a_file_for_another_runtime_names_the_right_one(
    exported: Path, tiny_run: TrainingResult
) -> None:
    with pytest.raises(
        BundleError, match=r"litert does not execute .*model\.onnx. Use onnxruntime or"
    ):
        Predictor(exported / "exports" / "model.onnx", runtime="litert")
    photo = unseen(tiny_run)[0]
    answers = {
        runtime: Predictor(exported / "exports" / "model.onnx", runtime=runtime).predict(photo)
        for runtime in ("onnxruntime", "openvino")
    }
    assert answers["openvino"].label == answers["onnxruntime"].label


def test_predictor__an_unknown_runtime_lists_the_known(tiny_run: TrainingResult) -> None:
    with pytest.raises(ConfigError, match=r"--runtime is 'litre'.*litert, tensorflow"):
        Predictor(tiny_run.bundle.path, runtime="litre")
