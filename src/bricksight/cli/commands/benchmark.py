"""``bricksight benchmark``: speed, size and accuracy of model files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from bricksight._support.text import json_text
from bricksight.cli._help import panel
from bricksight.cli._output import say, say_json
from bricksight.cli.commands.evaluate import SplitAsNamed
from bricksight.errors import ConfigError

if TYPE_CHECKING:
    from bricksight.benchmark import BenchmarkResult, Settings
    from bricksight.dataset import Example

NAMES = "benchmark.md", "benchmark.json", "benchmark.png"
"""Files in the folder ``--out``; the last only with accuracy."""


@dataclass(frozen=True, kw_only=True)
class BenchmarkOptions:
    """Settings of the comparison.

    Attributes:
        image_dir: Also measure accuracy on these photos, one sub-folder per class.
        split: Use "all" photos, or those of one split.
        runtime: Only files for these runtimes, such as litert,onnxruntime.
        threads: Number of threads, such as 1,2 to measure both; by default all cores.
        batch: Batch sizes for throughput.
        rounds: How many times each file is measured.
        out: Also write benchmark.md, benchmark.json and, with accuracy, benchmark.png to this
            folder.
        json: Print all figures as one JSON object.
        quiet: Show no progress.
        trust: Run models even if they may access files, the network or other programs.
    """

    image_dir: Path | None = None
    split: Literal["all", "training", "validation", "test"] = "all"
    runtime: str | None = None
    threads: str | None = None
    batch: str = "1,8"
    rounds: int = 5
    out: Path | None = None
    json: bool = False
    quiet: bool = False
    trust: bool = False

    def settings(self) -> "Settings":
        """Return the settings of the library."""
        from bricksight.benchmark import Settings

        default = Settings()
        return Settings(
            threads=default.threads if self.threads is None else _numbers("threads", self.threads),
            runtimes=tuple(self.runtime.split(",")) if self.runtime else (),
            batch=_numbers("batch", self.batch),
            rounds=self.rounds,
            trust=self.trust,
        )


def _numbers(name: str, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError:
        raise ConfigError(
            f"--{name} is {text!r}; it must be whole numbers with commas, such as 1,2."
        ) from None


def benchmark(
    *models: Path,
    options: Annotated[BenchmarkOptions, panel("Options")] = BenchmarkOptions(),
    split_settings: Annotated[
        SplitAsNamed | None, panel("Split (for --split; defaults come from the bundle)")
    ] = None,
) -> int:
    """Compare model files: cold start, latency, throughput, memory, size and accuracy.

    Of a bundle, all files with an installed runtime are measured. Each file runs in a process of
    its own, in turns. Close other programs first.

    Args:
        models: Bundles and model files.
        options: Settings of the comparison.
        split_settings: Split of the photos.
    """
    from bricksight import benchmark as benchmarking
    from bricksight._support.filesystem.places import try_folder
    from bricksight._support.filesystem.walk import mark_as_own
    from bricksight._support.progress import Progress
    from bricksight.cli._console import ConsoleReporter

    if not models:
        raise ConfigError("MODEL is missing: bricksight benchmark MODEL...")
    settings = options.settings()
    if options.image_dir is None and (split_settings or options.split != "all"):
        raise ConfigError(
            "--split and the options of the split need photos. Add --image_dir PHOTOS."
        )
    if options.out is not None:
        try_folder(options.out)
        if options.image_dir is not None:
            mark_as_own(options.out, among=options.image_dir)
    photos = _photos(models, options, split_settings or {})
    with Progress(ConsoleReporter(quiet=options.quiet)).sequence() as update:
        found = benchmarking.benchmark(models, photos=photos, settings=settings, progress=update)
    if options.out is not None:
        _write(found, options.out)
    if options.json:
        say_json(found.to_dict(), indent=2)
    else:
        say(*found.to_markdown().rstrip().split("\n"))
    return 0


def _photos(
    models: Sequence[Path], options: BenchmarkOptions, split_settings: SplitAsNamed
) -> "Sequence[Example]":
    """Return the photos for accuracy, split as for the first bundle."""
    from bricksight.api.evaluation import photos_of, split_config_of
    from bricksight.benchmark import find_models
    from bricksight.bundle import open_bundle
    from bricksight.dataset import scan

    found, _ = find_models(models)
    if options.image_dir is None:
        return ()
    bundle = next((one.bundle for one in found if one.bundle is not None), None)
    opened = None if bundle is None else open_bundle(bundle)
    split = split_config_of(opened, options.split, split_settings)
    return photos_of(scan(options.image_dir, split=split, for_training=False), options.split)


def _write(found: "BenchmarkResult", out: Path) -> None:
    from bricksight._support.filesystem.files import atomic_write
    from bricksight.benchmark import accuracy_plot

    text, figures, plot = (out / name for name in NAMES)
    markdown = found.to_markdown()
    plot.unlink(missing_ok=True)  # a plot of an earlier run would not match these figures
    if any(one.accuracy is not None for one in found.measurements):
        with atomic_write(plot) as part:
            accuracy_plot(found.measurements, part)
        markdown += f"\n![Accuracy against latency]({plot.name})\n"
    content = {text: markdown, figures: json_text(found.to_dict(), indent=2) + "\n"}
    for path, words in content.items():
        with atomic_write(path) as part:
            part.write_text(words, encoding="utf-8")
