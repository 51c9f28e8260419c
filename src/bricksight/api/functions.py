"""Train, load, export, check: each a thin way into the room that does it."""

from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from bricksight._support.progress import Reporter
from bricksight.bundle import Bundle
from bricksight.config import AnyPath, CrossValidationConfig, SplitConfig, TrainingConfig
from bricksight.errors import ConfigError
from bricksight.predict import Predictor

if TYPE_CHECKING:
    from bricksight.formats import ExportedFile
    from bricksight.quality import CheckReport
    from bricksight.training import CrossValidationResult, TrainingResult

_T = TypeVar("_T")


def train(
    photos: AnyPath | TrainingConfig, *, reporter: Reporter | None = None, **settings: Any
) -> "TrainingResult":
    """Trains a classifier and writes a bundle, the folder that ``load`` takes.

    Example:
        ``train("photos", out="photos-model", recipe="balanced", time_budget="10m")``

    Args:
        photos: folder of photos, one sub-folder a class; or everything as a ``TrainingConfig``.
        reporter: follows the run.
        **settings: see ``TrainingConfig.of``.

    Raises:
        ConfigError: a setting cannot be used.
        DataError: the photos cannot be used.
        BricksightError: see ``bricksight.training.train``.
    """
    from bricksight.training import train as run  # noqa: PLC0415  (loads scipy)

    return run(_config(photos, settings), reporter=reporter)


def cross_validate(
    photos: AnyPath | TrainingConfig,
    *,
    folds: int = CrossValidationConfig.folds,
    seeds: int = CrossValidationConfig.seeds,
    reporter: Reporter | None = None,
    **settings: Any,
) -> "CrossValidationResult":
    """Measures what ``train`` would train on photos that it has not seen; nothing is written.

    Args:
        photos: folder of photos, one sub-folder a class; or everything as a ``TrainingConfig``.
        folds: parts that the photos are dealt to; each is tested on once a seed.
        seeds: how many times all of it is done.
        reporter: follows the run.
        **settings: see ``TrainingConfig.of``; ``group_by`` keeps photos together.

    Raises:
        ConfigError: a setting cannot be used.
        DataError: the photos cannot be used, or there are fewer groups than folds.
    """
    from bricksight.training import cross_validate as run  # noqa: PLC0415  (loads scipy)

    config = _config(photos, settings)
    split = config.split
    asked = CrossValidationConfig(
        folds=folds, seeds=seeds, group_by=split.group_by, layout=split.layout
    )
    return run(config, folds=asked, reporter=reporter)


def load(
    model: AnyPath, *, runtime: str | None = None, threads: int | None = None, trust: bool = False
) -> Predictor:
    """Opens a model folder, or a file that ``export`` wrote; see ``Predictor``.

    Example:
        ``load("photos-model").predict("photo.jpg").label``
    """
    return Predictor(model, runtime=runtime, threads=threads, trust=trust)


def export(
    model: Bundle | Predictor | AnyPath,
    format_name: str,
    *,
    out: AnyPath | None = None,
    photos: AnyPath | None = None,
    trust: bool = False,
    **choices: Any,
) -> "ExportedFile":
    """Writes a model in another format, verified on photos before it is kept.

    Args:
        model: a model folder, or what ``load`` returns for one.
        format_name: such as "onnx"; ``bricksight export --help`` lists them.
        out: the file, or folder, to write; by default one in the model's folder ``exports``.
        photos: to verify it on, one sub-folder a class; by default those of the training.
        trust: write a network even if it may access files, the network or other programs.
        **choices: such as ``precision="int8"``.

    Raises:
        ConfigError: there is no such format, or it is not to be had as chosen.
        ExportError: there are no photos, or the file gives other answers; nothing is left of it.
        OutputError: the file cannot be written.
    """
    from bricksight.formats import Choices, export_bundle  # noqa: PLC0415  (not for predicting)

    source = model.path if isinstance(model, Predictor) else model
    if source is None:
        raise ConfigError("The model was not loaded from a folder. Name the model folder.")
    return export_bundle(
        source,
        format_name,
        out=out,
        photos_dir=photos,
        choices=_made(Choices, choices),
        trust=trust,
    )


def check(photos: AnyPath, *, strict: bool = False, **split: Any) -> "CheckReport":
    """Returns what is in a folder of photos and what is wrong with it; every photo is decoded.

    Args:
        photos: folder of photos, one sub-folder a class.
        strict: raise if there is any fault; advice is no fault.
        **split: fields of ``SplitConfig``, such as ``group_by``.

    Raises:
        DataError: the folder cannot be used at all, or ``strict`` and there are faults.
    """
    from bricksight.quality import check as run  # noqa: PLC0415  (not needed for predicting)

    return run(photos, split=_made(SplitConfig, split), strict=strict)


def _config(photos: AnyPath | TrainingConfig, settings: dict[str, Any]) -> TrainingConfig:
    if not isinstance(photos, TrainingConfig):
        return TrainingConfig.of(photos, **settings)
    if settings:
        raise ConfigError(
            f"{', '.join(settings)} is given beside a TrainingConfig, which says everything. Give "
            "it there."
        )
    return photos


def _made(kind: type[_T], settings: dict[str, Any]) -> _T:
    """Returns the settings as an object of their class.

    Raises:
        ConfigError: there is none of a name, or a value cannot be used.
    """
    known = [one.name for one in fields(kind)]  # type: ignore[arg-type]
    if strangers := [name for name in settings if name not in known]:
        raise ConfigError(
            f"{', '.join(strangers)} is no setting here. There are: {', '.join(known)}."
        )
    return kind(**settings)
