"""TFLite metadata: labels and preparation of photos, inside the file, as MediaPipe reads them.

TFLite's own schema (metadata_schema.fbs, identifier M001) has no maintained Python package: the
writer in MediaPipe's wheel lacks a native module, tflite-support needs protobuf 3. So the handful
of tables that a classifier needs is written here by their slots, the order of their fields there.
"""

import io
import zipfile
from collections.abc import Sequence

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from bricksight.formats.tflite.flatbuffer import packed, unpacked

METADATA = "TFLITE_METADATA"
"""Name of the model's metadata entry, fixed by TFLite."""

LABELS = "labels.txt"

# Values of the schema's enumerations and unions.
_RGB = 1
_FEATURE_PROPERTIES, _IMAGE_PROPERTIES = 1, 2
_NORMALIZATION_OPTIONS = 1
_TENSOR_AXIS_LABELS = 2

_PARSER_VERSION = "1.0.0"
"""The oldest that knows all of these fields."""

_WHITE = 255.0
"""A pixel is divided by this: the network takes [0, 1] and scales further itself."""


def with_metadata(content: bytes, labels: Sequence[str]) -> bytes:
    """Return the ``.tflite`` file with metadata, ``labels.txt`` and plain names of its tensors.

    Args:
        content: a file of one input, RGB images in [0, 1], and one output, the probabilities.
        labels: in the order of the outputs.
    """
    model = unpacked(content)
    (graph,) = model.subgraphs
    graph.tensors[graph.inputs[0]].name = "image"
    graph.tensors[graph.outputs[0]].name = "prediction"
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(_described(), np.uint8)
    entry.name, entry.buffer = METADATA, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    return _with_file(packed(model), LABELS, "\n".join(labels))


def _with_file(content: bytes, name: str, text: str) -> bytes:
    """Return the bytes with a ZIP archive behind them, which is how TFLite associates files."""
    file = io.BytesIO(content)
    with zipfile.ZipFile(file, "a") as archive:
        # Of a fixed date, so that the same model is the same file.
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
