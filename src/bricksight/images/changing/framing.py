"""Which part of a photo a view shows, turned and shifted how; one resampling for all of it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
from PIL import Image

from bricksight.config import InputSpec
from bricksight.images.preprocessing import Box, fitted_size, resize

# A photo finer than the first multiple of the view's scale is reduced to the second before it is
# turned. Measured on photos turned by random angles against turning at full resolution: a second
# multiple of 1.2 to 1.5 gives the smallest error and the sharpness of an unturned photo, 1.0 blurs,
# and 2 and more shows jagged edges. Between 1.4 and 1.6 the gain is not worth the time.
_REDUCE_ABOVE = 1.6
_REDUCE_TO = 1.4


@dataclass(frozen=True, kw_only=True)
class GeometricTransform:
    """Where a view lies on a photo; the default shows the whole photo as it is.

    Attributes:
        width: of the photo, in pixels.
        height: of the photo, in pixels.
        motion: (3, 3), takes a point of the frame to the point of the photo that is seen there,
            both in the photo's pixels from its centre. The frame is as large as the photo.
        enlargement: how many times larger than the view the frame is.
        cut: where in the enlarged frame the view is cut out, across and down; each from 0 (left,
            top) to 1 (right, bottom), 1 not included.
    """

    width: int
    height: int
    motion: np.ndarray = field(default_factory=lambda: np.eye(3))
    enlargement: float = 1.0
    cut: tuple[float, float] = (0.0, 0.0)

    def moved(self, motion: np.ndarray) -> "GeometricTransform":
        """Return the framing after a further motion of what is seen."""
        return replace(self, motion=self.motion @ motion)

    def enlarged(self, factor: float, *, rng: np.random.Generator) -> "GeometricTransform":
        """Return the framing enlarged further and cut at a random place."""
        across, down = rng.random(2).tolist()
        return replace(self, enlargement=self.enlargement * factor, cut=(across, down))


def random_rotation(
    framing: GeometricTransform, rng: np.random.Generator, *, amount: float
) -> GeometricTransform:
    """Turn the photo about its centre by up to ``amount`` degrees either way."""
    angle = math.radians(rng.uniform(-amount, amount))
    cos, sin = math.cos(angle), math.sin(angle)
    return framing.moved(np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]))


def random_shrink(
    framing: GeometricTransform, rng: np.random.Generator, *, amount: float
) -> GeometricTransform:
    """Show the photo U(1, 1 + ``amount`` / 100) times smaller, about its centre."""
    factor = rng.uniform(1, 1 + amount / 100)
    return framing.moved(np.diag([factor, factor, 1]))


def random_translation(
    framing: GeometricTransform, rng: np.random.Generator, *, amount: float
) -> GeometricTransform:
    """Shift the photo by up to ``amount`` percent of its width and of its height."""
    across, down = rng.uniform(-amount / 100, amount / 100, size=2)
    shift = np.eye(3)
    shift[:2, 2] = across * framing.width, down * framing.height
    return framing.moved(shift)


def random_scale(
    framing: GeometricTransform, rng: np.random.Generator, *, amount: float
) -> GeometricTransform:
    """Enlarge the photo by U(1, 1 + ``amount`` / 100) and cut out a random part of view size."""
    return framing.enlarged(rng.uniform(1, 1 + amount / 100), rng=rng)


def random_crop(
    framing: GeometricTransform, rng: np.random.Generator, *, amount: float
) -> GeometricTransform:
    """Enlarge the photo by 1 + ``amount`` / 100 and cut out a random part of view size.

    With ``random_scale`` both enlarge and one cut is made, as in retrain.py; 50 percent keeps two
    thirds of each side.
    """
    return framing.enlarged(1 + amount / 100, rng=rng)


FRAMINGS: Mapping[str, Callable[..., GeometricTransform]] = MappingProxyType(
    {
        "random_rotation": random_rotation,
        "random_shrink": random_shrink,
        "random_translation": random_translation,
        "random_scale": random_scale,
        "random_crop": random_crop,
    }
)
"""Field of ``AugmentConfig`` → function of a framing, in order of application."""


def take_view(image: np.ndarray, framing: GeometricTransform, spec: InputSpec) -> Image.Image:
    """Return what is seen, at the size that the photo covers of the network's input.

    Where the view looks past the photo, it shows the median colour of the photo's border.

    Args:
        image: uint8 (height, width, 3), RGB; or (height, width, 4), RGBA, whose colours Pillow
            weighs by their alpha, so that no colour of the background is mixed into the part. Past
            such a photo the view is clear.
        framing: where the view lies.
        spec: the network's size.
    """
    photo = Image.fromarray(image)
    size = fitted_size(framing.width, framing.height, spec)
    left, top, right, bottom = box = _cut_box(framing, size)
    if np.array_equal(framing.motion, np.eye(3)):
        return resize(photo, size, box=box)
    step_x, step_y = (right - left) / size[0], (bottom - top) / size[1]
    to_frame = np.array([[step_x, 0, left], [0, step_y, top], [0, 0, 1]])
    fill = border_colour(image) if photo.mode == "RGB" else (0, 0, 0, 0)
    return _resample(photo, _about_centre(framing) @ to_frame, size, fill=fill)


def border_colour(image: np.ndarray) -> tuple[int, int, int]:
    """Return the median of the outermost pixels, channel by channel."""
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    red, green, blue = np.median(border, axis=0).astype(int).tolist()
    return red, green, blue


def _cut_box(framing: GeometricTransform, size: tuple[int, int]) -> Box:
    """Return the part of the frame that is cut out, in the photo's pixels.

    As in retrain.py the enlarged photo has a whole number of pixels, and so has what is cut away.
    """
    left, right = _cut_side(framing.width, size[0], framing.enlargement, framing.cut[0])
    top, bottom = _cut_side(framing.height, size[1], framing.enlargement, framing.cut[1])
    return left, top, right, bottom


def _cut_side(length: int, size: int, enlargement: float, cut: float) -> tuple[float, float]:
    enlarged = int(enlargement * size)
    offset = math.floor(cut * (enlarged - size + 1))
    return offset * length / enlarged, (offset + size) * length / enlarged


def _about_centre(framing: GeometricTransform) -> np.ndarray:
    centre = np.eye(3)
    centre[:2, 2] = framing.width / 2, framing.height / 2
    to_photo: np.ndarray = centre @ framing.motion @ np.linalg.inv(centre)
    return to_photo


def _resample(
    photo: Image.Image, to_photo: np.ndarray, size: tuple[int, int], *, fill: tuple[int, ...]
) -> Image.Image:
    """Return the picture whose pixel at (x, y, 1) is the photo's at ``to_photo @ (x, y, 1)``."""
    # Pillow interpolates between neighbours only, so a photo much finer than the view is
    # brought near the view's scale first: what lies between the sampled points must count.
    step = float(np.sqrt(abs(np.linalg.det(to_photo[:2, :2]))))
    if step > _REDUCE_ABOVE:
        reduced = tuple(max(1, round(side * _REDUCE_TO / step)) for side in photo.size)
        scale = np.diag([reduced[0] / photo.width, reduced[1] / photo.height, 1.0])
        photo, to_photo = resize(photo, (reduced[0], reduced[1])), scale @ to_photo
    coefficients = tuple(to_photo[:2].ravel().tolist())
    return photo.transform(
        size, Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR, fillcolor=fill
    )
