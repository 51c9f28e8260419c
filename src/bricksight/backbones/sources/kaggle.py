"""Backbones from Kaggle Models, to which TensorFlow Hub moved in 2023."""

import os
import re
from pathlib import Path

from bricksight._support.filesystem.files import cache_dir
from bricksight.backbones.backbone import Backbone, Progress
from bricksight.backbones.downloads.archive import download_and_unpack
from bricksight.backbones.downloads.download import DownloadError, without_secrets
from bricksight.backbones.reference import Reference
from bricksight.backbones.sources import saved_model
from bricksight.config import user_path
from bricksight.errors import BackboneError

_DEFAULT_ENDPOINT = "https://www.kaggle.com"


def resolve(reference: Reference, *, progress: Progress | None = None) -> Backbone:
    """Find or download the backbone ``kaggle:OWNER/MODEL/FRAMEWORK/VARIATION/VERSION``.

    Raises:
        BackboneError: The download failed, or the model is not a network from images to features.
    """
    reference.require_options("size")
    owner, model, _, variation, version = _parts(reference)
    folder = find(reference) or _fetch(reference, progress)
    return saved_model.from_folder(
        reference,
        folder,
        title=f"{model} {variation} version {version} of {owner} on Kaggle",
        default_size=_documented_size(owner, variation),
    )


def find(reference: Reference) -> Path | None:
    """Return the model's folder in our cache or kagglehub's, ``None`` if it is not on disk."""
    folders = (_cache_folder(reference), _kagglehub_folder(reference))
    return next((folder for folder in folders if saved_model.missing_in(folder) is None), None)


def _parts(reference: Reference) -> list[str]:
    parts = reference.name.split("/")
    is_safe = all(re.fullmatch(r"[\w.-]+", part) and part != ".." for part in parts)
    if len(parts) != 5 or not is_safe:
        raise BackboneError(
            f"{reference.text} is not a Kaggle model. Expected OWNER/MODEL/FRAMEWORK/VARIATION/"
            "VERSION, such as kaggle:google/mobilenet-v2/tensorFlow2/100-224-feature-vector/2."
        )
    if not parts[4].isdecimal():
        raise BackboneError(
            f"{reference.text} ends in {parts[4]!r}; expected a version number, because the newest "
            "version changes over time."
        )
    return parts


def _cache_folder(reference: Reference) -> Path:
    return cache_dir("kaggle_models").joinpath(*_parts(reference))


def _kagglehub_folder(reference: Reference) -> Path:
    root = os.environ.get("KAGGLEHUB_CACHE") or "~/.cache/kagglehub"
    return user_path(root, "KAGGLEHUB_CACHE").joinpath("models", *_parts(reference))


def _documented_size(owner: str, variation: str) -> int | None:
    """Return the input size in names such as ``100-224-feature-vector``."""
    match = re.match(r"\d{3}-(\d{2,3})-", variation)
    return int(match[1]) if match and owner == "google" else None


def _fetch(reference: Reference, progress: Progress | None) -> Path:
    folder = _cache_folder(reference)
    # The variable that kagglehub uses too.
    endpoint = os.environ.get("KAGGLE_API_ENDPOINT") or _DEFAULT_ENDPOINT
    url = f"{endpoint.rstrip('/')}/api/v1/models/{'/'.join(_parts(reference))}/download"
    lacking = saved_model.missing_in(folder) if folder.exists() else None
    try:
        download_and_unpack(
            url,
            folder,
            missing_in=saved_model.missing_in,
            auth=_credentials(),
            progress=progress,
        )
    except DownloadError as error:
        found = f"not in {folder}" if lacking is None else f"incomplete ({lacking})"
        raise BackboneError(
            f"{reference.text} is {found} and could not be downloaded from "
            f"{without_secrets(url)}: {error}. "
            "Models that need consent need KAGGLE_USERNAME and KAGGLE_KEY. Without a connection, "
            f"copy the model's folder to {folder}, use a folder with saved_model:PATH, "
            "or use packaged:efficientnet_lite0."
        ) from error
    return folder


def _credentials() -> tuple[str, str] | None:
    user, key = os.environ.get("KAGGLE_USERNAME"), os.environ.get("KAGGLE_KEY")
    return (user, key) if user and key else None
