"""Where a camera must stand so that a part fills its frame as far as wanted."""

from dataclasses import dataclass

import numpy as np

from bricksight.bricks.synth.scenes.scene import Camera


def direction(azimuth: float, elevation_degrees: float) -> np.ndarray:
    """Returns the unit vector towards an azimuth, in radians, and a height above the table."""
    elevation = np.radians(elevation_degrees)
    flat = np.cos(elevation)
    return np.array([np.cos(azimuth) * flat, np.sin(azimuth) * flat, np.sin(elevation)])


@dataclass(frozen=True, kw_only=True)
class Framing:
    """What a camera is to see.

    Attributes:
        azimuth: Where it stands, in radians.
        elevation_degrees: Its height above the table; -90 looks straight up.
        distance: To the middle of the points, LDU.
        roll_degrees: Its turn about its axis.
        fill: Share of the frame that the points span in their longer direction.
        offset: Shift of the points from the centre to the right and upwards, (2,), in shares of
            the frame.
        aperture: Radius of the lens, LDU.
    """

    azimuth: float
    elevation_degrees: float
    distance: float
    roll_degrees: float
    fill: float
    offset: np.ndarray
    aperture: float


def aim(points: np.ndarray, framing: Framing) -> Camera:
    """Returns a camera whose frame the points, float64 (num_points, 3), fill so far."""
    towards = direction(framing.azimuth, framing.elevation_degrees)
    target = points.mean(axis=0)
    position = target + framing.distance * towards
    level_up = direction(framing.azimuth + np.pi, 90 - framing.elevation_degrees)
    level_right = np.cross(-towards, level_up)
    roll = np.radians(framing.roll_degrees)
    up = np.cos(roll) * level_up + np.sin(roll) * level_right
    half_frame = 0.1
    # Turning the camera changes what it sees, but so little that this settles at once.
    for _ in range(4):
        right, upwards, forward = view_axes(position, target, up)
        seen = (points - position) @ np.stack([right, upwards, forward], axis=1)
        plane = seen[:, :2] / seen[:, 2:]
        low, high = plane.min(axis=0), plane.max(axis=0)
        half_frame = float((high - low).max()) / 2 / framing.fill
        shift = (low + high) / 2 - 2 * half_frame * framing.offset
        target = position + framing.distance * (forward + shift @ np.stack([right, upwards]))
    return Camera(
        position=position,
        target=target,
        up=up,
        field_of_view_degrees=float(np.degrees(2 * np.arctan(half_frame))),
        aperture=framing.aperture,
    )


def view_axes(
    position: np.ndarray, target: np.ndarray, up: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the camera's unit vectors to the right, upwards and forward."""
    forward = (target - position) / np.linalg.norm(target - position)
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    return right, np.cross(right, forward), forward


def seen_at(camera: Camera, points: np.ndarray) -> np.ndarray:
    """Returns where points, (n, 3), are in the frame: float64 (n, 2), right and up, -1 to 1.

    NaN stands for what is behind the camera.
    """
    right, upwards, forward = view_axes(camera.position, camera.target, camera.up)
    seen = (points - camera.position) @ np.stack([right, upwards, forward], axis=1)
    ahead = np.where(seen[:, 2:] > 0, seen[:, 2:], np.nan)
    frame: np.ndarray = seen[:, :2] / ahead / np.tan(np.radians(camera.field_of_view_degrees / 2))
    return frame
