"""Turn what libraries raise on model files into our errors."""

import contextlib
import struct
import zipfile
from collections.abc import Iterator

from bricksight._support.text import shortened
from bricksight.errors import BricksightError

# What Python, NumPy and the readers that the libraries use raise on damaged or unexpected content.
_OF_PYTHON = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
)

# Their own errors have no common base, and naming them would load the libraries.
_LIBRARIES = frozenset(
    {"absl", "ai_edge_litert", "google", "h5py", "keras", "onnxruntime", "openvino", "tensorflow"}
)

_LONGEST_REASON = 300


@contextlib.contextmanager
def library_errors_as(kind: type[BricksightError], source: object, problem: str) -> Iterator[None]:
    """Turn what a library raises on a model file in the block into an error of ours.

    Args:
        kind: of the error.
        source: the file that the block reads or runs, or what messages call it.
        problem: what follows the source in the message, such as "is not a model of LiteRT".

    Raises:
        BricksightError: one of ``kind``; errors of ours pass as they are.
    """
    try:
        yield
    except BricksightError:
        raise
    except Exception as error:
        library = type(error).__module__.partition(".")[0]
        if not isinstance(error, _OF_PYTHON) and library not in _LIBRARIES:
            raise
        if isinstance(error, OSError) and error.strerror:
            raise kind(f"{error.filename or source} cannot be read: {error.strerror}.") from error
        raise kind(f"{source} {problem}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """Return what went wrong in one line; libraries add traces and whole graphs to it."""
    shown = shortened(" ".join(str(error).split()), limit=_LONGEST_REASON)
    name = type(error).__name__
    return f"{name}: {shown}" if shown else name
