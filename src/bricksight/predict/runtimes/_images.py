"""The input of a model file: layout, size and dtype of images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bricksight.errors import BundleError

IMAGE_SIZES = range(8, 4097)
"""Allowed height and width of images, as in ``InputSpec``."""

_WHITE = 255
_EXPECTED = "expected (num_images, height, width, 3) or (num_images, 3, height, width)"


@dataclass(frozen=True)
class ImageInput:
    """The input of a model file.

    Attributes:
        batch: Number of images in a batch, ``None`` if any.
        size: Height and width, ``None`` if any.
        channels_first: Whether the layout is (num_images, 3, height, width).
        dtype: Dtype of the pixels.
        scale: Factor for pixels from 0 to 1; 255 for uint8.
        offset: Added to the pixels after that.
    """

    batch: int | None
    size: tuple[int, int] | None
    channels_first: bool
    dtype: np.dtype[Any]
    scale: float = 1
    offset: float = 0

    def values(self, images: np.ndarray) -> np.ndarray:
        """Convert images to the range, dtype and layout of the input.

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
        """Call ``function`` with batches of the input's size and return its outputs.

        Args:
            function: Takes the values of a batch; returns an array with one row for each image.
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
    """Return the input of a file, from its shape and dtype.

    Args:
        path: The file, for messages.
        shape: Shape of the input, with ``None`` for dimensions of any size; ``None`` if unknown.
        dtype: Dtype of the input, or its name if NumPy has no such dtype.

    Raises:
        BundleError: The input is not a batch of RGB images.
    """
    kind = _dtype_of(path, dtype)
    batch, *sides = _shape_of_images(path, shape)
    channels_first = sides[0] == 3 and sides[2] != 3
    height, width = sides[1:] if channels_first else sides[:2]
    for side in (height, width):
        if side is not None and side not in IMAGE_SIZES:
            raise BundleError(
                f"{path} takes images of {height} x {width} pixels; expected a height and width "
                f"from {IMAGE_SIZES.start} to {IMAGE_SIZES.stop - 1}."
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
            f"{path} takes values of type {name}; expected pixels: floating point from 0 to 1, or "
            "uint8 from 0 to 255."
        )
    return kind


def only(path: Path, what: str, found: Sequence[Any], name: Callable[[Any], str]) -> Any:
    """Return the only input or output of a file.

    Args:
        path: The file, for messages.
        what: "input" or "output".
        found: All inputs or outputs of the file.
        name: Returns the name of one of them.

    Raises:
        BundleError: There is none, or more than one.
    """
    if len(found) != 1:
        names = f" ({', '.join(map(name, found))})" if found else ""
        raise BundleError(
            f"{path} has {len(found)} {what}s{names}; expected one input, for images, and one "
            "output, for probabilities. Export the model again with only these."
        )
    return found[0]
