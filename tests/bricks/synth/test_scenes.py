"""Scenes, floors, rooms and colours: numbers only, no renderer."""

from dataclasses import fields, is_dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial import KDTree

from bricksight.bricks.synth import Scene, SceneConfig, photo_rng, sample_scene, scene_config
from bricksight.bricks.synth.models import find_models
from bricksight.bricks.synth.rendering.denoising import Filter, denoised
from bricksight.bricks.synth.rendering.materials import surface
from bricksight.bricks.synth.rendering.photo import develop
from bricksight.bricks.synth.scenes.backgrounds import composed, load_background
from bricksight.bricks.synth.scenes.colours import (
    COLOURS,
    light_colour,
    linear_to_srgb,
    srgb_to_linear,
)
from bricksight.bricks.synth.scenes.framing import seen_at
from bricksight.bricks.synth.scenes.scene import RIG, Finish, Lamp, Lights
from bricksight.bricks.synth.scenes.surroundings import FLOOR_PIXELS, FLOORS, room
from bricksight.errors import ConfigError
from bricksight.images import find_backgrounds

LABEL = "3003_brick_2x2"
MODEL = find_models([LABEL], None)[LABEL]
LIGHTS = Lights(
    lamps=(Lamp(np.array([0.0, 0.0, 100.0]), size=10, kelvin=5000, share=0.5),),
    room_kelvin=5000,
    room_share=0.5,
)
STEADY = Finish(exposure=1, white_balance=1, blur=0.4, motion=(0, 0), noise=0, jpeg_quality=90)


def draw(seed: int = 1, index: int = 0, config: SceneConfig | None = None) -> Scene:
    return sample_scene(MODEL, photo_rng(seed, LABEL, index), config=config or SceneConfig())


def flat(value: object) -> list[object]:
    """Returns all the numbers in nested dataclasses, tuples and arrays."""
    if is_dataclass(value):
        return [number for field in fields(value) for number in flat(getattr(value, field.name))]
    if isinstance(value, tuple):
        return [number for one in value for number in flat(one)]
    return value.ravel().tolist() if isinstance(value, np.ndarray) else [value]


def test_sample_scene__same_seed_same_scene() -> None:
    assert flat(draw()) == flat(draw())


@pytest.mark.parametrize("other", [{"seed": 2}, {"index": 1}])
def test_sample_scene__other_seed_or_index_other_scene(other: dict[str, int]) -> None:
    assert flat(draw()) != flat(draw(**other))


@pytest.mark.parametrize("rig", [(), RIG])
@pytest.mark.parametrize("index", range(4))
def test_sample_scene__part_lies_on_the_table_and_fills_every_frame(
    index: int, rig: tuple[str, ...]
) -> None:
    config = SceneConfig(fill=(0.7, 0.7), off_centre=(0, 0), rig=rig)
    scene = draw(index=index, config=config)
    points = scene.bricks[0].placement.apply(MODEL.vertices)

    assert points[:, 2].min() == pytest.approx(0, abs=1e-9)
    assert [view.name for view in scene.views] == list(rig or ("",))
    for view in scene.views:
        frame = seen_at(view.camera, points)
        assert np.ptp(frame, axis=0).max() / 2 == pytest.approx(0.7, abs=2e-3)
        assert frame.min(axis=0) + frame.max(axis=0) == pytest.approx([0, 0], abs=4e-3)


def test_sample_scene__a_rig_looks_from_two_sides_and_through_glass_from_below() -> None:
    front, back, bottom = draw(config=SceneConfig(rig=RIG)).views

    assert front.camera.position[2] > 0
    assert back.camera.position[2] > 0
    assert front.camera.position[:2] @ back.camera.position[:2] < 0
    assert bottom.camera.position[2] < 0
    assert front.finish.haze is back.finish.haze is None
    assert bottom.finish.haze is not None


def test_sample_scene__probabilities_decide_the_attitude() -> None:
    upright = SceneConfig(upright_probability=1, free_probability=0)
    up = draw(config=upright).bricks[0].placement.rotation
    assert up @ [0, -1, 0] == pytest.approx([0, 0, 1], abs=1e-6)

    free = SceneConfig(free_probability=1)
    tilts = [draw(index=i, config=free).bricks[0].placement.rotation[2, 1] for i in range(8)]
    assert np.ptp(tilts) > 0.5
    for index in range(8):
        rotation = draw(index=index, config=free).bricks[0].placement.rotation
        assert rotation @ rotation.T == pytest.approx(np.eye(3), abs=1e-9)
        assert np.linalg.det(rotation) == pytest.approx(1)


def test_sample_scene__neighbours_do_not_touch_the_brick() -> None:
    config = SceneConfig(neighbour_probability=1, num_neighbours=(2, 2), neighbour_gap=(0.1, 0.1))
    for index in range(4):
        bricks = draw(index=index, config=config).bricks
        assert len(bricks) == 3
        own, *others = (brick.placement.apply(MODEL.vertices)[:, :2] for brick in bricks)
        for other in others:
            gaps, _ = KDTree(own).query(other)
            assert gaps.min() > 0.09 * MODEL.size


def test_sample_scene__weights_choose_colours_and_floors() -> None:
    config = SceneConfig(colour_weights={"Red": 1}, floor_weights={"wood": 1})
    for index in range(4):
        scene = draw(index=index, config=config)
        assert (scene.bricks[0].colour.name, scene.ground.floor) == ("Red", "wood")


def test_sample_scene__shares_of_the_light_add_up() -> None:
    for index in range(6):
        lights = draw(index=index).lights
        assert sum(lamp.share for lamp in lights.lamps) + lights.room_share == pytest.approx(1)
        warmest, coldest = 2800, 7500
        assert warmest <= lights.kelvin <= coldest


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"fill": [0.9, 0.5]}, r"fill is \(0.9, 0.5\); the lower end .* come first"),
        ({"fill": [0.9]}, r"fill is \[0.9\]; it must be two numbers"),
        ({"fill": 0.9}, r"fill is 0.9; it must be like \(0.6, 1.0\)"),
        ({"fill": [float("nan"), 0.8]}, r"fill is \(nan, 0.8\); it must be from 0.01 to 2"),
        ({"fill": [-1, -1]}, r"fill is \(-1, -1\); it must be from 0.01 to 2"),
        ({"roughness": [1e308, 1e308]}, r"it must be from 0.001 to 1"),
        ({"num_lamps": [0, 10**400]}, r"it must be from 1 to 20"),
        ({"jpeg_quality": [70, 1000]}, r"it must be from 1 to 95"),
        ({"upright_probability": float("nan")}, r"it must be from 0 to 1"),
        ({"rig": ["front", "front"]}, r"each camera may stand there once"),
        ({"colour_weights": {"Red": "much"}}, r"of 'Red' is 'much'; it must be a number"),
        ({"floor_weights": {"plain": -1, "wood": 2}}, r"is -1; it must be a number from 0"),
        ({"floor_weights": {"plain": float("inf")}}, r"is inf; it must be a number"),
        ({"backgrounds": [5]}, r"it must be paths of photos"),
        ({"fil": [0.1, 0.5]}, r"names 'fil'; known are rig, upright_probability"),
        ({"upright_probability": 3}, r"upright_probability is 3; it must be from 0 to 1"),
        ({"upright_probability": "no"}, r"upright_probability is 'no'; it must be like 0.3"),
        ({"rig": ["above"]}, r"rig names 'above'; known are front, back, bottom"),
        ({"colour_weights": {"Rot": 1}}, r"colour_weights names 'Rot'; known are Black"),
        ({"colour_weights": {"Red": 0}}, r"colour_weights adds up to 0"),
        ({"floor_weights": ["wood"]}, r"floor_weights is \['wood'\]; it must be an object"),
    ],
)
def test_scene_config__refuses(given: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        scene_config(given)


def test_scene_config__takes_what_json_gives() -> None:
    config = scene_config(
        {"fill": [0.5, 0.6], "upright_probability": 1, "rig": ["front"], "backgrounds": ["a.png"]}
    )
    assert config.backgrounds == (Path("a.png"),)
    assert (config.fill, config.upright_probability, config.rig) == ((0.5, 0.6), 1, ("front",))


@pytest.mark.parametrize("name", FLOORS)
def test_floor__is_a_picture_of_reflectances(name: str) -> None:
    picture = FLOORS[name].paint(np.random.default_rng(5), 0.8)

    assert picture.shape == (FLOOR_PIXELS, FLOOR_PIXELS, 3)
    assert picture.min() >= 0
    assert picture.max() < 1
    assert (FLOORS[name].paint(np.random.default_rng(5), 0.8) == picture).all()
    assert (FLOORS[name].paint(np.random.default_rng(6), 0.8) != picture).any()


def test_room__gives_the_floor_an_irradiance_of_pi() -> None:
    pictures = [
        room(np.random.default_rng(0)),
        room(np.random.default_rng(0), below=(0.2, 1.5), lamps_below=3),
    ]
    polar = (np.arange(64) + 0.5) * np.pi / 64
    upper = np.cos(polar).clip(0) * np.sin(polar) * (np.pi / 64) * (2 * np.pi / 128)

    for picture in pictures:
        assert picture.shape == (64, 128, 3)
        assert (picture[..., 0] * upper[:, None]).sum() == pytest.approx(np.pi, rel=1e-4)


def test_room__lamps_below_outshine_any_light_there() -> None:
    faint, bright = (
        np.array([_contrast_below(seed, radiance) for seed in range(12)]) for radiance in (0.2, 6.0)
    )
    assert faint == pytest.approx(bright, rel=1e-3)
    lit = faint > 1.01  # there may be no lamp
    assert 0 < lit.sum() < len(lit)
    assert (faint[lit] > 5).all()


def _contrast_below(seed: int, radiance: float) -> float:
    picture = room(np.random.default_rng(seed), below=(radiance, radiance), lamps_below=3)
    return float(picture[32:].max() / np.median(picture[32:]))


def test_backgrounds__are_found_and_read_as_light(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"backgrounds .* holds no photos"):
        find_backgrounds(tmp_path)
    Image.new("RGB", (40, 30), (255, 188, 0)).save(tmp_path / "belt.png")
    (photo,) = find_backgrounds(tmp_path)
    light = load_background(photo, 16)
    assert light.shape == (16, 16, 3)
    assert light[0, 0] == pytest.approx([1, 0.5029, 0], abs=1e-3)


def test_composed__keeps_the_photo_and_casts_the_shadow() -> None:
    background = np.random.default_rng(0).random((12, 12, 3))
    empty = np.full((12, 12, 3), 0.4)
    full, cover = empty.copy(), np.zeros((12, 12, 1))
    full[:, 6:] = 0.1  # a shadow
    full[4:8, :3], cover[4:8, :3] = [0.9, 0, 0], 1

    picture = composed(background, full, empty, cover)
    np.testing.assert_allclose(picture[4:8, :3], [[[0.9, 0, 0]] * 3] * 4)
    np.testing.assert_allclose(picture[:3, :5], background[:3, :5])
    np.testing.assert_allclose(picture[:, 8:], background[:, 8:] / 4)


def test_srgb__round_trip() -> None:
    values = np.linspace(0, 1, 256)

    assert linear_to_srgb(srgb_to_linear(values)) == pytest.approx(values, abs=1e-6)
    assert srgb_to_linear(np.array(0.5)) == pytest.approx(0.21404, abs=1e-5)


def test_colours__are_named_once_and_have_a_surface_each() -> None:
    brightness = {colour.name: colour.linear.mean() for colour in COLOURS}

    assert len(brightness) == len(COLOURS)
    assert brightness["Black"] < 0.03
    assert brightness["White"] > 0.8
    assert all("type" in surface(colour, 0.1) for colour in COLOURS)
    assert {colour.surface for colour in COLOURS} >= {"solid", "transparent", "pearl"}


def test_light_colour__daylight_is_white_and_lamps_are_warm() -> None:
    assert light_colour(6500) == pytest.approx([1, 1, 1], abs=0.06)
    red, green, blue = light_colour(2856)
    assert red > green == 1 > blue


@pytest.mark.parametrize("kelvin", [2222, 4000])
def test_light_colour__pieces_of_the_spline_meet(kelvin: float) -> None:
    assert light_colour(kelvin - 0.5) == pytest.approx(light_colour(kelvin + 0.5), abs=5e-3)


def grainy(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Returns a clean picture of two walls, one with stripes, its grainy render, and guides."""
    columns = np.arange(64)
    albedo = np.full((64, 64, 3), 0.5, np.float32)
    albedo[:, (columns < 32) & (columns // 4 % 2 == 1)] = 0.2
    normals = np.zeros((64, 64, 3), np.float32)
    normals[:, :32, 0] = normals[:, 32:, 1] = 1
    clean = albedo * np.where(columns < 32, 1.0, 0.3).astype(np.float32)[:, None]
    grain = np.random.default_rng(seed).gamma(2, 1 / 2, (64, 64, 1)).astype(np.float32)
    return clean, clean * grain, albedo, normals


@pytest.mark.parametrize("quality", ["fast", "high"])
def test_denoised__takes_the_grain_and_leaves_edges_and_stripes(
    quality: Filter,
) -> None:
    clean, grain, albedo, normals = grainy(0)
    found = denoised(grain, albedo, normals, quality=quality)
    assert found.dtype == np.float32
    assert np.abs(found - clean).mean() < 0.2 * np.abs(grain - clean).mean()
    bright, dark = found[:, 9:11].mean(), found[:, 13:15].mean()
    assert bright / dark == pytest.approx(0.5 / 0.2, rel=0.1)
    assert found[:, 29:31].mean() / found[:, 33:35].mean() == pytest.approx(0.2 / 0.15, rel=0.2)


def test_denoised__removes_a_lone_firefly() -> None:
    clean, _, albedo, normals = grainy(0)
    speckled = clean.copy()
    speckled[8, 50] = 500
    assert (denoised(speckled, albedo, normals)[8, 50] < 3 * clean[8, 50]).all()


def lit(level: float, cover: float = 1.0) -> np.ndarray:
    return np.concatenate([np.full((16, 16, 3), level), np.full((16, 16, 1), cover)], axis=2)


def developed(light: np.ndarray, finish: Finish = STEADY) -> np.ndarray:
    photo = develop(light, finish=finish, lights=LIGHTS, rng=np.random.default_rng(0))
    return np.asarray(photo).astype(float)


def test_develop__exposes_dark_scenes_longer_but_keeps_them_darker() -> None:
    means = [developed(lit(level)).mean() for level in (0.05, 0.5)]

    assert means[0] < means[1]
    assert means[0] > 255 * linear_to_srgb(np.array(0.05))


def test_develop__glass_shows_its_veil_and_takes_contrast() -> None:
    light = lit(0.05)
    light[:, 8:] = [0, 0, 0, 0]  # nothing there
    contrasts = []
    for haze in (0.0, 0.6):
        finish = Finish(
            exposure=1, white_balance=1, blur=0.1, motion=(0, 0), noise=0, jpeg_quality=90,
            haze=haze, veil=0.8,
        )  # fmt: skip
        photo = developed(light, finish)
        contrasts.append(photo[8, 14].mean() - photo[8, 2].mean())
    assert contrasts[0] > contrasts[1] > 20


def test_develop__motion_smears_along_its_way() -> None:
    light = lit(0.1)
    light[:, 8, :3] = 0.9
    finish = Finish(
        exposure=1, white_balance=1, blur=0.01, motion=(60, 0), noise=0, jpeg_quality=90
    )
    still, moved = developed(light), developed(light, finish)
    assert moved[8, 8].mean() < still[8, 8].mean()
    assert moved[8, 6].mean() > still[8, 6].mean()
    assert moved[:, 8].std(axis=0).max() < 3  # nothing is smeared upwards
