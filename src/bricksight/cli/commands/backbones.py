"""``bricksight backbones``: list pretrained backbones, or describe one."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from cyclopts import App
from rich.table import Table

from bricksight.cli._console import stdout_console
from bricksight.cli._output import say, say_json

if TYPE_CHECKING:
    from bricksight.backbones import BackboneSpec, Description, Stage

app = App(name="backbones", help="List pretrained backbones, or describe one.")

_NUM_CLASSES = 1000  # of ImageNet; published figures include its classification layer


@app.default
@app.command(name="list")
def list_(*, json: bool = False) -> None:
    """List the pretrained networks that are known by name.

    Any other module of TensorFlow Hub or Kaggle, and any SavedModel, can be named as well; see
    docs/reference/backbones.md.

    Parameters
    ----------
    json
        Print a JSON array instead of a table.
    """
    from bricksight.backbones import find, list_backbones

    specs = list_backbones()
    on_disk = [find(spec.reference) is not None for spec in specs]
    if json:
        rows = [asdict(spec) | {"on_disk": here} for spec, here in zip(specs, on_disk, strict=True)]
        say_json(rows, indent=2)
        return
    _print_list([_cells(spec, here=here) for spec, here in zip(specs, on_disk, strict=True)])


@app.command
def describe(reference: str, /, *, json: bool = False, trust: bool = False) -> None:
    """Describe a backbone: parameters, multiply-adds and stages, counted on the network.

    The table is that of the MobileNetV2 paper. A line is a run of equal blocks: t is the expansion
    factor, c the output channels, n the number of blocks, s the stride of the first block.

    Parameters
    ----------
    reference
        Reference such as keras:MobileNetV2 or https://tfhub.dev/... It is downloaded if needed.
    json
        Print one JSON object instead of a table.
    trust
        Load a backbone even if it may access files, the network or other programs.
    """
    from bricksight import backbones

    description = backbones.describe(backbones.resolve(reference, trust=trust))
    if json:
        say_json(asdict(description), indent=2)
    else:
        _print_description(description)


_HEADINGS = ("input", "features", "parameters", "size", "licence", "on disk", "reference")


def _cells(spec: "BackboneSpec", *, here: bool) -> tuple[str, ...]:
    return (
        str(spec.input_size),
        f"{spec.num_features:,}",
        _millions(spec.num_parameters),
        f"{spec.size_bytes / 1e6:.0f} MB",
        spec.licence,
        "yes" if here else "no",
        spec.reference,
    )


def _print_list(rows: list[tuple[str, ...]]) -> None:
    """Print a line per backbone, or several on a narrow terminal so that none is broken."""
    console = stdout_console()
    widths = [max(map(len, column)) for column in zip(_HEADINGS, *rows, strict=True)]
    needed = sum(widths) + 2 * len(widths)
    if console.is_terminal and console.width < needed:
        for size, features, parameters, num_bytes, licence, here, reference in rows:
            say(
                reference,
                f"  {size} px, {features} features, {parameters} parameters, {num_bytes},",
                f"  {licence}, {'on disk' if here == 'yes' else 'not on disk'}",
            )
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in _HEADINGS:
        is_number = heading in _HEADINGS[:4]
        table.add_column(heading, justify="right" if is_number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    stdout_console(width=max(needed, console.width)).print(table)


def _print_description(description: "Description") -> None:
    say(description.title)
    say(f"  reference      {description.reference}")
    say(f"  input          {description.height} x {description.width} x 3, RGB, in [0, 1]")
    say(f"  features       {description.num_features:,}")
    head = (description.num_features + 1) * _NUM_CLASSES
    for name, number, added in (
        ("parameters", description.num_parameters, head),
        ("multiply-adds", description.num_multiply_adds, head - _NUM_CLASSES),
    ):
        whole = f"{_millions(number + added)} with {_NUM_CLASSES:,} classes"
        say(f"  {name:<13}  {_millions(number)} ({whole})")
    say(f"  licence        {description.licence or 'not stated'}", "")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("input", "parameters", "multiply-adds", "operator", "t", "c", "n", "s"):
        is_text = heading in ("input", "operator")
        table.add_column(heading, justify="left" if is_text else "right", no_wrap=True)
    for stage in description.stages:
        table.add_row(*_stage_cells(stage))
    stdout_console(width=max(100, stdout_console().width)).print(table)


def _stage_cells(stage: "Stage") -> tuple[str, ...]:
    numbers = (stage.expansion, stage.num_channels, stage.num_blocks, stage.stride)
    return (
        _shape(stage.input_shape),
        f"{stage.num_parameters:,}",
        f"{stage.num_multiply_adds:,}",
        stage.operator,
        *("-" if number is None else f"{number:.4g}" for number in numbers),
    )


def _shape(shape: tuple[int, ...]) -> str:
    """Return height, width and channels as in the paper, such as "56^2x24"."""
    if len(shape) == 3 and shape[0] == shape[1]:
        return f"{shape[0]}^2x{shape[2]}"
    return "x".join(map(str, shape))


def _millions(number: int) -> str:
    return f"{number / 1e6:,.2f} M" if number < 10e6 else f"{number / 1e6:,.0f} M"
