"""Backbones from TensorFlow Hub URLs, cached in the same folders as by ``tensorflow_hub``."""

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from bricksight._support.filesystem.files import atomic_write, cache_dir
from bricksight.backbones.backbone import Backbone, Progress
from bricksight.backbones.downloads.archive import download_and_unpack
from bricksight.backbones.downloads.download import DownloadError, without_secrets
from bricksight.backbones.reference import Reference
from bricksight.backbones.sources import saved_model
from bricksight.config import user_path
from bricksight.errors import BackboneError


def resolve(reference: Reference, *, progress: Progress | None = None) -> Backbone:
    """Find or download the backbone of a handle, a URL such as ``https://tfhub.dev/...``.

    Raises:
        BackboneError: The download failed, or the model is not a network from images to features.
    """
    reference.require_options("size")
    handle = reference.name
    _require_address(handle)
    if "/classification/" in handle:
        raise BackboneError(
            f"{reference.text} is a classifier. Expected a backbone without the classification "
            f"layer. Try {handle.replace('/classification/', '/feature_vector/')}"
        )
    folder = find(reference) or _fetch(reference, progress)
    return saved_model.from_folder(
        reference,
        folder,
        title=_title(handle),
        licence="Apache-2.0" if _is_googles(handle) else None,
        default_size=documented_size(handle),
        trainable_alternative=_trainable_alternative(handle),
    )


def find(reference: Reference) -> Path | None:
    """Return the handle's folder in the first cache where it is complete, else ``None``."""
    folders = (root / _folder_name(reference.name) for root in _cache_roots())
    return next((folder for folder in folders if saved_model.missing_in(folder) is None), None)


def _require_address(handle: str) -> None:
    try:
        parts = urlsplit(handle)
        is_plain, has_secret = bool(parts.hostname), "@" in parts.netloc
    except ValueError:
        is_plain, has_secret = False, False
    if not is_plain:
        raise BackboneError(
            f"{handle} is not a TensorFlow Hub URL. Expected a URL such as "
            "https://tfhub.dev/google/imagenet/mobilenet_v2_100_224/feature_vector/5."
        )
    if has_secret:
        raise BackboneError(
            f"{without_secrets(handle)} was given with a user name or password, which would be "
            "written into models and reports. Put them into ~/.netrc instead."
        )


def documented_size(handle: str) -> int | None:
    """Return the input size from the URL of Google's MobileNets, ``None`` for other URLs."""
    match = re.search(r"/mobilenet_v[123]_[a-z_]*\d{3}_(\d{2,3})/", handle)
    return int(match[1]) if match and _is_googles(handle) else None


def _trainable_alternative(handle: str) -> str | None:
    """Return what to fine-tune instead of a TF1 Hub module; known only for Google's MobileNetV2."""
    match = re.fullmatch(r"(.*/mobilenet_v2_(\d{3})_\d{2,3}/feature_vector/)[123]", handle)
    if not match or not _is_googles(handle):
        return None
    alpha = "" if match[2] == "100" else f"@alpha={int(match[2]) / 100}"
    return f"keras:MobileNetV2{alpha}, or its version in TF2 format, {match[1]}5,"


def _is_googles(handle: str) -> bool:
    return handle.startswith("https://tfhub.dev/google/imagenet/")


def _title(handle: str) -> str:
    """Return the URL without server and publisher, as a title."""
    path = urlsplit(handle).path.strip("/").removeprefix("google/imagenet/")
    return f"{path.replace('/', ' ')} of TensorFlow Hub"


def _folder_name(handle: str) -> str:
    return hashlib.sha1(handle.encode(), usedforsecurity=False).hexdigest()


def _cache_roots() -> Iterator[Path]:
    """Yield the cache folders; downloads go to the first."""
    named = os.environ.get("TFHUB_CACHE_DIR")
    if named:
        yield user_path(named, "TFHUB_CACHE_DIR")
        return
    yield cache_dir("tfhub_modules")
    # The default cache of tensorflow_hub. Its parent is writable for everyone, so the folder is
    # used only if it belongs to the user.
    shared = Path(tempfile.gettempdir(), "tfhub_modules")
    if shared.is_dir() and (not hasattr(os, "getuid") or shared.stat().st_uid == os.getuid()):
        yield shared


def _fetch(reference: Reference, progress: Progress | None) -> Path:
    handle = reference.name
    folder = next(_cache_roots()) / _folder_name(handle)
    separator = "&" if urlsplit(handle).query else "?"
    url = f"{handle}{separator}tf-hub-format=compressed"
    lacking = saved_model.missing_in(folder) if folder.exists() else None
    try:
        download_and_unpack(url, folder, missing_in=saved_model.missing_in, progress=progress)
    except DownloadError as error:
        found = f"not in {folder.parent}" if lacking is None else f"incomplete ({lacking})"
        raise BackboneError(
            f"{reference.text} is {found} and could not be downloaded from {url}: "
            f"{error}. Copy its folder to {folder} from a machine that has it, use a folder with "
            "saved_model:PATH, or use packaged:efficientnet_lite0, which needs no download."
        ) from error
    with atomic_write(folder.with_name(f"{folder.name}.descriptor.txt")) as part:
        part.write_text(f"Module: {handle}\n", encoding="utf-8")
    return folder
