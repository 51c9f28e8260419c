"""What a photographed brick lies on and what is around it: procedural pictures in linear RGB."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bricksight.bricks.synth.scenes.colours import srgb_to_linear

FLOOR_PIXELS = 512
"""Rows and columns of a floor picture."""


@dataclass(frozen=True)
class Floor:
    """A kind of floor.

    Attributes:
        paint: Takes a generator and the size of a pixel in LDU; returns float32,
            (FLOOR_PIXELS, FLOOR_PIXELS, 3), linear RGB.
        weight: How often it is chosen, relative to the others.
        glossy: Whether it may be varnished or polished.
    """

    paint: Callable[[np.random.Generator, float], np.ndarray]
    weight: float
    glossy: bool = False


def clouds(rng: np.random.Generator, *, exponent: float, stretch: float = 1.0) -> np.ndarray:
    """Returns tileable noise with a power-law spectrum, mean 0 and deviation 1, (n, n).

    Args:
        rng: Source of randomness.
        exponent: Of the fall of amplitude with frequency: 0 is white, 2 is soft clouds.
        stretch: How much longer the structures are along the columns than along the rows.
    """
    along, across = np.fft.fftfreq(FLOOR_PIXELS), np.fft.rfftfreq(FLOOR_PIXELS)
    radius = np.hypot(along[:, None] * stretch, across[None, :])
    radius[0, 0] = np.inf
    white = rng.standard_normal((FLOOR_PIXELS, FLOOR_PIXELS))
    noise = np.fft.irfft2(np.fft.rfft2(white) * radius**-exponent, s=white.shape)
    field: np.ndarray = noise / noise.std()
    return field


def plain(rng: np.random.Generator, pixel: float) -> np.ndarray:
    """Returns one painted colour, slightly uneven."""
    return _tinted(_any_colour(rng), 1 + 0.02 * clouds(rng, exponent=1.5))


def paper(rng: np.random.Generator, pixel: float) -> np.ndarray:
    """Returns white or off-white paper."""
    white = rng.uniform(0.72, 0.9) * np.array([1.0, rng.uniform(0.97, 1.0), rng.uniform(0.9, 1.0)])
    return _tinted(white, 1 + 0.012 * clouds(rng, exponent=0.6))


def gradient(rng: np.random.Generator, pixel: float) -> np.ndarray:
    """Returns a soft run from one colour to a related one."""
    start = _any_colour(rng)
    end = np.clip(start * rng.uniform(0.55, 1.6) + rng.uniform(-0.04, 0.04, 3), 0.02, 0.9)
    angle = rng.uniform(0, 2 * np.pi)
    grid = np.linspace(-1, 1, FLOOR_PIXELS)
    along = np.cos(angle) * grid[None, :] + np.sin(angle) * grid[:, None]
    share = (0.5 + 0.5 * np.tanh(along.astype(np.float32) * 2))[..., None]
    blend: np.ndarray = start.astype(np.float32) + (end - start).astype(np.float32) * share
    return blend


def table(rng: np.random.Generator, pixel: float) -> np.ndarray:
    """Returns a speckled grey or beige table top."""
    grey = rng.uniform(0.12, 0.6) * np.array([1.0, 1.0, rng.uniform(0.88, 1.05)])
    speckle = clouds(rng, exponent=min(1.0, 0.4 + pixel / 2))
    return _tinted(grey, 1 + 0.05 * clouds(rng, exponent=1.7) + rng.uniform(0.01, 0.08) * speckle)


def cloth(rng: np.random.Generator, pixel: float) -> np.ndarray:
    """Returns a plain weave: threads that pass over and under each other in turn."""
    period = max(rng.uniform(1.2, 2.5) / pixel, 3.0)
    steps = np.arange(FLOOR_PIXELS) / period
    rows, columns = steps[:, None], steps[None, :]
    over = (np.floor(rows) + np.floor(columns)) % 2 == 0
    across, along = np.sin(np.pi * (rows % 1)), np.sin(np.pi * (columns % 1))
    thread = np.where(over, across * (0.6 + 0.4 * along), along * (0.6 + 0.4 * across))
    unevenness = 0.07 * clouds(rng, exponent=0.5) + 0.03 * clouds(rng, exponent=1.5)
    return _tinted(_any_colour(rng), 0.75 + 0.35 * thread + unevenness)


def wood(rng: np.random.Generator, pixel: float) -> np.ndarray:
    """Returns boards with year rings and fibres along the columns."""
    red, green, blue = np.cumprod(rng.uniform([0.55, 0.8, 0.68], [0.9, 0.9, 0.88]))
    light = srgb_to_linear(np.array([red, green, blue])).astype(np.float32)
    dark = light * rng.uniform(0.35, 0.7)
    across = np.arange(FLOOR_PIXELS)[None, :] * pixel
    wander = 14 * clouds(rng, exponent=2.2, stretch=6)
    rings = 0.5 + 0.5 * np.sin((across + wander) * (2 * np.pi / rng.uniform(9, 28)))
    fibres = clouds(rng, exponent=0.7, stretch=14)
    share = np.clip(0.6 * rings**2 + 0.13 * fibres + 0.15, 0, 1).astype(np.float32)[..., None]
    board: np.ndarray = light + (dark - light).astype(np.float32) * share
    return board


def belt(rng: np.random.Generator, pixel: float) -> np.ndarray:
    """Returns a conveyor belt: ribs across it or none, wear, dirt and a stripe along it."""
    colour = _BELTS[rng.integers(len(_BELTS))] * rng.uniform(0.7, 1.3)
    rows, columns = np.arange(FLOOR_PIXELS)[:, None] * pixel, np.linspace(0, 1, FLOOR_PIXELS)
    period = max(rng.uniform(4, 15), 4 * pixel)
    depth = rng.choice([0.0, rng.uniform(0.05, 0.35)])
    ribs = depth * np.sin(rows * (2 * np.pi / period))
    wear = rng.uniform(0.02, 0.1) * clouds(rng, exponent=0.8, stretch=16)
    dirt = rng.uniform(0, 0.25) * np.clip(clouds(rng, exponent=1.2) - 1, 0, 2)
    shade = _tinted(colour, 1 + ribs + wear - dirt)
    lane = np.abs(columns - rng.uniform(0, 1)) < rng.uniform(0.01, 0.06) * rng.integers(2)
    shade[:, lane] = np.minimum(shade[:, lane] * rng.uniform(0.3, 2.5), 0.95)
    return shade


_BELTS = srgb_to_linear(
    np.array([[45, 46, 48], [95, 98, 100], [225, 225, 220], [35, 105, 70], [40, 80, 140]]) / 255
)
"""Black rubber, grey, white, green and blue belts."""

FLOORS = {
    "plain": Floor(plain, 3, glossy=True),
    "paper": Floor(paper, 3),
    "gradient": Floor(gradient, 1.5),
    "table": Floor(table, 3, glossy=True),
    "cloth": Floor(cloth, 2),
    "wood": Floor(wood, 2.5, glossy=True),
    "belt": Floor(belt, 2.5, glossy=True),
}
"""Every kind of floor; to add one, add a function and an entry."""


def room(
    rng: np.random.Generator, *, below: tuple[float, float] = (0.1, 0.3), lamps_below: int = 0
) -> np.ndarray:
    """Returns the light from a room, float32, (64, 128, 3), zenith first, as neutral radiance.

    A bright ceiling, dimmer walls with one to three windows or lamps, a darker lower half. The
    floor under it receives an irradiance of pi, so white paper has radiance 1.

    Args:
        rng: Source of randomness.
        below: Range of the radiance from below, before that is so.
        lamps_below: At most so many lamps are in the lower half, 5 to 40 times as bright as it is.
    """
    height, width = 64, 128
    polar = (np.arange(height) + 0.5) * (np.pi / height)
    azimuth = (np.arange(width) + 0.5) * (2 * np.pi / width)
    ceiling = 1 / (1 + np.exp((polar - rng.uniform(0.5, 1.2)) * 5))
    image = np.repeat((rng.uniform(0.25, 0.7) + ceiling)[:, None], width, axis=1)
    image *= 1 + 0.35 * np.cos(azimuth - rng.uniform(0, 2 * np.pi))[None, :]
    for _ in range(rng.integers(1, 4)):
        image += rng.uniform(3, 9) * _window(rng, polar, azimuth)
    lower = rng.uniform(*below)
    image[polar > np.pi / 2] = lower
    for _ in range(rng.integers(lamps_below + 1)):
        image += lower * rng.uniform(5, 40) * _window(rng, np.pi - polar, azimuth)
    upper = np.cos(polar).clip(0) * np.sin(polar)
    received = (image * upper[:, None]).sum() * (np.pi / height) * (2 * np.pi / width)
    return np.repeat((image * (np.pi / received))[..., None], 3, axis=2).astype(np.float32)


def _window(rng: np.random.Generator, polar: np.ndarray, azimuth: np.ndarray) -> np.ndarray:
    """Returns a soft-edged bright rectangle on the walls, 1 inside."""
    turn = (azimuth - rng.uniform(0, 2 * np.pi) + np.pi) % (2 * np.pi) - np.pi
    half_width, half_height = rng.uniform(0.15, 0.5), rng.uniform(0.12, 0.35)
    across = 1 / (1 + np.exp((np.abs(turn) - half_width) * 30))
    down = 1 / (1 + np.exp((np.abs(polar - rng.uniform(0.5, 1.25)) - half_height) * 30))
    window: np.ndarray = down[:, None] * across[None, :]
    return window


def _any_colour(rng: np.random.Generator) -> np.ndarray:
    """Returns a colour of furniture and card: mostly muted, of any lightness."""
    lightness = rng.uniform(0.06, 0.75)
    saturation = rng.choice([0.08, 0.3, 0.7], p=[0.5, 0.35, 0.15])
    colour: np.ndarray = lightness * (1 - saturation * rng.uniform(0, 1, 3))
    return colour


def _tinted(colour: np.ndarray, shade: np.ndarray) -> np.ndarray:
    tinted = colour.astype(np.float32) * shade.astype(np.float32)[..., None]
    picture: np.ndarray = np.clip(tinted, 0.0, 0.95)
    return picture
