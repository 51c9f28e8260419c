"""Write a LiteRT (TensorFlow Lite) file: for phones, boards, the Edge TPU and ``predict``."""

from pathlib import Path
from typing import Any

import numpy as np

from bricksight._support.native_log import without_native_notices
from bricksight._support.optional import require_tensorflow
from bricksight.errors import ConfigError, ExportError
from bricksight.formats.classifier import Classifier
from bricksight.formats.request import Request
from bricksight.formats.tflite.bias import correct_biases
from bricksight.formats.tflite.float16 import with_float16
from bricksight.formats.tflite.metadata import with_metadata


def write(classifier: Classifier, path: Path, request: Request) -> None:
    """Write the model to the file ``path``."""
    path.write_bytes(convert(classifier, request))


def convert(classifier: Classifier, request: Request) -> bytes:
    """Convert a classifier to a ``.tflite`` file with labels and preprocessing as metadata.

    Its signature has the input ``image`` and the output ``prediction``, like the SavedModel. An
    int8 file has one scale per channel, value ranges from the calibration photos, and corrected
    biases.

    Raises:
        ConfigError: An option is not supported, or int8 calibration has no photos.
        ExportError: LiteRT does not support an operation of the network, or a layer gives 0 for
            all calibration photos.
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
    return with_metadata(content, request.reference.labels)


def _require_possible(request: Request) -> None:
    if request.io != "float32" and request.precision != "int8":
        raise ConfigError(
            f"--io is {request.io} for a .tflite file with precision {request.precision}, whose "
            "input and output are float32. Choose --precision int8, or --io float32."
        )
    if request.precision == "int8" and request.calibration is None:
        raise ConfigError(
            "A .tflite file with precision int8 needs photos for calibration, and there are none. "
            "Name a folder of photos with --image_dir, or choose another precision."
        )


def _with_batch(classifier: Classifier, batch: int | None) -> Any:
    """Return a ``tf.Module`` whose function ``serve`` has the given batch size.

    LiteRT.js and the Edge TPU compiler need a fixed batch size.
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
            "None of the photos for int8 calibration can be read. Check that their folder still "
            "exists, or choose another precision."
        )
    content = _converted(model, io=request.io, batches=batches)
    return correct_biases(content, reference=_converted(model), batches=batches)


def _batches(request: Request) -> np.ndarray | None:
    """Return calibration photos, float32 (num_batches, batch, height, width, 3); ``None`` if none.

    The last batch is filled up with the first photos.
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
    """Convert ``model.serve`` with TensorFlow's converter.

    Args:
        model: A ``tf.Module``.
        dynamic: Dynamic range quantization: int8 weights, float32 activations.
        io: Type of input and output of an int8 file.
        batches: Calibration photos for full int8 quantization, float32 (num_batches, batch, height,
            width, 3).
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
            "train with another backbone."
        ) from error
    return content
