"""``evaluate`` and ``benchmark`` on folders that no one would train on."""

import json
import shutil
from pathlib import Path

import pytest

from bricksight.cli import main
from bricksight.dataset import scan
from bricksight.training import TrainingResult

pytestmark = pytest.mark.tf

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def one_class(tiny_run: TrainingResult, tmp_path: Path) -> Path:
    """A folder with the photos of one class of three."""
    photos = tiny_run.findings.data.image_dir
    shutil.copytree(photos / "red", tmp_path / "test" / "red")
    return tmp_path / "test"


def test_evaluate__photos_of_one_class_are_measured(
    tiny_run: TrainingResult, one_class: Path, capsys: Captured
) -> None:
    model = str(tiny_run.bundle.path)
    assert main(["evaluate", model, str(one_class), "--quiet"]) == 0
    first, *warnings = capsys.readouterr().out.splitlines()
    assert first.startswith("Too few photos for more than a rough figure: ")
    assert "of 12 photos right (95 % interval" in first
    assert any("2 of 3 classes have no test photo" in line for line in warnings)
    assert not any("fewer than" in line for line in warnings)  # advice for training
    report = one_class / "report.html"
    words = ["evaluate", model, str(one_class), "--json", "--report", str(report)]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["balanced_accuracy"], told["top_k_accuracy"]) == (None, None)
    assert told["accuracy"] == next(one["recall"] for one in told["classes"] if one["count"])
    kinds = [warning["kind"] for warning in told["warnings"]]
    assert kinds == ["trained_on", "small_test", "untested_classes"]
    text = report.read_text()
    assert "no balanced accuracy, precision or F1" in text[: text.index("<nav")]
    assert "Top-" not in text
    assert ">Balanced accuracy<" not in text


def test_evaluate__hundreds_of_bad_photos_are_one_line(
    tiny_run: TrainingResult, one_class: Path, capsys: Captured
) -> None:
    for number in range(120):
        (one_class / "red" / f"bad{number:03d}.jpg").write_text(f"<html>{number}")
    words = ["evaluate", str(tiny_run.bundle.path), str(one_class), "--quiet"]
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) < 10
    assert lines[0].startswith("! 120 files cannot be read: 'red/bad000.jpg', ")
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told["set_aside"]) == 120
    assert sum(one["kind"] == "unreadable" for one in told["problems"]) == 120
    trained = next(one for one in told["warnings"] if one["kind"] == "trained_on")
    assert "of 12 photos were used" in trained["message"]


def test_evaluate__a_flat_folder_is_refused_with_what_to_do(
    tiny_run: TrainingResult, one_class: Path, capsys: Captured
) -> None:
    assert main(["evaluate", str(tiny_run.bundle.path), str(one_class / "red")]) == 1
    told = capsys.readouterr().err
    assert "Put the photos of each class into a folder of its name" in told
    assert "use bricksight classify" in told


def test_evaluate__nothing_to_measure_is_an_error(
    tiny_run: TrainingResult, tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "bad" / "red").mkdir(parents=True)
    (tmp_path / "bad" / "red" / "1.jpg").write_text("<html>")
    model = str(tiny_run.bundle.path)
    assert main(["evaluate", model, str(tmp_path / "bad"), "--quiet"]) == 1
    assert "None of the photos in" in capsys.readouterr().err
    photos = tmp_path / "few"
    for label in ("red", "green"):
        (photos / label).mkdir(parents=True)
        source = tiny_run.findings.data.image_dir / label / "photo_00.jpg"
        shutil.copy(source, photos / label)
    assert main(["evaluate", model, str(photos), "--split", "test", "--quiet"]) == 1
    assert "has no photos in the split 'test'" in capsys.readouterr().err


def test_scan__of_photos_to_measure_on_has_no_advice_for_training(one_class: Path) -> None:
    data = scan(one_class, for_training=False)
    assert data.labels == ("red",)
    assert data.problems == ()
