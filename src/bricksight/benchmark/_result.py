"""Results of a benchmark, as dataclasses, JSON and Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bricksight._support.text import percent, pluralize, printable
from bricksight.dataset import Problem, summaries, unreadable_files
from bricksight.evaluation import Evaluation, trained_on, warnings_of

_MEGA = 1e6
_NONE = "-"


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Measurements of one file in one runtime with one number of threads.

    Attributes:
        name: Path relative to the common parent folder of all benchmarked files.
        path: The file or folder.
        runtime: The runtime that executed it.
        threads: Number of threads.
        size_bytes: Size in bytes, including files that belong to it.
        cold_start_s: Seconds from the start of a new process to its first answer, median.
        load_s: The part of ``cold_start_s`` for loading runtime and file, median.
        first_answer_s: The part of ``cold_start_s`` for classifying the first photo, median.
        peak_memory_bytes: Peak memory of such a process, median; ``None`` if the system does not
            report it.
        latency_p50_ms: Milliseconds from decoded photo to labels, median.
        latency_p95_ms: Milliseconds from decoded photo to labels, 95th percentile.
        preprocessing_p50_ms: Milliseconds from decoded photo to network input, median.
        inference_p50_ms: Milliseconds from network input to probabilities, median.
        inference_p95_ms: Milliseconds from network input to probabilities, 95th percentile.
        images_per_second: Batch size → images per second from network input to probabilities,
            median of the rounds.
        evaluation: Evaluation on the photos; ``None`` without photos.
        num_trained_on: Number of these photos that were used for training, which makes the accuracy
            too high; ``None`` if no bundle records this.
    """

    name: str
    path: Path
    runtime: str
    threads: int
    size_bytes: int
    cold_start_s: float
    load_s: float
    first_answer_s: float
    peak_memory_bytes: int | None
    latency_p50_ms: float
    latency_p95_ms: float
    preprocessing_p50_ms: float
    inference_p50_ms: float
    inference_p95_ms: float
    images_per_second: Mapping[int, float]
    evaluation: Evaluation | None = None
    num_trained_on: int | None = None

    @property
    def accuracy(self) -> float | None:
        """Top-1 accuracy on the photos, in [0, 1]; ``None`` without photos."""
        return None if self.evaluation is None else self.evaluation.accuracy

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; ``docs/reference/benchmark.md`` lists the keys."""
        found = self.evaluation
        own = {name: value for name, value in vars(self).items() if name != "evaluation"}
        return own | {
            "path": str(self.path),
            "images_per_second": {str(size): rate for size, rate in self.images_per_second.items()},
            "num_photos": 0 if found is None else found.num_images,
            "accuracy": self.accuracy,
            "accuracy_interval": found
            and found.accuracy_interval
            and [found.accuracy_interval.low, found.accuracy_interval.high],
            "group_accuracy": found and found.groups and found.groups.accuracy,
        }


@dataclass(frozen=True, kw_only=True)
class BenchmarkResult:
    """Result of a benchmark run.

    Attributes:
        measurements: Measurements, ordered by file, then by number of threads.
        left_out: File → reason why it was not measured.
        set_aside: Photo → reason why it could not be read.
        machine: Processor, cores, memory, operating system, versions.
        settings: Settings of the run.
    """

    measurements: tuple[Measurement, ...]
    left_out: Mapping[str, str]
    set_aside: Mapping[str, str]
    machine: Mapping[str, Any]
    settings: Mapping[str, Any]

    @property
    def warnings(self) -> list[Problem]:
        """Warnings that change how the accuracies are to be read."""
        return list(
            dict.fromkeys(
                warning
                for one in self.measurements
                if one.evaluation is not None
                for warning in (
                    *trained_on(one.num_trained_on or 0, one.evaluation.num_images, model=one.name),
                    *warnings_of(one.evaluation),
                )
            )
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; ``docs/reference/benchmark.md`` lists the keys."""
        return {
            "machine": dict(self.machine),
            "settings": dict(self.settings),
            "measurements": [one.to_dict() for one in self.measurements],
            "left_out": dict(self.left_out),
            "set_aside": dict(self.set_aside),
            "warnings": [asdict(warning) for warning in self.warnings],
        }

    def to_markdown(self) -> str:
        """Format the result as Markdown: tables, machine, settings, files that were left out."""
        parts = [
            _table(_latency_rows(self.measurements)),
            "Images per second, from network input to probabilities:",
            _table(_throughput_rows(self.measurements)),
            printable(_machine_text(self.machine, self.settings)),
        ]
        notes = [f"- {name} was left out: {reason}" for name, reason in self.left_out.items()]
        set_aside = unreadable_files(self.set_aside)
        notes += [f"- {line}" for line in summaries(set_aside, where="benchmark.json (--out)")]
        notes += [f"- {warning.message}" for warning in self.warnings]
        if notes:
            parts.append("\n".join(map(printable, notes)))
        return "\n\n".join(parts) + "\n"


def _latency_rows(measurements: Sequence[Measurement]) -> list[dict[str, str]]:
    """Return the table of latency, cold start, memory and size: one row per measurement."""
    rows = []
    for one in measurements:
        row = _head(one) | {
            "latency ms, p50": f"{one.latency_p50_ms:.2f}",
            "p95": f"{one.latency_p95_ms:.2f}",
            "preprocessing ms": f"{one.preprocessing_p50_ms:.2f}",
            "inference ms": f"{one.inference_p50_ms:.2f}",
            "cold start s": f"{one.cold_start_s:.2f}",
            "peak memory MB": _mega(one.peak_memory_bytes, 0),
            "size MB": _mega(one.size_bytes, 2),
        }
        if one.evaluation is not None:
            row["accuracy"] = _accuracy_text(one.evaluation)
        rows.append(row)
    return rows


def _throughput_rows(measurements: Sequence[Measurement]) -> list[dict[str, str]]:
    return [
        _head(one)
        | {f"batch {size}": f"{rate:,.0f}" for size, rate in one.images_per_second.items()}
        for one in measurements
    ]


def _head(one: Measurement) -> dict[str, str]:
    return {"file": one.name, "runtime": one.runtime, "threads": str(one.threads)}


def _accuracy_text(found: Evaluation) -> str:
    if found.accuracy is None or found.accuracy_interval is None:
        return _NONE
    interval = found.accuracy_interval
    text = f"{percent(found.accuracy)} ({100 * interval.low:.1f} to {100 * interval.high:.1f})"
    if found.groups is not None and found.groups.accuracy is not None:
        text += f", by group {percent(found.groups.accuracy)}"
    return text


def _mega(number: int | None, digits: int) -> str:
    return _NONE if number is None else f"{number / _MEGA:,.{digits}f}"


def _table(rows: Sequence[Mapping[str, str]]) -> str:
    """Format rows as an aligned Markdown table; text columns are left-aligned."""
    headings = list(rows[0])
    lines = [headings, *(list(row.values()) for row in rows)]
    lines = [[printable(cell).replace("|", "\\|") for cell in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    texts = headings.index("runtime") + 1  # file and runtime; the rest are numbers

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if index < texts else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    rule = [
        "-" * width if index < texts else "-" * (width - 1) + ":"
        for index, width in enumerate(widths)
    ]
    return "\n".join([line(headings), line(rule), *map(line, lines[1:])])


def _machine_text(machine: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    board = f"{machine['board']}, " if machine["board"] else ""
    memory = machine["memory_bytes"]
    memory_text = f", {memory / 1e9:.1f} GB of memory" if memory else ""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    photos = ", ".join(settings["photo_sizes"])
    data = f"{settings['data']}: {pluralize(settings['num_photos'], 'photo')}. " * bool(
        settings["num_photos"]
    )
    return (
        f"{board}{machine['processor']}, {pluralize(machine['cores'], 'core')}{memory_text}, "
        f"{machine['system']}; {versions}. {data}Each file in a process of its own, in turn: "
        f"{pluralize(settings['rounds'], 'round')} of {pluralize(settings['calls'], 'photo')}, "
        f"timed on {photos} pixels; {pluralize(settings['cold_starts'], 'cold start')}. "
        "MB are 10^6 bytes."
    )
