"""Background replacement: foreground masks and the backgrounds behind the object."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from bricksight._support.filesystem.walk import photos_below
from bricksight.config import PHOTO_EXTENSIONS
from bricksight.errors import ConfigError
from bricksight.images.preprocessing import resize, scale_to_unit
from bricksight.images.reading.decoding import decode

_SMALLEST_CUT = 0.5
"""Smallest crop of a background photo, as a fraction of its largest possible crop."""


@dataclass(frozen=True, kw_only=True)
class Backgrounds:
    """Replacement backgrounds and how often they are used.

    Attributes:
        percent: Percentage of augmented images whose background is replaced, over 0 to 100.
        photos: Background photos, uint8 (height, width, 3), RGB. Without photos, plain colours and
            gradients are drawn.
    """

    percent: float = 50
    photos: Sequence[np.ndarray] = ()

    @cached_property
    def key(self) -> str:
        """A short hash of the backgrounds and the percentage, for cache keys."""
        digest = hashlib.sha256(repr(float(self.percent)).encode())
        for photo in self.photos:
            digest.update(repr(photo.shape).encode() + photo.tobytes())
        return digest.hexdigest()[:16]

    def draw(self, rng: np.random.Generator, *, width: int, height: int) -> np.ndarray:
        """Draw a random background: float32 (height, width, 3), RGB in [0, 1].

        With photos: a random crop of one, mirrored half of the time. Without: a plain colour or a
        gradient in a random direction, with equal probability.
        """
        if not self.photos:
            return _random_gradient(rng, width=width, height=height)
        photo = Image.fromarray(self.photos[int(rng.integers(len(self.photos)))])
        scale = min(photo.width / width, photo.height / height) * rng.uniform(_SMALLEST_CUT, 1)
        spare = photo.width - width * scale, photo.height - height * scale
        left, top = (rng.random(2) * np.maximum(spare, 0)).tolist()
        right, bottom = left + width * scale, top + height * scale
        box = (left, top, min(right, photo.width), min(bottom, photo.height))
        crop = scale_to_unit(np.asarray(resize(photo, (width, height), box=box)))
        return crop[:, ::-1] if rng.random() < 0.5 else crop


@dataclass(frozen=True, kw_only=True)
class ForegroundMasks:
    """Foreground masks of photos and the replacement backgrounds.

    Attributes:
        masks: Path of a photo → its mask, as the bytes of a grey PNG with the photo's aspect
            ratio, 255 in the foreground. Photos without a mask keep their background.
        backgrounds: The replacement backgrounds.
    """

    masks: Mapping[Path, bytes]
    backgrounds: Backgrounds

    def key_of(self, photo: Path) -> str:
        """Return a hash of a photo's mask and the backgrounds; empty without a mask."""
        mask = self.masks.get(photo)
        if mask is None:
            return ""
        return f"{hashlib.sha256(mask).hexdigest()[:16]}-{self.backgrounds.key}"

    @property
    def key(self) -> str:
        """A hash of all masks and the backgrounds, for cache keys."""
        keys = "".join(sorted(map(self.key_of, self.masks)))
        return hashlib.sha256(keys.encode()).hexdigest()

    def cut_out(self, pixels: np.ndarray, photo: Path) -> np.ndarray:
        """Add the mask of a photo to its pixels as an alpha channel.

        Args:
            pixels: uint8 (height, width, 3), RGB, of any size.
            photo: Path of the photo, a key of ``masks``.

        Returns:
            uint8 (height, width, 4), RGBA; ``pixels`` if the photo has no mask.
        """
        encoded = self.masks.get(photo)
        if encoded is None:
            return pixels
        height, width = pixels.shape[:2]
        mask = resize(Image.fromarray(decode(encoded)), (width, height))
        return np.dstack([pixels, np.asarray(mask)[..., 0]])


def encode_mask(mask: np.ndarray) -> bytes:
    """Encode a mask, uint8 (height, width), as PNG for ``ForegroundMasks.masks``."""
    buffer = io.BytesIO()
    Image.fromarray(mask).save(buffer, format="PNG")
    return buffer.getvalue()


def composite(
    foreground: Image.Image, rng: np.random.Generator, backgrounds: Backgrounds
) -> np.ndarray:
    """Composite an object over a random background: float32 (height, width, 3), RGB in [0, 1].

    The "over" operator of T. Porter, T. Duff, "Compositing digital images", SIGGRAPH 1984. The mask
    fades inwards over one pixel, which hides remains of the original background at the edge.

    Args:
        foreground: RGBA; the background is drawn at its size.
        rng: Random generator that draws the background.
        backgrounds: The replacement backgrounds.
    """
    alpha = foreground.getchannel("A")
    soft = ImageChops.darker(alpha, alpha.filter(ImageFilter.BoxBlur(1)))
    cover = scale_to_unit(np.asarray(soft))[..., None]
    behind = backgrounds.draw(rng, width=foreground.width, height=foreground.height)
    pixels = scale_to_unit(np.asarray(foreground)[..., :3])
    blend: np.ndarray = cover * pixels + (1 - cover) * behind
    return blend


def find_backgrounds(folder: Path) -> tuple[Path, ...]:
    """Return the paths of the background photos below a folder, sorted.

    Raises:
        ConfigError: The folder holds no photos.
    """
    photos, _ = photos_below(folder)
    if not photos:
        raise ConfigError(
            f"The folder of backgrounds {folder} holds no photos "
            f"({', '.join(sorted(PHOTO_EXTENSIONS))}). Name one with photos of the empty scene."
        )
    return tuple(photos)


def _random_gradient(rng: np.random.Generator, *, width: int, height: int) -> np.ndarray:
    first, second = rng.random((2, 3), dtype=np.float32)
    if rng.random() < 0.5:
        return np.full((height, width, 3), first)
    angle = rng.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[:height, :width]
    across, down = np.cos(angle) * columns / width, np.sin(angle) * rows / height
    along = (across + down).astype(np.float32)
    span = max(float(np.ptp(along)), np.finfo(np.float32).tiny)
    share = ((along - along.min()) / span)[..., None]
    gradient: np.ndarray = first + share * (second - first)
    return gradient
