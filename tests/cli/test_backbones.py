"""``bricksight backbones`` as a user runs it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import h5py
import pytest

from bricksight.backbones import SOURCES, list_backbones, resolve
from bricksight.backbones.reference import parse_reference
from bricksight.backbones.sources._applications import APPLICATIONS
from bricksight.cli.commands.backbones import app
from helpers.tiny_backbones import tiny_network, write_saved_model


@pytest.fixture(autouse=True)
def empty_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TFHUB_CACHE_DIR", "KERAS_HOME", "KAGGLEHUB_CACHE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))


def words(text: str) -> list[str]:
    return text.split()


def run(*tokens: str) -> None:
    app(list(tokens), result_action="return_value")


def test_catalogue__every_entry_can_be_looked_up() -> None:
    specs = list_backbones()
    assert len({spec.reference for spec in specs}) == len(specs)
    for spec in specs:
        assert parse_reference(spec.reference, sources=SOURCES, known=[]).source == spec.source
    assert {one.name for one in APPLICATIONS} <= {
        re.split("[:@]", spec.reference)[1] for spec in specs if spec.source == "keras"
    }


def test_catalogue__agrees_with_what_is_resolved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    by_name = {one.name: one for one in APPLICATIONS}
    for spec in list_backbones():
        if spec.source == "keras":
            name, _, alpha = spec.reference.removeprefix("keras:").partition("@alpha=")
            file = by_name[name].weights_file(alpha=float(alpha or 1), size=spec.input_size)
            h5py.File(tmp_path / "models" / file, "w").close()
            backbone = resolve(spec.reference)
            assert backbone.num_features == spec.num_features
            assert backbone.input_spec.height == spec.input_size
            assert backbone.licence == spec.licence


def test_backbones_list__one_line_a_network(capsys: pytest.CaptureFixture[str]) -> None:
    run("list")
    listed = capsys.readouterr().out
    lines = [line.split() for line in listed.splitlines()]
    assert lines[0] == words("input features parameters size licence on disk reference")
    assert [line[-1] for line in lines[1:]] == [spec.reference for spec in list_backbones()]
    (mine,) = [line for line in lines if line[-1] == "keras:MobileNetV2"]
    assert mine == words("224 1,280 2.26 M 9 MB Apache-2.0 no keras:MobileNetV2")
    packaged = [line for line in lines if line[-1].startswith("packaged:")]
    assert [line[-2] for line in packaged] == ["yes", "yes"]
    run()
    assert capsys.readouterr().out == listed


def test_backbones_list__json(capsys: pytest.CaptureFixture[str]) -> None:
    run("list", "--json")
    entries = json.loads(capsys.readouterr().out)
    assert [entry["reference"] for entry in entries] == [one.reference for one in list_backbones()]
    assert set(entries[0]) == {
        "reference",
        "title",
        "source",
        "input_size",
        "num_features",
        "num_parameters",
        "num_multiply_adds",
        "size_bytes",
        "licence",
        "on_disk",
    }
    assert {entry["reference"] for entry in entries if entry["on_disk"]} == {
        "packaged:efficientnet_lite0",
        "packaged:mobilenet_v2_bricks",
    }


def test_backbones_list__does_not_load_tensorflow() -> None:
    code = (
        "import sys; from bricksight.cli.commands.backbones import app;"
        "app(['list'], result_action='return_value');"
        "sys.exit('tensorflow' in sys.modules or 'requests' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


@pytest.mark.tf
def test_backbones_describe__table_and_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_saved_model(tmp_path / "tiny", tiny_network())
    capsys.readouterr()
    run("describe", str(folder))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "SavedModel tiny"
    table = [line.split() for line in lines[lines.index("") + 1 :]]
    assert table == [
        words("input parameters multiply-adds operator t c n s"),
        words("32^2x3 128 27,648 conv2d - 4 1 2"),
        words("16^2x4 30 6,144 conv2d 1x1 - 6 1 1"),
        words("16^2x6 0 0 avgpool 16x16 - - 1 -"),
    ]
    run("describe", str(folder), "--json")
    described = json.loads(capsys.readouterr().out)
    assert described["num_parameters"] == 158
    assert described["stages"][0]["input_shape"] == [32, 32, 3]
    assert described["stages"][0]["operator"] == "conv2d"
