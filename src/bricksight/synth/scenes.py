"""One photo of one part described by numbers, and the ranges that they are drawn from."""

from dataclasses import dataclass, fields

import numpy as np

from bricksight.errors import ConfigError
from bricksight.synth.colours import Colour

Range = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class SceneConfig:
    """What varies from photo to photo; each range is drawn from evenly.

    Lengths "in sizes" are multiples of the part's diagonal.

    Attributes:
        upright_probability: Share of photos with the studs up; the rest lies as it falls.
        roughness: Microfacet roughness of the plastic (GGX alpha).
        elevation_degrees: Height of the camera above the table; 90 looks straight down.
        roll_degrees: Turn of the camera about its axis.
        distance: From the camera to the part, in sizes.
        fill: Share of the frame that the part spans in its longer direction.
        off_centre: Shift of the part from the centre, as a share of the frame.
        aperture: Radius of the lens, in sizes; a larger one blurs more of what is out of focus.
        light_elevation_degrees: Height of the lamp above the table.
        light_distance: From the lamp to the part, in sizes.
        light_size: Side of the lamp, as a share of its distance; a larger one softens shadows.
        light_kelvin: Colour temperature of the lamp.
        room_kelvin: Colour temperature of the light from the room.
        room_share: Share of the light on the table that comes from the room.
        glossy_floor_probability: Share of varnished floors among those that may be.
        floor_roughness: Microfacet roughness of a varnished floor.
        exposure: Brightness relative to what a light meter would choose.
        white_balance: Factor on red and, inverted, on blue that the camera gets wrong.
        blur: Standard deviation of the unsharpness, in pixels of a 160 px photo.
        noise: Standard deviation of the sensor noise at white, as a share of white.
        jpeg_quality: Quality of the file, 1 to 95.
    """

    upright_probability: float = 0.4
    roughness: Range = (0.05, 0.13)
    elevation_degrees: Range = (25, 90)
    roll_degrees: Range = (-15, 15)
    distance: Range = (3, 8)
    fill: Range = (0.55, 0.85)
    off_centre: Range = (-0.05, 0.05)
    aperture: Range = (0, 0.035)
    light_elevation_degrees: Range = (35, 85)
    light_distance: Range = (6, 15)
    light_size: Range = (0.15, 0.6)
    light_kelvin: Range = (2800, 6500)
    room_kelvin: Range = (4000, 7500)
    room_share: Range = (0.25, 0.7)
    glossy_floor_probability: float = 0.5
    floor_roughness: Range = (0.12, 0.35)
    exposure: Range = (0.85, 1.45)
    white_balance: Range = (0.92, 1.08)
    blur: Range = (0.3, 0.65)
    noise: Range = (0.004, 0.018)
    jpeg_quality: Range = (80, 92)

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, tuple) and value[0] > value[1]:
                raise ConfigError(
                    f"{field.name} is {value}; the lower end of the range must come first."
                )


@dataclass(frozen=True)
class Placement:
    """Where the part is: ``world = rotation @ part + translation``, LDU, z up, table at z = 0."""

    rotation: np.ndarray
    translation: np.ndarray

    def apply(self, points: np.ndarray) -> np.ndarray:
        """Returns the points, (n, 3), in world coordinates."""
        placed: np.ndarray = points @ self.rotation.T + self.translation
        return placed


@dataclass(frozen=True)
class Camera:
    """A lens and where it is; lengths in LDU, the frame is square."""

    position: np.ndarray
    target: np.ndarray
    up: np.ndarray
    field_of_view_degrees: float
    aperture: float


@dataclass(frozen=True)
class Lights:
    """A square lamp, and the room; ``room_share`` is the room's part of the light on the table."""

    position: np.ndarray
    size: float
    kelvin: float
    room_kelvin: float
    room_share: float


@dataclass(frozen=True)
class Finish:
    """What the camera does with the light; the fields are those of SceneConfig."""

    exposure: float
    white_balance: float
    blur: float
    noise: float
    jpeg_quality: int


@dataclass(frozen=True)
class Scene:
    """One photo before it is taken.

    Attributes:
        colour: Of the plastic.
        roughness: Of the plastic.
        placement: Of the part.
        camera: Its position and lens.
        lights: Lamp and room.
        floor: Key of ``FLOORS``.
        floor_roughness: ``None`` for a matt floor.
        floor_span: Side of the floor's picture, LDU.
        finish: What the camera does with the light.
        seed: Of the floor, the room, the renderer and the sensor.
    """

    colour: Colour
    roughness: float
    placement: Placement
    camera: Camera
    lights: Lights
    floor: str
    floor_roughness: float | None
    floor_span: float
    finish: Finish
    seed: int
