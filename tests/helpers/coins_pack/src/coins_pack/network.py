"""A convolution of a few hundred weights that sees colours, and the coins of each colour."""

from pathlib import Path
from typing import Any

import numpy as np

from bricksight.backbones import KnownClasses
from bricksight.bundle import Head
from coins_pack import COINS


def load(path: Path, size: int) -> Any:
    """Returns the network with the weights of the file."""
    import keras  # noqa: TID251

    images = keras.Input((size, size, 3))
    seen = keras.layers.Conv2D(6, 4, strides=4, activation="relu")(images)
    network = keras.Model(images, keras.layers.GlobalAveragePooling2D()(seen))
    with np.load(path) as arrays:
        network.set_weights([arrays["kernel"], arrays["bias"]])
    return network


def known_classes(path: Path) -> KnownClasses:
    """Returns the coins with the layer that tells them apart."""
    with np.load(path) as arrays:
        head = Head(kernel=arrays["head_kernel"], bias=arrays["head_bias"])
    return KnownClasses(labels=COINS, head=head)
