"""Find the foreground masks of photos: from files, or by comparison with the empty scene."""

import logging
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from bricksight import images
from bricksight._support.progress import Progress
from bricksight._support.text import pluralize
from bricksight._support.threads import num_cores, thread_map
from bricksight.config import DataConfig, InputSpec
from bricksight.dataset import Example
from bricksight.errors import ConfigError, ImageError
from bricksight.images import Backgrounds, ForegroundMasks

_LOGGER = logging.getLogger(__name__)

_LONGEST_SIDE = 512
"""Longest side of masks and backgrounds in memory, in pixels: backbones take less."""

_EXPECTED = (
    "Expected, for the photo red/1.jpg, the mask red/1.png, 255 on the object and 0 elsewhere; "
    "or a photo of the empty scene that the same camera took from the same place."
)

_FOREGROUND = 128
"""Smallest value of a foreground pixel in a mask."""


def find_foreground_masks(
    examples: Sequence[Example], source: DataConfig, progress: Progress
) -> ForegroundMasks | None:
    """Return masks and backgrounds for augmentation, ``None`` if the settings ask for none.

    Photos without a mask, or whose mask is all foreground or none, keep their background; a
    warning tells how many.

    Args:
        examples: the photos.
        source: names masks, empty scene and backgrounds.
        progress: follows the work.

    Raises:
        ConfigError: no photo has a useful mask, an image cannot be read, or a mask or the empty
            scene does not have the size of a photo.
    """
    if not source.cuts_out:
        return None
    photos = () if source.background_dir is None else images.find_backgrounds(source.background_dir)
    backgrounds = Backgrounds(
        percent=source.replace_background, photos=tuple(map(_read_small, photos))
    )
    masks: list[bytes | None] = []
    with (
        progress.stage("Finding foreground masks", len(examples)) as advance,
        thread_map(_Finder(source).encoded, examples, num_threads=num_cores()) as found,
    ):
        for mask in found:
            masks.append(mask)
            advance(1)
    _tell(masks, source)
    useful = {example.path: mask for example, mask in zip(examples, masks, strict=True) if mask}
    return ForegroundMasks(masks=useful, backgrounds=backgrounds)


class _Finder:
    """Finds the foreground mask of one photo."""

    def __init__(self, source: DataConfig) -> None:
        self._masks, self._empty = source.mask_dir, source.empty_scene
        if source.mask_dir is not None and not source.mask_dir.is_dir():
            raise ConfigError(
                f"--mask_dir {source.mask_dir} is no folder. Expected one with a PNG for each "
                "photo: red/1.png for red/1.jpg, 255 on the object."
            )
        self._scene = None if self._empty is None else _read_small(self._empty)

    def encoded(self, example: Example) -> bytes | None:
        """Return the encoded mask; empty if it is all or no foreground, ``None`` without one."""
        mask = self._mask_of(example)
        if mask is None:
            return None
        is_part = mask >= _FOREGROUND
        return images.encode_mask(mask) if is_part.any() and not is_part.all() else b""

    def _mask_of(self, example: Example) -> np.ndarray | None:
        if self._masks is not None:
            path = self._masks / PurePosixPath(example.relative_path).with_suffix(".png")
            if path.is_file():
                _require_size(path, example, "--mask_dir")
                return _read_small(path)[..., 0]
        if self._empty is None or self._scene is None:
            return None
        _require_size(self._empty, example, "--empty_scene")
        photo, (height, width) = _read_small(example.path), self._scene.shape[:2]
        if photo.shape != self._scene.shape:  # decoding a JPEG at a reduced scale rounds its size
            photo = images.to_pixels(photo, InputSpec(height=height, width=width))
        return images.foreground_mask(photo, self._scene)


def _require_size(path: Path, example: Example, option: str) -> None:
    """Refuse an image whose pixels do not correspond to those of the photo."""
    found, expected = _size_of(path), _size_of(example.path)
    if found != expected:
        raise ConfigError(
            f"{option}: {path} is {found} pixels and the photo {example.path} is {expected}. They "
            "must be of the same size, and show the same."
        )


def _size_of(path: Path) -> str:
    try:
        probe = images.probe(path)
    except ImageError as error:
        raise ConfigError(f"{path}: {error}") from error
    return f"{probe.width} x {probe.height}"


def _read_small(path: Path) -> np.ndarray:
    try:
        pixels = images.decode(path, min_size=_LONGEST_SIDE)
    except ImageError as error:
        raise ConfigError(f"{path}: {error}") from error
    return images.shrink(pixels, _LONGEST_SIDE / max(pixels.shape[:2]))


def _tell(masks: Sequence[bytes | None], source: DataConfig) -> None:
    """Warn of photos that keep their background; refuse it if all would."""
    num_useful, num_without = sum(map(bool, masks)), masks.count(None)
    useless = []
    if source.mask_dir is not None:
        useless.append("whose mask shows nothing or everything")
    if source.empty_scene is not None:
        useless.append(f"that differ nowhere or everywhere from {source.empty_scene}")
    reasons = [
        f"{pluralize(number, 'photo')} {reason}"
        for number, reason in (
            (num_without, f"without a mask in {source.mask_dir}"),
            (len(masks) - num_without - num_useful, " or ".join(useless)),
        )
        if number
    ]
    found = " and ".join(reasons)
    if not num_useful:
        raise ConfigError(
            f"There is no object to put before another background: {found}. {_EXPECTED}"
        )
    if reasons:
        _LOGGER.warning(
            "%s: they keep their background. That of %s is replaced.",
            found,
            pluralize(num_useful, "photo"),
        )
