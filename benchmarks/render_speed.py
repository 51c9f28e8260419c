"""How fast photos are rendered: a core at work, then two processes, and the memory of one.

    python benchmarks/render_speed.py [--num 10] [--size 144] [--quality draft normal]

Parts of the package's own; scenes as by default. Rates count the start of the processes too.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

from _machine import describe_machine

from bricksight.bricks.synth import SAMPLE_LABELS, SynthConfig, render_folder
from bricksight.bricks.synth.rendering.raytrace import QUALITIES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--num", type=int, default=10, help="photos of each of the twelve parts")
    parser.add_argument("--size", type=int, default=144)
    parser.add_argument("--quality", nargs="+", default=list(QUALITIES), choices=list(QUALITIES))
    options = parser.parse_args()
    print(describe_machine())
    print(f"{options.num} photos of each of {len(SAMPLE_LABELS)} parts, {options.size} px\n")
    print("| quality | images/s, one process | two processes | ratio |\n|---|---|---|---|")
    for quality in options.quality:
        one, two = (rate(quality, processes, options) for processes in (1, 2))
        print(f"| {quality} | {one:.2f} | {two:.2f} | {two / one:.2f} |", flush=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(f"\npeak memory of a process: {peak / 1024:.0f} MiB")


def rate(quality: str, processes: int, options: argparse.Namespace) -> float:
    """Returns photos a second."""
    config = SynthConfig(labels=SAMPLE_LABELS, num=options.num, size=options.size, quality=quality)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        count = sum(render_folder(Path(folder) / "out", config, processes=processes))
        return count / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
