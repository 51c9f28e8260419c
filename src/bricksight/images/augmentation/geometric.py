"""Random geometric transforms: rotation, shift, zoom and crop, applied in one resampling."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
from PIL import Image

from bricksight.config import InputSpec
from bricksight.images.preprocessing import Box, fitted_size, resize

# A photo with more than the first multiple of the output's resolution is downscaled to the second
# multiple before it is rotated. Measured against rotation at full resolution: a second multiple of
# 1.2 to 1.5 gives the smallest error and the sharpness of an unrotated photo, 1.0 blurs, and 2 or
# more shows jagged edges. Between 1.4 and 1.6 the gain is not worth the time.
_REDUCE_ABOVE = 1.6
_REDUCE_TO = 1.4


@dataclass(frozen=True, kw_only=True)
class GeometricTransform:
    """An affine transform of a photo, then a zoom and a crop; the default is the identity.

    Attributes:
        width: Of the photo, in pixels.
        height: Of the photo, in pixels.
        matrix: (3, 3), maps a point of the transformed photo to a point of the original, both in
            pixels from the centre. The transformed photo has the size of the original.
        zoom: Factor by which the transformed photo is enlarged before it is cropped to the output
            size.
        crop_position: Position of the crop, (x, y), each from 0 (left, top) to 1 (right, bottom),
            1 excluded.
    """

    width: int
    height: int
    matrix: np.ndarray = field(default_factory=lambda: np.eye(3))
    zoom: float = 1.0
    crop_position: tuple[float, float] = (0.0, 0.0)

    def compose(self, matrix: np.ndarray) -> "GeometricTransform":
        """Return the transform with ``matrix`` multiplied from the right."""
        return replace(self, matrix=self.matrix @ matrix)

    def zoom_and_crop(self, factor: float, *, rng: np.random.Generator) -> "GeometricTransform":
        """Return the transform with a further zoom and a new random crop position."""
        across, down = rng.random(2).tolist()
        return replace(self, zoom=self.zoom * factor, crop_position=(across, down))


def random_rotation(
    transform: GeometricTransform, rng: np.random.Generator, *, amount: float
) -> GeometricTransform:
    """Rotate the photo about its centre by up to ``amount`` degrees either way."""
    angle = math.radians(rng.uniform(-amount, amount))
    cos, sin = math.cos(angle), math.sin(angle)
    return transform.compose(np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]))


def random_shrink(
    transform: GeometricTransform, rng: np.random.Generator, *, amount: float
) -> GeometricTransform:
    """Shrink the photo about its centre by a factor from U(1, 1 + ``amount`` / 100)."""
    factor = rng.uniform(1, 1 + amount / 100)
    return transform.compose(np.diag([factor, factor, 1]))


def random_translation(
    transform: GeometricTransform, rng: np.random.Generator, *, amount: float
) -> GeometricTransform:
    """Shift the photo by up to ``amount`` percent of its width and height either way."""
    across, down = rng.uniform(-amount / 100, amount / 100, size=2)
    shift = np.eye(3)
    shift[:2, 2] = across * transform.width, down * transform.height
    return transform.compose(shift)


def random_scale(
    transform: GeometricTransform, rng: np.random.Generator, *, amount: float
) -> GeometricTransform:
    """Enlarge the photo by a factor from U(1, 1 + ``amount`` / 100), then crop at random."""
    return transform.zoom_and_crop(rng.uniform(1, 1 + amount / 100), rng=rng)


def random_crop(
    transform: GeometricTransform, rng: np.random.Generator, *, amount: float
) -> GeometricTransform:
    """Enlarge the photo by the factor 1 + ``amount`` / 100, then crop at random.

    50 percent keeps two thirds of each side. Together with ``random_scale``, the factors multiply
    and there is one crop, as in retrain.py.
    """
    return transform.zoom_and_crop(1 + amount / 100, rng=rng)


GEOMETRIC_TRANSFORMS: Mapping[str, Callable[..., GeometricTransform]] = MappingProxyType(
    {
        "random_rotation": random_rotation,
        "random_shrink": random_shrink,
        "random_translation": random_translation,
        "random_scale": random_scale,
        "random_crop": random_crop,
    }
)
"""Field of ``AugmentConfig`` → function that adds its random transform, in order."""


def apply_transform(
    image: np.ndarray, transform: GeometricTransform, spec: InputSpec
) -> Image.Image:
    """Apply a transform to a photo and resize it to the network's input, without padding.

    Areas outside the photo get the median colour of its border.

    Args:
        image: uint8 (height, width, 3), RGB, or (height, width, 4), RGBA. Pillow weights the
            colours of RGBA by alpha, so no background colour is mixed into the object. Areas
            outside an RGBA photo are transparent.
        transform: The transform.
        spec: The input size and the resize mode.
    """
    photo = Image.fromarray(image)
    size = fitted_size(transform.width, transform.height, spec)
    left, top, right, bottom = box = _crop_box(transform, size)
    if np.array_equal(transform.matrix, np.eye(3)):
        return resize(photo, size, box=box)
    step_x, step_y = (right - left) / size[0], (bottom - top) / size[1]
    to_frame = np.array([[step_x, 0, left], [0, step_y, top], [0, 0, 1]])
    fill = border_colour(image) if photo.mode == "RGB" else (0, 0, 0, 0)
    return _resample(photo, _about_centre(transform) @ to_frame, size, fill=fill)


def border_colour(image: np.ndarray) -> tuple[int, int, int]:
    """Return the median colour of the outermost pixels, per channel."""
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    red, green, blue = np.median(border, axis=0).astype(int).tolist()
    return red, green, blue


def _crop_box(transform: GeometricTransform, size: tuple[int, int]) -> Box:
    """Return the crop box in pixels of the photo.

    As in retrain.py, the size of the enlarged photo and the offset of the crop are whole pixels.
    """
    left, right = _crop_side(transform.width, size[0], transform.zoom, transform.crop_position[0])
    top, bottom = _crop_side(transform.height, size[1], transform.zoom, transform.crop_position[1])
    return left, top, right, bottom


def _crop_side(length: int, size: int, zoom: float, cut: float) -> tuple[float, float]:
    enlarged = int(zoom * size)
    offset = math.floor(cut * (enlarged - size + 1))
    return offset * length / enlarged, (offset + size) * length / enlarged


def _about_centre(transform: GeometricTransform) -> np.ndarray:
    centre = np.eye(3)
    centre[:2, 2] = transform.width / 2, transform.height / 2
    to_photo: np.ndarray = centre @ transform.matrix @ np.linalg.inv(centre)
    return to_photo


def _resample(
    photo: Image.Image, to_photo: np.ndarray, size: tuple[int, int], *, fill: tuple[int, ...]
) -> Image.Image:
    """Return the image whose pixel (x, y) is the photo's pixel at ``to_photo @ (x, y, 1)``."""
    # Pillow interpolates between neighbouring pixels only, which would alias. So a photo with a
    # much higher resolution than the output is downscaled first.
    step = float(np.sqrt(abs(np.linalg.det(to_photo[:2, :2]))))
    if step > _REDUCE_ABOVE:
        reduced = tuple(max(1, round(side * _REDUCE_TO / step)) for side in photo.size)
        scale = np.diag([reduced[0] / photo.width, reduced[1] / photo.height, 1.0])
        photo, to_photo = resize(photo, (reduced[0], reduced[1])), scale @ to_photo
    coefficients = tuple(to_photo[:2].ravel().tolist())
    return photo.transform(
        size, Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR, fillcolor=fill
    )
