"""Write a TensorFlow SavedModel with signatures for image files and for arrays."""

from pathlib import Path
from typing import Any

from bricksight._support.filesystem.native_path import native_path
from bricksight._support.native_log import without_native_notices
from bricksight._support.optional import require_tensorflow
from bricksight.config import InputSpec
from bricksight.formats.classifier import Classifier
from bricksight.formats.request import Request
from bricksight.formats.saved_model.names import name_functions_by_order
from bricksight.formats.saved_model.photo_decoding import decode_photo
from bricksight.images.preprocessing import LETTERBOX_GREY, decoding_size

BYTES, ARRAY, DEFAULT = "serving_bytes", "serving_array", "serving_default"
"""Names of the signatures: image files, arrays (as in retrain.py), and the default."""


def write(classifier: Classifier, path: Path, request: Request) -> None:
    """Write the model to the folder ``path``; TensorFlow Serving can serve it directly.

    The same network gives the same bytes. ``request.io`` selects whether ``serving_default`` takes
    image files or arrays.
    """
    tf = require_tensorflow()
    function = classifier.concrete_function()
    spec = request.reference.spec

    def serve_array(image: Any) -> dict[str, Any]:
        return {"prediction": function(image)}

    def serve_bytes(image_bytes: Any) -> dict[str, Any]:
        images = tf.map_fn(
            lambda content: _input(content, spec), image_bytes, fn_output_signature=tf.float32
        )
        return serve_array(tf.ensure_shape(images, (None, spec.height, spec.width, 3)))

    model = tf.Module()
    array = tf.TensorSpec(function.inputs[0].shape, tf.float32, name="image")
    encoded = tf.TensorSpec((None,), tf.string, name="image_bytes")
    model.array = tf.function(serve_array, input_signature=[array], autograph=False)
    model.bytes = tf.function(serve_bytes, input_signature=[encoded], autograph=False)
    default = model.bytes if request.io == "bytes" else model.array
    signatures = {BYTES: model.bytes, ARRAY: model.array, DEFAULT: default}
    with without_native_notices(), native_path(path) as writable:
        tf.saved_model.save(model, str(writable), signatures=signatures)
        name_functions_by_order(writable)


def _input(content: Any, spec: InputSpec) -> Any:
    """Decode and resize a photo, as close to ``images.load_input`` as TensorFlow allows."""
    tf = require_tensorflow()
    pixels = decode_photo(content, decoding_size(spec))
    height, width = _fitted_size(pixels, spec)
    # Width first, then height, each rounded to whole numbers, as Pillow does. In one step, one
    # value in eight differed, which changed a probability by 0.04.
    for size in ((tf.shape(pixels)[0], width), (height, width)):
        pixels = tf.round(tf.image.resize(pixels, tf.stack(size), antialias=True))
    # The padding is 0, so grey is subtracted before and added after.
    padded = tf.image.resize_with_crop_or_pad(pixels - LETTERBOX_GREY, spec.height, spec.width)
    return (padded + LETTERBOX_GREY) / 255


def _fitted_size(pixels: Any, spec: InputSpec) -> tuple[Any, Any]:
    """Return ``images.preprocessing.fitted_size`` of a photo, (height, width)."""
    if spec.resize == "stretch":
        return spec.height, spec.width
    tf = require_tensorflow()
    size = tf.cast(tf.shape(pixels)[:2], tf.float64)
    scaled = tf.round(size * tf.reduce_min((spec.height, spec.width) / size))
    height, width = tf.unstack(tf.maximum(tf.cast(scaled, tf.int32), 1))
    return height, width
