"""``bricksight cache``: list and prune cached features."""

import datetime
from pathlib import Path

import cyclopts
from rich.table import Table

from bricksight.cli._output import say, say_json
from bricksight.errors import ConfigError

app = cyclopts.App(name="cache", help="List and prune cached features.")

_MEGABYTE = 1_000_000


@app.default
@app.command(name="list")
def list_cache(*, path: Path | None = None, json: bool = False) -> int:
    """List cached features, a line per backbone and input.

    Args:
        path: The cache file; by default the shared one.
        json: Print one JSON object.
    """
    from dataclasses import asdict

    from bricksight.cli._console import stdout_console
    from bricksight.features import kept_cache_path, list_entries

    path = path or kept_cache_path()
    entries = list_entries(path)
    if json:
        content = {"path": str(path), "entries": [asdict(entry) for entry in entries]}
        say_json(content)
        return 0
    table = Table("Network", "Input", "Views", "MB", "Last used", box=None, pad_edge=False)
    table.columns[0].overflow = "fold"
    for entry in entries:
        used = datetime.datetime.fromtimestamp(entry.last_used).strftime("%Y-%m-%d %H:%M")
        size = f"{entry.size_bytes / _MEGABYTE:.1f}"
        table.add_row(entry.reference, entry.input, f"{entry.num_views:,}", size, used)
    console = stdout_console()
    console.print(table if entries else "The cache is empty.")
    console.print(str(path), soft_wrap=True)
    return 0


@app.command
def prune(
    *, path: Path | None = None, older_than_days: float | None = None, all: bool = False
) -> int:
    """Delete cached features. They are computed again when needed.

    Temporary files of killed runs are deleted too.

    Args:
        path: The cache file; by default the shared one.
        older_than_days: Delete features not used for this many days.
        all: Delete all features.
    """
    import time

    from bricksight._support.filesystem.files import remove_left_behind_in_cache
    from bricksight.features import kept_cache_path, list_entries, prune_entries

    if all == (older_than_days is not None):
        raise ConfigError("Say what to delete: either --older_than_days N or --all.")
    if older_than_days is not None and not older_than_days >= 0:
        raise ConfigError(
            f"--older_than_days is {older_than_days:g}; it must be a number of days, 0 or more."
        )
    if path is None:
        remove_left_behind_in_cache()
    path = path or kept_cache_path()
    limit = time.time() - (older_than_days or 0.0) * 86_400
    entries = [entry for entry in list_entries(path) if all or entry.last_used < limit]
    freed = prune_entries(path, entries)
    views = sum(entry.num_views for entry in entries)
    say(f"Deleted the features of {views:,} views; the disk got {freed / _MEGABYTE:.1f} MB back.")
    return 0
