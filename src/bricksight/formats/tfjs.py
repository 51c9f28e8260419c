"""Write a TensorFlow.js graph model, with a web page that classifies photos."""

import json
import os
import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path
from typing import Any

from bricksight._support.filesystem.disk import reason_in
from bricksight._support.filesystem.native_path import native_path
from bricksight._support.optional import require_installed, require_tensorflow
from bricksight._support.text import json_text
from bricksight.errors import ExportError
from bricksight.formats.classifier import Classifier
from bricksight.formats.request import Request
from bricksight.images.preprocessing import LETTERBOX_GREY

INPUT, OUTPUT = "image", "prediction"
"""Names of input and output, as in the signatures of the SavedModel."""


def write(classifier: Classifier, path: Path, request: Request) -> None:
    """Write the folder ``path``: the model, its labels, and a page that classifies photos.

    The same network gives the same bytes.

    Raises:
        ExportError: the network cannot be converted.
        OSError: the converter cannot write.
        MissingPackageError: the converter is not installed.
    """
    require_installed("tensorflowjs", extra=None, feature="Writing a TensorFlow.js model")
    _convert(classifier, path)
    _describe_signature(classifier, path / "model.json")
    described = {
        "labels": list(request.reference.labels),
        "input": {
            "height": request.reference.spec.height,
            "width": request.reference.spec.width,
            "resize": request.reference.spec.resize,
            "letterbox_grey": LETTERBOX_GREY,
        },
        "unknown_threshold": request.unknown_threshold,
    }
    text = json_text(described, indent=1) + "\n"
    (path / "classifier.json").write_text(text, encoding="utf-8", newline="\n")
    page = resources.files("bricksight") / "tfjs" / "index.html"
    (path / "index.html").write_bytes(page.read_bytes())


def _convert(classifier: Classifier, path: Path) -> None:
    program = resources.files("bricksight") / "tfjs" / "convert.py"
    with (
        tempfile.TemporaryDirectory(prefix="bricksight-") as folder,
        resources.as_file(program) as script,
        native_path(path) as writable,
    ):
        graph = Path(folder) / "graph.pb"
        graph.write_bytes(_without_second_entrance(classifier))
        done = subprocess.run(
            [sys.executable, str(script), str(graph), classifier.output_layer, str(writable)],
            # Without GPU: it is not needed, and a training may use all of its memory.
            env=os.environ | {"CUDA_VISIBLE_DEVICES": "-1", "PYTHONUTF8": "1"},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    if done.returncode and (of_the_disk := reason_in(done.stderr)) is not None:
        raise OSError(*of_the_disk)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise ExportError(
            f"The network cannot be converted for TensorFlow.js: {reason}. Choose another format, "
            "or train with another backbone."
        )


def _without_second_entrance(classifier: Classifier) -> bytes:
    """Return the graph without the placeholder for features, which the converter refuses."""
    tf = require_tensorflow()
    graph_def = tf.compat.v1.GraphDef.FromString(classifier.graph_def_bytes)
    for node in graph_def.node:
        if node.op == "PlaceholderWithDefault":
            node.op = "Identity"
            node.attr["T"].type = node.attr["dtype"].type
            del node.attr["dtype"], node.attr["shape"]
    content: bytes = graph_def.SerializeToString(deterministic=True)
    return content


def _describe_signature(classifier: Classifier, path: Path) -> None:
    """Add the signature, which the converter omits, to model.json and sort its keys."""
    function = classifier.concrete_function()
    model = json.loads(path.read_bytes())
    model["signature"] = {
        "inputs": {INPUT: _tensor_info(function.inputs[0])},
        "outputs": {OUTPUT: _tensor_info(function.outputs[0])},
    }
    path.write_text(json.dumps(model, sort_keys=True), encoding="utf-8", newline="\n")


def _tensor_info(tensor: Any) -> dict[str, Any]:
    sizes = [{"size": str(-1 if size is None else size)} for size in tensor.shape]
    return {"name": tensor.name, "dtype": "DT_FLOAT", "tensorShape": {"dim": sizes}}
