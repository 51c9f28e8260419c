"""Photos of one brick described by numbers, and the ranges that they are drawn from."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from bricksight.bricks.synth.scenes.colours import COLOURS, Colour
from bricksight.bricks.synth.scenes.surroundings import FLOORS
from bricksight.errors import ConfigError

Range = tuple[float, float]

# Beyond these nothing can be seen, or the renderer does not end.
_LIMITS: dict[str, Range] = {
    "num_neighbours": (0, 20),
    "neighbour_gap": (0, 10),
    "roughness": (0.001, 1),
    "elevation_degrees": (0, 90),
    "side_elevation_degrees": (0, 90),
    "bottom_elevation_degrees": (0, 90),
    "roll_degrees": (-360, 360),
    "distance": (1, 1000),
    "fill": (0.01, 2),
    "off_centre": (-1, 1),
    "aperture": (0, 1),
    "num_lamps": (1, 20),
    "light_elevation_degrees": (1, 90),
    "light_distance": (1, 1000),
    "light_size": (0.001, 10),
    "light_kelvin": (1667, 25_000),
    "room_kelvin": (1667, 25_000),
    "room_share": (0, 1),
    "floor_roughness": (0.001, 1),
    "haze": (0, 1),
    "glass_blur": (0, 20),
    "exposure": (0.01, 100),
    "white_balance": (0.1, 10),
    "blur": (0, 20),
    "motion": (0, 50),
    "noise": (0, 1),
    "jpeg_quality": (1, 95),
}
_MAX_WEIGHT = 1e6

RIG = ("front", "back", "bottom")
"""Cameras that look at one brick at once: from two sides, and from below through glass."""


@dataclass(frozen=True, kw_only=True)
class SceneConfig:
    """What varies from photo to photo; each range is drawn from evenly.

    Lengths "in sizes" are multiples of the part's diagonal.

    Attributes:
        rig: Which of ``RIG`` look at each brick; none is one camera that looks from anywhere.
        upright_probability: Share of bricks with the studs up; the rest lies as it falls.
        free_probability: Share of bricks in any attitude, as if leaning or in the air.
        neighbour_probability: Share of bricks with others near them, cut by the frame's edge.
        num_neighbours: How many others there are then.
        neighbour_gap: From the brick to its neighbours, in sizes.
        colour_weights: How common colours are, by name; by default as among loose bricks.
        roughness: Microfacet roughness of the plastic (GGX alpha).
        elevation_degrees: Height of the camera above the table; 90 looks straight down.
        side_elevation_degrees: The same of the cameras "front" and "back" of a rig.
        bottom_elevation_degrees: The same of "bottom", below the table; 90 looks straight up.
        roll_degrees: Turn of the camera about its axis.
        distance: From the camera to the part, in sizes; a near one sees more perspective.
        fill: Share of the frame that the part spans in its longer direction.
        off_centre: Shift of the part from the centre, as a share of the frame.
        aperture: Radius of the lens, in sizes; a larger one blurs more of what is out of focus.
        num_lamps: How many lamps there are.
        light_elevation_degrees: Height of a lamp above the table.
        light_distance: From a lamp to the part, in sizes.
        light_size: Side of a lamp, as a share of its distance; a larger one softens shadows.
        light_kelvin: Colour temperature of a lamp.
        room_kelvin: Colour temperature of the light from the room.
        room_share: Share of the light on the table that comes from the room.
        floor_weights: How common floors are, by name; by default as in ``FLOORS``.
        backgrounds: Photos of the empty scene, one of which becomes the floor, seen as it was.
        background_probability: Share of bricks on one of ``backgrounds``, if there are any.
        glossy_floor_probability: Share of varnished floors among those that may be.
        floor_roughness: Microfacet roughness of a varnished floor.
        haze: Share of the light that the glass before the camera "bottom" scatters.
        glass_blur: Further unsharpness through the glass, in pixels of a 160 px photo.
        exposure: Brightness relative to what a light meter would choose.
        white_balance: Factor on red and, inverted, on blue that the camera gets wrong.
        blur: Standard deviation of the unsharpness, in pixels of a 160 px photo.
        motion: Length of the smear by motion, in pixels of a 160 px photo.
        noise: Standard deviation of the sensor noise at white, as a share of white.
        jpeg_quality: Quality of the file, 1 to 95.
    """

    rig: tuple[str, ...] = ()
    upright_probability: float = 0.3
    free_probability: float = 0.1
    neighbour_probability: float = 0.1
    num_neighbours: Range = (1, 3)
    neighbour_gap: Range = (0.1, 0.6)
    colour_weights: Mapping[str, float] | None = None
    roughness: Range = (0.05, 0.16)
    elevation_degrees: Range = (15, 90)
    side_elevation_degrees: Range = (15, 50)
    bottom_elevation_degrees: Range = (65, 90)
    roll_degrees: Range = (-15, 15)
    distance: Range = (2.5, 8)
    fill: Range = (0.6, 1.0)
    off_centre: Range = (-0.05, 0.05)
    aperture: Range = (0, 0.035)
    num_lamps: Range = (1, 3)
    light_elevation_degrees: Range = (35, 85)
    light_distance: Range = (6, 15)
    light_size: Range = (0.15, 0.9)
    light_kelvin: Range = (2800, 6500)
    room_kelvin: Range = (4000, 7500)
    room_share: Range = (0.25, 0.8)
    floor_weights: Mapping[str, float] | None = None
    backgrounds: tuple[Path, ...] = ()
    background_probability: float = 0.7
    glossy_floor_probability: float = 0.5
    floor_roughness: Range = (0.12, 0.35)
    haze: Range = (0.0, 0.25)
    glass_blur: Range = (0.3, 1.8)
    exposure: Range = (0.8, 1.5)
    white_balance: Range = (0.92, 1.08)
    blur: Range = (0.3, 0.9)
    motion: Range = (0, 1.5)
    noise: Range = (0.004, 0.018)
    jpeg_quality: Range = (70, 95)

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type is Range or field.type == "Range":
                _require_range(field.name, value)
            elif field.name.endswith("_probability") and not 0 <= value <= 1:
                raise ConfigError(f"{field.name} is {value}; it must be from 0 to 1.")
        _require_known("rig", self.rig, RIG)
        if len(set(self.rig)) < len(self.rig):
            raise ConfigError(f"rig is {list(self.rig)}; each camera may stand there once.")
        _require_weights("colour_weights", self.colour_weights, [c.name for c in COLOURS])
        _require_weights("floor_weights", self.floor_weights, FLOORS)


def _require_range(name: str, value: Range) -> None:
    if value[0] > value[1]:
        raise ConfigError(f"{name} is {value}; the lower end of the range must come first.")
    lowest, highest = _LIMITS[name]
    if not lowest <= value[0] <= value[1] <= highest:
        raise ConfigError(f"{name} is {value}; it must be from {lowest:g} to {highest:g}.")


def _require_weights(name: str, weights: Mapping[str, float] | None, known: object) -> None:
    if weights is None:
        return
    _require_known(name, weights, known)
    for key, weight in weights.items():
        if not isinstance(weight, int | float) or not 0 <= weight <= _MAX_WEIGHT:
            raise ConfigError(
                f"{name} of {key!r} is {weight!r}; it must be a number from 0 to "
                f"{_MAX_WEIGHT:,.0f}."
            )
    if not sum(weights.values()) > 0:
        raise ConfigError(f"{name} adds up to 0; at least one weight must be over 0.")


def scene_config(given: Mapping[str, Any]) -> SceneConfig:
    """Returns the ranges with those in ``given`` instead of the defaults, as read from JSON.

    Raises:
        ConfigError: a name is not that of a field, or a value is not of its kind.
    """
    known = {field.name: field.default for field in fields(SceneConfig)}
    _require_known("The description of scenes", given, known)
    chosen: dict[str, Any] = {}
    for name, value in given.items():
        default = known[name]
        if isinstance(default, tuple) and isinstance(value, list | tuple):
            value = tuple(value)
            if default and (len(value) != 2 or not all(isinstance(v, int | float) for v in value)):
                raise ConfigError(f"{name} is {list(value)}; it must be two numbers.")
        elif isinstance(default, tuple) or (
            isinstance(default, float) and not isinstance(value, int | float)
        ):
            raise ConfigError(f"{name} is {value!r}; it must be like {default!r}.")
        elif default is None and not isinstance(value, Mapping):
            raise ConfigError(f"{name} is {value!r}; it must be an object, name to weight.")
        if name == "backgrounds" and not all(isinstance(path, str | Path) for path in value):
            raise ConfigError(f"{name} is {list(value)}; it must be paths of photos.")
        chosen[name] = tuple(map(Path, value)) if name == "backgrounds" else value
    return SceneConfig(**chosen)


def _require_known(field: str, names: object, known: object) -> None:
    for name in names:  # type: ignore[attr-defined]
        if name not in known:  # type: ignore[operator]
            raise ConfigError(f"{field} names {name!r}; known are {', '.join(known)}.")  # type: ignore[arg-type]


@dataclass(frozen=True)
class Placement:
    """Where a part is: ``world = rotation @ part + translation``, LDU, z up, table at z = 0."""

    rotation: np.ndarray
    translation: np.ndarray

    def apply(self, points: np.ndarray) -> np.ndarray:
        """Returns the points, (n, 3), in world coordinates."""
        placed: np.ndarray = points @ self.rotation.T + self.translation
        return placed


@dataclass(frozen=True)
class Brick:
    """A part in the scene.

    Attributes:
        label: Which part; of the models that the scene is rendered with.
        colour: Of the plastic.
        roughness: Of the plastic.
        placement: Where it is.
    """

    label: str
    colour: Colour
    roughness: float
    placement: Placement


@dataclass(frozen=True)
class Camera:
    """A lens and where it is; lengths in LDU, the frame is square."""

    position: np.ndarray
    target: np.ndarray
    up: np.ndarray
    field_of_view_degrees: float
    aperture: float


@dataclass(frozen=True)
class Finish:
    """What a camera does with the light; the fields are those of SceneConfig.

    Attributes:
        motion: The smear by motion in pixels to the right and down, of a 160 px photo.
        haze: ``None`` where no glass is between camera and brick.
        veil: Radiance of what is seen behind the glass.
    """

    exposure: float
    white_balance: float
    blur: float
    motion: tuple[float, float]
    noise: float
    jpeg_quality: int
    haze: float | None = None
    veil: float = 0.0


@dataclass(frozen=True)
class View:
    """One camera's photo of the scene; its name is one of ``RIG``, or empty."""

    name: str
    camera: Camera
    finish: Finish


@dataclass(frozen=True)
class Lamp:
    """A square lamp; ``share`` is its part of the light on the table."""

    position: np.ndarray
    size: float
    kelvin: float
    share: float


@dataclass(frozen=True)
class Lights:
    """All lamps, and the room; the shares of all add up to 1."""

    lamps: tuple[Lamp, ...]
    room_kelvin: float
    room_share: float

    @property
    def kelvin(self) -> float:
        """Colour temperature of all the light, a mean by shares."""
        lamps = sum(lamp.share * lamp.kelvin for lamp in self.lamps)
        return lamps + self.room_share * self.room_kelvin


@dataclass(frozen=True)
class Ground:
    """What the bricks lie on.

    Attributes:
        floor: Key of ``FLOORS``; not used where there is a photo.
        photo: A photo of the empty scene.
        roughness: ``None`` for a matt floor.
        span: Side of the floor's picture, LDU.
    """

    floor: str
    photo: Path | None
    roughness: float | None
    span: float


@dataclass(frozen=True)
class Scene:
    """One brick, and what is around it, before it is photographed.

    Attributes:
        bricks: The brick, then its neighbours.
        views: The cameras, at least one.
        lights: Lamps and room.
        ground: Floor or table.
        seed: Of the floor, the room, the renderer and the sensor.
    """

    bricks: tuple[Brick, ...]
    views: tuple[View, ...]
    lights: Lights
    ground: Ground
    seed: int
