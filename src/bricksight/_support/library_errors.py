"""Convert errors that libraries raise for model files to ``BricksightError``."""

import contextlib
import struct
import zipfile
from collections.abc import Iterator

from bricksight._support.text import shortened
from bricksight.errors import BricksightError

# Errors that Python, NumPy and file readers raise for damaged or unexpected content.
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

# Packages whose own errors are converted. Naming their classes would import the packages.
_LIBRARIES = frozenset(
    {"absl", "ai_edge_litert", "google", "h5py", "keras", "onnxruntime", "openvino", "tensorflow"}
)

_LONGEST_REASON = 300


@contextlib.contextmanager
def library_errors_as(kind: type[BricksightError], source: object, problem: str) -> Iterator[None]:
    """Convert errors that a library raises for a model file in the block.

    Args:
        kind: Class of the error that is raised instead.
        source: The file that the block reads or runs, or its name in messages.
        problem: Text after the source in the message, such as "is not a LiteRT model".

    Raises:
        BricksightError: An error of class ``kind``; a ``BricksightError`` in the block is not
            converted.
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
    """Return the reason in one line; libraries add stack traces and whole graphs."""
    shown = shortened(" ".join(str(error).split()), limit=_LONGEST_REASON)
    name = type(error).__name__
    return f"{name}: {shown}" if shown else name
