"""The outputs of a training: checked before any work, reserved meanwhile, written at its end."""

import contextlib
import datetime
import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from bricksight import bundle as bundles
from bricksight._support.filesystem.files import atomic_write, cache_root, writing
from bricksight._support.filesystem.places import TakenPlaceError, new_folder, try_file, try_folder
from bricksight.backbones import Backbone, frozen_graph
from bricksight.bundle import Bundle, Head
from bricksight.config import TrainingConfig
from bricksight.errors import BundleError, ConfigError, OutputError
from bricksight.features import CACHE_FILE, default_cache_path
from bricksight.formats import build_classifier
from bricksight.training.context import checkpoint_file

BUNDLE_FILES = {
    "frozen_graph": "output_graph.pb",
    "saved_model": "saved_model",
    "tflite": "model.tflite",
}
"""Formats that every bundle contains → file name."""

SUMMARIES = "summaries"
"""Folder of the bundle for TensorBoard's files, unless the settings name another."""


def try_outputs(config: TrainingConfig) -> None:
    """Check that every output but the model folder can be written.

    Raises:
        BundleError: ``saved_model_dir`` exists already.
        ConfigError: two outputs have one place.
        OutputError: a place cannot be written.
    """
    output, asked = config.output, config.files
    folders = {name: getattr(asked, name) for name in ("summaries_dir", "feature_cache_dir")}
    folders["saved_model_dir"] = saved_model = asked.saved_model_dir
    if asked.intermediate_store_frequency:
        folders["intermediate_output_graphs_dir"] = asked.intermediate_output_graphs_dir
    files = {name: getattr(asked, name) for name in ("output_graph", "output_labels")}
    files["checkpoint_path"] = asked.checkpoint_path and checkpoint_file(asked.checkpoint_path)
    _require_apart({"out": output.out, "saved_model_dir": saved_model, **files})
    if saved_model is not None:
        with writing(saved_model):
            if saved_model.is_dir() and any(saved_model.iterdir()):
                raise BundleError(
                    f"{saved_model} exists already. Name another folder, or remove it first; "
                    "bricksight does not overwrite models."
                )
    for folder in filter(None, folders.values()):
        try_folder(folder)
    for file in filter(None, files.values()):
        try_file(file)


def _require_apart(places: dict[str, Path | None]) -> None:
    """Refuse the same path for two outputs."""
    seen: dict[Path, str] = {}
    for name, place in places.items():
        if place is None:
            continue
        other = seen.setdefault(place.absolute(), name)
        if other != name:
            raise ConfigError(f"--{other} and --{name} are both {place}. Use different paths.")


@contextlib.contextmanager
def model_folder(config: TrainingConfig) -> Iterator[tuple[Path, Path]]:
    """Yield the model folder, and a temporary folder that becomes it if the block succeeds.

    Raises:
        BundleError: the folder exists already.
        OutputError: another run writes it, or it cannot be written.
    """
    if config.output.out is not None:
        with bundles.new_bundle(config.output.out) as folder:
            yield config.output.out, folder
        return
    name = f"{config.data.image_dir.resolve().name}-{datetime.datetime.now():%Y%m%d-%H%M%S}"
    with contextlib.ExitStack() as held:
        for out in _numbered(Path(name)):
            with contextlib.suppress(BundleError, TakenPlaceError):  # by a run of the same second
                folder = held.enter_context(bundles.new_bundle(out))
                break
        yield out, folder


def _numbered(path: Path) -> Iterator[Path]:
    """Yield the path, and the same with ``-2``, ``-3``, ... at its end."""
    yield path
    for number in itertools.count(2):
        yield path.with_name(f"{path.name}-{number}")


def kept_elsewhere(write: Callable[[Path], None], out: Path, error: OutputError) -> OutputError:
    """Write the model elsewhere, and return an error that says where.

    Args:
        write: writes the model into a folder.
        out: the model folder.
        error: why it could not be written.
    """
    name = f"{out.absolute().name[:80]}-{datetime.datetime.now():%Y%m%d-%H%M%S}"
    for folder in (cache_root() / "rescued", Path(tempfile.gettempdir())):
        place = folder / name
        with contextlib.suppress(OutputError, BundleError):
            with bundles.new_bundle(place) as part, writing(place):
                write(part)
            return OutputError(f"{error} The trained model is complete in {place}; move it.")
    return OutputError(
        f"{error} The model could not be kept in {cache_root()} either. Free space there, and run "
        "the same command with --resume; what the cache holds is not computed again."
    )


class IntermediateGraphs:
    """Writes frozen graphs during the training; a full disk does not end it.

    Attributes:
        error: Why no further graphs were written.
    """

    def __init__(self, config: TrainingConfig) -> None:
        self._config = config
        self.error: OutputError | None = None

    def __call__(self, backbone: Backbone, step: int, head: Head) -> None:
        """Write a graph if one is due after this step."""
        every = self._config.files.intermediate_store_frequency
        if self.error is not None or not every or not step or step % every:
            return
        classifier = build_classifier(
            frozen_graph(backbone), head, final_tensor_name=self._config.output.final_tensor_name
        )
        path = self._config.files.intermediate_output_graphs_dir / f"intermediate_{step}.pb"
        try:
            with atomic_write(path) as part:
                part.write_bytes(classifier.graph_def_bytes)
        except OutputError as error:
            self.error = error


def write_beside(
    config: TrainingConfig,
    bundle: Bundle,
    *,
    summaries: Callable[[Path], None],
    before: OutputError | None,
) -> None:
    """Write further outputs beside the bundle.

    Args:
        config: names the places.
        bundle: the model folder, complete.
        summaries: writes TensorBoard's files into a folder.
        before: what could not be written before.

    Raises:
        OutputError: one of the places cannot be written; all others are.
    """
    errors = [] if before is None else [before]
    for write in (_write_summaries, _copy_graph, _copy_labels, _copy_saved_model):
        try:
            write(config, bundle, summaries)
        except OutputError as error:
            errors.append(error)
    if errors:
        told = " ".join(str(error) for error in errors)
        raise OutputError(f"{told} All else is written; the model folder is {bundle.path}.")


Summaries = Callable[[Path], None]


def _write_summaries(config: TrainingConfig, bundle: Bundle, summaries: Summaries) -> None:
    """Write the event files into a new folder for this run."""
    if config.files.summaries_dir is None:
        return
    for place in _numbered(config.files.summaries_dir / bundle.path.absolute().name):
        if place.exists():
            continue
        with contextlib.suppress(TakenPlaceError):
            with new_folder(place) as folder:
                summaries(folder)
            return


def _copy_graph(config: TrainingConfig, bundle: Bundle, _: Summaries) -> None:
    _copy(bundle.path / BUNDLE_FILES["frozen_graph"], config.files.output_graph)


def _copy_labels(config: TrainingConfig, bundle: Bundle, _: Summaries) -> None:
    _copy(bundle.path / bundles.LABELS, config.files.output_labels)


def _copy(file: Path, place: Path | None) -> None:
    if place is not None:
        with atomic_write(place) as part:
            shutil.copyfile(file, part)


def _copy_saved_model(config: TrainingConfig, bundle: Bundle, _: Summaries) -> None:
    place = config.files.saved_model_dir
    if place is not None:
        with new_folder(place) as folder, writing(folder):
            shutil.copytree(bundle.path / BUNDLE_FILES["saved_model"], folder, dirs_exist_ok=True)


def cache_path_of(config: TrainingConfig) -> Path:
    """Return the file of the feature cache.

    Raises:
        CacheError: its folder cannot be made.
        OutputError: that of ``bottleneck_dir`` cannot be made.
    """
    folder = config.files.feature_cache_dir
    if folder is None:
        return default_cache_path()
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder / CACHE_FILE
