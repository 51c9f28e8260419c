"""Find model files to benchmark, and the runtime of each."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bricksight._support.untrusted.folders import MODEL_FOLDERS
from bricksight.bundle import EXPORTS, MANIFEST, bundle_around, open_bundle
from bricksight.config import AnyPath, input_paths
from bricksight.errors import BundleError
from bricksight.predict.runtimes import (
    RUNTIMES,
    is_model_folder,
    runtime_class,
    runtime_of,
)

# Suffixes of files that belong to a model file: sidecars, labels, OpenVINO's weights.
_COMPANIONS = frozenset({".bin", ".csv", ".html", ".json", ".md", ".txt"})


@dataclass(frozen=True, kw_only=True)
class ModelFile:
    """A model file and its runtime.

    Attributes:
        name: Path relative to the common parent folder of all benchmarked files.
        path: The file or folder.
        runtime: The runtime that executes it, one of ``RUNTIMES``.
        source: Argument for ``Predictor``: the bundle, or the file itself.
        bundle: The bundle that contains the file, ``None`` if there is none.
    """

    name: str
    path: Path
    runtime: str
    source: Path
    bundle: Path | None

    @property
    def size_bytes(self) -> int:
        """Size in bytes, including the other files of a folder or OpenVINO's weights."""
        if self.path.is_dir():
            return sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file())
        files = [self.path]
        if self.path.suffix == ".xml":
            files.append(self.path.with_suffix(".bin"))
        return sum(file.stat().st_size for file in files if file.is_file())


def find_models(
    paths: Sequence[AnyPath], *, runtimes: Sequence[str] = ()
) -> tuple[tuple[ModelFile, ...], dict[str, str]]:
    """Find the model files in ``paths``; whether their runtimes are installed is not checked.

    Args:
        paths: Bundles and model files. A bundle is replaced by all model files in it and in its
            folder ``exports``.
        runtimes: Only use these runtimes; a file may be executed by several of them. If empty,
            each file is executed by its default runtime.

    Returns:
        The model files, and name → reason for the files that are left out.

    Raises:
        BundleError: A path does not exist, or is a bundle that cannot be read.
        ConfigError: An entry of ``paths`` is not a path.
    """
    models = [path.absolute() for path in input_paths(paths, "the models")]
    places = [path if (path / MANIFEST).is_file() else path.parent for path in models]
    root = Path(os.path.commonpath(places)) if models else Path()
    found: dict[tuple[Path, str], ModelFile] = {}
    left_out: dict[str, str] = {}
    for path in models:
        for file, source, bundle in _files(path):
            name = file.relative_to(root).as_posix()
            chosen = _runtimes(file, runtimes)
            if not chosen:
                left_out[name] = _why_none(file, runtimes)
            for runtime in chosen:
                model = ModelFile(
                    name=name, path=file, runtime=runtime, source=source, bundle=bundle
                )
                found.setdefault((file, runtime), model)
    return tuple(found.values()), left_out


def _files(path: Path) -> list[tuple[Path, Path, Path | None]]:
    """Return (file, argument for ``Predictor``, bundle) for every model file in ``path``."""
    if not path.exists():
        raise BundleError(f"{path} does not exist. Name a bundle or a model file.")
    if not (path / MANIFEST).is_file():
        if path.is_dir() and not is_model_folder(path):
            open_bundle(path)  # raises an error that says what is missing
        return [(path, path, bundle_around(path))]
    manifest = open_bundle(path).manifest
    names = {runtime_class(runtime).file_name for runtime in RUNTIMES}
    own = [path / name for name in sorted(names & set(manifest.files))]
    own = [file.parent if file.name in MODEL_FOLDERS else file for file in own]
    folder = path / EXPORTS
    exported = [
        file
        for file in (sorted(folder.iterdir()) if folder.is_dir() else ())
        if file.suffix not in _COMPANIONS and not file.name.startswith(".")
    ]
    return [*((file, path, path) for file in own), *((file, file, path) for file in exported)]


def _runtimes(file: Path, wanted: Sequence[str]) -> list[str]:
    try:
        own = runtime_of(file)
    except BundleError:
        return []
    # OpenVINO also reads ONNX files, but does so only on request.
    able = [own, "openvino"] if own == "onnxruntime" else [own]
    return [runtime for runtime in able if runtime in wanted] if wanted else [own]


def _why_none(file: Path, wanted: Sequence[str]) -> str:
    if wanted and _runtimes(file, ()):
        return f"--runtime is {','.join(wanted)}, which cannot execute this file"
    return "no runtime of bricksight can execute this file"
