"""LiteRT, formerly TensorFlow Lite: phones, boards, the Edge TPU, and our own ``predict``."""

from pathlib import Path
from typing import Any

import numpy as np

from bricksight._native_log import without_native_notices
from bricksight._optional import require_tensorflow
from bricksight.errors import ConfigError, ExportError
from bricksight.export._request import Request
from bricksight.export._tflite_bias import corrected
from bricksight.export._tflite_metadata import with_metadata
from bricksight.export.classifier import Classifier

_PHOTOS_FOR_BIASES = 32
"""More than 16 photos changed nothing that could be measured; each costs a run a layer."""


def write(classifier: Classifier, path: Path, request: Request) -> None:
    """Writes the model to the file ``path``."""
    path.write_bytes(convert(classifier, request))


def convert(classifier: Classifier, request: Request) -> bytes:
    """Returns a ``.tflite`` file with the labels and the preparation of photos as its metadata.

    Its one signature goes from ``image`` to ``prediction``, as that of the SavedModel does. An int8
    file has a scale for every channel of the weights, ranges read from the calibration photos, and
    corrected biases.

    Raises:
        ConfigError: the request asks for what such a file does not have, or lacks photos.
        ExportError: the network has an operation that LiteRT does not have.
    """
    _require_possible(request)
    model = _with_batch(classifier, request.batch)
    if request.precision == "int8":
        content = _int8(model, request)
    else:
        content = _converted(model, precision=request.precision)
    return with_metadata(content, request.proof.labels)


def _require_possible(request: Request) -> None:
    if request.io != "float32" and request.precision != "int8":
        raise ConfigError(
            f"A .tflite file of precision {request.precision} takes and gives float32; it was "
            f"asked for as {request.io}. Choose precision int8, or float32 input and output."
        )
    if request.precision == "int8" and request.calibration is None:
        raise ConfigError(
            "A .tflite file of precision int8 needs training photos to read the ranges of its "
            "values from, and there are none. Give them, or choose another precision."
        )


def _with_batch(classifier: Classifier, batch: int | None) -> Any:
    """Returns a ``tf.Module`` whose function ``serve`` takes ``batch`` images at a time.

    A size that is fixed is one that LiteRT.js and the compiler for the Edge TPU ask for.
    """
    tf = require_tensorflow()
    graph_def = tf.compat.v1.GraphDef.FromString(classifier.graph_def_bytes)

    def serve(image: Any) -> dict[str, Any]:
        (prediction,) = tf.graph_util.import_graph_def(
            graph_def,
            input_map={f"{classifier.input_layer}:0": image},
            return_elements=[f"{classifier.output_layer}:0"],
            name="",
        )
        return {"prediction": prediction}

    size = classifier.concrete_function().inputs[0].shape[1:].as_list()
    signature = tf.TensorSpec((batch, *size), tf.float32, name="image")
    model = tf.Module()
    model.serve = tf.function(serve, input_signature=[signature], autograph=False)
    return model


def _int8(model: Any, request: Request) -> bytes:
    photos = request.calibration() if request.calibration is not None else np.empty(0)
    if not len(photos):
        raise ConfigError(
            "None of the training photos could be read, but precision int8 reads the ranges of its "
            "values from them. Check that their folder is still there, or choose another precision."
        )
    content = _converted(
        model, precision="int8", io=request.io, batches=_in_batches(photos, request.batch or 1)
    )
    return corrected(
        content,
        reference=_converted(model, precision="float32"),
        batches=_in_batches(photos[:_PHOTOS_FOR_BIASES], request.batch or 1),
    )


def _in_batches(photos: np.ndarray, size: int) -> np.ndarray:
    """Returns (num_batches, size, height, width, 3), the last one filled up from the first."""
    return np.resize(photos, (-(-len(photos) // size), size, *photos.shape[1:]))


def _converted(
    model: Any, *, precision: str, io: str = "float32", batches: np.ndarray | None = None
) -> bytes:
    """Returns what TensorFlow's converter makes of ``model.serve``.

    Args:
        model: a ``tf.Module``.
        precision: see ``Request``.
        io: see ``Request``.
        batches: for int8, float32 (num_batches, batch, height, width, 3).
    """
    tf = require_tensorflow()
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [model.serve.get_concrete_function()], model
    )
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if batches is not None:
        converter.representative_dataset = lambda: ([batch] for batch in batches)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.as_dtype(io)
    try:
        with without_native_notices():
            content: bytes = converter.convert()
    except Exception as error:
        if type(error).__name__ != "ConverterError":
            raise
        reason = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise ExportError(
            f"The network cannot be converted for LiteRT: {reason}. Choose another format, or "
            "train on another module."
        ) from error
    return content
