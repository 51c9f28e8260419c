"""Names that stay inside their folder, and files that are those that were written."""

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath

from bricksight._support.filesystem.files import sha256_of

MODEL_FOLDERS = {"saved_model.pb": "saved_model", "model.json": "tfjs"}
"""File by which a folder is known as one model → name of the runtime that it is for."""

_NOT_RUN = frozenset({".html", ".md"})  # pages for people, which they may change


def stays_inside(name: str) -> bool:
    """Return whether a name, with ``/`` between its parts, leads to below its folder everywhere.

    Absolute names, drives and ``..`` do not, by the rules of Windows either. A link may still lead
    out: see ``is_inside``.
    """
    windows = PureWindowsPath(name)
    return (
        "\0" not in name
        and not windows.anchor
        and ".." not in windows.parts
        and all(part not in ("", ".", "..") for part in name.split("/"))
    )


def is_inside(path: Path, folder: Path) -> bool:
    """Return whether ``path`` lies below ``folder`` when all links have been followed."""
    # Not Path.resolve, which raises where a link leads to itself.
    real_path, real_folder = (Path(os.path.realpath(one)) for one in (path, folder))
    return real_folder in real_path.parents


def recorded_with(name: str, files: Mapping[str, str]) -> dict[str, str]:
    """Return those of the recorded files that are one model with the file ``name``."""
    folder = f"{PurePosixPath(name).parent}/"
    if PurePosixPath(name).name in MODEL_FOLDERS:
        return {one: digest for one, digest in files.items() if one.startswith(folder)}
    names = {name, str(PurePosixPath(name).with_suffix(".bin")) if name.endswith(".xml") else name}
    return {one: digest for one, digest in files.items() if one in names}


def require_recorded(folder: Path, files: Mapping[str, str], *, record: str) -> None:
    """Compare files with the checksums that were recorded of them; pages for people are left out.

    Args:
        folder: where they lie.
        files: name below ``folder`` → SHA-256.
        record: where that is written, for the message.

    Raises:
        ValueError: one is missing, lies elsewhere, or is not the one that was written.
    """
    for name, digest in files.items():
        path = folder / name
        if path.suffix in _NOT_RUN:
            continue
        if not path.is_file():
            raise ValueError(f"{folder} lacks {name}, which it was written with.")
        if not is_inside(path, folder):
            raise ValueError(f"{path} is a link that leads out of {folder}.")
        if sha256_of(path) != digest:
            raise ValueError(
                f"{path} is not the file that was written: its SHA-256 differs from the one in "
                f"{record}."
            )
