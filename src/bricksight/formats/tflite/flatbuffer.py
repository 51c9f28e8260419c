"""Parse and serialize ``.tflite`` files with LiteRT's schema."""

from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema


def parse(content: bytes) -> Any:
    """Parse a ``.tflite`` file to a mutable ``ModelT``."""
    return schema.ModelT.InitFromPackedBuf(content, 0)


def serialize(model: Any) -> bytes:
    """Serialize a ``ModelT`` to the bytes of a ``.tflite`` file."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())
