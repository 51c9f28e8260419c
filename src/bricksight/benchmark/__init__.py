"""Benchmark model files: cold start, latency, throughput, memory, size and accuracy.

Each file runs in its own process. The files are measured in turns, so that a temporary slowdown of
the machine affects all of them.
"""

from bricksight.benchmark._models import ModelFile, find_models
from bricksight.benchmark._plot import accuracy_plot
from bricksight.benchmark._result import BenchmarkResult, Measurement
from bricksight.benchmark._run import benchmark
from bricksight.benchmark._settings import Settings

__all__ = [
    "BenchmarkResult",
    "Measurement",
    "ModelFile",
    "Settings",
    "accuracy_plot",
    "benchmark",
    "find_models",
]
