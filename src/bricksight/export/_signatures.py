"""Whether every signature of a written SavedModel answers, given the very files that it takes."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bricksight import images
from bricksight._optional import require_tensorflow
from bricksight.errors import ExportError
from bricksight.export._photo_decoding import FORMATS
from bricksight.export._proof import Proof

TOLERANCE = 0.1
"""Largest difference of a probability. One value in a hundred of the input differs by 1 of 255,
which moved probabilities of hard photos by up to 0.02; a format that is misread moves them more."""

_NUM_PHOTOS = 3
_LONGEST_SIDE = 640


def require_signatures(runtime: Any, proof: Proof) -> None:
    """Compares what every signature answers with ``serving_array``, which is compared elsewhere.

    Args:
        runtime: the opened SavedModel.
        proof: its photos are given as they are, and saved in each of the formats that are read.

    Raises:
        ExportError: a signature fails, or answers otherwise.
    """
    tf = require_tensorflow()
    files = _files(proof.photos)
    arrays = np.stack([images.load_input(content, proof.spec) for _, content in files])
    expected = runtime.run(arrays)
    for name, function in runtime.signatures.items():
        ((argument, spec),) = function.structured_input_signature[1].items()
        takes_files = spec.dtype == tf.string
        for row, (kind, content) in enumerate(files):
            given = tf.constant([content]) if takes_files else tf.constant(arrays[row : row + 1])
            try:
                found = _only(function(**{argument: given}))
            except tf.errors.OpError as error:
                raise ExportError(
                    f"The signature {name} of the SavedModel fails for a photo saved as {kind}: "
                    f"{_reason(error)} It was not kept."
                ) from error
            difference = float(np.abs(found - expected[row]).max())
            if not difference <= TOLERANCE:
                raise ExportError(
                    f"The signature {name} of the SavedModel gives other answers for a photo saved "
                    f"as {kind}: probabilities differ by up to {difference:.2g}, {TOLERANCE:.2g} "
                    "is allowed. It was not kept."
                )


def _files(photos: Sequence[Path]) -> list[tuple[str, bytes]]:
    """Returns (format, bytes) of photos in every format that is read."""
    files = []
    for photo in photos[:: max(1, len(photos) // _NUM_PHOTOS)][:_NUM_PHOTOS]:
        image = Image.fromarray(images.decode(photo, min_size=_LONGEST_SIDE))
        image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
        for kind in FORMATS:
            file = io.BytesIO()
            image.save(file, kind)
            files.append((kind, file.getvalue()))
        animated = io.BytesIO()
        turned = image.transpose(Image.Transpose.ROTATE_180)
        image.save(animated, "GIF", save_all=True, append_images=[turned])
        files.append(("animated GIF", animated.getvalue()))
    return files


def _only(outputs: Mapping[str, Any]) -> np.ndarray:
    (output,) = outputs.values()
    row: np.ndarray = np.asarray(output)[0]
    return row


def _reason(error: Any) -> str:
    lines = [line.strip() for line in str(error.message).splitlines() if line.strip()]
    return f"{lines[-1].rstrip('.')}." if lines else type(error).__name__
