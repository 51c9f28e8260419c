"""From ranges to one photo's numbers: everything random about a scene is decided here."""

import zlib

import numpy as np

from bricksight.synth.colours import COLOURS
from bricksight.synth.mesh import Mesh
from bricksight.synth.poses import Pose
from bricksight.synth.scenes import Camera, Finish, Lights, Placement, Scene, SceneConfig
from bricksight.synth.surroundings import FLOORS


def photo_rng(seed: int, label: str, index: int) -> np.random.Generator:
    """Returns the generator of one photo, which does not depend on the other parts and photos."""
    return np.random.default_rng([seed, zlib.crc32(label.encode()), index])


def sample_scene(
    mesh: Mesh, poses: list[Pose], rng: np.random.Generator, *, config: SceneConfig
) -> Scene:
    """Returns a random photo of the part.

    Args:
        mesh: The part.
        poses: As :func:`bricksight.synth.poses.stable_poses` returns them.
        rng: Source of all randomness; equal generators give equal scenes.
        config: The ranges.
    """
    lowest, highest = mesh.extent
    size = float(np.linalg.norm(highest - lowest))
    placement = _place(mesh, _choose_pose(poses, rng, config), rng)
    weights = np.array([colour.weight for colour in COLOURS])
    floors = np.array([floor.weight for floor in FLOORS.values()])
    floor = str(rng.choice(list(FLOORS), p=floors / floors.sum()))
    glossy = FLOORS[floor].glossy and rng.random() < config.glossy_floor_probability
    return Scene(
        colour=COLOURS[rng.choice(len(COLOURS), p=weights / weights.sum())],
        roughness=rng.uniform(*config.roughness),
        placement=placement,
        camera=_aim(placement.apply(mesh.vertices), rng, size=size, config=config),
        lights=_light(rng, size=size, config=config),
        floor=floor,
        floor_roughness=rng.uniform(*config.floor_roughness) if glossy else None,
        floor_span=8 * size,
        finish=Finish(
            exposure=rng.uniform(*config.exposure),
            white_balance=rng.uniform(*config.white_balance),
            blur=rng.uniform(*config.blur),
            noise=rng.uniform(*config.noise),
            jpeg_quality=round(rng.uniform(*config.jpeg_quality)),
        ),
        seed=int(rng.integers(2**31)),
    )


def _choose_pose(poses: list[Pose], rng: np.random.Generator, config: SceneConfig) -> Pose:
    if rng.random() < config.upright_probability:
        return max(poses, key=lambda pose: pose.uprightness)
    shares = np.array([pose.probability for pose in poses])
    return poses[rng.choice(len(poses), p=shares / shares.sum())]


def _place(mesh: Mesh, pose: Pose, rng: np.random.Generator) -> Placement:
    yaw = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    rotation = turn @ pose.rotation
    lowest, highest = np.stack([f(mesh.vertices @ rotation.T, axis=0) for f in (np.min, np.max)])
    middle = (lowest + highest) / 2
    return Placement(rotation, -np.array([middle[0], middle[1], lowest[2]]))


def _direction(azimuth: float, elevation_degrees: float) -> np.ndarray:
    elevation = np.radians(elevation_degrees)
    flat = np.cos(elevation)
    return np.array([np.cos(azimuth) * flat, np.sin(azimuth) * flat, np.sin(elevation)])


def _aim(
    points: np.ndarray, rng: np.random.Generator, *, size: float, config: SceneConfig
) -> Camera:
    """Returns a camera whose frame the points fill as far as drawn."""
    azimuth, elevation = rng.uniform(0, 2 * np.pi), rng.uniform(*config.elevation_degrees)
    distance = size * rng.uniform(*config.distance)
    roll = np.radians(rng.uniform(*config.roll_degrees))
    fill, offset = rng.uniform(*config.fill), rng.uniform(*config.off_centre, size=2)
    target = points.mean(axis=0)
    position = target + distance * _direction(azimuth, elevation)
    level_up = _direction(azimuth + np.pi, 90 - elevation)
    level_right = np.cross(-_direction(azimuth, elevation), level_up)
    up = np.cos(roll) * level_up + np.sin(roll) * level_right
    half_frame = 0.1
    # Turning the camera changes what it sees, but so little that this settles at once.
    for _ in range(4):
        right, upwards, forward = _view(position, target, up)
        seen = (points - position) @ np.stack([right, upwards, forward], axis=1)
        plane = seen[:, :2] / seen[:, 2:]
        low, high = plane.min(axis=0), plane.max(axis=0)
        half_frame = float((high - low).max()) / 2 / fill
        shift = (low + high) / 2 - 2 * half_frame * offset
        away = distance * (forward + shift @ np.stack([right, upwards]))
        target = position + away
    return Camera(
        position=position,
        target=target,
        up=up,
        field_of_view_degrees=float(np.degrees(2 * np.arctan(half_frame))),
        aperture=size * rng.uniform(*config.aperture),
    )


def _view(
    position: np.ndarray, target: np.ndarray, up: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the camera's unit vectors to the right, upwards and forward."""
    forward = (target - position) / np.linalg.norm(target - position)
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    return right, np.cross(right, forward), forward


def _light(rng: np.random.Generator, *, size: float, config: SceneConfig) -> Lights:
    elevation = rng.uniform(*config.light_elevation_degrees)
    distance = size * rng.uniform(*config.light_distance)
    return Lights(
        position=distance * _direction(rng.uniform(0, 2 * np.pi), elevation),
        size=distance * rng.uniform(*config.light_size),
        kelvin=rng.uniform(*config.light_kelvin),
        room_kelvin=rng.uniform(*config.room_kelvin),
        room_share=rng.uniform(*config.room_share),
    )
