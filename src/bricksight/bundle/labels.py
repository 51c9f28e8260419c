"""Labels files: one label a line, in the order of the outputs."""

import codecs

from bricksight._support.filesystem.files import read_whole
from bricksight.config import AnyPath, input_path
from bricksight.errors import BundleError

_MOST_BYTES = 32 << 20
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_labels(path: AnyPath) -> tuple[str, ...]:
    """Return the labels of a labels file.

    The file is UTF-8, or UTF-16 with a byte order mark. Lines end with LF, CRLF or CR and with
    nothing else, so that a label may hold any other character. Empty lines at the end do not count.

    Raises:
        BundleError: it cannot be read, holds no label, or a line of it is no label.
    """
    path = input_path(path, "The labels file")
    try:
        content = read_whole(path, most_bytes=_MOST_BYTES)
        text = content.decode("utf-16" if content.startswith(_UTF16) else "utf-8-sig")
    except OSError as error:
        raise BundleError(
            f"The labels file {path} cannot be read ({error.strerror or error})."
        ) from error
    except UnicodeDecodeError as error:
        raise BundleError(
            f"The labels file {path} is not text in UTF-8 ({error}). Save it as UTF-8."
        ) from error
    except ValueError as error:
        raise BundleError(f"The labels file {path} cannot be read ({error}).") from error
    labels = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").split("\n")
    if labels == [""]:
        raise BundleError(f"The labels file {path} is empty; it must have one label a line.")
    for number, label in enumerate(labels, start=1):
        if not label.strip() or "\0" in label:
            found = "empty" if not label.strip() else "not text: it holds NUL characters"
            raise BundleError(
                f"Line {number} of the labels file {path} is {found}. "
                "Expected one label a line, in the order of the model's outputs."
            )
    return tuple(labels)
