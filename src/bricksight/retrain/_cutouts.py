"""Where the parts of photos are: from masks."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from bricksight import images
from bricksight._text import counted
from bricksight._threads import in_threads, num_cores
from bricksight.config import InputSpec, SourceConfig
from bricksight.dataset import Record
from bricksight.errors import ConfigError, ImageError
from bricksight.images import Backgrounds, Cutouts
from bricksight.retrain._progress import Stopwatch

_LOGGER = logging.getLogger(__name__)

_LONGEST_SIDE = 512
"""Masks and backgrounds are kept at most so large: networks take less."""

_PART = 128
"""From this value on a pixel of a mask counts as part."""


def find_cutouts(
    records: Sequence[Record], source: SourceConfig, watch: Stopwatch
) -> Cutouts | None:
    """Returns the masks of photos and what is put behind the parts; ``None`` if it is not wanted.

    Photos without a mask, or whose mask shows nothing or everything, keep their background, and a
    warning says how many do.

    Args:
        records: the photos.
        source: where masks and backgrounds are.
        watch: shows and times the work.

    Raises:
        ConfigError: there is no mask of any photo, a mask or a background cannot be read, or a mask
            is not of its photo's size.
    """
    if not source.cuts_out:
        return None
    photos = () if source.backgrounds is None else images.find_backgrounds(source.backgrounds)
    backgrounds = Backgrounds(
        percent=source.replace_background, photos=tuple(map(_read_small, photos))
    )
    with (
        watch.stage("Finding the parts", len(records)) as advance,
        in_threads(_Finder(source).mask_of, records, num_threads=num_cores()) as found,
    ):
        masks = {}
        for record, mask in zip(records, found, strict=True):
            masks[record] = mask
            advance(1)
    useful = {
        record.path: images.encode_mask(mask)
        for record, mask in masks.items()
        if mask is not None and (mask >= _PART).any() and not (mask >= _PART).all()
    }
    _tell(masks, len(useful), source)
    return Cutouts(masks=useful, backgrounds=backgrounds)


class _Finder:
    """Says where the part of a photo is."""

    def __init__(self, source: SourceConfig) -> None:
        self._masks = source.masks
        if source.masks is not None and not source.masks.is_dir():
            raise ConfigError(
                f"--masks {source.masks} is no folder. Expected one with a PNG for each photo: "
                "red/1.png for red/1.jpg, 255 where the part is."
            )

    def mask_of(self, record: Record) -> np.ndarray | None:
        """Returns the mask, uint8 (height, width), ``None`` if there is none."""
        if self._masks is None:
            return None
        path = self._masks / PurePosixPath(record.relative_path).with_suffix(".png")
        if not path.is_file():
            return None
        _require_size(path, record, "--masks")
        return _read_small(path)[..., 0]


def _require_size(path: Path, record: Record, option: str) -> None:
    """Refuses a picture that cannot lie on the photo, pixel by pixel."""
    found, expected = _size_of(path), _size_of(record.path)
    if found != expected:
        raise ConfigError(
            f"{option}: {path} is {found} pixels and the photo {record.path} is {expected}. They "
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
    height, width = pixels.shape[:2]
    scale = _LONGEST_SIDE / max(height, width)
    if scale >= 1:
        return pixels
    spec = InputSpec(height=max(8, round(height * scale)), width=max(8, round(width * scale)))
    return images.to_pixels(pixels, spec)


def _tell(masks: Mapping[Record, np.ndarray | None], num_useful: int, source: SourceConfig) -> None:
    """Says how many photos keep their background, and why; refuses it if all would."""
    num_without = sum(mask is None for mask in masks.values())
    reasons = [
        f"{counted(number, 'photo')} {reason}"
        for number, reason in (
            (num_without, f"without a mask in {source.masks}"),
            (len(masks) - num_without - num_useful, "whose mask shows nothing or everything"),
        )
        if number
    ]
    found = " and ".join(reasons)
    if not num_useful:
        raise ConfigError(
            f"There is no part to put before another background: {found}. Expected, for the photo "
            "red/1.jpg, the mask red/1.png, 255 where the part is and 0 elsewhere."
        )
    if reasons:
        _LOGGER.warning(
            "%s: they keep their background. That of %s is replaced.",
            found,
            counted(num_useful, "photo"),
        )
