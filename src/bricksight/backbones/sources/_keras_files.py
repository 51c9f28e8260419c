"""Networks in ``.keras`` files."""

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
    """Return height and width, as far as the first layer of the model's description tells."""
    with library_errors_as(BackboneError, path, "is no .keras file of Keras 3"):
        config = read_keras_config(path)["config"]
        layers = config.get("layers", [{}])
        shape = layers[0].get("config", {}).get("batch_shape") or [None] * 4
        return (shape[1], shape[2]) if len(shape) == 4 else (None, None)


def load_keras_file(reference: Reference, path: Path) -> Any:
    """Return the network of the file as a ``keras.Model`` from images to features.

    A feature map is averaged over rows and columns.

    Raises:
        BackboneError: Keras cannot load it, or it has other inputs and outputs.
        UntrustedModelError: it has other layers than Keras's own, and is not trusted.
    """
    keras = require_tensorflow().keras
    problem = "is not a model of one input and one output that Keras can load"
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
            f"{reference.text} takes {images.shape} and gives {output.shape}; expected "
            "(num_images, height, width, 3), and (num_images, num_features) or a feature map."
        )
    return model


def free_name(network: Any, name: str) -> str:
    """Return ``name``, or one like it that no layer of the ``keras.Model`` has.

    Names that Keras chooses itself are free in its process, and may be those of layers in a file.
    """
    taken = {layer.name for layer in network.layers}
    numbered = (f"{name}_{number}" for number in itertools.count(1))
    return next(one for one in itertools.chain([name], numbered) if one not in taken)
