"""What plastic looks like, as Mitsuba's descriptions of surfaces."""

from typing import Any

import numpy as np

from bricksight.bricks.synth.scenes.colours import Colour

# Indices of refraction; clear parts are of polycarbonate.
_ABS, _POLYCARBONATE = 1.53, 1.58


def surface(colour: Colour, roughness: float) -> dict[str, Any]:
    """Returns the surface of a part.

    Args:
        colour: With its kind of surface.
        roughness: Microfacet roughness (GGX alpha) where the kind does not fix it.
    """
    found = _SURFACES[colour.surface](colour.linear, roughness)
    if colour.surface == "transparent":
        return found
    # Leaves and cloth of a library's parts have no thickness and are seen from behind too.
    return {"type": "twosided", "material": found}


def _solid(rgb: np.ndarray, roughness: float) -> dict[str, Any]:
    return {
        "type": "roughplastic",
        "distribution": "ggx",
        "alpha": roughness,
        "int_ior": _ABS,
        "nonlinear": True,
        "diffuse_reflectance": _rgb(rgb),
    }


def _rubber(rgb: np.ndarray, roughness: float) -> dict[str, Any]:
    return _solid(rgb, max(roughness, 0.4))


def _transparent(rgb: np.ndarray, roughness: float) -> dict[str, Any]:
    # Clear walls alone leave more grain than picture at so few light paths, and no lamp shines
    # through them. So a part of the light is scattered, as if the plastic were a little milky.
    clear = {
        "type": "thindielectric",
        "int_ior": _POLYCARBONATE,
        "specular_transmittance": _rgb(np.sqrt(rgb)),
    }
    return {"type": "blendbsdf", "weight": 0.45, "clear": clear, "milky": _solid(rgb, roughness)}


def _metallic(rgb: np.ndarray, roughness: float) -> dict[str, Any]:
    return {
        "type": "principled",
        "base_color": _rgb(rgb),
        "metallic": 0.7,
        "roughness": 0.25 + roughness,
        "specular": 0.5,
    }


def _chrome(rgb: np.ndarray, roughness: float) -> dict[str, Any]:
    return {
        "type": "roughconductor",
        "material": "none",
        "distribution": "ggx",
        "alpha": 0.05,
        "specular_reflectance": _rgb(rgb),
    }


_SURFACES = {
    "solid": _solid,
    "rubber": _rubber,
    "transparent": _transparent,
    "pearl": _metallic,
    "metal": _metallic,
    "speckle": _solid,
    "chrome": _chrome,
}


def _rgb(colour: np.ndarray) -> dict[str, Any]:
    return {"type": "rgb", "value": colour.tolist()}
