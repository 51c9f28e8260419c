"""Public functions with values that are no paths, or not the paths they should be."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bricksight import backbones, benchmark, camera, dataset, features, formats, images
from bricksight.bundle import open_bundle, read_labels
from bricksight.cli import main
from bricksight.config import FineTuneConfig, TrainingConfig
from bricksight.errors import BricksightError, BundleError
from bricksight.predict import Predictor
from bricksight.quality import check, contact_sheet
from bricksight.training import cross_validate, train
from helpers.photos import write_photo_folder

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "Predictor": Predictor,
    "Predictor.from_graph": lambda path: Predictor.from_graph(path, path),
    "open_bundle": open_bundle,
    "read_labels": read_labels,
    "scan": dataset.scan,
    "check": check,
    "contact_sheet": contact_sheet,
    "decode": images.decode,
    "probe": images.probe,
    "export_bundle": lambda path: formats.export_bundle(path, "onnx"),
    "load_classifier": formats.load_classifier,
    "benchmark": lambda path: benchmark.benchmark([path]),
    "benchmark of one": benchmark.benchmark,
    "modules.resolve": backbones.resolve,
    "modules.find": backbones.find,
    "modules.resolve saved_model": lambda path: backbones.resolve(f"saved_model:{path}"),
    "parse_source": camera.parse_source,
    "TrainingConfig": lambda path: TrainingConfig.of(image_dir=path),
    "list_entries": features.list_entries,
}

NO_PATHS: dict[str, Any] = {
    "None": None,
    "a number": 1.5,
    "a dictionary": {},
    "empty": "",
    "NUL": "a\0b",
    "too long": "a" * 5000,
}

OTHER_PATHS = ("absent", "file/model", "file", "folder", "link", "loop")


@pytest.fixture(autouse=True)
def odd_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes a working folder of files that are no models, photos or labels."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_bytes(b"\xff\0 neither")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("nothing")
    (tmp_path / "loop").symlink_to("loop")


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("value", NO_PATHS)
def test_public_functions__what_is_no_path_is_refused(function: str, value: str) -> None:
    with pytest.raises(BricksightError) as error:
        FUNCTIONS[function](NO_PATHS[value])
    assert str(error.value)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("path", OTHER_PATHS)
def test_public_functions__errors_of_odd_paths_are_ours(function: str, path: str) -> None:
    with contextlib.suppress(BricksightError):  # some take an absent file for an empty one
        FUNCTIONS[function](path)


def test_retrain_and_crossval__a_teacher_is_opened_before_any_work(tmp_path: Path) -> None:
    photos = write_photo_folder(tmp_path / "photos")
    config = TrainingConfig.of(image_dir=photos, out=tmp_path / "out", backbone="keras:Absent")
    tuning = FineTuneConfig(recipe="balanced", teacher=tmp_path / "absent")
    for function in (train, cross_validate):
        with pytest.raises(BundleError, match="absent does not exist"):
            function(replace(config, finetuning=tuning))


def test_check_command__a_link_to_itself_is_no_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "loop"]) in (1, 2)
    assert "loop" in capsys.readouterr().err
