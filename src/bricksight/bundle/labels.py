"""Read labels files: one label per line, in the order of the model's outputs."""

import codecs

from bricksight._support.filesystem.files import read_whole
from bricksight.config import AnyPath, input_path
from bricksight.errors import BundleError

_MOST_BYTES = 32 << 20
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_labels(path: AnyPath) -> tuple[str, ...]:
    """Read the labels of a labels file.

    The file is UTF-8, or UTF-16 with a byte order mark. Only LF, CRLF and CR end a line; a label
    may contain any other character. Empty lines at the end are ignored.

    Raises:
        BundleError: The file cannot be read, has no labels, or has an invalid line.
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
            f"The labels file {path} is not UTF-8 text ({error}). Save it as UTF-8."
        ) from error
    except ValueError as error:
        raise BundleError(f"The labels file {path} cannot be read ({error}).") from error
    labels = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").split("\n")
    if labels == [""]:
        raise BundleError(
            f"The labels file {path} is empty. Expected one label per line, in the order of the "
            "model's outputs."
        )
    for number, label in enumerate(labels, start=1):
        if not label.strip() or "\0" in label:
            found = "is empty" if not label.strip() else "contains NUL characters"
            raise BundleError(
                f"Line {number} of the labels file {path} {found}. "
                "Expected one label per line, in the order of the model's outputs."
            )
    return tuple(labels)
