"""Small real renders; skipped where Mitsuba is not installed."""

import importlib.util
import sys
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bricksight.errors import ConfigError, MissingPackageError
from bricksight.synth import PARTS, Scene, SceneConfig, photo_rng, sample_scene, stable_poses
from bricksight.synth.colours import Colour
from bricksight.synth.raytrace import render_photo
from bricksight.synth.render import RenderConfig, main, render_folder

LABEL = "3005_brick_1x1"
OTHER = "3068b_tile_2x2"
MESH = PARTS[LABEL].mesh()


@pytest.fixture(scope="module")
def renderer() -> Iterator[Executor]:
    """A process that renders, as ``render_folder`` has them: none that has loaded TensorFlow."""
    if importlib.util.find_spec("mitsuba") is None:
        pytest.skip("rendering needs the extra synth: Mitsuba 3")
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        yield pool


def draw(index: int, *, config: SceneConfig) -> Scene:
    return sample_scene(MESH, stable_poses(MESH), photo_rng(1, LABEL, index), config=config)


def render(renderer: Executor, scene: Scene) -> np.ndarray:
    return np.asarray(renderer.submit(render_photo, MESH, scene, size=32, samples=4).result())


def test_render_photo__shows_a_brick_of_its_colour_in_the_middle(renderer: Executor) -> None:
    scene = draw(0, config=SceneConfig(fill=(0.9, 0.9), off_centre=(0, 0)))
    photos = {
        name: render(renderer, replace(scene, colour=Colour(name, code, 1))).astype(float)
        for name, code in (("red", "#c00000"), ("blue", "#0000c0"))
    }

    middle = {name: photo[12:20, 12:20].mean(axis=(0, 1)) for name, photo in photos.items()}
    assert middle["red"][0] - middle["blue"][0] > 20
    assert middle["blue"][2] - middle["red"][2] > 20
    corner = {name: photo[:3, :3].mean(axis=(0, 1)) for name, photo in photos.items()}
    assert np.abs(corner["red"] - corner["blue"]).max() < 20


def test_render_photo__is_the_same_every_time(renderer: Executor) -> None:
    first, again, other = (
        render(renderer, draw(index, config=SceneConfig())) for index in (0, 0, 1)
    )

    assert first.shape == (32, 32, 3)
    assert (again == first).all()
    assert (other != first).any()


@pytest.mark.usefixtures("renderer")
def test_render_folder__goes_on_where_it_stopped(tmp_path: Path) -> None:
    config = RenderConfig(labels=(LABEL, OTHER), num=2, size=16, samples=1)
    kept = tmp_path / LABEL / "0000.jpg"
    kept.parent.mkdir()
    kept.write_bytes(b"finished before")

    assert sum(render_folder(tmp_path, config, workers=1)) == 4

    assert kept.read_bytes() == b"finished before"
    new = sorted(path for path in tmp_path.glob("*/*") if path != kept)
    assert [path.relative_to(tmp_path).as_posix() for path in new] == [
        f"{LABEL}/0001.jpg",
        f"{OTHER}/0000.jpg",
        f"{OTHER}/0001.jpg",
    ]
    for path in new:
        with Image.open(path) as photo:
            assert photo.size == (16, 16)
    assert "mitsuba" not in sys.modules  # it would abort what has loaded TensorFlow


def test_render_config__refuses_a_part_that_it_does_not_know() -> None:
    with pytest.raises(ConfigError, match=r"No part is called '9999'\. Known are 3005_brick_1x1,"):
        RenderConfig(labels=("9999",))


def test_render_folder__without_mitsuba_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mitsuba", None)

    with pytest.raises(MissingPackageError, match=r"pip install 'bricksight\[synth\]'"):
        next(render_folder(tmp_path, RenderConfig(num=1)))


def test_main__without_mitsuba_ends_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mitsuba", None)

    with pytest.raises(SystemExit, match="Error: Rendering needs the package 'mitsuba'"):
        main(tmp_path)
