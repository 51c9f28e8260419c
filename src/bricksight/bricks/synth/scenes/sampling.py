"""From ranges to one scene's numbers: everything random about a scene is decided here."""

import zlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from bricksight._support.optional import require
from bricksight.bricks.synth.geometry.poses import Pose
from bricksight.bricks.synth.models import Model
from bricksight.bricks.synth.scenes.colours import COLOURS, Colour
from bricksight.bricks.synth.scenes.framing import Framing, aim, direction
from bricksight.bricks.synth.scenes.scene import (
    RIG,
    Brick,
    Camera,
    Finish,
    Ground,
    Lamp,
    Lights,
    Placement,
    Range,
    Scene,
    SceneConfig,
    View,
)
from bricksight.bricks.synth.scenes.surroundings import FLOORS


def photo_rng(seed: int, label: str, index: int) -> np.random.Generator:
    """Returns the generator of one scene, which does not depend on the other parts and scenes."""
    return np.random.default_rng(
        [seed, zlib.crc32(label.encode("utf-8", "surrogateescape")), index]
    )


def sample_scene(
    model: Model,
    rng: np.random.Generator,
    *,
    config: SceneConfig,
    others: Mapping[str, Model] | None = None,
) -> Scene:
    """Returns a random scene around a part.

    Args:
        model: The part.
        rng: Source of all randomness; equal generators give equal scenes.
        config: The ranges.
        others: What may lie beside it, by label, looked up only if it does; by default the part
            itself.
    """
    others = others or {model.label: model}
    labels = list(others)
    bricks = [_brick(model, rng, config)]
    if rng.random() < config.neighbour_probability:
        for _ in range(_whole(rng, config.num_neighbours)):
            other = others[labels[int(rng.integers(len(labels)))]]
            bricks.append(_beside(model, bricks[0], _brick(other, rng, config), other, rng, config))
    lights = _lights(rng, size=model.size, config=config)
    ground = _ground(rng, size=model.size, config=config)
    points = bricks[0].placement.apply(model.vertices)
    return Scene(
        bricks=tuple(bricks),
        views=tuple(_views(points, rng, size=model.size, config=config)),
        lights=lights,
        ground=ground,
        seed=int(rng.integers(2**31)),
    )


def _brick(model: Model, rng: np.random.Generator, config: SceneConfig) -> Brick:
    if rng.random() < config.free_probability:
        rotation = _any_rotation(rng)
    else:
        yaw = rng.uniform(0, 2 * np.pi)
        turn = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
        rotation = turn @ _choose_pose(model.poses, rng, config).rotation
    turned = model.vertices @ rotation.T
    lowest, highest = turned.min(axis=0), turned.max(axis=0)
    middle = (lowest + highest) / 2
    return Brick(
        label=model.label,
        colour=_choose_colour(rng, config),
        roughness=rng.uniform(*config.roughness),
        placement=Placement(rotation, -np.array([middle[0], middle[1], lowest[2]])),
    )


def _choose_pose(poses: Sequence[Pose], rng: np.random.Generator, config: SceneConfig) -> Pose:
    if rng.random() < config.upright_probability:
        return max(poses, key=lambda pose: pose.uprightness)
    return poses[_weighted(rng, [pose.probability for pose in poses])]


def _any_rotation(rng: np.random.Generator) -> np.ndarray:
    """Returns an evenly distributed rotation (Shoemake, "Uniform random rotations", 1992)."""
    transform = require("scipy.spatial.transform", extra="synth", feature="Rendering")
    # Not ``Rotation.random``, which has w last: equal seeds are to go on giving equal photos.
    quaternion = np.roll(rng.standard_normal(4), -1)
    rotation: np.ndarray = transform.Rotation.from_quat(quaternion).as_matrix()
    return rotation


def _choose_colour(rng: np.random.Generator, config: SceneConfig) -> Colour:
    weights = config.colour_weights
    if weights is None:
        return COLOURS[_weighted(rng, [colour.weight for colour in COLOURS])]
    return COLOURS[_weighted(rng, [weights.get(colour.name, 0.0) for colour in COLOURS])]


def _beside(
    model: Model,
    brick: Brick,
    other: Brick,
    other_model: Model,
    rng: np.random.Generator,
    config: SceneConfig,
) -> Brick:
    """Returns ``other``, moved to somewhere around ``brick`` without touching it."""
    azimuth = rng.uniform(0, 2 * np.pi)
    reach = sum(
        np.linalg.norm(one.placement.apply(of.vertices)[:, :2], axis=1).max()
        for one, of in ((brick, model), (other, other_model))
    )
    away = (reach + model.size * rng.uniform(*config.neighbour_gap)) * direction(azimuth, 0)
    placement = Placement(other.placement.rotation, other.placement.translation + away)
    return Brick(other.label, other.colour, other.roughness, placement)


def _ground(rng: np.random.Generator, *, size: float, config: SceneConfig) -> Ground:
    weights = config.floor_weights
    if weights is None:
        weights = {name: floor.weight for name, floor in FLOORS.items()}
    names = list(weights)
    floor = names[_weighted(rng, list(weights.values()))]
    glossy = FLOORS[floor].glossy and rng.random() < config.glossy_floor_probability
    roughness = rng.uniform(*config.floor_roughness) if glossy else None
    photo = None
    if config.backgrounds and rng.random() < config.background_probability:
        photo, roughness = config.backgrounds[rng.integers(len(config.backgrounds))], None
    return Ground(floor, photo, roughness, span=8 * size)


def _lights(rng: np.random.Generator, *, size: float, config: SceneConfig) -> Lights:
    room_share = rng.uniform(*config.room_share)
    shares = rng.dirichlet(np.ones(_whole(rng, config.num_lamps))) * (1 - room_share)
    lamps = []
    for share in shares:
        elevation = rng.uniform(*config.light_elevation_degrees)
        distance = size * rng.uniform(*config.light_distance)
        lamps.append(
            Lamp(
                position=distance * direction(rng.uniform(0, 2 * np.pi), elevation),
                size=distance * rng.uniform(*config.light_size),
                kelvin=rng.uniform(*config.light_kelvin),
                share=float(share),
            )
        )
    return Lights(tuple(lamps), rng.uniform(*config.room_kelvin), room_share)


def _views(
    points: np.ndarray, rng: np.random.Generator, *, size: float, config: SceneConfig
) -> Iterable[View]:
    azimuth = rng.uniform(0, 2 * np.pi)
    for name in config.rig or ("",):
        if name in RIG[:2]:
            around = azimuth + np.pi * RIG.index(name)
            elevation = rng.uniform(*config.side_elevation_degrees)
        else:
            around = azimuth
            elevation = (
                -rng.uniform(*config.bottom_elevation_degrees)
                if name
                else rng.uniform(*config.elevation_degrees)
            )
        camera = _camera(points, rng, (around, elevation), size=size, config=config)
        yield View(name, camera, _finish(rng, through_glass=name == RIG[2], config=config))


def _camera(
    points: np.ndarray,
    rng: np.random.Generator,
    towards: tuple[float, float],
    *,
    size: float,
    config: SceneConfig,
) -> Camera:
    framing = Framing(
        azimuth=towards[0],
        elevation_degrees=towards[1],
        distance=size * rng.uniform(*config.distance),
        roll_degrees=rng.uniform(*config.roll_degrees),
        fill=rng.uniform(*config.fill),
        offset=rng.uniform(*config.off_centre, size=2),
        aperture=size * rng.uniform(*config.aperture),
    )
    return aim(points, framing)


def _finish(rng: np.random.Generator, *, through_glass: bool, config: SceneConfig) -> Finish:
    length, angle = rng.uniform(*config.motion), rng.uniform(0, 2 * np.pi)
    glass = rng.uniform(*config.glass_blur) if through_glass else 0.0
    return Finish(
        exposure=rng.uniform(*config.exposure),
        white_balance=rng.uniform(*config.white_balance),
        blur=rng.uniform(*config.blur) + glass,
        motion=(length * float(np.cos(angle)), length * float(np.sin(angle))),
        noise=rng.uniform(*config.noise),
        jpeg_quality=round(rng.uniform(*config.jpeg_quality)),
        haze=rng.uniform(*config.haze) if through_glass else None,
        veil=rng.uniform(0.2, 0.9) if through_glass else 0.0,
    )


def _whole(rng: np.random.Generator, bounds: Range) -> int:
    return int(rng.integers(round(bounds[0]), round(bounds[1]) + 1))


def _weighted(rng: np.random.Generator, weights: Sequence[float] | Mapping[str, float]) -> int:
    shares = np.asarray(weights, float)
    return int(rng.choice(len(shares), p=shares / shares.sum()))
