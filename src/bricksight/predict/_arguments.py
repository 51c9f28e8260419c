"""Checks of a ``Predictor``'s arguments; ``bricksight.images`` checks the photos themselves."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from bricksight._support.threads import require_threads
from bricksight.config import InputSpec
from bricksight.errors import ConfigError
from bricksight.images import is_array
from bricksight.predict.runtimes._images import IMAGE_SIZES

_ONE_FILE = (str, bytes, bytearray, memoryview, os.PathLike)


def require_settings(*, threads: Any, trust: Any) -> None:
    """Check the settings of a runtime.

    Raises:
        ConfigError: ``threads`` is not a number of threads, or ``trust`` is not a bool.
    """
    if threads is not None:
        require_count("threads", threads)
    require_threads(threads, name="threads")
    if not isinstance(trust, bool):  # the text "no" would count as true
        raise ConfigError(f"trust is {trust!r}; it must be True or False.")


def require_count(name: str, value: Any) -> None:
    """Check that a value is a whole number of at least 1.

    Raises:
        ConfigError: It is not.
    """
    is_whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not is_whole or value < 1:
        raise ConfigError(f"{name} is {value!r}; it must be a whole number, at least 1.")


def require_several(photos: Any) -> None:
    """Check that a value holds several photos.

    One photo is iterable too, but its characters, bytes or rows are not photos.

    Raises:
        ConfigError: ``photos`` is one photo, or cannot be iterated over.
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
            f"photos is {found}; expected several photos, such as a list of paths or an array of "
            "shape (num_images, height, width, channels). For one photo, call predict."
        )


def input_spec_of_graph(path: Path, found: tuple[int, int] | None, asked: int | None) -> InputSpec:
    """Return the input size of a frozen graph.

    Args:
        path: The graph, for messages.
        found: Height and width that the graph fixes, ``None`` if it accepts any size.
        asked: Height and width that the user gives for a graph that accepts any size; 224 if
            ``None``.

    Raises:
        ConfigError: ``asked`` is not an image size, or the graph fixes another one.
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
            "Leave --input_size out."
        )
    return InputSpec(height=asked, width=asked)
