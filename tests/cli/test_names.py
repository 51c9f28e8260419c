"""Every command with names of files and classes that would steer a terminal or lack an encoding."""

import csv
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from bricksight.bundle import open_bundle
from bricksight.cli import main
from helpers.hidden_characters import hidden
from helpers.photos import COLOURS, draw
from helpers.tiny_backbones import tiny_network, write_saved_model
from helpers.tiny_bundle import train_tiny

pytestmark = pytest.mark.tf

NO_TEXT = os.fsdecode(b"\xe9")
LABELS = ["=1+1, 積木🧱", "\u202ecba[red]\x1b[2J\x07$x^$", "-ŁódźCAF\u00c9"]
NAMES = ["x\rb", "x\nbricksight: all is right", "x\x1b]0;owned\x07\x9b2J", "x\u2028\u202e", "plain"]
STREAMS = ["ascii", "cp1252", "latin-1", "utf-8"]


class Hostile(NamedTuple):
    """A folder whose path is no text, and a model that was trained on it."""

    photos: Path
    bundle: Path


class Printed(NamedTuple):
    """What a command has written."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Hostile:
    if sys.platform != "linux":
        pytest.skip("such names can only be given on Linux")
    plain = tmp_path_factory.mktemp("hostile")
    folder = plain / NO_TEXT
    photos = folder / "photos"
    write_saved_model(plain / "tiny", tiny_network())
    folder.mkdir()
    (plain / "tiny").rename(folder / "tiny")
    for label, colour in zip(LABELS, COLOURS, strict=True):
        (photos / label).mkdir(parents=True)
        for seed in range(3):
            for name in NAMES:
                draw(colour, seed * 10 + NAMES.index(name)).save(
                    photos / label / f"{name} {seed}.jpg"
                )
    (photos / LABELS[0] / "x\x1b[2J.jpg").write_text("no photo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BRICKSIGHT_CACHE_DIR", str(folder / "cache"))
        places = {"out": "bundle", "summaries_dir": "summaries", "saved_model_dir": "saved"}
        settings = {option: folder / name for option, name in places.items()}
        run = train_tiny(folder, image_dir=photos, **settings)
    return Hostile(photos, run.bundle.path)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Printed]:
    """Runs a command whose stdout and stderr are strict about their encoding."""

    def run_in(encoding: str, *words: str | Path) -> Printed:
        streams = {}
        for name in ("stdout", "stderr"):
            buffer = io.BytesIO()
            streams[name] = buffer
            stream = io.TextIOWrapper(buffer, encoding, errors="strict", write_through=True)
            monkeypatch.setattr(sys, name, stream)
        code = main([str(word) for word in words])
        written = [buffer.getvalue().decode(encoding) for buffer in streams.values()]
        return Printed(code, *written)

    return run_in


def require_harmless(text: str) -> None:
    assert hidden(text.replace("\n", "")) == []
    assert not any(line.startswith("bricksight: all is right") for line in text.split("\n"))


COMMANDS = {
    "check": "check {photos} --no_contact_sheets",
    "check --json": "check {photos} --json",
    "classify": "classify {bundle} {photos}",
    "classify --json": "classify {bundle} {photos} --json",
    "classify --csv": "classify {bundle} {photos} --csv",
    "classify --group_by": "classify {bundle} {photos} --group_by (x|plain)",
    "evaluate": "evaluate {bundle} {photos} --report report.html",
    "evaluate --json": "evaluate {bundle} {photos} --json",
    "train": "train {photos} --out {bundle}",
    "no such folder": "check {photos}/x\nbricksight: all is right\x1b",
    "no such option": "check {photos} --x\x1b\nbricksight: all is right",
    "cache": "cache --path {photos}/x\x1b --json",
}


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8"])
@pytest.mark.parametrize("command", COMMANDS)
def test_command__names_neither_steer_the_terminal_nor_end_it(
    command: str,
    encoding: str,
    hostile: Hostile,
    run: Callable[..., Printed],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [word.format(**hostile._asdict()) for word in COMMANDS[command].split(" ")]
    printed = run(encoding, *words)
    require_harmless(printed.err)
    if command == "classify --csv":
        return  # names are as they are; see below
    require_harmless(printed.out)
    if "--json" in command:
        for text in printed.out.splitlines() if "classify" in command else [printed.out]:
            json.loads(text)


def test_check__escapes_are_as_wide_as_their_column(
    hostile: Hostile, run: Callable[..., Printed]
) -> None:
    lines = run("ascii", "check", hostile.photos, "--no_contact_sheets").out.splitlines()
    table = [line for line in lines if line.startswith(("|", "+"))]
    assert len(table) > 4
    assert len({len(line) for line in table}) == 1


def photos_below(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.glob("*/*") if "[2J.jpg" not in path.name)


@pytest.mark.parametrize("encoding", STREAMS)
def test_classify__json_gives_the_names_back(
    encoding: str, hostile: Hostile, run: Callable[..., Printed]
) -> None:
    printed = run(encoding, "classify", hostile.bundle, hostile.photos, "--json")
    answers = [json.loads(line) for line in printed.out.splitlines()]
    assert sorted(one["photo"] for one in answers) == photos_below(hostile.photos)
    assert {one["label"] for one in answers[0]["predictions"]} == set(LABELS)


def test_classify__csv_gives_the_names_back_but_bytes_that_are_no_text(
    hostile: Hostile, run: Callable[..., Printed]
) -> None:
    printed = run("utf-8", "classify", hostile.bundle, hostile.photos, "--csv", "--top_k", "1")
    rows = list(csv.DictReader(io.StringIO(printed.out, newline="")))
    named = [path.replace(NO_TEXT, "\\xe9") for path in photos_below(hostile.photos)]
    assert sorted(row["photo"] for row in rows) == named
    assert {row["label"] for row in rows} <= {f"'{LABELS[0]}", LABELS[1], f"'{LABELS[2]}"}


def test_retrain__what_it_writes_is_utf_8_and_knows_the_photos_again(hostile: Hostile) -> None:
    for name in ("manifest.json", "metrics.json", "photos.csv", "report.html"):
        (hostile.bundle / name).read_text(encoding="utf-8")
    bundle = open_bundle(hostile.bundle)
    settings = bundle.manifest.settings["data"]
    assert settings["image_dir"] == str(hostile.photos)
    below = {os.path.relpath(path, hostile.photos) for path in photos_below(hostile.photos)}
    assert {photo.path for photo in bundle.photos()} == below
    assert len(bundle.trained_on()) > 30
    for name in ("summaries/bundle/train", "saved/saved_model.pb"):
        assert (hostile.bundle.parent / name).exists()


def test_evaluate__knows_the_photos_of_the_training(
    hostile: Hostile, run: Callable[..., Printed]
) -> None:
    found = json.loads(run("ascii", "evaluate", hostile.bundle, hostile.photos, "--json").out)
    assert found["num_trained_on"] == len(open_bundle(hostile.bundle).trained_on())


def test_report__shows_names_as_text(hostile: Hostile) -> None:
    html = (hostile.bundle / "report.html").read_text(encoding="utf-8")
    require_harmless(html)
    assert "<bdi>\\u202ecba[red]\\x1b[2J\\x07$x^$</bdi>" in html


def test_check__sheets_have_names_that_file_systems_take(
    run: Callable[..., Printed], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = ["積" * 85, "積" * 84 + "木", "a", "A", "same photo, two labels", "積木", "a, sheet 2"]
    for number, label in enumerate(labels):
        (tmp_path / "photos" / label).mkdir(parents=True)
        colour = np.full((40, 40, 3), 30 * number, np.uint8)
        Image.fromarray(colour).save(tmp_path / "photos" / label / "1.png")
    monkeypatch.chdir(tmp_path)
    assert run("utf-8", "check", "photos").code == 0
    sheets = [path.name for path in (tmp_path / "photos-check").iterdir()]
    assert len({name.casefold() for name in sheets}) == len([*labels, "that of pairs"])
    assert {"積木.jpg", "a, sheet 2.jpg"} <= set(sheets)
