"""What loads what: the light half stays light, the command line answers at once."""

import importlib
import inspect
import json
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from typing import get_origin

import pytest

import bricksight

if sys.version_info >= (3, 11):
    import tomllib

HEAVY = {
    "tensorflow",
    "keras",
    "matplotlib",
    "sklearn",
    "ai_edge_litert",
    "mitsuba",
    "onnxruntime",
    "cv2",
}
LIGHT = (
    "errors",
    "config",
    "packs",
    "_support",
    "bundle",
    "dataset",
    "images",
    "evaluation",
    "report",
    "predict",
    "quality",
    "camera",
    "benchmark",
    "cli",
)
LIGHTEST = ("_support", "_version", "config", "errors", "packs")
ROOMS = sorted(
    module.name for module in pkgutil.iter_modules(bricksight.__path__) if module.name[0] != "_"
)
COMMANDS = sorted(
    module.name
    for module in pkgutil.iter_modules(
        [str(Path(bricksight.__file__).with_name("cli") / "commands")]
    )
)


def loaded_after(code: str) -> set[str]:
    """Top-level packages, and rooms of bricksight, that a fresh interpreter holds after ``code``.

    What ``code`` prints is thrown away.
    """
    program = (
        f"import contextlib, io, json, sys\n"
        f"with contextlib.redirect_stdout(io.StringIO()):\n    {code}\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    modules = json.loads(run.stdout)
    rooms = {name for name in modules if re.fullmatch(r"bricksight\.\w+", name)}
    return rooms | {name.partition(".")[0] for name in modules}


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 has no tomllib")
def test_light_half__is_the_one_of_the_import_contract() -> None:
    pyproject = Path(__file__).parents[1] / "pyproject.toml"
    contracts = tomllib.loads(pyproject.read_text())["tool"]["importlinter"]["contracts"]
    rooms, packages = (one for one in contracts if one["type"] == "forbidden")
    for contract, expected in ((rooms, {*LIGHT} - {"cli"}), (packages, {*LIGHT, "api"})):
        named = {name.removeprefix("bricksight.") for name in contract["source_modules"]}
        assert named == expected


def test_light_half__loads_no_framework() -> None:
    imports = [f"bricksight.{room}" for room in LIGHT]
    imports += [f"bricksight.cli.commands.{command}" for command in COMMANDS]
    loaded = loaded_after(f"import {', '.join(imports)}")
    assert "bricksight.predict" in loaded
    assert not loaded & HEAVY


def test_package__importing_it_loads_no_room() -> None:
    loaded = loaded_after("import bricksight")
    assert not loaded & (HEAVY | {"numpy", "PIL", "scipy"})


def test_package__its_names_are_those_of_the_rooms() -> None:
    for name in set(bricksight.__all__) - {"__version__"}:
        value = getattr(bricksight, name)
        room = importlib.import_module(value.__module__.partition("._")[0])
        assert getattr(room, name) is value
        assert name in dir(bricksight)
    with pytest.raises(AttributeError, match="has no attribute 'Predicter'"):
        bricksight.Predicter  # noqa: B018


def test_package__a_name_loads_its_room_when_it_is_used() -> None:
    loaded = loaded_after("import bricksight; bricksight.Predictor")
    assert "bricksight.predict" in loaded
    assert not loaded & HEAVY


def test_every_room__loads_no_framework_when_it_is_imported() -> None:
    """Heavy packages are imported by the functions that need them, also in the heavy half."""
    loaded = loaded_after(f"import {', '.join(f'bricksight.{room}' for room in ROOMS)}")
    assert {"bricksight.training", "bricksight.backbones"} <= loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_command_line__answers_without_numpy_or_any_room(arguments: list[str]) -> None:
    loaded = loaded_after(f"from bricksight.cli import main; main({arguments})")
    assert not loaded & (HEAVY | {"numpy", "PIL", "scipy", "requests"})
    rooms = {name for name in loaded if name.startswith("bricksight.")}
    helpers = {f"bricksight.{name}" for name in LIGHTEST}
    assert rooms <= {"bricksight.cli", *helpers}


def test_commands__print_in_one_place() -> None:
    """What goes past it may steer the terminal; ``print`` itself is ruff's to find."""
    past = re.compile(r"std(?:out|err)\.write|\bConsole\(|\bText\((?!\")|\bText\.\w+\(")
    for path in Path(bricksight.__file__).with_name("cli").rglob("*.py"):
        if path.name not in ("_output.py", "_console.py"):
            assert past.findall(path.read_text(encoding="utf-8")) == [], path.name


@pytest.mark.parametrize(
    "command", ["train", "retrain", "crossval", "classify", "evaluate", "check", "cache"]
)
def test_command_line__help_of_a_command_loads_no_framework(command: str) -> None:
    loaded = loaded_after(f"from bricksight.cli import main; main(['{command}', '--help'])")
    assert not loaded & HEAVY


@pytest.mark.parametrize("room", ROOMS)
def test_every_room__public_names_are_there_and_explained(room: str) -> None:
    module = importlib.import_module(f"bricksight.{room}")
    assert module.__doc__
    names = getattr(module, "__all__", [])
    assert len(set(names)) == len(names)
    for name in names:
        value = getattr(module, name)
        alias = get_origin(value) is not None  # for Python 3.10 an alias of a type is a class
        if not alias and (inspect.isclass(value) or inspect.isfunction(value)):
            assert value.__doc__, name


def test_package__has_a_version() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+)?", bricksight.__version__)


def test_tests__lie_in_folders_named_for_the_rooms_that_they_test() -> None:
    rooms = {path.name for path in Path(bricksight.__file__).parent.iterdir() if path.is_dir()}
    folders = {path.name for path in Path(__file__).parent.iterdir() if path.is_dir()}
    assert folders - {"docs", "helpers"} <= rooms


def test_tests__do_not_import_one_another() -> None:
    imported = re.compile(r"^\s*(?:from|import) [\w.]*\btest_", re.MULTILINE)
    for path in Path(__file__).parent.rglob("test_*.py"):
        assert not imported.findall(path.read_text(encoding="utf-8")), path
