"""Takes the grain of few light paths out of a rendered picture."""

from typing import Literal

import numpy as np

from bricksight._support.optional import require

ONE_THREAD = {"OIDN_NUM_THREADS": "1", "OIDN_SET_AFFINITY": "0"}
"""Environment of a process that has one core: set before the first picture."""

Filter = Literal["fast", "high"]


def denoised(
    radiance: np.ndarray, albedo: np.ndarray, normals: np.ndarray, *, quality: Filter = "high"
) -> np.ndarray:
    """Returns the picture without its grain: float32 (height, width, 3), linear.

    By Intel Open Image Denoise, a network trained on rendered pictures (openimagedenoise.org; after
    C. Chaitanya et al., "Interactive reconstruction of Monte Carlo image sequences using a
    recurrent denoising autoencoder", SIGGRAPH 2017), guided by albedo and normals.

    Args:
        radiance: float32 (height, width, 3), linear, not bounded above.
        albedo: float32 (height, width, 3), what the surface reflects.
        normals: float32 (height, width, 3), of the surface, in [-1, 1], 0 where there is none.
        quality: "fast" takes about half the time.

    Raises:
        MissingPackageError: it is not installed.
    """
    oidn = require("pyoidn", extra="synth", feature="Rendering")
    albedo = np.clip(albedo, 0, 1)
    picture: np.ndarray = oidn.denoise(
        radiance, albedo=albedo, normal=normals, hdr=True, quality=quality
    )
    return picture
