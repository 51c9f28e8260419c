"""Paths that stay inside their folder, and verification of files by checksums."""

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath

from bricksight._support.filesystem.files import sha256_of

MODEL_FOLDERS = {"saved_model.pb": "saved_model", "model.json": "tfjs"}
"""File that identifies a folder as one model → name of its runtime."""

_NOT_RUN = frozenset({".html", ".md"})  # documentation, which users may change


def stays_inside(name: str) -> bool:
    """Return whether a relative path, separated by ``/``, stays inside its folder on any system.

    Absolute paths, drives and ``..`` do not, also by the rules of Windows. Links are not resolved;
    see ``is_inside``.
    """
    windows = PureWindowsPath(name)
    return (
        "\0" not in name
        and not windows.anchor
        and ".." not in windows.parts
        and all(part not in ("", ".", "..") for part in name.split("/"))
    )


def is_inside(path: Path, folder: Path) -> bool:
    """Return whether ``path`` is below ``folder`` after resolving all links."""
    # Not Path.resolve, which raises an error for a link to itself.
    real_path, real_folder = (Path(os.path.realpath(one)) for one in (path, folder))
    return real_folder in real_path.parents


def recorded_with(name: str, files: Mapping[str, str]) -> dict[str, str]:
    """Return the recorded files that belong to the same model as the file ``name``."""
    folder = f"{PurePosixPath(name).parent}/"
    if PurePosixPath(name).name in MODEL_FOLDERS:
        return {one: digest for one, digest in files.items() if one.startswith(folder)}
    names = {name, str(PurePosixPath(name).with_suffix(".bin")) if name.endswith(".xml") else name}
    return {one: digest for one, digest in files.items() if one in names}


def require_recorded(folder: Path, files: Mapping[str, str], *, record: str) -> None:
    """Verify files by their recorded checksums; documentation (.html, .md) is not checked.

    Args:
        folder: The folder of the files.
        files: Path relative to ``folder`` → SHA-256.
        record: Name of the file with the checksums, for the message.

    Raises:
        ValueError: A file is missing, is a link out of the folder, or has another checksum.
    """
    for name, digest in files.items():
        path = folder / name
        if path.suffix in _NOT_RUN:
            continue
        if not path.is_file():
            raise ValueError(f"{path} is missing; {record} lists it.")
        if not is_inside(path, folder):
            raise ValueError(f"{path} is a link that leads out of {folder}.")
        if sha256_of(path) != digest:
            raise ValueError(
                f"{path} is not the file that was written: its SHA-256 differs from the one in "
                f"{record}."
            )
