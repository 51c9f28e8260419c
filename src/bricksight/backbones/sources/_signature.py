"""Read the signatures of a SavedModel from ``saved_model.pb`` without TensorFlow.

Importing TensorFlow takes seconds, and a run with cached features needs only the input size.
A protocol buffer is a list of numbered fields, so the few needed ones are read by number. The
numbers are those of TensorFlow's ``saved_model.proto``, ``meta_graph.proto`` and
``tensor_shape.proto``. The encoding is https://protobuf.dev/programming-guides/encoding/.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bricksight.errors import BackboneError

_FLOAT = 1  # DT_FLOAT of types.proto
_MAX_BYTES = 2**31 - 1  # of any protocol buffer


@dataclass(frozen=True)
class TensorSpec:
    """Shape of an input or output, with ``None`` for an open size; ``None`` if it is not known."""

    shape: tuple[int | None, ...] | None
    is_float: bool


@dataclass(frozen=True)
class Signature:
    """A signature of a graph: its inputs and outputs by name."""

    inputs: dict[str, TensorSpec]
    outputs: dict[str, TensorSpec]


@dataclass(frozen=True)
class MetaGraph:
    """A graph of a SavedModel: its tags, and its signatures by name."""

    tags: frozenset[str]
    signatures: dict[str, Signature]


def read_meta_graphs(path: Path) -> list[MetaGraph]:
    """Read the graphs of a ``saved_model.pb``.

    Raises:
        BackboneError: The file is missing, incomplete, or of another type.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError(f"it has more than {_MAX_BYTES:,} bytes")
        data = path.read_bytes()
        graphs = [_meta_graph(part) for part in _messages(data, 2)]
    except (OSError, IndexError, ValueError) as error:
        raise BackboneError(
            f"{path} cannot be read as a SavedModel ({error}); it may be incomplete. "
            "Copy or download the backbone again."
        ) from error
    if not graphs:
        raise BackboneError(f"{path} holds no graph, so it is not a SavedModel.")
    return graphs


def _meta_graph(data: bytes) -> MetaGraph:
    tags = {tag.decode() for part in _messages(data, 1) for tag in _messages(part, 4)}
    signatures = {name: _signature(value) for name, value in _entries(data, 5)}
    return MetaGraph(frozenset(tags), signatures)


def _signature(data: bytes) -> Signature:
    inputs = {name: _tensor(value) for name, value in _entries(data, 1)}
    outputs = {name: _tensor(value) for name, value in _entries(data, 2)}
    return Signature(inputs, outputs)


def _tensor(data: bytes) -> TensorSpec:
    is_float = (2, _FLOAT) in _fields(data)
    shapes = _messages(data, 3)
    if not shapes or (3, 1) in _fields(shapes[0]):  # unknown_rank
        return TensorSpec(None, is_float)
    return TensorSpec(tuple(_dimension(part) for part in _messages(shapes[0], 2)), is_float)


def _dimension(data: bytes) -> int | None:
    size = next((value for number, value in _fields(data) if number == 1), 0)
    # -1 is written as the varint of 2**64 - 1.
    return size if isinstance(size, int) and size < 2**63 else None


def _entries(data: bytes, number: int) -> Iterator[tuple[str, bytes]]:
    """Yield the pairs of a map field."""
    for entry in _messages(data, number):
        yield b"".join(_messages(entry, 1)).decode(), b"".join(_messages(entry, 2))


def _messages(data: bytes, number: int) -> list[bytes]:
    return [value for key, value in _fields(data) if key == number and isinstance(value, bytes)]


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield number and value of each field: bytes for fields with a length, else an integer."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        number, wire_type = key >> 3, key & 7
        if wire_type == 0:
            value, position = _varint(data, position)
            yield number, value
            continue
        length, position = _length(data, position, wire_type)
        if position + length > len(data):
            raise ValueError(f"a field of {length} bytes extends beyond the end of the file")
        yield number, data[position : position + length]
        position += length


def _length(data: bytes, position: int, wire_type: int) -> tuple[int, int]:
    if wire_type == 2:
        return _varint(data, position)
    if wire_type in (1, 5):
        return (8 if wire_type == 1 else 4), position
    raise ValueError(f"wire type {wire_type}")


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return value, position
        if shift > 63:
            raise ValueError("a number of more than ten bytes")
