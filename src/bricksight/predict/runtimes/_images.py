"""How a model file takes images: the order of its dimensions, its size, its type."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bricksight.errors import BundleError

IMAGE_SIZES = range(8, 4097)
"""Rows and columns of images, as ``InputSpec`` takes them."""

_WHITE = 255
_EXPECTED = "expected (num_images, height, width, 3) or (num_images, 3, height, width)"


@dataclass(frozen=True)
class ImageInput:
    """The input of a model file.

    Attributes:
        batch: How many images it takes at a time, ``None`` if any number.
        size: Height and width, ``None`` if any.
        channels_first: Whether it takes (num_images, 3, height, width).
        dtype: Of its values.
        scale: What values from 0 to 1 are multiplied by; 255 for uint8.
        offset: What is added to them afterwards.
    """

    batch: int | None
    size: tuple[int, int] | None
    channels_first: bool
    dtype: np.dtype[Any]
    scale: float = 1
    offset: float = 0

    def values(self, images: np.ndarray) -> np.ndarray:
        """Returns the images as the file takes them.

        Args:
            images: float32 (num_images, height, width, 3), RGB, in [0, 1].
        """
        if (self.scale, self.offset) != (1, 0):
            images = images * np.float32(self.scale) + np.float32(self.offset)
        if self.dtype == np.uint8:
            images = np.rint(images)
        if self.channels_first:
            images = images.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(images, self.dtype)

    def run(self, function: Callable[[np.ndarray], Any], images: np.ndarray) -> np.ndarray:
        """Returns the outputs of ``function``, which takes as many images as the file does.

        Args:
            function: takes values, gives an array with one row an image.
            images: float32 (num_images, height, width, 3), RGB, in [0, 1].
        """
        step = self.batch or max(len(images), 1)
        outputs = []
        for start in range(0, len(images), step):
            part = images[start : start + step]
            missing = [(0, step - len(part)), (0, 0), (0, 0), (0, 0)]
            full = np.pad(part, missing) if len(part) < step else part
            outputs.append(np.asarray(function(self.values(full)))[: len(part)])
        return outputs[0] if len(outputs) == 1 else np.concatenate(outputs)


def image_input(path: Path, shape: Sequence[int | None] | None, dtype: Any) -> ImageInput:
    """Returns how a file takes images.

    Args:
        path: the file, for messages.
        shape: of its input, ``None`` for what is open; ``None`` if nothing is known of it.
        dtype: of its values, or the name of what is no type of NumPy's.

    Raises:
        BundleError: what it takes is no batch of RGB images.
    """
    kind = _dtype_of(path, dtype)
    batch, *sides = _shape_of_images(path, shape)
    channels_first = sides[0] == 3 and sides[2] != 3
    height, width = sides[1:] if channels_first else sides[:2]
    for side in (height, width):
        if side is not None and side not in IMAGE_SIZES:
            raise BundleError(
                f"{path} takes images of {height} x {width} pixels; expected "
                f"{IMAGE_SIZES.start} to {IMAGE_SIZES.stop - 1} a side."
            )
    return ImageInput(
        batch=batch,
        size=(height, width) if height and width else None,
        channels_first=channels_first,
        dtype=kind,
        scale=_WHITE if kind == np.uint8 else 1,
    )


def _shape_of_images(path: Path, shape: Sequence[int | None] | None) -> Sequence[int | None]:
    if shape is None:
        return (None, None, None, 3)
    found = tuple(shape)
    if len(found) != 4 or (found[3] not in (3, None) and found[1] != 3):
        described = ", ".join("any" if size is None else str(size) for size in found)
        raise BundleError(f"{path} takes an input of shape ({described}); {_EXPECTED}.")
    return found


def _dtype_of(path: Path, dtype: Any) -> "np.dtype[Any]":
    try:
        kind: np.dtype[Any] = np.dtype(dtype)
    except TypeError:
        kind = np.dtype(object)
    if kind.kind != "f" and kind != np.uint8:
        name = dtype if isinstance(dtype, str) else getattr(dtype, "__name__", dtype)
        raise BundleError(
            f"{path} takes values of type {name}; expected the pixels of images: floating point "
            "from 0 to 1, or uint8 from 0 to 255."
        )
    return kind


def only(path: Path, what: str, found: Sequence[Any], name: Callable[[Any], str]) -> Any:
    """Returns the one input or output of a file.

    Args:
        path: the file, for the message.
        what: "input" or "output".
        found: all there are.
        name: what one of them is called.

    Raises:
        BundleError: there is none, or more than one.
    """
    if len(found) != 1:
        names = f" ({', '.join(map(name, found))})" if found else ""
        raise BundleError(
            f"{path} has {len(found)} {what}s{names}; a classifier of photos has one input and one "
            "output. Export the model again with these alone."
        )
    return found[0]
