"""Write a folder for NVIDIA Jetson boards: model, test photos and classify.py."""

from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from PIL import Image

from bricksight._support.filesystem.files import sha256_of
from bricksight._support.optional import require_tensorflow
from bricksight._support.text import json_text
from bricksight.config import InputSpec
from bricksight.errors import ConfigError, ExportError, ImageError
from bricksight.formats.classifier import Classifier
from bricksight.formats.onnx import onnx
from bricksight.formats.request import Request
from bricksight.images import decode, load_input
from bricksight.images.preprocessing import LETTERBOX_GREY

NUM_GOLDEN = 4
GOLDEN_PIXELS = 640
_JPEG_QUALITY = 95


def write(classifier: Classifier, path: Path, request: Request) -> None:
    """Write the folder ``path``.

    Raises:
        ConfigError: An option is not supported, or a label contains a line break.
        ExportError: No photo can be read for the verification on the board.
        MissingPackageError: tf2onnx or onnx is not installed.
    """
    if (request.precision, request.batch, request.layout) != ("float32", 1, "nchw"):
        raise ConfigError(
            f"The format jetson was requested as {request.precision}, batch "
            f"{request.batch or 'dynamic'}, {request.layout}; it supports only float32, batch 1, "
            "nchw. Leave these options out: classify.py converts to fp16 on the board."
        )
    labels, spec = request.reference.labels, request.reference.spec
    for label in labels:
        if label.splitlines() != [label]:
            raise ConfigError(
                f"The label {label!r} contains a line break, but labels.txt has one label per "
                "line. Rename the class."
            )
    path.mkdir()
    (path / "model.onnx").write_bytes(onnx.convert(classifier, request))
    adapted = onnx.convert(classifier, request, undo_imagenet=True)
    (path / "model.jetson_inference.onnx").write_bytes(adapted)
    # Lines end with \n only: jetson-inference would keep \r as part of the label.
    text = "".join(f"{label}\n" for label in labels)
    (path / "labels.txt").write_text(text, encoding="utf-8", newline="\n")
    threshold: float | None = getattr(request, "unknown_threshold", None)
    described = _preparation(spec, threshold)
    described["model_sha256"] = sha256_of(path / "model.onnx")
    _write_json(path / "preprocess.json", described)
    _write_golden(path / "golden", classifier, request)
    _copy_programs(
        path,
        num_classes=len(labels),
        width=spec.width,
        height=spec.height,
        unknown_threshold=threshold,
    )


def _preparation(spec: InputSpec, unknown_threshold: float | None) -> dict[str, Any]:
    return {
        "height": spec.height,
        "width": spec.width,
        "resize": spec.resize,
        "letterbox_grey": LETTERBOX_GREY,
        "channels": "RGB",
        "range": [0.0, 1.0],
        "layout": "nchw",
        "input": onnx.INPUT,
        "output": onnx.OUTPUT,
        "unknown_threshold": unknown_threshold,
    }


def _write_golden(folder: Path, classifier: Classifier, request: Request) -> None:
    """Save test photos without EXIF data, and the expected probabilities of these files."""
    folder.mkdir()
    tf = require_tensorflow()
    function = classifier.concrete_function()
    said = []
    for number, photo in enumerate(_golden_photos(request), 1):
        path = folder / f"photo_{number}.jpg"
        image = Image.fromarray(decode(photo))
        image.thumbnail((GOLDEN_PIXELS, GOLDEN_PIXELS))
        image.save(path, quality=_JPEG_QUALITY)
        inputs = tf.constant(load_input(path, request.reference.spec)[None])
        (probabilities,) = np.asarray(function(inputs))
        said.append({"file": path.name, "probabilities": [float(value) for value in probabilities]})
    _write_json(folder / "golden.json", {"photos": said})


def _golden_photos(request: Request) -> list[Path]:
    """Return a few photos of different predicted classes, those with probabilities near 0.5.

    Near 0.5, a probability is most sensitive to errors.
    """
    reference = request.reference
    first: dict[int, Path] = {}
    rows = zip(reference.photos, reference.probabilities, strict=True)
    for photo, row in sorted(rows, key=lambda one: abs(float(one[1].max()) - 0.5)):
        try:
            if int(row.argmax()) not in first:
                decode(photo)
                first[int(row.argmax())] = photo
        except ImageError:
            continue
        if len(first) == NUM_GOLDEN:
            break
    if not first:
        raise ExportError(
            "No photo can be read for the verification on the board. Name a folder of photos with "
            "--image_dir."
        )
    return list(first.values())


def _copy_programs(path: Path, **facts: object) -> None:
    source = resources.files("bricksight") / "jetson"
    for name in ("classify.py", "build.sh"):
        (path / name).write_bytes((source / name).read_bytes())
        (path / name).chmod(0o755)
    template = (source / "README.md").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False
    )
    text = environment.from_string(template).render(facts)
    (path / "README.md").write_text(text, encoding="utf-8", newline="\n")


def _write_json(path: Path, content: object) -> None:
    text = json_text(content, indent=1) + "\n"
    path.write_text(text, encoding="utf-8", newline="\n")
