"""Further files from a bundle: options, photos, records, and the command."""

import json
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bricksight.bundle import Bundle, add_export, open_bundle
from bricksight.cli import main
from bricksight.errors import BundleError, ConfigError, ExportError, OutputError
from bricksight.formats import FORMATS, Choices, Exporter, export_bundle
from bricksight.predict import Predictor
from bricksight.predict._sidecar import read_sidecar
from bricksight.training import TrainingResult
from helpers.small_disk import no_file_larger_than

pytestmark = pytest.mark.tf

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def bundle(tiny_run: TrainingResult, tmp_path: Path) -> Bundle:
    """A bundle that a test may write to."""
    return open_bundle(shutil.copytree(tiny_run.bundle.path, tmp_path / "bundle"))


def held_out(run: TrainingResult) -> list[Path]:
    return [record.path for record in run.findings.data.in_split("test")]


def test_export_bundle__the_file_is_described_and_recorded(
    bundle: Bundle, tiny_run: TrainingResult
) -> None:
    exported = export_bundle(bundle, "onnx")
    assert exported.path == bundle.path / "exports" / "model.onnx"
    assert exported.agreement.num_photos == 36
    assert exported.agreement.top1_agreement == 1
    assert exported.accuracy is not None
    assert exported.accuracy.num_photos == len(held_out(tiny_run))
    assert exported.accuracy.file == exported.accuracy.reference == tiny_run.findings.test.accuracy
    recorded = open_bundle(bundle.path)
    assert recorded.file("exports/model.onnx") == exported.path
    entry = recorded.manifest.exports["exports/model.onnx"]
    assert entry["format"] == "onnx"
    assert entry["largest_difference"] == exported.agreement.largest_difference
    assert recorded.manifest.exports["tflite"] == bundle.manifest.exports["tflite"]
    described = json.loads((bundle.path / "exports" / "model.onnx.json").read_text())
    assert described["labels"] == list(bundle.labels)
    assert described["unknown_threshold"] == bundle.manifest.unknown_threshold
    assert described["agreement"]["accuracy"]["num_photos"] == exported.accuracy.num_photos


def test_export_bundle__a_file_that_was_altered_is_refused(bundle: Bundle) -> None:
    path = export_bundle(bundle, "onnx").path
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(BundleError, match=r"model\.onnx is not the file that was written"):
        Predictor(bundle.path, runtime="onnxruntime")


def test_export_bundle__a_lone_file_still_knows_its_labels(
    bundle: Bundle, tiny_run: TrainingResult, tmp_path: Path
) -> None:
    before = bundle.path.joinpath("manifest.json").read_bytes()
    for name in FORMATS:
        path = tmp_path / "elsewhere" / FORMATS[name].file_name
        export_bundle(bundle, name, out=path)
    assert bundle.path.joinpath("manifest.json").read_bytes() == before
    photo = held_out(tiny_run)[0]
    expected = Predictor(bundle.path).predict(photo)
    shutil.rmtree(bundle.path)
    for name in set(FORMATS) - {"jetson"}:
        predictor = Predictor(tmp_path / "elsewhere" / FORMATS[name].file_name)
        answer = predictor.predict(photo)
        assert [one.label for one in answer.predictions] == [
            one.label for one in expected.predictions
        ], name
        assert answer.predictions[0].probability == pytest.approx(
            expected.predictions[0].probability, abs=1e-4
        ), name


def test_predictor__a_file_without_labels_says_what_is_missing(
    bundle: Bundle, tmp_path: Path
) -> None:
    path = tmp_path / "alone.tflite"
    shutil.copyfile(bundle.path / "model.tflite", path)
    with pytest.raises(BundleError, match=r"Expected alone\.tflite\.json beside it"):
        Predictor(path)


def test_predictor__a_file_within_its_bundle_needs_no_description(bundle: Bundle) -> None:
    assert Predictor(bundle.path / "model.tflite").labels == bundle.labels
    assert Predictor(bundle.path / "output_graph.pb").labels == bundle.labels


def test_predictor__a_file_that_is_not_there_names_the_command(bundle: Bundle) -> None:
    with pytest.raises(BundleError, match=rf"bricksight export {bundle.path} --format openvino"):
        Predictor(bundle.path, runtime="openvino")


@pytest.mark.parametrize(
    ("format_name", "choices", "name"),
    [
        ("tflite", Choices(precision="float16"), "model-float16.tflite"),
        ("tflite", Choices(precision="int8", io="uint8"), "model-int8-uint8.tflite"),
        ("onnx", Choices(batch="dynamic", layout="nhwc"), "model-dynamic-batch-nhwc.onnx"),
        ("openvino", Choices(precision="float16", batch="1"), "model-float16.xml"),
        ("openvino", Choices(precision="int8"), "model-int8.xml"),
        ("openvino", Choices(batch="dynamic"), "model-dynamic-batch.xml"),
        ("tflite", Choices(batch="dynamic"), "model-dynamic-batch.tflite"),
        ("tflite", Choices(precision="dynamic"), "model-dynamic.tflite"),
    ],
)
def test_export_bundle__choices_are_verified_and_named(
    bundle: Bundle, format_name: str, choices: Choices, name: str
) -> None:
    exported = export_bundle(bundle, format_name, choices=choices)
    assert exported.path == bundle.path / "exports" / name
    assert exported.agreement.top1_agreement >= 0.7
    inputs = np.random.default_rng(0).random((3, 32, 32, 3), dtype=np.float32)
    one_by_one = Predictor(exported.path)
    together = one_by_one.probabilities(inputs)
    assert together.shape == (3, 3)
    rows = [one_by_one.probabilities(one[None])[0] for one in inputs]
    np.testing.assert_allclose(together, np.stack(rows), atol=1e-5)


@pytest.mark.parametrize(
    ("format_name", "choices", "message"),
    [
        ("onnx", Choices(precision="int8"), r"--precision is 'int8' for .* onnx; .*be float32"),
        (
            "keras",
            Choices(batch="dynamic"),
            r"--batch is 'dynamic' .* keras; .*not have this",
        ),
        ("openvino", Choices(precision="dynamic"), r"float32 or float16 or int8"),
        ("tflite", Choices(layout="nchw"), r"--layout .* tflite; .*not have this"),
    ],
)
def test_export_bundle__an_option_that_a_format_lacks(
    bundle: Bundle, format_name: str, choices: Choices, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        export_bundle(bundle, format_name, choices=choices)


def test_export_bundle__without_photos_it_says_where_to_name_some(
    bundle: Bundle, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ExportError, match=r"--image_dir .*empty holds no photos. Name a folder"):
        export_bundle(bundle, "onnx", photos_dir=empty)
    gone = replace(bundle.manifest, settings={"retrain": {"image_dir": "/nowhere"}})
    with pytest.raises(ExportError, match=r"was trained on /nowhere, which no longer"):
        export_bundle(Bundle(bundle.path, gone), "onnx")
    assert not (bundle.path / "exports").exists()


def test_export_bundle__photos_that_cannot_be_read_are_passed_over(
    bundle: Bundle, tiny_run: TrainingResult, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    (folder / "red").mkdir(parents=True)
    (folder / "red" / "bad.jpg").write_text("no photo")
    with pytest.raises(ExportError, match=r"None of the 1 photos .* can be read"):
        export_bundle(bundle, "frozen_graph", photos_dir=folder)
    shutil.copy(held_out(tiny_run)[0], folder / "red" / "good.jpg")
    exported = export_bundle(bundle, "frozen_graph", photos_dir=folder)
    assert exported.agreement.num_photos == 1


def test_export_bundle__other_peoples_folders_are_left_alone(
    bundle: Bundle, tmp_path: Path
) -> None:
    folder = tmp_path / "holiday"
    folder.mkdir()
    (folder / "diary.txt").write_text("dear diary")
    with pytest.raises(ConfigError, match=r"holiday is a folder with files"):
        export_bundle(bundle, "saved_model", out=folder)
    assert (folder / "diary.txt").read_text() == "dear diary"
    with pytest.raises(ConfigError, match=r"is inside the bundle"):
        export_bundle(bundle, "tflite", out=bundle.path / "model.tflite")
    with pytest.raises(ConfigError, match=r"does not end in \.onnx"):
        export_bundle(bundle, "onnx", out=tmp_path / "model.pb")


def test_export_bundle__a_second_time_replaces_the_first(bundle: Bundle) -> None:
    for name in ("saved_model", "openvino"):
        export_bundle(bundle, name)
        again = export_bundle(bundle, name)
        assert again.path.exists()
    assert Predictor(bundle.path, runtime="openvino").labels == bundle.labels


def test_export_bundle__what_others_put_into_the_folder_stays(
    bundle: Bundle, tmp_path: Path
) -> None:
    out = tmp_path / "site"
    export_bundle(bundle, "saved_model", out=out)
    (out / "notes.txt").write_text("mine")
    (out / "engines").mkdir()
    (out / "engines" / "built.engine").write_text("too")
    written = set(read_sidecar(out).files)
    assert "saved_model.pb" in written
    (out / "fingerprint.pb").unlink()
    export_bundle(bundle, "saved_model", out=out)
    assert (out / "notes.txt").read_text() == "mine"
    assert (out / "engines" / "built.engine").read_text() == "too"
    assert set(read_sidecar(out).files) == written
    assert (out / "fingerprint.pb").is_file()


def test_export_bundle__a_file_that_export_has_not_written_is_never_replaced(
    bundle: Bundle, tmp_path: Path
) -> None:
    """Neither the one that is named, nor one that belongs to it."""
    for name in ("model.pb", "weights.bin", "other.pb.json"):
        (tmp_path / name).write_text("mine")
    for format_name, name, told in (
        ("frozen_graph", "model.pb", "model.pb"),
        ("openvino", "weights.xml", "weights.bin"),
        ("frozen_graph", "other.pb", "other.pb.json"),
    ):
        with pytest.raises(ConfigError, match=rf"{told} exists already"):
            export_bundle(bundle, format_name, out=tmp_path / name)
    assert {(tmp_path / one).read_text() for one in ("model.pb", "weights.bin")} == {"mine"}


def test_export_bundle__files_of_others_are_not_even_moved(bundle: Bundle, tmp_path: Path) -> None:
    out = tmp_path / "site"
    export_bundle(bundle, "saved_model", out=out)
    (out / "notes.txt").write_text("mine")
    before = (out / "notes.txt").stat()
    export_bundle(bundle, "saved_model", out=out)
    assert (out / "notes.txt").stat() == before
    sidecar = out.with_name("site.json")
    content = json.loads(sidecar.read_text())
    (out / "saved_model.pb").write_text("mine too")
    with pytest.raises(ConfigError, match=r"saved_model\.pb has been changed since"):
        export_bundle(bundle, "saved_model", out=out)
    del content["files"]["saved_model.pb"]  # so that it never was ours
    sidecar.write_text(json.dumps(content))
    with pytest.raises(OutputError, match=r"saved_model\.pb exists and was not written by"):
        export_bundle(bundle, "saved_model", out=out)
    assert (out / "saved_model.pb").read_text() == "mine too"
    assert json.loads(sidecar.read_text()) == content
    assert {path.name for path in tmp_path.iterdir()} >= {"site", "site.json"}
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_export_bundle__where_it_cannot_be_recorded_all_is_as_before(bundle: Bundle) -> None:
    exporter = Exporter(bundle)
    path = exporter.export("frozen_graph").path
    before = path.stat()
    (bundle.path / "manifest.json").rename(bundle.path / "away.json")
    with pytest.raises(BundleError, match=r"manifest\.json is damaged"):
        exporter.export("frozen_graph")
    after = path.stat()  # moved aside and back, so its time of change differs
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert sorted(one.name for one in path.parent.iterdir()) == ["model.pb", "model.pb.json"]


@pytest.mark.parametrize("format_name", ["frozen_graph", "saved_model", "tflite", "openvino"])
def test_export_bundle__a_full_disk_is_one_error_and_leaves_nothing(
    bundle: Bundle, tmp_path: Path, format_name: str
) -> None:
    out = tmp_path / "out" / FORMATS[format_name].file_name
    with no_file_larger_than(100), pytest.raises(OutputError, match=r"File too large"):
        export_bundle(bundle, format_name, out=out)
    assert not out.parent.exists()


def test_export_bundle__two_at_once_are_both_recorded(bundle: Bundle) -> None:
    names = ("frozen_graph", "onnx", "tflite")
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(lambda name: add_export(bundle, *_added(bundle, name)), names * 5))
    recorded = open_bundle(bundle.path).manifest.exports
    assert {f"exports/{name}" for name in names} <= set(recorded)


def _added(bundle: Bundle, name: str) -> tuple[Path, list[Path], dict[str, str]]:
    path = bundle.path / "exports" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(name)
    return path, [path], {"format": name}


@pytest.mark.parametrize(
    ("format_name", "out", "message"),
    [
        ("saved_model", ".", r"--out .* does not replace. Name a folder in it"),
        ("onnx", "/", r"--out / is .* does not replace. Name a file in it"),
        ("jetson", "a_file", r"a_file is a file; the format needs a folder"),
        ("onnx", "a_folder.onnx", r"a_folder.onnx is a folder; the format needs a file"),
    ],
)
def test_export_bundle__places_that_cannot_be_written_are_refused_at_once(
    bundle: Bundle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    format_name: str,
    out: str,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a_file").write_text("")
    (tmp_path / "a_folder.onnx").mkdir()
    with pytest.raises(ConfigError, match=message):
        export_bundle(bundle, format_name, out=Path(out))


def test_command__several_formats_as_json(bundle: Bundle, capsys: Captured) -> None:
    assert main(["export", str(bundle.path), "--format", "onnx,frozen_graph", "--json"]) == 0
    files = json.loads(capsys.readouterr().out)["files"]
    assert [one["format"] for one in files] == ["onnx", "frozen_graph"]
    assert all(Path(one["file"]).is_file() and one["top1_agreement"] == 1 for one in files)
    assert all(0 < one["inference_ms"] < 1000 for one in files)


def test_command__a_table(bundle: Bundle, tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "bricks.onnx"
    assert main(["export", str(bundle.path), "--format", "onnx", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert str(out) in printed
    assert "Verified on 36 photos" in printed
    assert "100.0%" in printed


def test_command__all_leaves_out_what_is_not_installed(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    for package in ("openvino", "tensorflowjs", "tf2onnx"):
        monkeypatch.setitem(sys.modules, package, None)  # type: ignore[arg-type]
    words = [
        "export",
        str(bundle.path),
        "--format",
        "all",
        "--out",
        str(tmp_path / "out"),
        "--json",
    ]
    assert main(words) == 0
    printed = capsys.readouterr()
    written = {one["format"] for one in json.loads(printed.out)["files"]}
    assert written == {"frozen_graph", "saved_model", "tflite"}
    told = dict(line.split(" is left out. ") for line in printed.err.splitlines())
    assert set(told) == set(FORMATS) - written
    assert told["keras"].endswith(': pip install "bricksight[onnx]"')
    assert told["openvino"].endswith(': pip install "bricksight[openvino]"')
    assert told["tfjs"].endswith(": pip install --no-deps tensorflowjs==4.22.0")


def test_command__a_format_that_is_named_must_be_installed(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setitem(sys.modules, "tensorflowjs", None)  # type: ignore[arg-type]
    assert main(["export", str(bundle.path), "--format", "frozen_graph,tfjs"]) == 1
    assert "pip install --no-deps tensorflowjs==4.22.0" in capsys.readouterr().err
    assert not (bundle.path / "exports").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--format", "onyx"), "--format is 'onyx'; it must be one or more of frozen_graph"),
        (("--format", "all", "--layout", "nhwc"), "Not all formats have --layout"),
        (("--format", "tflite,onnx", "--io", "int8"), "--io is 'int8' for the format onnx"),
    ],
)
def test_command__what_cannot_be_is_said_before_any_work(
    bundle: Bundle, capsys: Captured, words: tuple[str, ...], message: str
) -> None:
    assert main(["export", str(bundle.path), *words]) == 2
    assert message in capsys.readouterr().err
    assert not (bundle.path / "exports").exists()
