"""Write OpenVINO files (``.xml`` and ``.bin``) for Intel processors."""

import tempfile
from dataclasses import replace
from pathlib import Path

from bricksight._support.filesystem.native_path import native_path
from bricksight._support.native_log import without_native_notices
from bricksight._support.optional import require
from bricksight.formats.classifier import Classifier
from bricksight.formats.request import Request
from bricksight.formats.tflite import tflite


def write(classifier: Classifier, path: Path, request: Request) -> None:
    """Write the ``.xml`` file ``path`` and the ``.bin`` file with the weights beside it.

    They are converted from the LiteRT file of the same precision. OpenVINO's own quantization to
    int8 (NNCF) agreed less often with the float32 file, and its float16 conversion also rounds the
    small tensors; see ``benchmarks/README.md``.

    Raises:
        ConfigError: The precision is int8, and there are no photos for calibration.
        MissingPackageError: OpenVINO is not installed.
    """
    openvino = require("openvino", extra="openvino", feature="Writing an OpenVINO file")
    content = tflite.convert(classifier, replace(request, io="float32"))
    with (
        tempfile.TemporaryDirectory(prefix="bricksight-") as folder,
        without_native_notices(),
        native_path(path) as writable,
    ):
        file = Path(folder) / "model.tflite"
        file.write_bytes(content)
        openvino.save_model(
            openvino.convert_model(str(file)), str(writable), compress_to_fp16=False
        )
