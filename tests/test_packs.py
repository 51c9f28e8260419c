"""Packs: found by their entry points, used where they have something to say."""

import json
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from helpers.packs import (
    COIN_COLOURS,
    install_coins,
    run_python,
    without_packs,
    write_distribution,
)
from helpers.photos import draw, write_photo_folder

LISTED = ("-m", "bricksight", "backbones", "list", "--json")
GENERAL = "packaged:efficientnet_lite0"
ABOUT_BRICKS = re.compile(r"brick(?!sight)|lego|part number|packs?\b", re.IGNORECASE)
TRAIN = (
    "import json, sys\n"
    "from pathlib import Path\n"
    "import bricksight as bs\n"
    "photos, out = map(Path, sys.argv[1:])\n"
    "result = bs.train(photos, out=out, how_many_training_steps=50)\n"
    "names = sorted(name for name in sys.modules if name.startswith('bricksight.bricks'))\n"
    "found = result.findings\n"
    "print(json.dumps([found.compiled.backbone.reference, found.trained.choices, names]))\n"
)


@pytest.fixture(scope="session")
def coins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if find_spec("hatchling") is None:
        pytest.skip("hatchling, of the dev group, is not installed")
    return install_coins(tmp_path_factory.mktemp("packs") / "coins")


def references(stdout: str) -> list[str]:
    return [entry["reference"] for entry in json.loads(stdout)]


def test_pack__its_backbone_is_in_the_list(coins: Path) -> None:
    run = run_python(*LISTED, path=coins)
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    (coin,) = [entry for entry in json.loads(run.stdout) if entry["reference"] == "packaged:coins"]
    assert coin["num_parameters"] == 294
    assert coin["on_disk"] is True
    assert "packaged:mobilenet_v2_bricks" in references(run.stdout)


def test_pack__its_command_runs_and_is_in_the_help(coins: Path) -> None:
    run = run_python("-m", "bricksight", "mint", "20", path=coins)
    assert (run.returncode, run.stdout) == (0, "A coin of 20 cents.\n")
    assert "Make coins." in run_python("-m", "bricksight", "--help", path=coins).stdout
    assert "How many cents" in run_python("-m", "bricksight", "mint", "--help", path=coins).stdout
    assert run_python("-m", "bricksight", "mint", "x", path=coins).returncode == 2


def test_pack__mirrored_pairs_that_it_knows(coins: Path) -> None:
    code = (
        "from bricksight.dataset import mirrored_pairs;"
        "print(mirrored_pairs(['reverse', 'obverse', 'left', 'right']))"
    )
    found = run_python("-c", code, path=coins).stdout
    assert found == "[('left', 'right'), ('obverse', 'reverse')]\n"


@pytest.mark.tf
@pytest.mark.slow
def test_pack__trains_with_what_it_knows(coins: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for label, colour in COIN_COLOURS.items():
        (photos / label).mkdir(parents=True)
        for seed in range(12):
            draw(colour, seed).save(photos / label / f"{seed}.png")
    run = run_python("-c", TRAIN, photos, tmp_path / "model", path=coins)
    assert run.returncode == 0, run.stderr
    _, choices, _ = json.loads(run.stdout)
    assert set(choices["held_out_cross_entropy_by_backbone"]) == {GENERAL, "packaged:coins"}

    command = ["train", photos, "--out", tmp_path / "by_name"]
    network = ["--backbone", "packaged:coins", "--augmented_copies", "0"]
    run = run_python("-m", "bricksight", *command, *network, path=coins)
    assert run.returncode == 0, run.stderr
    assert "packaged:coins knows 3 of 3 classes by name; it answers 100 %" in run.stderr
    run = run_python(
        "-m", "bricksight", "classify", tmp_path / "by_name", photos / "1 cent" / "0.png"
    )
    assert "1 cent" in run.stdout, "the model needs no pack any more"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder for two trainings, so that the second one compiles nothing again."""
    return tmp_path_factory.mktemp("cache")


@pytest.mark.tf
@pytest.mark.slow
def test_pack__is_silent_where_it_knows_no_class(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRICKSIGHT_CACHE_DIR", str(cache))
    photos = write_photo_folder(tmp_path / "photos")
    run = run_python("-c", TRAIN, photos, tmp_path / "model")
    assert run.returncode == 0, run.stderr
    reference, choices, modules = json.loads(run.stdout)
    assert reference == GENERAL
    assert choices["held_out_cross_entropy_by_backbone"] == {}
    assert modules == ["bricksight.bricks", "bricksight.bricks.part_numbers"], "its light half"
    assert not ABOUT_BRICKS.search(run.stderr)


@pytest.mark.tf
@pytest.mark.slow
def test_core__trains_without_any_pack(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRICKSIGHT_CACHE_DIR", str(cache))
    photos = write_photo_folder(tmp_path / "photos")
    (photos / "red").rename(photos / "3001_brick_2x4")
    nothing = without_packs(tmp_path / "site")
    run = run_python("-c", TRAIN, photos, tmp_path / "model", path=nothing)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)[0] == GENERAL
    assert json.loads(run.stdout)[2] == []


def test_core__says_what_is_missing_without_any_pack(tmp_path: Path) -> None:
    nothing = without_packs(tmp_path / "site")
    assert "packaged:mobilenet_v2_bricks" not in references(
        run_python(*LISTED, path=nothing).stdout
    )
    synth = run_python("-m", "bricksight", "synth", "out", path=nothing)
    assert synth.returncode == 2
    assert 'Unknown command "synth"' in synth.stderr
    sample = run_python("-m", "bricksight", "sample", tmp_path / "out", path=nothing)
    assert sample.returncode == 1
    assert "No installed pack has sample photos." in sample.stderr


@pytest.mark.parametrize(
    "code",
    [
        "import bricksight",
        "from bricksight.cli import main; main(['--help'])",
        "from bricksight.cli import main; main(['--version'])",
        "from bricksight.cli import main; main(['retrain', '--help'])",
    ],
)
def test_packs__are_not_imported_before_they_are_needed(code: str) -> None:
    loaded = f"{code}\nimport sys; sys.exit('bricksight.bricks' in sys.modules)"
    run = run_python("-c", loaded)
    assert run.returncode == 0, run.stderr


BROKEN = {
    "raises.py": "1 / 0",
    "something_else.py": "PACK = 'no pack'",
    "takes_a_name.py": (
        "from bricksight.packs import Pack, PackBackbone\n"
        "from pathlib import Path\n"
        "own = PackBackbone(name='mobilenet_v2_bricks', title='', file=Path(), load='',\n"
        "                   licence='', num_features=1, num_parameters=1, num_multiply_adds=1)\n"
        "PACK = Pack(name='other', backbones=[own])\n"
    ),
}


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("raises", "ZeroDivisionError: division by zero"),
        ("not_there", "No module named 'not_there'"),
        ("something_else", "something_else:PACK is a str; expected a bricksight Pack"),
        ("takes_a_name", "the pack bricks has packaged:mobilenet_v2_bricks already"),
    ],
)
def test_pack__that_fails_is_skipped_with_one_warning(
    tmp_path: Path, module: str, reason: str
) -> None:
    for name, content in BROKEN.items():
        (tmp_path / name).write_text(content)
    target = f"{module}:PACK"
    write_distribution(tmp_path, "unlucky", {"bricksight.packs": {"unlucky": target}})
    run = run_python(*LISTED, path=tmp_path)
    assert run.returncode == 0, run.stderr
    assert "packaged:mobilenet_v2_bricks" in references(run.stdout)
    (warning,) = run.stderr.splitlines()
    assert warning.startswith("The pack unlucky (unlucky) is not used: ")
    assert reason in warning


def test_command__that_fails_is_an_error_of_that_command_alone(tmp_path: Path) -> None:
    commands = {"check": "not_there:check", "mint": "not_there:mint"}
    write_distribution(tmp_path, "unlucky", {"bricksight.commands": commands})
    run = run_python("-m", "bricksight", "mint", path=tmp_path)
    assert run.returncode == 1
    assert "not_there:mint, of an installed pack, cannot be loaded" in run.stderr
    shown = run_python("-m", "bricksight", "--help", path=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "A command of unlucky." in shown.stdout
    own = run_python("-m", "bricksight", "check", "--help", path=tmp_path)
    assert own.returncode == 0, "a pack replaces no command"
