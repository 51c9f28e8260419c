"""TFLite metadata inside a ``.tflite`` file: labels and normalization, as MediaPipe reads them.

There is no maintained Python package for the schema (metadata_schema.fbs, identifier M001): the
writer in MediaPipe's wheel lacks a native module, and tflite-support needs protobuf 3. So the few
tables of a classifier are written here. A slot is the position of a field in its schema table.
"""

import io
import zipfile
from collections.abc import Sequence

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from bricksight.formats.tflite.flatbuffer import parse, serialize

METADATA = "TFLITE_METADATA"
"""Name of the model's metadata entry, fixed by TFLite."""

LABELS = "labels.txt"

# Values of the schema's enumerations and unions.
_RGB = 1
_FEATURE_PROPERTIES, _IMAGE_PROPERTIES = 1, 2
_NORMALIZATION_OPTIONS = 1
_TENSOR_AXIS_LABELS = 2

_PARSER_VERSION = "1.0.0"
"""Lowest parser version that supports all of these fields."""

_WHITE = 255.0
"""Divisor of a pixel: the input is in [0, 1]; further scaling is part of the network."""


def with_metadata(content: bytes, labels: Sequence[str]) -> bytes:
    """Add metadata and ``labels.txt`` to a ``.tflite`` file; tensors are renamed too.

    Args:
        content: A file with one input, RGB images in [0, 1], and one output, the probabilities.
        labels: Class labels, in the order of the outputs.
    """
    model = parse(content)
    (graph,) = model.subgraphs
    graph.tensors[graph.inputs[0]].name = "image"
    graph.tensors[graph.outputs[0]].name = "prediction"
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(_described(), np.uint8)
    entry.name, entry.buffer = METADATA, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    return _with_file(serialize(model), LABELS, "\n".join(labels))


def _with_file(content: bytes, name: str, text: str) -> bytes:
    """Append a ZIP archive with one text file, as TFLite stores associated files."""
    file = io.BytesIO(content)
    with zipfile.ZipFile(file, "a") as archive:
        # ZipInfo has a fixed date, so the same model gives the same bytes.
        archive.writestr(zipfile.ZipInfo(name), text.encode())
    return file.getvalue()


def _described() -> bytes:
    """Return a ``ModelMetadata`` for one image and one row of scores."""
    builder = _Builder()
    image = builder.tensor(
        "image",
        content=builder.content(_IMAGE_PROPERTIES, builder.table(2, numbers={0: _RGB})),
        extra={4: builder.vector(builder.normalization(mean=0.0, std=_WHITE))},
    )
    labels = builder.table(5, offsets={0: builder.text(LABELS)}, numbers={2: _TENSOR_AXIS_LABELS})
    score = builder.tensor(
        "prediction",
        content=builder.content(_FEATURE_PROPERTIES, builder.table(0)),
        extra={6: builder.vector(labels)},
    )
    graph = builder.table(10, offsets={2: builder.vector(image), 3: builder.vector(score)})
    root = builder.table(
        8,
        offsets={
            0: builder.text("bricksight image classifier"),
            3: builder.vector(graph),
            7: builder.text(_PARSER_VERSION),
        },
    )
    return builder.finish(root)


class _Builder:
    """Tables of the metadata schema; every method returns the offset of what it has written."""

    def __init__(self) -> None:
        self._builder = flatbuffers.Builder(1024)

    def tensor(self, name: str, *, content: int, extra: dict[int, int]) -> int:
        """Write a ``TensorMetadata`` of values from 0 to 1."""
        stats = self.table(2, offsets={0: self._floats(1.0), 1: self._floats(0.0)})
        return self.table(7, offsets={0: self.text(name), 3: content, 5: stats, **extra})

    def content(self, kind: int, properties: int) -> int:
        """Write a ``Content``: what a tensor holds."""
        return self.table(3, offsets={1: properties}, numbers={0: kind})

    def normalization(self, *, mean: float, std: float) -> int:
        """Write a ``ProcessUnit``: pixels, less ``mean``, are divided by ``std``."""
        options = self.table(2, offsets={0: self._floats(mean), 1: self._floats(std)})
        return self.table(2, offsets={1: options}, numbers={0: _NORMALIZATION_OPTIONS})

    def table(
        self,
        num_slots: int,
        *,
        offsets: dict[int, int] | None = None,
        numbers: dict[int, int] | None = None,
    ) -> int:
        """Write a table whose fields, by slot, are ``offsets`` or 8-bit ``numbers``."""
        self._builder.StartObject(num_slots)
        for slot, offset in (offsets or {}).items():
            self._builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
        for slot, number in (numbers or {}).items():
            self._builder.PrependInt8Slot(slot, number, 0)
        return int(self._builder.EndObject())

    def text(self, text: str) -> int:
        """Write a string."""
        return int(self._builder.CreateString(text))

    def vector(self, table: int) -> int:
        """Write a vector of one table."""
        self._builder.StartVector(4, 1, 4)
        self._builder.PrependUOffsetTRelative(table)
        return int(self._builder.EndVector())

    def finish(self, root: int) -> bytes:
        """Return the bytes; nothing can be written after it."""
        self._builder.Finish(root, file_identifier=b"M001")
        return bytes(self._builder.Output())

    def _floats(self, value: float) -> int:
        return int(self._builder.CreateNumpyVector(np.array([value], np.float32)))
