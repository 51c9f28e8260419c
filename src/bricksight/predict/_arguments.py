"""What callers of a ``Predictor`` may give, besides the photos themselves."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from bricksight.config import InputSpec
from bricksight.errors import ConfigError
from bricksight.images import is_array
from bricksight.predict.runtimes._images import IMAGE_SIZES

_ONE_FILE = (str, bytes, bytearray, memoryview, os.PathLike)


def require_count(name: str, value: Any) -> None:
    """Refuses what is no whole number from 1 on.

    Raises:
        ConfigError: ``value`` is something else.
    """
    is_whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not is_whole or value < 1:
        raise ConfigError(f"{name} is {value!r}; it must be a whole number, at least 1.")


def require_several(photos: Any) -> None:
    """Refuses one photo where several are expected: its letters, lines or rows are no photos.

    Raises:
        ConfigError: ``photos`` is one photo, or nothing to iterate over.
    """
    if is_array(photos):
        array = np.asarray(photos)
        found = f"an array of shape {array.shape}"
        several = array.ndim == 4 or (array.ndim == 1 and array.dtype.kind in "OSU")  # of paths
    else:
        found = "None" if photos is None else f"one object of type {type(photos).__name__}"
        is_file = isinstance(photos, _ONE_FILE) or hasattr(photos, "read")
        several = isinstance(photos, Iterable) and not is_file
    if not several:
        raise ConfigError(
            f"The photos are {found}; expected several photos, such as a list of paths, or one "
            "array of shape (num_images, height, width, channels). predict takes one photo."
        )


def spec_of_graph(path: Path, found: tuple[int, int] | None, asked: int | None) -> InputSpec:
    """Returns the input of a graph: what it says itself, and where it is open what is asked.

    Raises:
        ConfigError: the two differ.
    """
    if asked is None:
        height, width = found or (224, 224)
        return InputSpec(height=height, width=width)
    if isinstance(asked, bool) or not isinstance(asked, int) or asked not in IMAGE_SIZES:
        raise ConfigError(
            f"--input_size is {asked!r}; it must be a whole number from {IMAGE_SIZES.start} to "
            f"{IMAGE_SIZES.stop - 1}."
        )
    if found is not None and found != (asked, asked):
        raise ConfigError(
            f"--input_size is {asked}, but {path} takes images of {found[0]} x {found[1]} pixels. "
            "Leave it out."
        )
    return InputSpec(height=asked, width=asked)
