"""``bricksight benchmark``: how fast, how large and how good is each file of a model?"""

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
"""What ``--out`` holds; the last only where there is accuracy to show."""


@dataclass(frozen=True, kw_only=True)
class Comparing:
    """What is compared, and how it is told.

    Attributes:
        data: Also measure accuracy on these photos, one sub-folder a class.
        split: "all" of these photos, or those of one split.
        runtime: Only files that these run, such as litert,onnxruntime.
        threads: Cores a file may use, such as 1,2 to measure both; all of them by default.
        batch: Photos at a time when throughput is measured.
        rounds: How many times each file gets its turn.
        out: Also write benchmark.md, benchmark.json and, with data, benchmark.png to this folder.
        json: Print all figures as one JSON object.
        quiet: Show no progress.
        trust: Run models even if they may access files, the network or other programs.
    """

    data: Path | None = None
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
        """Returns what the library is asked for."""
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
            f"--{name} is {text!r}; it must be whole numbers with commas between, such as 1,2."
        ) from None


def benchmark(
    *models: Path,
    comparing: Annotated[Comparing, panel("Comparing")] = Comparing(),
    split_settings: Annotated[
        SplitAsNamed | None, panel("Split (with --split, by default that of the training)")
    ] = None,
) -> int:
    """Compare the files of a model: cold start, latency, throughput, memory, size, accuracy.

    A bundle stands for each of its files that an installed runtime executes. Each file is measured
    in a process of its own, all in turn. Have nothing else running.

    Args:
        models: Bundles and model files.
        comparing: What is compared, and how it is told.
        split_settings: How the photos are split, and which belong together.
    """
    from bricksight import benchmark as benchmarking
    from bricksight._support.filesystem.places import try_folder
    from bricksight._support.filesystem.walk import mark_as_own
    from bricksight.cli._console import ConsoleReporter, Stages

    if not models:
        raise ConfigError("No model is named: benchmark BUNDLE_OR_FILE...")
    settings = comparing.settings()
    if comparing.data is None and (split_settings or comparing.split != "all"):
        raise ConfigError(
            "--split and the options of the split need photos. Name them with --data."
        )
    if comparing.out is not None:
        try_folder(comparing.out)
        if comparing.data is not None:
            mark_as_own(comparing.out, among=comparing.data)
    photos = _photos(models, comparing, split_settings or {})
    with Stages(ConsoleReporter(quiet=comparing.quiet)) as stages:
        found = benchmarking.benchmark(
            models, photos=photos, settings=settings, progress=stages.update
        )
    if comparing.out is not None:
        _write(found, comparing.out)
    if comparing.json:
        say_json(found.to_dict(), indent=2)
    else:
        say(*found.to_markdown().rstrip().split("\n"))
    return 0


def _photos(
    models: Sequence[Path], comparing: Comparing, split_settings: SplitAsNamed
) -> "Sequence[Example]":
    """Returns the photos for accuracy; several bundles are measured on the split of the first."""
    from bricksight.api.evaluation import photos_of, split_config_of
    from bricksight.benchmark import find_models
    from bricksight.bundle import open_bundle
    from bricksight.dataset import scan

    found, _ = find_models(models)
    if comparing.data is None:
        return ()
    bundle = next((one.bundle for one in found if one.bundle is not None), None)
    opened = None if bundle is None else open_bundle(bundle)
    split = split_config_of(opened, comparing.split, split_settings)
    return photos_of(scan(comparing.data, split=split, trains=False), comparing.split)


def _write(found: "BenchmarkResult", out: Path) -> None:
    from bricksight._support.filesystem.files import atomic_write
    from bricksight.benchmark import accuracy_plot

    text, figures, plot = (out / name for name in NAMES)
    markdown = found.to_markdown()
    plot.unlink(missing_ok=True)  # one of an earlier run would not belong to these figures
    if any(one.accuracy is not None for one in found.measurements):
        with atomic_write(plot) as part:
            accuracy_plot(found.measurements, part)
        markdown += f"\n![Accuracy against latency]({plot.name})\n"
    content = {text: markdown, figures: json_text(found.to_dict(), indent=2) + "\n"}
    for path, words in content.items():
        with atomic_write(path) as part:
            part.write_text(words, encoding="utf-8")
