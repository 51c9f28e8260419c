"""Check that a ``.keras`` file has only standard layers and is not a decompression bomb."""

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bricksight._support.optional import require
from bricksight._support.text import some
from bricksight._support.untrusted.json_files import MOST_BYTES, parse_json
from bricksight.errors import UntrustedModelError

_CONFIG = "config.json"

_MODULES = (
    "keras.activations",
    "keras.constraints",
    "keras.dtype_policies",
    "keras.initializers",
    "keras.layers",
    "keras.losses",
    "keras.metrics",
    "keras.models",
    "keras.ops",
    "keras.optimizers",
    "keras.regularizers",
)
"""Modules of Keras whose classes are accepted."""

_INSIDE = tuple(name.replace("keras.", "keras.src.") for name in (*_MODULES, "keras.applications"))

_REFUSED = frozenset(
    {
        # Python, or the code of another framework.
        "Lambda",
        "__lambda__",
        "FlaxLayer",
        "JaxLayer",
        "TFSMLayer",
        "TorchModuleWrapper",
        # Vocabularies, which may be read from a path.
        "IntegerLookup",
        "StringLookup",
        "TextVectorization",
    }
)

_MOST_EXPANSION = 20
"""Largest accepted ratio of unpacked to packed size; weights hardly compress."""
_ALWAYS_FINE = 1 << 20


def require_standard_layers(path: Path) -> None:
    """Raise an error if a ``.keras`` file has anything but Keras's own layers and plain weights.

    Keras's safe mode refuses code in the file. This check also refuses, for any version of Keras,
    layers that read files, names of Python functions, and weights in other files.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not a ``.keras`` file, or its unpacked size is far larger than the file.
        UntrustedModelError: It has other layers.
    """
    with _opened(path) as archive:
        described = parse_json(archive.read(_CONFIG))
        weights = [archive.read(name) for name in archive.namelist() if name.endswith(".h5")]
    found = sorted(set(_strange_classes(described)))
    if found:
        raise UntrustedModelError(
            f"{path} has layers that may run code or read files: {some(found)}. It was not loaded. "
            "If you trust its author as you would trust the author of a program, add --trust (in "
            "Python trust=True)."
        )
    for content in weights:
        _require_plain_weights(content)


def read_keras_config(path: Path) -> Any:
    """Read the configuration of the layers from a ``.keras`` file.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not a ``.keras`` file, or its unpacked size is far larger than the file.
    """
    with _opened(path) as archive:
        return parse_json(archive.read(_CONFIG))


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            _require_size(archive, path.stat().st_size)
            yield archive
    except (zipfile.BadZipFile, zlib.error, KeyError, NotImplementedError, EOFError) as error:
        raise ValueError(f"it is not a .keras file: {error}") from error


def _require_size(archive: zipfile.ZipFile, size: int) -> None:
    total = sum(one.file_size for one in archive.infolist())
    if total > _MOST_EXPANSION * size + _ALWAYS_FINE:
        raise ValueError(f"its {size:,} bytes would be unpacked to {total:,} bytes")
    if archive.getinfo(_CONFIG).file_size > MOST_BYTES:
        raise ValueError(f"its config.json is larger than {MOST_BYTES >> 20} MiB")


def _strange_classes(value: Any) -> Iterator[str]:
    """Yield ``module.class`` of classes that are not accepted."""
    if isinstance(value, dict):
        name, module = value.get("class_name"), value.get("module")
        if name is not None and not _is_standard(name, module):
            yield f"{module}.{name}" if module else str(name)
        for one in value.values():
            yield from _strange_classes(one)
    elif isinstance(value, list):
        for one in value:
            yield from _strange_classes(one)


def _is_standard(name: Any, module: Any) -> bool:
    if not isinstance(name, str) or name in _REFUSED:
        return False
    if module is None:  # Keras's internal types, and classes registered in this process
        return True
    if module in ("keras", "builtins"):
        return module == "keras" or name == "function"
    return any(f"{module}.".startswith(f"{one}.") for one in (*_MODULES, *_INSIDE))


def _require_plain_weights(content: bytes) -> None:
    h5py = require("h5py", extra="train", feature="Reading a Keras file")
    with h5py.File(io.BytesIO(content), "r") as file:
        total = sum(_sizes(file, h5py, {file}))
    if total > _MOST_EXPANSION * len(content) + _ALWAYS_FINE:
        raise ValueError(
            f"its weights of {len(content):,} bytes would be unpacked to {total:,} bytes"
        )


def _sizes(group: Any, h5py: Any, seen: set[Any]) -> Iterator[int]:
    """Yield the size of each array in bytes; each group is visited once, as there may be cycles."""
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"its weights {name!r} are a link")
        one = group[name]
        if one in seen:
            continue
        seen.add(one)
        if isinstance(one, h5py.Group):
            yield from _sizes(one, h5py, seen)
        elif isinstance(one, h5py.Dataset):
            if one.external or one.is_virtual:
                raise ValueError(f"its weights {name!r} are in another file")
            yield one.nbytes
