"""Files side by side: cold start, latency, throughput, memory, size, accuracy; the machine named.

Every file is measured in a process of its own, and all of them in turn, so that whatever slows the
machine down for a while slows all of them down.
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
