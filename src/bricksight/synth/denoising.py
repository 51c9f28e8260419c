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
    light, base, slopes = map(_planes, (radiance, albedo, normals))
    base = np.maximum(base, _DARKEST)
    light = np.sqrt(np.maximum(_without_fireflies(light / base), 0.0))
    guides = np.concatenate([light / _TONAL, np.sqrt(base) / _ALBEDO, slopes / _NORMAL])
    padded_light, padded = _padded(light, _RADIUS), _padded(guides, _RADIUS)
    height, width = light.shape[1:]
    total, weights = np.zeros_like(light), np.zeros_like(light[0])
    for row, column in np.ndindex(2 * _RADIUS + 1, 2 * _RADIUS + 1):
        part = np.s_[:, row : row + height, column : column + width]
        distance = ((row - _RADIUS) ** 2 + (column - _RADIUS) ** 2) / _SPATIAL**2
        difference = padded[part] - guides
        squares = np.einsum("chw,chw->hw", difference, difference)
        weight = np.exp((distance + squares) / -2)
        total += weight * padded_light[part]
        weights += weight
    filtered: np.ndarray = np.moveaxis(np.square(total / weights) * base, 0, 2)
    return filtered


def _without_fireflies(planes: np.ndarray) -> np.ndarray:
    """Returns the image with lone bright pixels, which rare light paths leave, cut off.

    No pixel is brighter than the third brightest of the nine around it, which keeps lines.
    """
    padded = _padded(planes, 1)
    height, width = planes.shape[1:]
    brightest = [np.full_like(planes, -np.inf)] * 3
    for row, column in np.ndindex(3, 3):
        one = padded[:, row : row + height, column : column + width]
        for rank, so_far in enumerate(brightest):
            brightest[rank], one = np.maximum(so_far, one), np.minimum(so_far, one)
    capped: np.ndarray = np.minimum(planes, brightest[2])
    return capped


def _planes(pixels: np.ndarray) -> np.ndarray:
    """Returns the channels one after the other, float32: a fifth of the time of pixels by turns."""
    return np.ascontiguousarray(np.moveaxis(pixels, 2, 0), dtype=np.float32)


def _padded(planes: np.ndarray, width: int) -> np.ndarray:
    return np.pad(planes, ((0, 0), (width, width), (width, width)), mode="edge")
