"""TensorFlow SavedModel: retrain.py's signature, and one that takes encoded photos."""

from pathlib import Path
from typing import Any

from bricksight._native_log import without_native_notices
from bricksight._optional import require_tensorflow
from bricksight.config import InputSpec
from bricksight.export._request import Request
from bricksight.export.classifier import Classifier
from bricksight.images.preprocessing import LETTERBOX_GREY

ENCODED = "serving_bytes"
"""The signature that takes photos as files; ``serving_default`` is retrain.py's, for arrays."""


def write(classifier: Classifier, path: Path, request: Request) -> None:
    """Writes the model to the folder ``path``; TensorFlow Serving takes it as it is."""
    tf = require_tensorflow()
    function = classifier.concrete_function()
    spec = request.proof.spec

    def serve(image: Any) -> dict[str, Any]:
        return {"prediction": function(image)}

    def serve_encoded(image_bytes: Any) -> dict[str, Any]:
        images = tf.map_fn(
            lambda content: _input(content, spec), image_bytes, fn_output_signature=tf.float32
        )
        return serve(tf.ensure_shape(images, (None, spec.height, spec.width, 3)))

    model = tf.Module()
    array = tf.TensorSpec(function.inputs[0].shape, tf.float32, name="image")
    encoded = tf.TensorSpec((None,), tf.string, name="image_bytes")
    model.serve = tf.function(serve, input_signature=[array], autograph=False)
    model.serve_encoded = tf.function(serve_encoded, input_signature=[encoded], autograph=False)
    signatures = {"serving_default": model.serve, ENCODED: model.serve_encoded}
    with without_native_notices():
        tf.saved_model.save(model, str(path), signatures=signatures)


def _input(content: Any, spec: InputSpec) -> Any:
    """Returns a photo as ``images.load_input`` would, as nearly as TensorFlow's operations can."""
    tf = require_tensorflow()
    # PNG and GIF too. Its default way of decoding JPEG is faster, and off by up to 8 of 255.
    pixels = tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE")
    letterbox = spec.resize == "letterbox"
    fitted = tf.image.resize(
        pixels, (spec.height, spec.width), antialias=True, preserve_aspect_ratio=letterbox
    )
    fitted = tf.round(fitted)  # as Pillow, which gives bytes
    if not letterbox:
        return fitted / 255
    # What is padded is 0, and is to be grey.
    padded = tf.image.resize_with_crop_or_pad(fitted - LETTERBOX_GREY, spec.height, spec.width)
    return (padded + LETTERBOX_GREY) / 255
