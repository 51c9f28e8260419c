"""``bricksight check``: problems of a folder of photos, before training."""

import os
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from bricksight._support.progress import Progress
from bricksight._support.text import pluralize
from bricksight.cli._console import ConsoleReporter, stdout_console
from bricksight.cli._help import panel
from bricksight.cli._output import say_json
from bricksight.config import SplitConfig

if TYPE_CHECKING:
    from bricksight.dataset import Problem
    from bricksight.quality import CheckReport, Spread


def check(
    photos: Path,
    /,
    *,
    split: Annotated[SplitConfig, panel("Split")] = SplitConfig(),  # noqa: B008  (frozen)
    strict: bool = False,
    json: bool = False,
    contact_sheets: Path | None = None,
    no_contact_sheets: bool = False,
    quiet: bool = False,
) -> int:
    """Check a folder of photos before training: contents, problems and split.

    Every photo is decoded completely. Faults are facts, such as a file that cannot be read. Advice
    is for you to judge, such as near-duplicates.

    Parameters
    ----------
    photos
        Folder of photos, one sub-folder per class.
    strict
        Exit with code 1 if there is any fault.
    json
        Print one JSON object instead of tables. Contact sheets are only written with
        --contact_sheets.
    contact_sheets
        Folder for contact sheets, which show all photos of each class. By default PHOTOS-check in
        the working folder.
    no_contact_sheets
        Do not write contact sheets.
    quiet
        Print nothing and show no progress.
    """
    from bricksight import quality as checking
    from bricksight._support.filesystem.places import try_folder

    sheets = contact_sheets
    if sheets is None and not json:
        sheets = _default_sheets(photos)
    if no_contact_sheets:
        sheets = None
    if sheets is not None:
        try_folder(sheets)
    with Progress(ConsoleReporter(quiet=quiet)).sequence() as update:
        report = checking.check(photos, split=split, progress=update)
        if sheets is not None:
            sheet_done = partial(update, "Writing contact sheets")
            checking.write_contact_sheets(report.dataset, sheets, progress=sheet_done)
            checking.write_label_conflict_sheet(report, sheets)
    if json and not quiet:
        say_json(report.to_dict(), indent=2)
    elif not quiet:
        _show(report, sheets, stdout_console())
        _show_next(photos, split)
    return 1 if strict and report.faults else 0


def _show_next(photos: Path, split: SplitConfig) -> None:
    from bricksight.cli._next import as_words, print_next, shown

    names = [one.name for one in fields(split)]
    print_next(stdout_console(), [f"train {shown(photos)}{as_words(split, names)}"])


def _default_sheets(photos: Path) -> Path:
    """Return a folder in the working folder, or beside the photos if that is inside them."""
    photos = Path(os.path.realpath(photos))  # resolve() raises on a link to itself
    folder = Path(f"{photos.name}-check")
    if not Path.cwd().is_relative_to(photos):
        return folder
    return Path(os.path.relpath(photos.parent / folder))


def _show(report: "CheckReport", sheets: Path | None, console: Console) -> None:
    console.print(_class_table(report))
    formats = ", ".join(f"{number:,} {name}" for name, number in report.formats.items())
    console.print(f"Formats: {formats}")
    console.print(
        f"Smallest, median and largest width: {_spread(report.width)} pixels; "
        f"height: {_spread(report.height)} pixels"
    )
    _show_problems(console, "Faults", report.faults, style="bold red")
    _show_problems(console, "Advice", report.advice, style="bold yellow")
    if not report.dataset.problems:
        console.print()
        console.print("No problems found.", style="green")
    if sheets is not None:
        console.print()
        console.print(f"Contact sheets: {sheets}")


def _class_table(report: "CheckReport") -> Table:
    table = Table(
        title=str(report.image_dir), title_style="bold", title_justify="left", show_footer=True
    )
    table.add_column("class", pluralize(len(report.classes), "class", "classes"), overflow="fold")
    columns = ["num_photos", "num_groups", "training", "validation", "test"]
    if all(counts.num_groups == counts.num_photos for counts in report.classes):
        columns.remove("num_groups")
    for name in columns:
        total = sum(getattr(counts, name) for counts in report.classes)
        table.add_column(name.removeprefix("num_"), f"{total:,}", justify="right")
    for counts in report.classes:
        table.add_row(counts.label, *(f"{getattr(counts, name):,}" for name in columns))
    return table


def _show_problems(
    console: Console, title: str, problems: "tuple[Problem, ...]", *, style: str
) -> None:
    """Print the messages; many of one kind are summarised in a line."""
    from bricksight.dataset import summaries

    if not problems:
        return
    console.print()
    console.print(f"{title} ({len(problems):,})", style=style)
    for line in summaries(problems, where="--json"):
        console.print(Padding(line, (0, 0, 0, 2), expand=False))


def _spread(spread: "Spread") -> str:
    return f"{spread.min:,} / {spread.median:,} / {spread.max:,}"
