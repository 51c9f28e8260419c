"""retrain.py's SavedModel: signature ``serving_default``, ``image`` → ``prediction``."""

from pathlib import Path
from typing import Any

from bricksight._native_log import without_native_notices
from bricksight._optional import require_tensorflow
from bricksight.export.classifier import Classifier


def write(classifier: Classifier, path: Path) -> None:
    """Writes the model to the folder ``path``; TensorFlow Serving takes it as it is."""
    tf = require_tensorflow()
    function = classifier.concrete_function()
    shape = function.inputs[0].shape

    def serve(image: Any) -> dict[str, Any]:
        return {"prediction": function(image)}

    model = tf.Module()
    signature = tf.TensorSpec(shape, tf.float32, name="image")
    model.serve = tf.function(serve, input_signature=[signature], autograph=False)
    with without_native_notices():
        tf.saved_model.save(model, str(path), signatures={"serving_default": model.serve})
