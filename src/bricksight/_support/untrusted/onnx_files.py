"""Check that the external weights of an ONNX file are inside its folder."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bricksight._support.optional import require
from bricksight._support.untrusted.folders import is_inside, stays_inside


def require_own_weights(path: Path) -> None:
    """Raise an error if an ONNX model refers to weights outside of its folder.

    Raises:
        OSError: The model cannot be read.
        ValueError: It refers to weights outside of its folder, or beyond the end of a file.
    """
    content = path.read_bytes()
    if b"location" not in content:  # the key of a tensor's external file
        return
    onnx = require("onnx", extra="onnx", feature="Running an .onnx file with weights beside it")
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:
        if type(error).__name__ != "DecodeError":
            raise
        raise ValueError(f"it is not an ONNX model ({error})") from error
    for tensor in _tensors(model, onnx):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            _require_beside(tensor, path.parent)


def _tensors(message: Any, onnx: Any) -> Iterator[Any]:
    """Yield all tensors of a model: weights, constants of nodes, also in nested graphs."""
    if isinstance(message, onnx.TensorProto):
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            parts = [value] if hasattr(value, "ListFields") else value
            for part in parts:
                yield from _tensors(part, onnx)


def _require_beside(tensor: Any, folder: Path) -> None:
    named = {entry.key: entry.value for entry in tensor.external_data}
    location = named.get("location", "")
    file = folder / location
    if not stays_inside(location) or not file.is_file() or not is_inside(file, folder):
        raise ValueError(
            f"its weights {tensor.name!r} are in {location!r}, which is not a file in its folder"
        )
    start, length = int(named.get("offset", 0)), int(named.get("length", 0))
    if start < 0 or length < 0 or start + length > file.stat().st_size:
        raise ValueError(f"its weights {tensor.name!r} extend beyond the end of {location!r}")
