"""A ``.tflite`` file as objects and back, by LiteRT's own schema."""

from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema


def unpacked(content: bytes) -> Any:
    """Return the file as a ``ModelT``, which may be changed."""
    return schema.ModelT.InitFromPackedBuf(content, 0)


def packed(model: Any) -> bytes:
    """Return the ``ModelT`` as a file."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())
