"""Colours of bricks, and of light."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

Surface = Literal["solid", "transparent", "rubber", "pearl", "metal", "chrome", "speckle"]


@dataclass(frozen=True)
class Colour:
    """A colour of plastic.

    Attributes:
        name: LEGO colour name as used by LDraw and by sorters.
        hex: sRGB, "#rrggbb".
        weight: How common it is among loose bricks, relative to the others.
        surface: What the plastic is, or is coated with.
    """

    name: str
    hex: str
    weight: float
    surface: Surface = "solid"

    @property
    def linear(self) -> np.ndarray:
        """Linear RGB with Rec. 709 primaries, float64, (3,), in [0, 1]."""
        digits = bytes.fromhex(self.hex[1:])
        return srgb_to_linear(np.frombuffer(digits, dtype=np.uint8) / 255)


COLOURS = (
    Colour("Black", "#1b1d1f", 14),
    Colour("Light Bluish Grey", "#a0a5a9", 14),
    Colour("White", "#f2f2ee", 12),
    Colour("Dark Bluish Grey", "#61676b", 10),
    Colour("Red", "#c01815", 10),
    Colour("Blue", "#1557b0", 7),
    Colour("Yellow", "#f6c915", 7),
    Colour("Tan", "#dcc596", 6),
    Colour("Reddish Brown", "#62321c", 5),
    Colour("Green", "#1d7a3c", 4),
    Colour("Orange", "#ec7a1c", 3),
    Colour("Dark Tan", "#92825f", 2),
    Colour("Lime", "#a8c82a", 2),
    Colour("Medium Blue", "#6c9ad0", 2),
    Colour("Dark Blue", "#17325c", 2),
    Colour("Dark Red", "#701a14", 2),
    Colour("Bright Light Orange", "#f7a81b", 1.5),
    Colour("Medium Azure", "#3fb6d3", 1.5),
    Colour("Dark Green", "#1c4632", 1),
    Colour("Dark Turquoise", "#10918c", 1),
    Colour("Bright Pink", "#f0a3c6", 1),
    Colour("Magenta", "#97236f", 1),
    Colour("Lavender", "#c2aade", 1),
    Colour("Trans Clear", "#f2f4f4", 1.5, "transparent"),
    Colour("Trans Red", "#d5201c", 1, "transparent"),
    Colour("Trans Light Blue", "#a9dceb", 1, "transparent"),
    Colour("Trans Yellow", "#f2dd2a", 0.7, "transparent"),
    Colour("Trans Dark Blue", "#1f4fc4", 0.7, "transparent"),
    Colour("Trans Black", "#655f54", 0.7, "transparent"),
    Colour("Trans Green", "#3fae57", 0.5, "transparent"),
    Colour("Trans Orange", "#f0822c", 0.7, "transparent"),
    Colour("Pearl Gold", "#b9842f", 1, "pearl"),
    Colour("Flat Silver", "#8c9194", 0.7, "pearl"),
    Colour("Pearl Dark Grey", "#5a5e61", 0.5, "pearl"),
)
"""Current colours; our own approximations of the moulded plastic."""


def srgb_to_linear(values: np.ndarray) -> np.ndarray:
    """Returns linear light for sRGB values in [0, 1] (IEC 61966-2-1)."""
    linear: np.ndarray = np.where(
        values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4
    )
    return linear


def linear_to_srgb(values: np.ndarray) -> np.ndarray:
    """Returns sRGB values for linear light in [0, 1] (IEC 61966-2-1)."""
    srgb: np.ndarray = np.where(
        values <= 0.0031308, values * 12.92, 1.055 * np.maximum(values, 0) ** (1 / 2.4) - 0.055
    )
    return srgb


def light_colour(kelvin: float) -> np.ndarray:
    """Returns linear RGB of a black body between 1,667 and 25,000 K, green being 1.

    The cubic splines for the Planckian locus by Kim et al. (US patent 7024034, 2006).
    """
    t = 1000.0 / kelvin
    if kelvin <= 4000:
        x = np.polyval((-0.2661239, -0.2343589, 0.8776956, 0.179910), t)
    else:
        x = np.polyval((-3.0258469, 2.1070379, 0.2226347, 0.240390), t)
    if kelvin <= 2222:
        y = np.polyval((-1.1063814, -1.34811020, 2.18555832, -0.20219683), x)
    elif kelvin <= 4000:
        y = np.polyval((-0.9549476, -1.37418593, 2.09137015, -0.16748867), x)
    else:
        y = np.polyval((3.0817580, -5.87338670, 3.75112997, -0.37001483), x)
    to_rgb = np.array(
        [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]]
    )
    rgb = np.maximum(to_rgb @ np.array([x / y, 1.0, (1 - x - y) / y]), 0.01)
    colour: np.ndarray = rgb / rgb[1]
    return colour
