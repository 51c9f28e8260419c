"""LiteRT, formerly TensorFlow Lite: phones, boards, and our own ``predict``."""

from pathlib import Path

from bricksight._native_log import without_native_notices
from bricksight._optional import require_tensorflow
from bricksight.export.classifier import Classifier


def write(classifier: Classifier, path: Path) -> None:
    """Writes the float32 model to the file ``path``."""
    tf = require_tensorflow()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([classifier.concrete_function()])
    with without_native_notices():
        path.write_bytes(converter.convert())
