"""Load networks from ``.keras`` files."""

import itertools
from pathlib import Path
from typing import Any

from bricksight._support.filesystem.native_path import native_path
from bricksight._support.library_errors import library_errors_as
from bricksight._support.optional import require_tensorflow
from bricksight._support.untrusted.keras_files import read_keras_config, require_standard_layers
from bricksight.backbones.reference import Reference
from bricksight.errors import BackboneError


def keras_input_size(path: Path) -> tuple[int | None, int | None]:
    """Read the input height and width from a ``.keras`` file; ``None`` if they are not fixed."""
    with library_errors_as(BackboneError, path, "is not a .keras file of Keras 3"):
        config = read_keras_config(path)["config"]
        layers = config.get("layers", [{}])
        shape = layers[0].get("config", {}).get("batch_shape") or [None] * 4
        return (shape[1], shape[2]) if len(shape) == 4 else (None, None)


def load_keras_file(reference: Reference, path: Path) -> Any:
    """Load a ``.keras`` file as a ``keras.Model`` from images to features.

    If the output is a feature map, it is averaged over rows and columns.

    Raises:
        BackboneError: Keras cannot load the file, or its inputs or outputs do not fit.
        UntrustedModelError: It has layers that are not Keras's, and is not trusted.
    """
    keras = require_tensorflow().keras
    problem = "is not a model with one input and one output that Keras can load"
    with library_errors_as(BackboneError, path, problem), native_path(path) as readable:
        if not reference.trust:
            require_standard_layers(path)
        model = keras.models.load_model(readable, compile=False, safe_mode=not reference.trust)
        (images,), (output,) = model.inputs, model.outputs
    if len(output.shape) == 4:  # a feature map
        pooling = keras.layers.GlobalAveragePooling2D(name=free_name(model, "pooled_features"))
        model, output = keras.Model(images, pooling(output)), pooling.output
    if len(images.shape) != 4 or len(output.shape) != 2 or output.shape[1] is None:
        raise BackboneError(
            f"{reference.text} has the input shape {images.shape} and the output shape "
            f"{output.shape}; expected (num_images, height, width, 3), and (num_images, "
            "num_features) or a feature map."
        )
    return model


def free_name(network: Any, name: str) -> str:
    """Return ``name``, with a number if a layer of the ``keras.Model`` has that name already.

    Keras's default names are unique only in the process, and may clash with layers from a file.
    """
    taken = {layer.name for layer in network.layers}
    numbered = (f"{name}_{number}" for number in itertools.count(1))
    return next(one for one in itertools.chain([name], numbered) if one not in taken)
