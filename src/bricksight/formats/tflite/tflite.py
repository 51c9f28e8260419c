"""LiteRT, formerly TensorFlow Lite: phones, boards, the Edge TPU, and our own ``predict``."""

from pathlib import Path
from typing import Any

import numpy as np

from bricksight._support.native_log import without_native_notices
from bricksight._support.optional import require_tensorflow
from bricksight.errors import ConfigError, ExportError
from bricksight.formats.classifier import Classifier
from bricksight.formats.request import Request
from bricksight.formats.tflite.bias import corrected
from bricksight.formats.tflite.float16 import with_float16
from bricksight.formats.tflite.metadata import with_metadata


def write(classifier: Classifier, path: Path, request: Request) -> None:
    """Write the model to the file ``path``."""
    path.write_bytes(convert(classifier, request))


def convert(classifier: Classifier, request: Request) -> bytes:
    """Return a ``.tflite`` file with the labels and the preparation of photos as its metadata.

    Its one signature goes from ``image`` to ``prediction``, as that of the SavedModel does. An int8
    file has a scale for every channel of the weights, ranges read from the calibration photos, and
    corrected biases.

    Raises:
        ConfigError: the request asks for what such a file does not have, or lacks photos.
        ExportError: the network has an operation that LiteRT does not have, or a layer that gives
            0 for all photos that the ranges of values are read from.
    """
    _require_possible(request)
    model = _with_batch(classifier, request.batch)
    match request.precision:
        case "int8":
            content = _int8(model, request)
        case "float16":
            batches = _batches(request)
            content = with_float16(_converted(model), batches)
        case precision:
            content = _converted(model, dynamic=precision == "dynamic")
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
    """Return a ``tf.Module`` whose function ``serve`` takes ``batch`` images at a time.

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

    (entrance,) = (node for node in graph_def.node if node.name == classifier.input_layer)
    _, *size = tf.TensorShape(entrance.attr["shape"].shape).as_list()
    signature = tf.TensorSpec((batch, *size), tf.float32, name="image")
    model = tf.Module()
    model.serve = tf.function(serve, input_signature=[signature], autograph=False)
    return model


def _int8(model: Any, request: Request) -> bytes:
    batches = _batches(request)
    if batches is None:
        raise ConfigError(
            "None of the training photos could be read, but precision int8 reads the ranges of its "
            "values from them. Check that their folder is still there, or choose another precision."
        )
    content = _converted(model, io=request.io, batches=batches)
    return corrected(content, reference=_converted(model), batches=batches)


def _batches(request: Request) -> np.ndarray | None:
    """Return training photos as float32 (num_batches, batch, height, width, 3), if there are any.

    The last batch is filled up from the first photos.
    """
    photos = request.calibration() if request.calibration is not None else np.empty(0)
    size = request.batch or 1
    shape = (-(-len(photos) // size), size, *photos.shape[1:])
    return np.resize(photos, shape) if len(photos) else None


def _converted(
    model: Any,
    *,
    dynamic: bool = False,
    io: str = "float32",
    batches: np.ndarray | None = None,
) -> bytes:
    """Return what TensorFlow's converter makes of ``model.serve``.

    Args:
        model: a ``tf.Module``.
        dynamic: whether weights are to be int8 and arithmetic float32.
        io: type of input and output of an int8 file.
        batches: for int8 arithmetic, photos, float32 (num_batches, batch, height, width, 3).
    """
    tf = require_tensorflow()
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [model.serve.get_concrete_function()], model
    )
    if dynamic or batches is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
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
