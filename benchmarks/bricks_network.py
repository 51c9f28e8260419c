"""A network trained from nothing on renders of our own parts: are its features better for bricks?

    python benchmarks/bricks_network.py PHOTOS --group_by REGEX --work FOLDER

Renders our own parts, tunes the packaged EfficientNet-Lite0 to tell them apart, has it teach a
MobileNetV2 that begins with random weights, and compares the two as frozen networks under our own
recipe: EfficientNet-Lite0 as it is packaged, and what was trained. Only renders and the packaged
network go into it, so that it could be shipped. FOLDER keeps each step.
"""

import argparse
import time
from pathlib import Path

from _machine import describe_machine

from bricksight.cli.crossval import spread
from bricksight.config import CrossvalConfig, FineTuneConfig, RetrainConfig, SplitConfig
from bricksight.retrain import crossval, retrain
from bricksight.synth import PARTS, SynthConfig, render_folder

PACKAGED = "packaged:efficientnet_lite0"
UNTRAINED = "keras:MobileNetV2@weights=random"
HARDLY_DIFFERENT = ("3040a", "4150", "3068a", "3070a")
"""Parts that differ from another one by a groove or a pin that most photos do not show."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--group_by", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--num", type=int, default=60)
    parser.add_argument("--teacher_epochs", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    print(f"{describe_machine()}; {options.num} renders of each part", flush=True)
    network = options.work / "bricks.keras"
    if not network.is_file():
        train(options, network)
    for module in (PACKAGED, f"saved_model:{network}"):
        found = crossval(
            RetrainConfig(image_dir=options.photos, tfhub_module=module),
            folds=CrossvalConfig(seeds=options.seeds, group_by=options.group_by),
        )
        groups = f", by group {spread(found.group_accuracies)}" if found.group_accuracies else ""
        print(f"{module.rpartition('/')[2]}: {spread(found.accuracies)}{groups}", flush=True)


def train(options: argparse.Namespace, network: Path) -> None:
    """Writes the trained network; its layer for our parts is left away."""
    start = time.perf_counter()
    labels = tuple(label for label in PARTS if label.partition("_")[0] not in HARDLY_DIFFERENT)
    renders, teacher = options.work / "renders", options.work / "teacher"
    for _ in render_folder(
        renders, SynthConfig(labels=labels, num=options.num, size=192, quality="draft")
    ):
        pass
    tell("rendered", start)
    split = SplitConfig(testing_percentage=5, validation_percentage=5)
    if not teacher.exists():
        tuned = retrain(
            RetrainConfig(image_dir=renders, tfhub_module=PACKAGED, out=teacher),
            split=split,
            fine_tune=FineTuneConfig(
                fine_tune=True, fine_tune_epochs=options.teacher_epochs, fine_tune_size=options.size
            ),
        )
        tell(f"taught the teacher: {tuned.findings.test.statement}", start)
    trained = retrain(
        RetrainConfig(image_dir=renders, tfhub_module=UNTRAINED, out=options.work / "student"),
        split=split,
        fine_tune=FineTuneConfig(
            fine_tune=True,
            fine_tune_epochs=options.epochs,
            fine_tune_size=options.size,
            teacher=teacher,
        ),
    )
    trained.findings.compiled.module.network().save(network)
    tell(f"trained: {trained.findings.test.statement}", start)


def tell(what: str, start: float) -> None:
    print(f"{(time.perf_counter() - start) / 60:.1f} minutes, {what}", flush=True)


if __name__ == "__main__":
    main()
