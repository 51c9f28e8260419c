"""Verify every signature of a SavedModel with files of each supported format."""

import contextlib
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bricksight import images
from bricksight._support.optional import require_tensorflow
from bricksight.errors import ExportError
from bricksight.formats.saved_model.photo_decoding import FORMATS
from bricksight.formats.verification import ParityReference

TOLERANCE = 0.1
"""Largest allowed difference of a probability.

One input value in a hundred differs by 1 of 255, which changed probabilities of difficult photos by
up to 0.02. Decoding errors change them more.
"""

_LONGEST_SIDE = 640


def require_signatures(runtime: Any, reference: ParityReference) -> None:
    """Compare every signature with ``serving_array``, which is verified against the reference.

    Args:
        runtime: The opened SavedModel.
        reference: Its first photo is saved in each supported format.

    Raises:
        ExportError: A signature fails, or its probabilities differ.
    """
    tf = require_tensorflow()
    files = _files(reference.photos[0])
    arrays = [images.load_input(content, reference.spec) for _, content in files]
    expected = [runtime.run(array[None])[0] for array in arrays]
    for name, function in _others(runtime.signatures).items():
        (spec,) = function.structured_input_signature[1].values()
        given = [content for _, content in files] if spec.dtype == tf.string else arrays
        for (kind, _), one, wanted in zip(files, given, expected, strict=True):
            with _unoptimised():
                found = _answer(name, function, one, kind)
            difference = float(np.abs(found - wanted).max())
            if not difference <= TOLERANCE:
                raise ExportError(
                    f"The signature {name} of the SavedModel differs from the trained model for a "
                    f"photo saved as {kind}: probabilities differ by up to {difference:.2g}; "
                    f"{TOLERANCE:.2g} is allowed. The SavedModel was not kept."
                )


def _files(photo: Path) -> list[tuple[str, bytes]]:
    """Return a photo saved in every supported format, as (format, bytes)."""
    image = Image.fromarray(images.decode(photo, min_size=_LONGEST_SIDE))
    image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    files = [(kind, _saved(image, kind)) for kind in FORMATS]
    turned = image.transpose(Image.Transpose.ROTATE_180)
    animated = _saved(image, "GIF", save_all=True, append_images=[turned])
    return [*files, ("animated GIF", animated)]


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@contextlib.contextmanager
def _unoptimised() -> Iterator[None]:
    """Disable TensorFlow's graph optimizers for functions that are first called in the block.

    They would take longer than the rest of the verification.
    """
    optimizer = require_tensorflow().config.optimizer
    before = optimizer.get_experimental_options()
    optimizer.set_experimental_options({**before, "disable_meta_optimizer": True})
    try:
        yield
    finally:
        optimizer.set_experimental_options({"disable_meta_optimizer": False, **before})


def _others(signatures: Mapping[str, Any]) -> dict[str, Any]:
    """Return the signatures other than ``serving_array``, without duplicates."""
    found: dict[tuple[str, ...], str] = {}
    for name in sorted(signatures, key="serving_array".__ne__):
        operations = signatures[name].graph.get_operations()  # one of them calls the function
        found.setdefault(tuple(str(one.node_def) for one in operations), name)
    return {name: signatures[name] for name in found.values() if name != "serving_array"}


def _answer(name: str, function: Any, given: Any, kind: str) -> np.ndarray:
    """Return the probabilities of one photo, float32 (num_classes,).

    Raises:
        ExportError: the function fails.
    """
    tf = require_tensorflow()
    (argument,) = function.structured_input_signature[1]
    try:
        (output,) = function(**{argument: tf.constant([given])}).values()
    except tf.errors.OpError as error:
        raise ExportError(
            f"The signature {name} of the SavedModel fails for a photo saved as {kind}: "
            f"{_reason(error)} The SavedModel was not kept."
        ) from error
    row: np.ndarray = np.asarray(output)[0]
    return row


def _reason(error: Any) -> str:
    lines = [line.strip() for line in str(error.message).splitlines() if line.strip()]
    return f"{lines[-1].rstrip('.')}." if lines else type(error).__name__
