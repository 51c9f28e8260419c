"""Whether every signature of a written SavedModel answers, given the very files that it takes."""

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
"""Largest difference of a probability. One value in a hundred of the input differs by 1 of 255,
which moved probabilities of hard photos by up to 0.02; a format that is misread moves them more."""

_LONGEST_SIDE = 640


def require_signatures(runtime: Any, proof: ParityReference) -> None:
    """Compare what every signature answers with ``serving_array``, which is compared elsewhere.

    Args:
        runtime: the opened SavedModel.
        proof: one of its photos is saved in each of the formats that are read.

    Raises:
        ExportError: a signature fails, or answers otherwise.
    """
    tf = require_tensorflow()
    files = _files(proof.photos[0])
    arrays = [images.load_input(content, proof.spec) for _, content in files]
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
                    f"The signature {name} of the SavedModel gives other answers for a photo saved "
                    f"as {kind}: probabilities differ by up to {difference:.2g}, {TOLERANCE:.2g} "
                    "is allowed. It was not kept."
                )


def _files(photo: Path) -> list[tuple[str, bytes]]:
    """Return (format, bytes) of a photo in every format that is read."""
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
    """What is called for the first time in this context is run as it is.

    TensorFlow's optimisers would take longer than everything else here.
    """
    optimizer = require_tensorflow().config.optimizer
    before = optimizer.get_experimental_options()
    optimizer.set_experimental_options({**before, "disable_meta_optimizer": True})
    try:
        yield
    finally:
        optimizer.set_experimental_options({"disable_meta_optimizer": False, **before})


def _others(signatures: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is not ``serving_array``, or one more name of another signature."""
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
            f"{_reason(error)} It was not kept."
        ) from error
    row: np.ndarray = np.asarray(output)[0]
    return row


def _reason(error: Any) -> str:
    lines = [line.strip() for line in str(error.message).splitlines() if line.strip()]
    return f"{lines[-1].rstrip('.')}." if lines else type(error).__name__
