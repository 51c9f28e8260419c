"""Read the tensors of a legacy PyTorch file (before 1.6) without PyTorch.

The file begins with five pickles: a magic number, a protocol, the machine that wrote it, the
tensors without their values, and the keys of the values. Then come the values of each key: an
int64 count and little-endian numbers. See ``_legacy_load`` in ``torch/serialization.py``.
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
_MAX_BYTES = 1 << 30  # of a file, which is read into memory
_MAX_PICKLE_BYTES = 4 << 20  # of the pickles; a network of 300 tensors has 47 kB
_MAX_DIMENSIONS = 8


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """Return name → tensor of a legacy PyTorch file; the arrays share the file's memory.

    Raises:
        BackboneError: The file is damaged, of another type, or holds more than tensors.
    """
    try:
        if not path.is_file() or path.stat().st_size > _MAX_BYTES:
            raise ValueError(f"expected a regular file of at most {_MAX_BYTES:,} bytes")
        return _read(path.read_bytes())
    except (OSError, ValueError, MemoryError) as error:
        raise BackboneError(
            f"{path} is not a legacy PyTorch file of tensors, or is damaged: {error}. "
            "Reinstall the package that contains it."
        ) from error


def _read(content: bytes) -> dict[str, np.ndarray]:
    stream = io.BytesIO(content[:_MAX_PICKLE_BYTES])
    if read_pickle(stream) != _MAGIC or read_pickle(stream) != _PROTOCOL:
        raise ValueError("it does not begin with the magic number and protocol of such a file")
    read_pickle(stream)
    tensors, keys = read_pickle(stream), read_pickle(stream)
    if type(tensors) is not dict or type(keys) is not list:
        raise PickleError("it holds no tensors by name")
    if not all(type(tensor) is Tensor for tensor in tensors.values()):
        raise PickleError("it holds other values than tensors")
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
        raise ValueError("the values are incomplete")
    return np.frombuffer(content, dtype, count=stated, offset=start)


def _view(tensor: Tensor, values: dict[str, np.ndarray]) -> np.ndarray:
    if tensor.storage.key not in values:
        raise ValueError("the values are incomplete")
    storage = values[tensor.storage.key]
    shape, strides = tensor.shape, tensor.strides
    if min(tensor.offset, 0, *shape, *strides) < 0:
        raise ValueError("a tensor has a negative size")
    if len(shape) != len(strides) or len(shape) > _MAX_DIMENSIONS:
        raise ValueError(f"a tensor has {len(shape)} sizes and {len(strides)} strides")
    # With a stride of 0, a tensor could have any number of elements without more values.
    if max(shape, default=0) > len(storage) or math.prod(shape) > len(storage):
        raise ValueError("a tensor has more elements than values")
    steps = [(size - 1) * stride for size, stride in zip(shape, strides, strict=True)]
    if math.prod(shape) == 0:
        return np.empty(shape, storage.dtype)
    if tensor.offset + sum(steps) >= len(storage):
        raise ValueError("the values are incomplete")
    # as_strided is safe within the bounds checked above. Strides of size-1 axes are arbitrary.
    in_bytes = [
        stride * storage.itemsize if size > 1 else 0
        for size, stride in zip(shape, strides, strict=True)
    ]
    return np.lib.stride_tricks.as_strided(
        storage[tensor.offset :], shape, in_bytes, writeable=False
    )
