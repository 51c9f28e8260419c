"""What the libraries raise on model files, as errors of ours: the one boundary of all runtimes."""

import contextlib
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

from bricksight._native_path import native_path
from bricksight.errors import BricksightError, BundleError

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
def loading(path: Path, what: str) -> Iterator[Path]:
    """Yields the path as native code takes it; what a library raises is a ``BundleError``.

    Args:
        path: the model file.
        what: what it should be, such as "a model that LiteRT can run".

    Raises:
        BundleError: a library cannot load the file.
    """
    with _as_bundle_error(path, f"is not {what}"), native_path(path) as readable:
        yield readable


@contextlib.contextmanager
def running(path: Path) -> Iterator[None]:
    """Turns what a library raises while it runs a model into a ``BundleError``.

    Raises:
        BundleError: the model cannot be run on the images that it was given.
    """
    with _as_bundle_error(path, "cannot classify photos"):
        yield


@contextlib.contextmanager
def _as_bundle_error(path: Path, problem: str) -> Iterator[None]:
    try:
        yield
    except BricksightError:
        raise
    except Exception as error:
        library = type(error).__module__.partition(".")[0]
        if not isinstance(error, _OF_PYTHON) and library not in _LIBRARIES:
            raise
        if isinstance(error, OSError) and error.strerror:
            raise BundleError(f"{path} cannot be read: {error.strerror}.") from error
        raise BundleError(f"{path} {problem}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """Returns what went wrong in one line; libraries add traces and whole graphs to it."""
    text = " ".join(str(error).split())
    shown = text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}..."
    name = type(error).__name__
    return f"{name}: {shown}" if shown else name
