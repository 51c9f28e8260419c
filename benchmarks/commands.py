"""Whole commands, each in a process of its own: start-up, one photo, the seed command.

    python benchmarks/commands.py IMAGE_DIR [--rounds 5]

TFHUB_CACHE_DIR names the folder of modules. Peak memory is that of the largest process so far.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _machine import describe_machine

SEED_FLAGS = [
    "--tfhub_module",
    "https://tfhub.dev/google/imagenet/mobilenet_v2_100_224/feature_vector/3",
    "--random_crop=5",
    "--random_brightness=5",
    "--random_scale=5",
    "--flip_left_right",
    "--learning_rate=0.02",
    "--how_many_training_steps=4000",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image_dir", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(describe_machine())
    with tempfile.TemporaryDirectory() as folder:
        benchmark(options.image_dir, Path(folder), rounds=options.rounds)


def benchmark(image_dir: Path, folder: Path, *, rounds: int) -> None:
    os.environ["BRICKSIGHT_CACHE_DIR"] = str(folder / "cache")
    seed = ["retrain", "--image_dir", str(image_dir), *SEED_FLAGS]
    cold, outcome = timed([*seed, "--out", str(folder / "cold")])
    print(f"\nseed command, cold caches: {cold:.1f} s, accuracy {outcome['test']['accuracy']:.3f}")
    stages(outcome)
    warm = [timed([*seed, "--out", str(folder / f"warm{n}")]) for n in range(rounds)]
    median = statistics.median(seconds for seconds, _ in warm)
    print(f"\nseed command, warm caches: {median:.1f} s, median of {rounds}")
    stages(warm[-1][1])
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"\npeak memory: {peak:.0f} MiB")
    photo = next(path for path in sorted(image_dir.rglob("*")) if path.is_file())
    for title, words in {
        "bricksight --help": ["--help"],
        "bricksight classify, one photo": ["classify", str(folder / "cold"), str(photo)],
        "bricksight backbones list": ["backbones", "list"],
    }.items():
        seconds = [timed(words)[0] for _ in range(rounds)]
        print(
            f"{title}: {statistics.median(seconds):.2f} s, median of {rounds} "
            f"({min(seconds):.2f} to {max(seconds):.2f})"
        )


def timed(words: list[str]) -> tuple[float, dict]:
    """Return the seconds of a whole process, and the metrics of the bundle after ``--out``."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "bricksight", *words], capture_output=True, check=True)
    seconds = time.perf_counter() - start
    if "--out" not in words:
        return seconds, {}
    metrics = Path(words[words.index("--out") + 1], "metrics.json")
    return seconds, json.loads(metrics.read_text(encoding="utf-8"))


def stages(outcome: dict) -> None:
    print("| stage | seconds |\n|---|---|")
    for stage, seconds in outcome["seconds"].items():
        print(f"| {stage} | {seconds:.1f} |")


if __name__ == "__main__":
    main()
