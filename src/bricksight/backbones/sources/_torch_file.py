"""Tensors of a legacy PyTorch file (before 1.6), read without PyTorch.

Such a file is five pickles (a magic number, a protocol, the writer's machine, the tensors without
their values, the keys of the values) and then the values, each an int64 count and little-endian
numbers. See ``_legacy_load`` in ``torch/serialization.py``.
"""

import io
import math
from pathlib import Path
from typing import Any

import numpy as np

from bricksight.backbones.sources._tensor_pickle import PickleError, Tensor, read_pickle
from bricksight.errors import BackboneError

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_MAX_BYTES = 1 << 30  # of a file, which is read whole
_MAX_PICKLE_BYTES = 4 << 20  # of the pickles; a network of 300 tensors has 47 kB
_MAX_DIMENSIONS = 8


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """Return the tensors of a legacy PyTorch file by name; they share the file's memory.

    Raises:
        BackboneError: the file is of another kind, damaged, or holds anything but tensors.
    """
    try:
        if not path.is_file() or path.stat().st_size > _MAX_BYTES:
            raise ValueError(f"expected a regular file of at most {_MAX_BYTES:,} bytes")
        return _read(path.read_bytes())
    except (OSError, ValueError, MemoryError) as error:
        raise BackboneError(
            f"{path} is no legacy PyTorch file of tensors, or is damaged: {error}. "
            "Install the package that brought it again."
        ) from error


def _read(content: bytes) -> dict[str, np.ndarray]:
    stream = io.BytesIO(content[:_MAX_PICKLE_BYTES])
    if read_pickle(stream) != _MAGIC or read_pickle(stream) != _PROTOCOL:
        raise ValueError("it does not begin as one")
    read_pickle(stream)
    tensors, keys = read_pickle(stream), read_pickle(stream)
    if type(tensors) is not dict or type(keys) is not list:
        raise PickleError("it holds no tensors by name")
    if not all(type(tensor) is Tensor for tensor in tensors.values()):
        raise PickleError("it holds something else than tensors")
    storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    values, position = {}, stream.tell()
    for key in keys:
        if type(key) is not str or key not in storages:
            raise PickleError("it holds values that belong to no tensor")
        storage = storages[key]
        values[key] = _values(content, position, storage.num_elements, np.dtype(storage.dtype))
        position += 8 + values[key].nbytes
    return {name: _view(tensor, values) for name, tensor in tensors.items()}


def _values(content: bytes, position: int, expected: int, dtype: "np.dtype[Any]") -> np.ndarray:
    stated = int.from_bytes(content[position : position + 8], "little", signed=True)
    start = position + 8
    if stated != expected or not 0 <= stated <= (len(content) - start) // dtype.itemsize:
        raise ValueError("the values are cut off")
    return np.frombuffer(content, dtype, count=stated, offset=start)


def _view(tensor: Tensor, values: dict[str, np.ndarray]) -> np.ndarray:
    if tensor.storage.key not in values:
        raise ValueError("the values are cut off")
    storage = values[tensor.storage.key]
    shape, strides = tensor.shape, tensor.strides
    if min(tensor.offset, 0, *shape, *strides) < 0:
        raise ValueError("a tensor has a negative size")
    if len(shape) != len(strides) or len(shape) > _MAX_DIMENSIONS:
        raise ValueError(f"a tensor has {len(shape)} sizes and {len(strides)} strides")
    # No more elements than there are values: a stride of 0 would repeat one without end.
    if max(shape, default=0) > len(storage) or math.prod(shape) > len(storage):
        raise ValueError("a tensor has more elements than values")
    steps = [(size - 1) * stride for size, stride in zip(shape, strides, strict=True)]
    if math.prod(shape) == 0:
        return np.empty(shape, storage.dtype)
    if tensor.offset + sum(steps) >= len(storage):
        raise ValueError("the values are cut off")
    # Only within the bounds that were just checked; the stride of a single element means nothing.
    in_bytes = [
        stride * storage.itemsize if size > 1 else 0
        for size, stride in zip(shape, strides, strict=True)
    ]
    return np.lib.stride_tricks.as_strided(
        storage[tensor.offset :], shape, in_bytes, writeable=False
    )
