"""``packaged:mobilenet_v2_bricks``: MobileNetV2 trained on renders of LEGO parts.

How it was trained and what it knows: docs/reference/mobilenet_v2_bricks.md.
"""

import contextlib
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bricksight.backbones import KnownClasses
from bricksight.backbones.sources.keras_applications import build_network, find_application
from bricksight.bricks.part_numbers import identify
from bricksight.bundle import Head
from bricksight.errors import BackboneError


def load(path: Path, size: int) -> Any:
    """Return the network as a ``keras.Model`` for images of ``size`` pixels.

    Raises:
        BackboneError: the file is damaged.
    """
    network = build_network(find_application("MobileNetV2"), size=size)
    with _arrays(path) as arrays:
        names = sorted(name for name in arrays if name.isdecimal())
        network.set_weights([arrays[name].astype(np.float32) for name in names])
    return network


def known_classes(path: Path) -> KnownClasses:
    """Return the 600 parts that the network was trained to tell apart, with its last layer.

    Raises:
        BackboneError: the file is damaged.
    """
    with _arrays(path) as arrays:
        kernel, bias = (arrays[name].astype(np.float32) for name in ("known_kernel", "known_bias"))
        labels = tuple(arrays["known_labels"].tolist())
    return KnownClasses(labels=labels, head=Head(kernel=kernel, bias=bias), identify=identify)


@contextlib.contextmanager
def _arrays(path: Path) -> Iterator[Mapping[str, np.ndarray]]:
    """Yield the arrays of the weights' file; what is wrong with them is a ``BackboneError``."""
    try:
        # Opened here: numpy leaves a damaged file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            yield arrays
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise BackboneError(f"{path} is damaged ({error}). Install bricksight again.") from error
