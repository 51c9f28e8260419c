"""Files side by side: what is measured, what is left out, and how it is told."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bricksight.benchmark import (
    BenchmarkResult,
    Settings,
    accuracy_plot,
    benchmark,
    find_models,
)
from bricksight.benchmark._machine import machine
from bricksight.benchmark._processes import Worker
from bricksight.cli import main
from bricksight.dataset import Example, scan
from bricksight.errors import BricksightError, BundleError, ConfigError, DataError
from bricksight.predict import Predictor
from bricksight.training import TrainingResult
from helpers.hidden_characters import hidden

pytestmark = pytest.mark.tf

QUICK = Settings(runtimes=("litert",), threads=(1, 2), rounds=2, calls=3, cold_starts=1)


@pytest.fixture(scope="session")
def tiny_photos(tiny_run: TrainingResult) -> tuple[Example, ...]:
    return tiny_run.findings.data.in_split("test")


@pytest.fixture(scope="session")
def measured(tiny_run: TrainingResult, tiny_photos: tuple[Example, ...]) -> BenchmarkResult:
    """LiteRT with one thread and with two, on the photos kept for the test."""
    return benchmark([tiny_run.bundle.path], photos=tiny_photos, settings=QUICK)


@pytest.fixture
def lone_bundle(tiny_run: TrainingResult, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(tiny_run.bundle.path, tmp_path / "bundle"))


# Which files there are.


def test_find_models__a_bundle_stands_for_its_files_and_exports(lone_bundle: Path) -> None:
    exports = lone_bundle / "exports"
    exports.mkdir()
    for name in ("a.onnx", "a.json", "b.xml", "b.bin", "c.keras", "d.mlmodel"):
        (exports / name).write_bytes(b"12345")
    found, left_out = find_models([lone_bundle])
    assert {(one.name, one.runtime) for one in found} == {
        ("model.tflite", "litert"),
        ("output_graph.pb", "tensorflow"),
        ("saved_model", "saved_model"),
        ("exports/a.onnx", "onnxruntime"),
        ("exports/b.xml", "openvino"),
        ("exports/c.keras", "keras"),
    }
    assert left_out == {"exports/d.mlmodel": "no runtime of bricksight can execute this file"}
    sizes = {one.name: one.size_bytes for one in found}
    assert sizes["exports/b.xml"] == 10  # with its weights
    whole = sum(f.stat().st_size for f in (lone_bundle / "saved_model").rglob("*") if f.is_file())
    assert sizes["saved_model"] == whole


def test_find_models__a_file_knows_its_bundle_and_is_found_once(lone_bundle: Path) -> None:
    file = lone_bundle / "model.tflite"
    found, _ = find_models([file])
    assert [(one.path, one.bundle) for one in found] == [(file, lone_bundle)]
    both, _ = find_models([lone_bundle, file])
    assert [one.path for one in both].count(file) == 1


def test_find_models__only_the_runtimes_that_were_named(lone_bundle: Path) -> None:
    found, left_out = find_models([lone_bundle], runtimes=["tensorflow"])
    assert [one.name for one in found] == ["output_graph.pb"]
    assert left_out["model.tflite"] == "--runtime is tensorflow, which cannot execute this file"


def test_find_models__what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"none does not exist"):
        find_models([tmp_path / "none"])
    with pytest.raises(BundleError, match=r"is not a bundle"):
        find_models([tmp_path])


# What is measured.


def test_benchmark__every_figure_has_a_value_that_can_be(
    measured: BenchmarkResult, tiny_run: TrainingResult
) -> None:
    assert [(one.runtime, one.threads) for one in measured.measurements] == [
        ("litert", 1),
        ("litert", 2),
    ]
    for one in measured.measurements:
        assert one.size_bytes == (tiny_run.bundle.path / "model.tflite").stat().st_size
        assert 0 < one.load_s + one.first_answer_s < one.cold_start_s < 60
        assert 0 < one.latency_p50_ms <= one.latency_p95_ms
        assert 0 < one.inference_p50_ms <= one.inference_p95_ms
        assert one.preprocessing_p50_ms > 0
        assert set(one.images_per_second) == {1, 8}
        assert min(one.images_per_second.values()) > 0
    assert set(measured.left_out) == {
        "output_graph.pb",
        "saved_model",
    }


def test_benchmark__accuracy_is_that_of_the_evaluation(
    measured: BenchmarkResult, tiny_run: TrainingResult
) -> None:
    expected = tiny_run.findings.test
    for one in measured.measurements:
        assert one.accuracy == expected.accuracy
        assert one.evaluation is not None
        assert one.evaluation.accuracy_interval == expected.accuracy_interval
        assert one.num_trained_on == 0


def test_benchmark__photos_of_the_training_are_counted_and_warned_of(
    tiny_run: TrainingResult,
) -> None:
    settings = Settings(runtimes=("litert",), threads=(1,), rounds=1, calls=1, cold_starts=1)
    records = tiny_run.findings.data.examples
    found = benchmark([tiny_run.bundle.path], photos=records, settings=settings)
    seen = sum(record.split != "test" for record in records)
    assert found.measurements[0].num_trained_on == seen
    assert f"{seen} of {len(records)} photos were used" in found.to_markdown()


def test_benchmark__peak_memory_is_that_of_the_fresh_process_not_of_its_parent(
    tiny_run: TrainingResult,
) -> None:
    if machine()["system"].split()[0] != "Linux":
        pytest.skip("elsewhere the system counts otherwise")
    ballast = np.ones(100_000_000)  # 800 MB
    settings = Settings(runtimes=("litert",), threads=(1,), rounds=1, calls=1, cold_starts=1)
    found = benchmark([tiny_run.bundle.path], settings=settings)
    peak = found.measurements[0].peak_memory_bytes
    assert peak is not None
    assert 20e6 < peak < 400e6 < ballast.nbytes


def test_benchmark__bad_photos_are_set_aside_once_for_all_files(
    measured: BenchmarkResult, tiny_run: TrainingResult, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny_run.findings.data.image_dir, tmp_path / "photos"))
    bad = scan(folder).examples[3].path
    whole = bad.read_bytes()
    bad.write_bytes(whole[: len(whole) // 2])
    settings = Settings(runtimes=("litert",), threads=(1,), rounds=1, calls=1, cold_starts=1)
    records = scan(folder).examples
    found = benchmark([tiny_run.bundle.path], photos=records[1:], settings=settings)
    assert list(found.set_aside) == [bad.relative_to(folder).as_posix()]
    evaluation = found.measurements[0].evaluation
    assert evaluation is not None
    assert evaluation.num_images == len(records) - 2
    assert f"{bad.relative_to(folder).as_posix()!r} cannot be read: " in found.to_markdown()


def test_benchmark__a_file_that_cannot_run_is_left_out_and_the_reason_told(
    lone_bundle: Path,
) -> None:
    (lone_bundle / "output_graph.pb").write_bytes(b"not a graph")
    settings = Settings(
        runtimes=("litert", "tensorflow"), threads=(1,), rounds=1, calls=1, cold_starts=1
    )
    found = benchmark([lone_bundle], settings=settings)
    assert [one.runtime for one in found.measurements] == ["litert"]
    assert "SHA-256 differs" in found.left_out["output_graph.pb in tensorflow"]
    (lone_bundle / "model.tflite").write_bytes(b"not a model")
    with pytest.raises(BundleError, match=r"None of the files can be measured(.|\n)*model.tflite"):
        benchmark([lone_bundle], settings=settings)


def test_benchmark__classes_that_the_model_does_not_know(
    tiny_run: TrainingResult, photo_folder: Path
) -> None:
    (photo_folder / "red").rename(photo_folder / "crimson")
    settings = Settings(runtimes=("litert",), threads=(1,), rounds=1, calls=1, cold_starts=1)
    with pytest.raises(DataError, match="does not have: 'crimson'"):
        benchmark([tiny_run.bundle.path], photos=scan(photo_folder).examples, settings=settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"threads": (0,)}, "--threads is 0"),
        ({"batch": (1, 1)}, "--batch is 1,1"),
        ({"batch": ()}, "--batch is"),
        ({"rounds": 0}, "--rounds is 0"),
        ({"runtimes": ("litert", "warp")}, "'warp'"),
    ],
)
def test_settings__what_cannot_be_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Settings(**settings)  # type: ignore[arg-type]


# The process.


def test_worker__answers_as_the_predictor_does(
    tiny_run: TrainingResult, tiny_photos: tuple[Example, ...]
) -> None:
    (model, *_), _ = find_models([tiny_run.bundle.path], runtimes=["litert"])
    paths = [record.path for record in tiny_photos]
    worker = Worker(model, threads=1, photos=paths[:1])
    try:
        rows = worker.ask("answers", photos=[str(path) for path in paths])["rows"]
        times = worker.ask("times", calls=4, batch=[3])
    finally:
        worker.close()
    expected = np.stack(list(Predictor(tiny_run.bundle.path).probabilities_of(paths)))  # type: ignore[arg-type]
    np.testing.assert_allclose(rows, expected, atol=1e-6)
    assert [len(times[name]) for name in ("latency_s", "preprocessing_s", "inference_s")] == [4] * 3
    assert len(times["images_per_second"]) == 1


def test_worker__one_that_dies_is_reported_with_its_error_output(tiny_run: TrainingResult) -> None:
    (model, *_), _ = find_models([tiny_run.bundle.path], runtimes=["litert"])
    worker = Worker(model, threads=1, photos=[])
    try:
        with pytest.raises(
            BricksightError, match=r"ended with exit code 1(.|\n)*no attribute 'dance'"
        ):
            worker.ask("dance")
    finally:
        worker.close()


# How it is told.


def test_to_markdown__is_a_table_with_the_machine_below(measured: BenchmarkResult) -> None:
    text = measured.to_markdown()
    tables = [block for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 2
    for table in tables:
        assert len({len(line) for line in table.splitlines()}) == 1  # columns are aligned
        assert len(table.splitlines()) == 2 + len(measured.measurements)
    assert "accuracy" in tables[0]
    assert "batch 8" in tables[1]
    assert machine()["processor"] in text
    assert "output_graph.pb was left out" in text


def test_accuracy_plot__is_a_picture_with_a_point_a_measurement(
    measured: BenchmarkResult, tmp_path: Path
) -> None:
    accuracy_plot(measured.measurements, tmp_path / "plot.png")
    with Image.open(tmp_path / "plot.png") as picture:
        pixels = np.asarray(picture.convert("RGB"), np.int32)
    blue = np.abs(pixels - (0x00, 0x72, 0xB2)).sum(axis=2) < 80
    assert blue.sum() > 200
    columns = np.flatnonzero(blue.any(axis=0))
    assert columns.max() - columns.min() > 5


@pytest.mark.parametrize("name", ["_under", r"a$\frac$b|c", "x" * 300, "a\nb\udce9\x1b"], ids=ascii)
def test_result__shows_every_name(measured: BenchmarkResult, tmp_path: Path, name: str) -> None:
    plots = []
    for one in ("plain", name):
        named = [replace(each, name=one) for each in measured.measurements]
        accuracy_plot(named, tmp_path / "plot.png")
        with Image.open(tmp_path / "plot.png") as picture:
            plots.append(np.asarray(picture.convert("L")))
    legend = slice(630, None)  # below the axes
    plain, other = ((plot[legend] < 128).sum() for plot in plots)
    assert plots[0].shape == plots[1].shape or len(name) > 200
    assert other > 0.8 * plain > 0
    text = replace(measured, measurements=tuple(named)).to_markdown()
    assert hidden(text.replace("\n", "")) == []
    assert "a\nb" not in text


KEYS = {
    *("name", "path", "runtime", "threads", "size_bytes", "cold_start_s", "load_s"),
    *("first_answer_s", "peak_memory_bytes", "latency_p50_ms", "latency_p95_ms"),
    *("preprocessing_p50_ms", "inference_p50_ms", "inference_p95_ms", "images_per_second"),
    *("num_photos", "accuracy", "accuracy_interval", "group_accuracy", "num_trained_on"),
}


def test_command__json_has_the_documented_keys_and_out_holds_the_same(
    tiny_run: TrainingResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["benchmark", str(tiny_run.bundle.path), "--runtime", "litert", "--threads", "1"]
    words += ["--image_dir", str(tiny_run.findings.data.image_dir), "--split", "test"]
    words += ["--rounds", "1", "--batch", "1,2", "--json", "--quiet", "--out", str(out)]
    assert main(words) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    told = json.loads(printed.out)
    keys = {"machine", "settings", "measurements", "warnings", "left_out", "set_aside"}
    assert set(told) == keys
    (only,) = told["measurements"]
    assert set(only) == KEYS
    assert only["num_photos"] == tiny_run.findings.test.num_images
    assert only["accuracy"] == tiny_run.findings.test.accuracy
    assert set(only["images_per_second"]) == {"1", "2"}
    assert json.loads((out / "benchmark.json").read_text(encoding="utf-8")) == told
    assert "(benchmark.png)" in (out / "benchmark.md").read_text(encoding="utf-8")
    assert (out / "benchmark.png").is_file()
    documented = (Path(__file__).parents[2] / "docs" / "reference" / "benchmark.md").read_text(
        encoding="utf-8"
    )
    keys = {*KEYS, *told, *told["machine"], *told["settings"]}
    assert [key for key in sorted(keys) if f"`{key}`" not in documented] == []


def test_command__without_data_there_is_no_accuracy_and_no_plot(
    tiny_run: TrainingResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["benchmark", str(tiny_run.bundle.path / "model.tflite"), "--threads", "1"]
    out = tmp_path / "out"
    out.mkdir()
    (out / "benchmark.png").write_bytes(b"of an earlier run")
    assert main([*words, "--rounds", "1", "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert "accuracy" not in printed.out
    assert "640x480" in printed.out
    assert "Timing in turn" in printed.err
    assert sorted(path.name for path in out.iterdir()) == ["benchmark.json", "benchmark.md"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([], 2, "MODEL is missing"),
        (["nowhere"], 1, "nowhere does not exist"),
        (["nowhere", "--threads", "1,two"], 2, "--threads is '1,two'"),
        (["nowhere", "--split", "test"], 2, "need photos"),
    ],
)
def test_command__wrong_use_is_named(
    words: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["benchmark", *words]) == code
    assert message in capsys.readouterr().err
