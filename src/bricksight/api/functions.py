"""Train, load, cross-validate, export and check: each function calls the room that does it."""

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from bricksight._support.progress import Reporter
from bricksight.bundle import Bundle
from bricksight.config import AnyPath, CrossValidationConfig, SplitConfig, TrainingConfig
from bricksight.errors import ConfigError
from bricksight.predict import Predictor

if TYPE_CHECKING:
    from bricksight.formats import ExportedFile
    from bricksight.formats.request import InputOutput, Layout, Precision
    from bricksight.quality import CheckReport
    from bricksight.training import CrossValidationResult, TrainingResult

_Config = TypeVar("_Config")


def train(
    photos: AnyPath | TrainingConfig, *, reporter: Reporter | None = None, **settings: Any
) -> "TrainingResult":
    r"""Train a classifier and write a bundle, the model folder that ``load`` opens.

    Example:
        ``train("photos", out="photos-model", recipe="balanced", time_budget="10m")``

    Args:
        photos: Folder of photos with one sub-folder for each class; or all settings as a
            ``TrainingConfig``.
        reporter: Receives the progress.
        **settings: Settings by name, as the command line has them, such as ``group_by=r"(\d+)_"``;
            or whole sections, such as ``split=SplitConfig(...)``. See ``TrainingConfig``.

    Raises:
        ConfigError: A setting does not exist or has an invalid value.
        DataError: The photos cannot be used.
        BackboneError: The backbone cannot be loaded or downloaded.
        BundleError: The folder ``out`` exists already.
        OutputError: A file cannot be written.
        MissingPackageError: The extra ``train`` is not installed.
    """
    from bricksight.training import train as run  # noqa: PLC0415  (loads SciPy)

    return run(_training_config(photos, settings), reporter=reporter)


def cross_validate(
    photos: AnyPath | TrainingConfig,
    *,
    folds: int | CrossValidationConfig = CrossValidationConfig.folds,
    seeds: int = CrossValidationConfig.seeds,
    reporter: Reporter | None = None,
    **settings: Any,
) -> "CrossValidationResult":
    r"""Measure by cross-validation how accurate a model of ``train`` is; no files are written.

    Each photo is classified by a model that was trained without it and its group.

    Example:
        ``cross_validate("photos", folds=5, seeds=1, group_by=r"(\d+)_").accuracies``

    Args:
        photos: Folder of photos with one sub-folder for each class; or all settings as a
            ``TrainingConfig``.
        folds: Number of folds; or all settings of the cross-validation as a
            ``CrossValidationConfig``, which then includes ``seeds`` and ``group_by``.
        seeds: Number of repetitions, each with other folds.
        reporter: Receives the progress.
        **settings: As for ``train``.

    Raises:
        ConfigError: A setting does not exist or has an invalid value.
        DataError: The photos cannot be used, or there are fewer groups than folds.
        MissingPackageError: The extra ``train`` is not installed.
    """
    from bricksight.training import cross_validate as run  # noqa: PLC0415  (loads SciPy)

    config = _training_config(photos, settings)
    if not isinstance(folds, CrossValidationConfig):
        split = config.split
        folds = CrossValidationConfig(
            folds=folds, seeds=seeds, group_by=split.group_by, layout=split.layout
        )
    return run(config, folds=folds, reporter=reporter)


def load(
    model: AnyPath, *, runtime: str | None = None, threads: int | None = None, trust: bool = False
) -> Predictor:
    """Open a bundle or an exported file, to classify photos with it.

    Example:
        ``load("photos-model").predict("photo.jpg").label``

    Args:
        model: A bundle, or a file that ``export`` wrote.
        runtime: "litert", "onnxruntime", "openvino", "tensorflow", "saved_model", "keras" or
            "tfjs". Default: "litert" for a bundle; for a file, the runtime of its format.
        threads: Number of threads for one photo; all cores by default.
        trust: Run a TensorFlow or Keras model even if it can access files, the network or other
            programs.

    Raises:
        BundleError: The model is missing or damaged.
        UntrustedModelError: The model can do more than compute, and ``trust`` is false.
        ConfigError: An argument is invalid.
        MissingPackageError: The runtime is not installed.
    """
    return Predictor(model, runtime=runtime, threads=threads, trust=trust)


def export(  # noqa: PLR0913  (what the formats let you choose)
    model: Bundle | Predictor | AnyPath,
    format_name: str,
    *,
    out: AnyPath | None = None,
    photos: AnyPath | None = None,
    precision: "Precision | None" = None,
    batch: Literal["1", "dynamic"] | None = None,
    layout: "Layout | None" = None,
    io: "InputOutput | None" = None,
    trust: bool = False,
) -> "ExportedFile":
    """Write a bundle in another format, and verify the file on photos.

    Example:
        ``export("photos-model", "onnx").path``

    Args:
        model: A bundle, or what ``load`` returned for one.
        format_name: "tflite", "onnx", "openvino", "keras", "saved_model", "frozen_graph", "tfjs"
            or "jetson".
        out: File or folder to write; by default in the folder ``exports`` of the bundle.
        photos: Photos to verify the file on, with one sub-folder for each class; by default those
            of the training.
        precision: Precision of the weights: "float32", "float16", "dynamic" or "int8". This and
            the next three default to what suits the format; not every format has every choice.
        batch: "1", or "dynamic" for any number of photos at a time.
        layout: Order of the input's dimensions: "nchw" or "nhwc".
        io: Type of input and output: "float32", "uint8", "int8" or "bytes".
        trust: Export a network even if it can access files, the network or other programs.

    Raises:
        ConfigError: The format does not exist, or does not have a choice.
        ExportError: There are no photos, or the answers differ; the file is removed.
        OutputError: The file cannot be written.
        MissingPackageError: The extra ``train``, or that of the format, is not installed.
    """
    from bricksight.formats import Choices, export_bundle  # noqa: PLC0415  (slow to load)

    source = model.path if isinstance(model, Predictor) else model
    if source is None:
        raise ConfigError(
            "The model was not loaded from a bundle. Give the bundle, the folder that training "
            "wrote."
        )
    return export_bundle(
        source,
        format_name,
        out=out,
        photos_dir=photos,
        choices=Choices(precision=precision, batch=batch, layout=layout, io=io),
        trust=trust,
    )


def check(
    photos: AnyPath,
    *,
    split: SplitConfig | None = None,
    strict: bool = False,
    **split_settings: Any,
) -> "CheckReport":
    """Decode all photos of a folder and report problems: unreadable, duplicate, too few photos.

    Example:
        ``check("photos").faults``

    Args:
        photos: Folder of photos with one sub-folder for each class.
        split: How training would split the photos.
        strict: Raise an error if there are faults; advice does not count.
        **split_settings: Fields of ``SplitConfig`` instead of ``split``, such as ``group_by``.

    Raises:
        DataError: The folder cannot be used at all, or ``strict`` is true and there are faults.
        ConfigError: A setting does not exist or has an invalid value.
        MissingPackageError: The extra ``check`` is not installed.
    """
    from bricksight.quality import check as run  # noqa: PLC0415  (slow to load)

    return run(photos, split=config_of(SplitConfig, split, split_settings), strict=strict)


def config_of(kind: type[_Config], config: _Config | None, settings: dict[str, Any]) -> _Config:
    """Return a configuration that is given as an object or as single settings.

    Raises:
        ConfigError: Both are given, a setting does not exist, or a value is invalid.
    """
    if config is None:
        require_fields(kind, settings)
        return kind(**settings)
    if settings:
        raise ConfigError(
            f"{', '.join(settings)} is given beside a {kind.__name__}. Give it in that object."
        )
    if not isinstance(config, kind):
        raise ConfigError(f"Expected an object of {kind.__name__}, not {config!r}.")
    return config


def require_fields(kind: type, settings: dict[str, Any]) -> None:
    """Check that all settings are fields of a configuration.

    Raises:
        ConfigError: One is not.
    """
    known = [one.name for one in fields(kind)]
    unknown = [name for name in settings if name not in known]
    if unknown:
        raise ConfigError(
            f"{kind.__name__} has no setting {', '.join(unknown)}. It has {', '.join(known)}."
        )


def _training_config(photos: AnyPath | TrainingConfig, settings: dict[str, Any]) -> TrainingConfig:
    if isinstance(photos, TrainingConfig):
        return config_of(TrainingConfig, photos, settings)
    return TrainingConfig.of(photos, **settings)
