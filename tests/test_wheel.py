"""What users install: all that runs is inside, and nothing else."""

import sys
import zipfile
from pathlib import Path

import pytest

import bricksight
from helpers.wheel import ROOT, run

NUM_SAMPLE_PHOTOS = 480


@pytest.fixture(scope="session")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_wheel__is_for_every_platform_and_of_this_version(wheel: Path) -> None:
    assert wheel.name == f"bricksight-{bricksight.__version__}-py3-none-any.whl"


def test_wheel__holds_every_file_of_the_package_and_nothing_else(names: set[str]) -> None:
    source = ROOT / "src"
    expected = {
        path.relative_to(source).as_posix()
        for path in (source / "bricksight").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    about = f"bricksight-{bricksight.__version__}.dist-info/"
    assert {name for name in names if not name.startswith(about)} == expected
    assert f"{about}licenses/LICENSE" in names


def test_wheel__holds_the_templates_the_sample_and_the_mark_of_types(names: set[str]) -> None:
    assert "bricksight/py.typed" in names
    assert [name for name in names if name.startswith("bricksight/report/templates/")]
    photos = [name for name in names if name.startswith("bricksight/bricks/synth/sample/")]
    assert len([name for name in photos if name.endswith(".jpg")]) == NUM_SAMPLE_PHOTOS
    assert "bricksight/bricks/mobilenet_v2_bricks.npz" in names


def test_wheel__its_command_runs_from_where_it_was_installed(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "installed"
    run(
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        str(target),
        str(wheel),
    )
    script = target / "bin" / "bricksight"
    if not script.is_file():
        script = target / "Scripts" / "bricksight.exe"
    assert script.is_file()
    code = (
        "import bricksight, importlib.metadata as metadata, sys\n"
        "print(bricksight.__file__)\n"
        "entries = metadata.distribution('bricksight').entry_points\n"
        "(script,) = entries.select(group='console_scripts')\n"
        "(pack,) = entries.select(group='bricksight.packs')\n"
        "assert pack.load().backbones[0].file.is_file()\n"
        "sys.exit(script.load()(['--version']))"
    )
    file, version = run(sys.executable, "-c", code, PYTHONPATH=str(target)).splitlines()
    assert Path(file).is_relative_to(target)
    assert version == bricksight.__version__
