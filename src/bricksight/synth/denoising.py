"""Takes the grain of few light paths out of a rendered picture."""

import numpy as np

_RADIUS, _SPATIAL = 3, 1.8
_TONAL, _NORMAL, _ALBEDO = 0.25, 0.25, 0.12
_DARKEST = 0.02


def denoised(radiance: np.ndarray, albedo: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Returns the picture with its grain averaged out, and edges and textures kept.

    A joint bilateral filter (Petschnigg et al., "Digital photography with flash and no-flash image
    pairs", 2004; Eisemann and Durand, 2004) over the light alone: radiance over albedo, so that
    textures stay whole, guided by normals and albedo, which have no grain. It works on square
    roots, in which the grain is about equally strong everywhere.

    Args:
        radiance: float32 (height, width, 3), linear.
        albedo: float32 (height, width, 3), what the surface reflects.
        normals: float32 (height, width, 3), of the surface, 0 where there is none.
    """
    base = np.maximum(albedo.astype(np.float32), _DARKEST)
    light = np.sqrt(np.maximum(_without_fireflies(radiance / base), 0.0))
    guides = np.concatenate(
        [light / _TONAL, np.sqrt(base) / _ALBEDO, normals.astype(np.float32) / _NORMAL], axis=2
    )
    width = ((_RADIUS, _RADIUS), (_RADIUS, _RADIUS), (0, 0))
    padded_light, padded = (np.pad(one, width, mode="edge") for one in (light, guides))
    total, weights = np.zeros_like(light), np.zeros((*light.shape[:2], 1), np.float32)
    for row, column in np.ndindex(2 * _RADIUS + 1, 2 * _RADIUS + 1):
        part = np.s_[row : row + light.shape[0], column : column + light.shape[1]]
        distance = ((row - _RADIUS) ** 2 + (column - _RADIUS) ** 2) / _SPATIAL**2
        difference = np.square(padded[part] - guides).sum(axis=2, keepdims=True)
        weight = np.exp(-(distance + difference) / 2)
        total += weight * padded_light[part]
        weights += weight
    filtered: np.ndarray = np.square(total / weights) * base
    return filtered


def _without_fireflies(pixels: np.ndarray) -> np.ndarray:
    """Returns the image with lone bright pixels, which rare light paths leave, cut off.

    No pixel is brighter than the third brightest of the nine around it, which keeps lines.
    """
    from scipy.ndimage import rank_filter  # noqa: PLC0415  (slow to load)

    capped: np.ndarray = np.minimum(pixels, rank_filter(pixels, -3, size=(3, 3, 1), mode="nearest"))
    return capped
