"""``bricksight export``: write a model in formats of other runtimes."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from bricksight._support.text import pluralize
from bricksight.cli._help import panel
from bricksight.cli._output import note, say_json
from bricksight.errors import ConfigError, MissingPackageError

if TYPE_CHECKING:
    from bricksight.formats import Choices, ExportedFile

ALL = "all"

_ENOUGH_PHOTOS = 20
_SECONDS_EXPECTED = 5.0  # for one format

_RUNNABLE = ("saved_model", "keras", "tflite", "onnx", "openvino", "tfjs")
"""Formats that ``classify`` runs."""


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """Formats and output.

    Attributes:
        format: One format or several with commas: frozen_graph, saved_model, keras, tflite, onnx,
            openvino, jetson, tfjs. "all" writes those whose packages are installed.
        out: File to write; a folder for saved_model, jetson and tfjs, and for several formats. By
            default the folder "exports" of the bundle.
        image_dir: Photos to verify the files on, one sub-folder per class; by default the photos
            of the training.
        json: Print one JSON object instead of a table.
        quiet: Show no progress.
        trust: Export a model even if it may access files, the network or other programs.
    """

    format: str
    out: Path | None = None
    image_dir: Path | None = None
    json: bool = False
    quiet: bool = False
    trust: bool = False


@dataclass(frozen=True, kw_only=True)
class FormatOptions:
    """Options of single formats.

    Attributes:
        precision: Precision of the weights; int8 also computes in int8 (tflite, openvino).
        batch: Batch size of the input (tflite, onnx, openvino); 1 by default.
        layout: Order of the input's dimensions (onnx); nchw by default.
        io: Input and output type of an int8 file (tflite), float32 by default. Input of
            serving_default (saved_model): encoded photos ("bytes") by default, or float32 as
            retrain.py wrote it.
    """

    precision: Literal["float32", "float16", "dynamic", "int8"] | None = None
    batch: Literal["1", "dynamic"] | None = None
    layout: Literal["nchw", "nhwc"] | None = None
    io: Literal["float32", "uint8", "int8", "bytes"] | None = None


def export(
    model: Path,
    /,
    *,
    options: Annotated[ExportOptions, panel("Files")],
    format_options: Annotated[FormatOptions, panel("Options of single formats")] = FormatOptions(),
) -> int:
    """Write a model in other formats, and verify each file on photos.

    Each file is run on up to 200 photos and compared with the bundle's LiteRT file. A file that
    answers differently is deleted. The labels are written beside it as JSON.

    Args:
        model: The bundle.
        options: Formats and output.
        format_options: Options of single formats.
    """
    from bricksight._support.progress import Progress
    from bricksight.bundle import open_bundle
    from bricksight.cli._console import ConsoleReporter
    from bricksight.formats import FORMATS, Choices, Exporter

    choices = Choices(**vars(format_options))
    if options.format == ALL:
        names = _all_possible(choices)
    else:
        names = list(dict.fromkeys(name.strip() for name in options.format.split(",")))
        _require_possible(names, choices)
    exporter = Exporter(open_bundle(model), photos_dir=options.image_dir, trust=options.trust)
    places = dict.fromkeys(names, options.out)
    if options.out is not None and len(names) > 1:
        places = {name: options.out / FORMATS[name].file_name for name in names}
    for name, out in places.items():
        exporter.require_place(name, out=out, choices=choices)
    titles = {name: f"Writing {name}" for name in places}
    reporter = ConsoleReporter(quiet=options.quiet or options.json)
    progress = Progress(reporter, dict.fromkeys(titles.values(), _SECONDS_EXPECTED))
    files = []
    for name, out in places.items():
        try:
            with progress.stage(titles[name]):
                files.append(exporter.export(name, out=out, choices=choices))
        except MissingPackageError as error:  # installed, but it cannot be imported
            if options.format != ALL:
                raise
            progress.message(f"! {name} is left out. {error}")
    if options.json:
        say_json({"files": [file.to_dict() for file in files]})
    else:
        _print(files)
        _print_next(model, files)
    return 0


def _all_possible(choices: "Choices") -> list[str]:
    """Return the formats whose packages are installed, and print which are left out."""
    from bricksight.formats import FORMATS, require_packages

    if choices.given():
        given = ", ".join(f"--{name}" for name in choices.given())
        raise ConfigError(
            f"Not all formats have {given}. Name the formats instead of all, such as --format "
            "tflite."
        )
    names = []
    for name in FORMATS:
        try:
            require_packages(name)
        except MissingPackageError as error:
            note(f"{name} is left out. {error}")
        else:
            names.append(name)
    return names


def _require_possible(names: list[str], choices: "Choices") -> None:
    """Raise an error for impossible formats before the first file is written."""
    from bricksight.formats import require_choice, require_packages

    for name in names:
        require_choice(name, choices.given())
    for name in names:
        require_packages(name)


def _print_next(model: Path, files: "list[ExportedFile]") -> None:
    from bricksight.cli._console import stdout_console
    from bricksight.cli._next import print_next, shown

    runnable = [file.path for file in files if file.format in _RUNNABLE]
    if not runnable:
        return
    paths = " ".join(map(shown, [model, *runnable]))
    print_next(stdout_console(), [f"classify {shown(runnable[0])} PHOTO", f"benchmark {paths}"])


def _print(files: "list[ExportedFile]") -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from bricksight.cli._console import stdout_console

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("File", overflow="fold")
    for title in (
        "Size",
        "Inference",
        "Largest difference",
        "Same answer",
        "Accuracy",
        "Accuracy of bundle",
    ):
        table.add_column(title, justify="right")
    for file in files:
        accuracy = file.accuracy
        table.add_row(
            str(file.path),
            f"{file.size_bytes / 1e6:,.2f} MB",
            f"{file.inference_ms:.2f} ms",
            f"{file.agreement.largest_difference:.1e}",
            f"{file.agreement.top1_agreement:.1%}",
            f"{accuracy.file:.1%}" if accuracy else "-",
            f"{accuracy.reference:.1%}" if accuracy else "-",
        )
    console = stdout_console()
    console.print(table)
    num_photos = files[0].agreement.num_photos
    told = f"Verified on {pluralize(num_photos, 'photo')}"
    if (accuracy := files[0].accuracy) is not None:
        told += f"; accuracy on {accuracy.num_photos} photos that were not used in training"
    console.print(f"{told}.")
    if num_photos < _ENOUGH_PHOTOS:
        console.print(
            f"! Few photos verify little. Add at least {_ENOUGH_PHOTOS}: --image_dir PHOTOS"
        )
