"""What every benchmark says of the machine and of its timings."""

import importlib.metadata
import os
import platform
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path


def describe_machine() -> str:
    """Returns processor, cores and versions in one line."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}"
        for name in ("bricksight", "tensorflow", "ai-edge-litert", "numpy", "pillow")
    )
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}"


def in_turn(
    candidates: Mapping[str, Callable[[], float]], *, rounds: int
) -> dict[str, tuple[float, float, float]]:
    """Returns (lowest, median, highest) of each candidate, run in turn so that drift hits all."""
    found: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, run in candidates.items():
            found[name].append(run())
    return {
        name: (min(values), statistics.median(values), max(values))
        for name, values in found.items()
    }
