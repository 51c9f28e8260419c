"""Tensors of a legacy PyTorch file (before 1.6), read without PyTorch.

Such a file is five pickles (a magic number, a protocol, the writer's machine, the tensors without
their values, the keys of the values) and then the values, each an int64 count and little-endian
numbers. See ``_legacy_load`` in ``torch/serialization.py``.
"""

import pickle  # noqa: TID251  (restricted below: it can make nothing but records of numbers)
import struct
from collections import OrderedDict
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from bricksight.errors import ModuleError

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_DTYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}


class _Storage(NamedTuple):
    dtype: str
    key: str
    num_elements: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _rebuild_tensor(storage: Any, offset: int, shape: Any, strides: Any, *_rest: Any) -> _Tensor:
    """Stands in for torch's function of that name; what follows is about gradients."""
    return _Tensor(storage, offset, shape, strides)


class _TensorUnpickler(pickle.Unpickler):
    """Makes tuples of numbers and text where the file asks for tensors, and refuses all else.

    A pickle does harm by naming a function to call. The names are looked up here alone, and what
    is found is a container and a tuple; neither has a ``__setstate__`` that could be misused.
    """

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, and only tensors are read")

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _device, num_elements, _view = pid
        if kind != "storage" or dtype not in _DTYPES.values():
            raise pickle.UnpicklingError(
                f"it holds {kind!r} of {dtype!r}, and only tensors are read"
            )
        return _Storage(dtype, key, num_elements)


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """Returns the tensors of a legacy PyTorch file by name.

    Raises:
        ModuleError: the file is of another kind, damaged, or holds anything but tensors.
    """
    try:
        with path.open("rb") as file:
            if _unpickle(file) != _MAGIC or _unpickle(file) != _PROTOCOL:
                raise ValueError("it does not begin as one")
            _unpickle(file)
            records = _unpickle(file)
            dtypes = {record.storage.key: record.storage.dtype for record in records.values()}
            values = {key: _read_values(file, dtypes[key]) for key in _unpickle(file)}
            return {name: _view(record, values) for name, record in records.items()}
    except _DAMAGE as error:
        raise ModuleError(
            f"{path} is no legacy PyTorch file of tensors, or is damaged: {error}. "
            "Install the package that brought it again."
        ) from error


# What a pickle can raise is what its opcodes can: the documentation names these among others.
_DAMAGE = (
    OSError, EOFError, pickle.UnpicklingError, struct.error,
    ValueError, TypeError, KeyError, IndexError, AttributeError, ImportError, MemoryError,
)  # fmt: skip


def _unpickle(file: IO[bytes]) -> Any:
    return _TensorUnpickler(file).load()


def _read_values(file: IO[bytes], dtype: str) -> np.ndarray:
    (num_elements,) = struct.unpack("<q", file.read(8))
    return np.frombuffer(file.read(num_elements * np.dtype(dtype).itemsize), dtype)


def _view(record: _Tensor, values: dict[str, np.ndarray]) -> np.ndarray:
    storage = values[record.storage.key]
    steps = [(size - 1) * stride for size, stride in zip(record.shape, record.strides, strict=True)]
    if min(record.offset, 0, *record.shape, *record.strides) < 0:
        raise ValueError("a tensor has a negative size")
    if len(storage) != record.storage.num_elements or record.offset + sum(steps) >= len(storage):
        raise ValueError("the values are cut off")
    # Only within the bounds that were just checked.
    strides = [stride * storage.itemsize for stride in record.strides]
    return np.lib.stride_tricks.as_strided(storage[record.offset :], record.shape, strides).copy()
