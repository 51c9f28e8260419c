"""Refuse ``.tflite`` files with operations of TensorFlow, which may access files and networks.

LiteRT alone cannot run them. Some versions can once TensorFlow is loaded in the same process.
"""

from pathlib import Path

from bricksight._support.optional import require

_PREFIX = "Flex"
"""How TensorFlow's operations are called in a ``.tflite`` file: FlexWriteFile for WriteFile."""


def require_tflite_operations(path: Path) -> None:
    """Refuse a model that has operations of TensorFlow.

    Raises:
        OSError: It cannot be read.
        ValueError: It has some.
    """
    content = path.read_bytes()
    if _PREFIX.encode() not in content:
        return
    schema = require(
        "ai_edge_litert.schema_py_generated", extra=None, feature="Running a .tflite file"
    )
    model = schema.Model.GetRootAsModel(content, 0)
    names = [
        (model.OperatorCodes(index).CustomCode() or b"").decode("utf-8", "replace")
        for index in range(model.OperatorCodesLength())
    ]
    found = [name.removeprefix(_PREFIX) for name in names if name.startswith(_PREFIX)]
    if found:
        raise ValueError(f"it has operations of TensorFlow: {', '.join(sorted(set(found)))}")
