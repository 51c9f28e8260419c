"""The commands and programs on the pages of the documentation run as they are printed.

A block runs in a folder of the page's own, which holds small photos by the names that pages use,
and ``photos-model``, trained on them. A mark above a block, ``<!-- not run: reason -->``, leaves it
out; its commands are parsed all the same.
"""

import functools
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import cyclopts
import pytest

from bricksight.cli import main, make_app
from helpers.pages import MEASUREMENTS, PAGES, ROOT, SHELLS, Block, blocks_of, commands_in
from helpers.photos import draw, draw_belt

FOREIGN = {
    *("--graph", "--labels", "--input_layer", "--output_layer", "--input_height", "--no-deps"),
    *("--user", "--help", "--version", "--help-all"),
}
"""Options of other programs that pages name in their text."""


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def own_cache_dir(shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One cache for all pages, so that backbones are compiled once."""
    monkeypatch.setenv("BRICKSIGHT_CACHE_DIR", str(shared_cache))
    return shared_cache


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Path:
    """What the pages call ``photos-model``."""
    place = tmp_path_factory.mktemp("trained")
    write_photos(place)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("BRICKSIGHT_CACHE_DIR", str(shared_cache))
        # Without a download, and small; what it answers does not matter here.
        fast = "--backbone keras:MobileNetV2@alpha=0.35,weights=random --augmented_copies 0"
        assert main(["train", "photos", "--out", "photos-model", *fast.split()]) == 0
    return place / "photos-model"


def write_photos(place: Path) -> None:
    """Fills a folder with the photos that pages name."""
    for folder, first, count in (("photos", 1, 6), ("new-photos", 101, 2)):
        for label in ("bolt", "nut", "washer"):
            (place / folder / label).mkdir(parents=True)
            for number in range(first, first + count):
                for side in ("left", "right"):
                    name = f"{number:04d}_{side}.jpg"
                    draw(label, 2 * number + (side == "left")).save(place / folder / label / name)
    for label in ("one", "two", "three"):
        (place / "signs" / label).mkdir(parents=True)
        for person in range(1, 6):
            for number in (1, 2):
                name = f"p{person:02d}_{number}.jpg"
                draw(label, 10 * person + number).save(place / "signs" / label / name)
    (place / "junk").mkdir()
    for seed in range(6):
        draw_belt(seed).save(place / "junk" / f"{seed}.jpg")
    draw("bolt", 999).save(place / "photo.jpg")


def runnable(page: Path) -> list[Block]:
    return [
        block
        for block in blocks_of(page)
        if block.language in ("bash", "python")
        if not block.reason
    ]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.tf
@pytest.mark.pages
@pytest.mark.parametrize("page", [page for page in PAGES if runnable(page)], ids=name_of)
def test_page__runs_as_printed(
    page: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "page"
    place.mkdir()
    write_photos(place)
    shutil.copytree(model, place / "photos-model")
    add_bricksight(tmp_path / "bin", monkeypatch)
    monkeypatch.chdir(place)
    names: dict[str, object] = {"__file__": str(place / "program.py")}
    for block in runnable(page):
        if block.language == "python":
            text = re.sub(
                r"(bs\.train\(.*)\)$", rf"\1{block.added})", block.text, flags=re.MULTILINE
            )
            exec(compile(text, name_of(page), "exec"), names)
        else:
            for line in block.lines:
                run(line, block.added)


def with_added(block: Block) -> str:
    """Returns a program whose training also has the arguments that the test adds."""
    call = re.compile(r"(bs\.train\(.*)\)$", re.MULTILINE)
    return call.sub(lambda found: f"{found[1]}{block.added})", block.text)


def add_bricksight(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts ``bricksight`` on the path of shells."""
    folder.mkdir()
    script = folder / "bricksight"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m bricksight "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def run(line: str, added: str) -> None:
    """Runs a line of a shell; a plain call of bricksight in this process, which is faster."""
    plain = line.startswith("bricksight ") and not re.search(r"[|&>]", line)
    if plain and "--help" not in line and "--version" not in line:
        assert main([*shlex.split(line)[1:], *shlex.split(added)]) == 0, line
    else:
        ran = subprocess.run(["bash", "-euc", line], capture_output=True, text=True, timeout=120)
        assert ran.returncode == 0, f"{line}\n{ran.stderr}"


@pytest.mark.parametrize("page", (*PAGES, *MEASUREMENTS), ids=name_of)
def test_page__its_commands_are_understood(page: Path) -> None:
    for block in blocks_of(page):
        if block.language in SHELLS:
            for line in block.lines:
                for words in commands_in(line):
                    parse(words)


def parse(words: list[str]) -> None:
    """Fails for a command or an option that there is not."""
    if {"--help", "--version"} & set(words):
        assert words[0] in (*commands(), "--version")
        return
    words = ["photos" if word == "-" else word for word in words]
    app_of(words[0]).parse_args(words, exit_on_error=False, print_error=False)


def test_parse__finds_options_that_there_are_not() -> None:
    with pytest.raises(cyclopts.CycloptsError):
        parse(["classify", "model", "photo.jpg", "--colour"])


@functools.cache
def app_of(command: str) -> cyclopts.App:
    return make_app(command)


@functools.cache
def commands() -> tuple[str, ...]:
    """Returns the commands, those of packs among them."""
    return tuple(name for name in make_app() if not name.startswith("-"))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_options__that_a_page_names_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"`(--[a-z][a-z_0-9-]*)", text))
    assert named - every_option() - FOREIGN == set()


@functools.cache
def every_option() -> set[str]:
    """Returns the options of all commands, and of the program in the Jetson folder."""
    source = ROOT / "src" / "bricksight" / "jetson" / "classify.py"
    found = set(re.findall(r'"(--[a-z_0-9]+)"', source.read_text(encoding="utf-8")))
    for command in commands():
        app = app_of(command)[command]
        for one in (app, *(app[name] for name in app if not name.startswith("-"))):
            if one.default_command is not None:
                for argument in one.assemble_argument_collection():
                    found.update("--" + name[2:].replace("-", "_") for name in argument.names)
    return found


@pytest.mark.parametrize("page", (*PAGES, *MEASUREMENTS), ids=name_of)
def test_links__lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target) or name_of(page.parent / target) == "docs/reference/cli.md":
            continue
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_outputs__are_on_the_page(page: Path) -> None:
    """``benchmarks/page_outputs.py`` fills them."""
    text = page.read_text(encoding="utf-8")
    assert not re.findall(r"<!-- output of: \w+ -->\n```text\n```", text)
