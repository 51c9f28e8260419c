"""Settings of a benchmark."""

from dataclasses import dataclass, field

from bricksight._support.threads import num_cores, require_threads
from bricksight.errors import ConfigError
from bricksight.predict.runtimes import runtime_class


def _all_cores() -> tuple[int, ...]:
    return (num_cores(),)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of a benchmark.

    Attributes:
        runtimes: Runtimes to use; if empty, each file is executed by its default runtime.
        threads: Numbers of threads; every file is measured with each of them.
        batch: Batch sizes for the throughput.
        rounds: Number of rounds; in each, every file is measured once.
        calls: Number of single photos per file and round; the throughput uses at least as many.
        cold_starts: Number of cold starts per file.
        trust: Run models even if they may access files, the network or other programs.
    """

    runtimes: tuple[str, ...] = ()
    threads: tuple[int, ...] = field(default_factory=_all_cores)
    batch: tuple[int, ...] = (1, 8)
    rounds: int = 5
    calls: int = 20
    cold_starts: int = 3
    trust: bool = False

    def __post_init__(self) -> None:
        for name in self.runtimes:
            runtime_class(name)
        for name in ("threads", "batch"):
            values = getattr(self, name)
            if not values or min(values) < 1 or len(set(values)) < len(values):
                raise ConfigError(
                    f"--{name} is {','.join(map(str, values))}; it must be one or more different "
                    "whole numbers from 1, such as 1,2."
                )
        for threads in self.threads:
            require_threads(threads)
        for name in ("rounds", "calls", "cold_starts"):
            if getattr(self, name) < 1:
                raise ConfigError(f"--{name} is {getattr(self, name)}; it must be at least 1.")
