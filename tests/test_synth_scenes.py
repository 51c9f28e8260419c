"""Scenes, floors, rooms and colours: numbers only, no renderer."""

from dataclasses import fields, is_dataclass

import numpy as np
import pytest

from bricksight.errors import ConfigError
from bricksight.synth import PARTS, Scene, SceneConfig, photo_rng, sample_scene, stable_poses
from bricksight.synth.colours import COLOURS, light_colour, linear_to_srgb, srgb_to_linear
from bricksight.synth.photo import develop
from bricksight.synth.scenes import Finish, Lights
from bricksight.synth.surroundings import FLOOR_PIXELS, FLOORS, room

LABEL = "3003_brick_2x2"
MESH = PARTS[LABEL].mesh()
POSES = stable_poses(MESH)
LIGHTS = Lights(
    position=np.array([0.0, 0.0, 100.0]), size=10, kelvin=5000, room_kelvin=5000, room_share=0.5
)


def draw(seed: int = 1, index: int = 0, config: SceneConfig | None = None) -> Scene:
    rng = photo_rng(seed, LABEL, index)
    return sample_scene(MESH, POSES, rng, config=config or SceneConfig())


def flat(value: object) -> list[object]:
    """Returns all the numbers in nested dataclasses and arrays."""
    if is_dataclass(value):
        return [number for field in fields(value) for number in flat(getattr(value, field.name))]
    return value.ravel().tolist() if isinstance(value, np.ndarray) else [value]


def test_sample_scene__same_seed_same_scene() -> None:
    assert flat(draw()) == flat(draw())


@pytest.mark.parametrize("other", [{"seed": 2}, {"index": 1}])
def test_sample_scene__other_seed_or_index_other_scene(other: dict[str, int]) -> None:
    assert flat(draw()) != flat(draw(**other))


@pytest.mark.parametrize("index", range(8))
def test_sample_scene__part_lies_on_the_table_and_fills_the_frame(index: int) -> None:
    config = SceneConfig(fill=(0.7, 0.7), off_centre=(0, 0))
    scene = draw(index=index, config=config)
    points = scene.placement.apply(MESH.vertices)
    camera = scene.camera
    forward = camera.target - camera.position
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, camera.up)
    right /= np.linalg.norm(right)
    seen = (points - camera.position) @ np.stack([right, np.cross(right, forward), forward], 1)
    half_frame = np.tan(np.radians(camera.field_of_view_degrees / 2))
    frame = seen[:, :2] / seen[:, 2:] / half_frame

    assert points[:, 2].min() == pytest.approx(0, abs=1e-9)
    assert np.ptp(frame, axis=0).max() / 2 == pytest.approx(0.7, abs=1e-3)
    assert frame.min(axis=0) + frame.max(axis=0) == pytest.approx([0, 0], abs=1e-3)


def test_sample_scene__upright_probability_decides_the_pose() -> None:
    up = draw(config=SceneConfig(upright_probability=1)).placement.rotation

    assert up @ [0, -1, 0] == pytest.approx([0, 0, 1], abs=1e-6)


def test_scene_config__refuses_a_reversed_range() -> None:
    with pytest.raises(ConfigError, match=r"fill is \(0.9, 0.5\); the lower end .* come first"):
        SceneConfig(fill=(0.9, 0.5))


@pytest.mark.parametrize("name", FLOORS)
def test_floor__is_a_picture_of_reflectances(name: str) -> None:
    picture = FLOORS[name].paint(np.random.default_rng(5), 0.8)

    assert picture.shape == (FLOOR_PIXELS, FLOOR_PIXELS, 3)
    assert picture.min() >= 0
    assert picture.max() < 1
    assert (FLOORS[name].paint(np.random.default_rng(5), 0.8) == picture).all()
    assert (FLOORS[name].paint(np.random.default_rng(6), 0.8) != picture).any()


def test_room__gives_the_floor_an_irradiance_of_pi() -> None:
    picture = room(np.random.default_rng(0))
    polar = (np.arange(64) + 0.5) * np.pi / 64
    upper = np.cos(polar).clip(0) * np.sin(polar) * (np.pi / 64) * (2 * np.pi / 128)

    assert picture.shape == (64, 128, 3)
    assert (picture[..., 0] * upper[:, None]).sum() == pytest.approx(np.pi, rel=1e-4)


def test_srgb__round_trip() -> None:
    values = np.linspace(0, 1, 256)

    assert linear_to_srgb(srgb_to_linear(values)) == pytest.approx(values, abs=1e-6)
    assert srgb_to_linear(np.array(0.5)) == pytest.approx(0.21404, abs=1e-5)


def test_colours__are_named_once_and_darken_as_expected() -> None:
    brightness = {colour.name: colour.linear.mean() for colour in COLOURS}

    assert len(brightness) == len(COLOURS)
    assert brightness["Black"] < 0.03
    assert brightness["White"] > 0.8


def test_light_colour__daylight_is_white_and_lamps_are_warm() -> None:
    assert light_colour(6500) == pytest.approx([1, 1, 1], abs=0.06)
    red, green, blue = light_colour(2856)
    assert red > green == 1 > blue


@pytest.mark.parametrize("kelvin", [2222, 4000])
def test_light_colour__pieces_of_the_spline_meet(kelvin: float) -> None:
    assert light_colour(kelvin - 0.5) == pytest.approx(light_colour(kelvin + 0.5), abs=5e-3)


def test_develop__removes_a_lone_firefly() -> None:
    radiance = np.full((16, 16, 3), 0.3, dtype=np.float32)
    speckled = radiance.copy()
    speckled[8, 8] = 500
    finish = Finish(exposure=1, white_balance=1, blur=0.4, noise=0, jpeg_quality=90)

    photos = [
        np.asarray(develop(light, finish=finish, lights=LIGHTS, rng=np.random.default_rng(0)))
        for light in (radiance, speckled)
    ]

    assert (photos[0] == photos[1]).all()


def test_develop__exposes_dark_scenes_longer_but_keeps_them_darker() -> None:
    finish = Finish(exposure=1, white_balance=1, blur=0.4, noise=0, jpeg_quality=90)
    means = [
        np.asarray(
            develop(
                np.full((8, 8, 3), level),
                finish=finish,
                lights=LIGHTS,
                rng=np.random.default_rng(0),
            )
        ).mean()
        for level in (0.05, 0.5)
    ]

    assert means[0] < means[1]
    assert means[0] > 255 * linear_to_srgb(np.array(0.05))
