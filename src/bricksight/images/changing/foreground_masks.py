"""Parts cut out of their photos, and what random views show behind them."""

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
"""Least share of a background photo's sides that a view shows."""


@dataclass(frozen=True, kw_only=True)
class Backgrounds:
    """What is put behind parts, and how often.

    Attributes:
        percent: Of the views whose background is replaced, over 0 to 100.
        photos: uint8 (height, width, 3) each, RGB; without any, plain colours and gradients.
    """

    percent: float = 50
    photos: Sequence[np.ndarray] = ()

    @cached_property
    def key(self) -> str:
        """A short text that differs where the pixels would."""
        digest = hashlib.sha256(repr(float(self.percent)).encode())
        for photo in self.photos:
            digest.update(repr(photo.shape).encode() + photo.tobytes())
        return digest.hexdigest()[:16]

    def draw(self, rng: np.random.Generator, *, width: int, height: int) -> np.ndarray:
        """Return a random background: float32 (height, width, 3), RGB in [0, 1].

        It is a part of a photo, mirrored half of the time; or one colour, or a gradient from one to
        another in any direction, each half of the time.
        """
        if not self.photos:
            return _random_gradient(rng, width=width, height=height)
        photo = Image.fromarray(self.photos[int(rng.integers(len(self.photos)))])
        scale = min(photo.width / width, photo.height / height) * rng.uniform(_SMALLEST_CUT, 1)
        spare = photo.width - width * scale, photo.height - height * scale
        left, top = (rng.random(2) * np.maximum(spare, 0)).tolist()
        right, bottom = left + width * scale, top + height * scale
        box = (left, top, min(right, photo.width), min(bottom, photo.height))
        seen = scale_to_unit(np.asarray(resize(photo, (width, height), box=box)))
        return seen[:, ::-1] if rng.random() < 0.5 else seen


@dataclass(frozen=True, kw_only=True)
class ForegroundMasks:
    """Where the parts of photos are, and what is put behind them.

    Attributes:
        masks: File of a photo → its mask as the bytes of a grey picture, 255 where the part is, in
            the proportions of the photo. Photos without one keep their background.
        backgrounds: What is put behind them.
    """

    masks: Mapping[Path, bytes]
    backgrounds: Backgrounds

    def key_of(self, photo: Path) -> str:
        """Return a text that differs where views of the photo would; empty without a mask."""
        mask = self.masks.get(photo)
        if mask is None:
            return ""
        return f"{hashlib.sha256(mask).hexdigest()[:16]}-{self.backgrounds.key}"

    @property
    def key(self) -> str:
        """The same of all photos."""
        keys = "".join(sorted(map(self.key_of, self.masks)))
        return hashlib.sha256(keys.encode()).hexdigest()

    def cut_out(self, pixels: np.ndarray, photo: Path) -> np.ndarray:
        """Return a decoded photo with its mask as a fourth channel; itself if it has none.

        Args:
            pixels: uint8 (height, width, 3), RGB, of any size.
            photo: the file.
        """
        encoded = self.masks.get(photo)
        if encoded is None:
            return pixels
        height, width = pixels.shape[:2]
        mask = resize(Image.fromarray(decode(encoded)), (width, height))
        return np.dstack([pixels, np.asarray(mask)[..., 0]])


def encode_mask(mask: np.ndarray) -> bytes:
    """Return a mask, uint8 (height, width), as ``ForegroundMasks`` keeps it."""
    buffer = io.BytesIO()
    Image.fromarray(mask).save(buffer, format="PNG")
    return buffer.getvalue()


def over_background(
    part: Image.Image, rng: np.random.Generator, backgrounds: Backgrounds
) -> np.ndarray:
    """Return a part before a random background: float32 (height, width, 3), RGB in [0, 1].

    The edge fades inwards over a pixel, so that little is left of what was behind it (T. Porter,
    T. Duff, "Compositing digital images", SIGGRAPH 1984: the operator "over").

    Args:
        part: RGBA, at the size of the view.
        rng: draws the background.
        backgrounds: what there is.
    """
    alpha = part.getchannel("A")
    soft = ImageChops.darker(alpha, alpha.filter(ImageFilter.BoxBlur(1)))
    cover = scale_to_unit(np.asarray(soft))[..., None]
    behind = backgrounds.draw(rng, width=part.width, height=part.height)
    blend: np.ndarray = cover * scale_to_unit(np.asarray(part)[..., :3]) + (1 - cover) * behind
    return blend


def find_backgrounds(folder: Path) -> tuple[Path, ...]:
    """Return the photos in a folder, sorted.

    Raises:
        ConfigError: there are none.
    """
    photos, _ = photos_below(folder)
    if not photos:
        raise ConfigError(
            f"The folder of backgrounds {folder} holds no photos "
            f"({', '.join(sorted(PHOTO_EXTENSIONS))}). Name a folder with photos of the empty scene."
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
