"""Where a scene's parts come from, and when they are read."""

from pathlib import Path

import numpy as np
import pytest

from bricksight.bricks.synth import SceneConfig, SynthConfig, find_models, photo_rng, sample_scene
from bricksight.bricks.synth.ldraw import find_library
from bricksight.bricks.synth.ldraw.errors import LDrawError
from bricksight.bricks.synth.records import require_same_settings
from bricksight.errors import ConfigError
from helpers.ldraw_files import part, write_library

BOX = "1 16 0 0 0 {0} 0 0 0 {0} 0 0 0 {0} s\\half.dat"
FILES = {
    "parts/3005.dat": part(BOX.format(10)),
    "parts/s/half.dat": part("1 16 0 0 0 1 0 0 0 1 0 0 0 1 box.dat"),
    "parts/3004.dat": part("3 16 0 0 nonsense"),
    "parts/3010.dat": part("1 16 0 0 0 1 0 0 0 1 0 0 0 1 gone.dat"),
}


@pytest.fixture(autouse=True)
def _no_other_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LDRAWDIR", raising=False)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return write_library(tmp_path / "ldraw", FILES)


def test_find_models__reads_a_part_when_a_scene_needs_it(library: Path) -> None:
    models = find_models(["3005", "3004"], library)
    assert list(models) == ["3005", "3004"]

    alone = SceneConfig(neighbour_probability=0)
    scene = sample_scene(models["3005"], photo_rng(1, "3005", 0), config=alone, others=models)
    assert [brick.label for brick in scene.bricks] == ["3005"]
    assert models["3005"] is models["3005"]

    beside = SceneConfig(neighbour_probability=1, num_neighbours=(8, 8))
    with pytest.raises(LDrawError, match=r"3004\.dat, line 4"):
        sample_scene(models["3005"], photo_rng(1, "3005", 0), config=beside, others=models)


def test_origin__is_told_by_all_files_of_the_part_wherever_they_lie(library: Path) -> None:
    origin = find_models(["3005"], library).origin("3005")
    assert origin.startswith("LDraw ")
    moved = library.rename(library.with_name("moved"))
    assert find_models(["3005_brick"], moved).origin("3005_brick") == origin
    assert find_models(["3005"], None).origin("3005") == "own parts"
    assert find_models(["3001"], moved).origin("3001") == "own parts"  # the library has none

    for name in ("parts/3005.dat", "parts/s/half.dat", "p/box.dat"):
        path = moved / name
        before = path.read_text()
        path.write_text(before + "3 16 0 0 0 1 0 0 0 1 0\n")
        assert find_models(["3005"], moved).origin("3005") != origin, name
        path.write_text(before)
    (moved / "parts/unused.dat").write_text(part("3 16 0 0 0 1 0 0 0 1 0"))
    assert find_models(["3005"], moved).origin("3005") == origin


def test_fingerprint__names_a_missing_file(library: Path) -> None:
    with pytest.raises(LDrawError, match=r"3010\.dat, line 4: the sub-file 'gone\.dat' is not"):
        find_library(library).fingerprint("3010")


def test_require_same_settings__refuses_parts_of_another_origin(tmp_path: Path) -> None:
    records = {
        "3005/0.jpg": {"label": "3005", "origin": "LDraw 0123", "size": 16},
        "3004/0.jpg": {"label": "3004", "origin": "own parts", "size": 16},
    }

    def check(**origins: str) -> None:
        require_same_settings(tmp_path, records, {"size": 16}, origins=origins)

    check(**{"3005": "LDraw 0123", "3001": "own parts"})  # others may come and go
    with pytest.raises(
        ConfigError, match=r"of 3005 with the shape from 'LDraw 0123'; now it comes from 'own pa"
    ):
        check(**{"3005": "own parts"})


def settings(*backgrounds: str | Path) -> object:
    scenes = SceneConfig(backgrounds=tuple(map(Path, backgrounds)))
    return SynthConfig(labels=("3005",), scenes=scenes).settings()


def test_settings__take_backgrounds_by_what_they_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    belt = tmp_path / "belt.png"
    belt.write_bytes(b"a photo")
    assert settings("belt.png") == settings(belt) != settings()

    before = settings(belt)
    moved = belt.rename(tmp_path / "moved.png")
    assert settings(moved) == before
    moved.write_bytes(b"another")
    assert settings(moved) != before
    with pytest.raises(ConfigError, match=r"The background belt\.png cannot be read \(No such"):
        settings("belt.png")


TRIANGLE = "3 16 0 0 0 {0} 0 0 0 0 {0}"
TETRAHEDRON = [
    "3 16 0 0 0 0 0 {0} {0} 0 0",
    "3 16 0 0 0 {0} 0 0 0 {0} 0",
    "3 16 0 0 0 0 {0} 0 0 0 {0}",
    "3 16 {0} 0 0 0 0 {0} 0 {0} 0",
]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([TRIANGLE.format(10)], "is flat"),
        ([TRIANGLE.format(10), "3 16 0 0.0001 0 10 0.0001 0 0 0.0001 10"], "is flat"),
        ([line.format(0.05) for line in TETRAHEDRON], "is 0.05 LDU long"),
        ([line.format(1e6) for line in TETRAHEDRON], "is 1e\\+06 LDU long"),
        (["3 16 0 0 0 1 0 0 2 0 0"], "draws no surface"),
    ],
)
def test_models__parts_that_cannot_lie_anywhere(
    tmp_path: Path, lines: list[str], message: str
) -> None:
    library = write_library(tmp_path / "ldraw", {"parts/9.dat": part(*lines)})
    with pytest.raises(LDrawError, match=message):
        find_models(["9"], library)["9"]


def test_poses__of_an_open_surface(tmp_path: Path) -> None:
    """Three sides of a corner: no volume, so the centre of mass is anywhere, or nowhere."""
    for name, lines in {"open": TETRAHEDRON[:3], "two": TETRAHEDRON[:2]}.items():
        content = part(*(line.format(20) for line in lines))
        library = write_library(tmp_path / name, {"parts/9.dat": content})
        poses = find_models(["9"], library)["9"].poses
        assert sum(pose.probability for pose in poses) == pytest.approx(1)
        assert all(np.isfinite(pose.rotation).all() for pose in poses)
