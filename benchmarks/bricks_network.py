"""A MobileNetV2 trained on renders of our own parts: are its features better for bricks?

    python benchmarks/bricks_network.py PHOTOS --group_by REGEX --work FOLDER

Renders our own parts, tunes the packaged EfficientNet-Lite0 to tell them apart, carries its weights
over into a MobileNetV2, has it teach that network the same, and compares two frozen networks under
our own recipe: EfficientNet-Lite0 as it is packaged, and what was trained. Only renders and the
packaged network go into it, so that it can be shipped. FOLDER keeps each step.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from _machine import describe_machine

from bricksight import images
from bricksight.cli.crossval import spread
from bricksight.config import CrossvalConfig, FineTuneConfig, InputSpec, RetrainConfig, SplitConfig
from bricksight.modules import resolve
from bricksight.retrain import crossval, retrain
from bricksight.synth import PARTS, SceneConfig, SynthConfig, render_folder
from bricksight.synth.scenes import RIG

PACKAGED = "packaged:efficientnet_lite0"
UNTRAINED = "keras:MobileNetV2@weights=random"
CAMERAS = r"(.*)_(?:front|back|bottom)"
NUM_LOOKED_AT = 800
HARDLY_DIFFERENT = ("3040a", "4150", "3068a", "3070a")
"""Parts that differ from another one by a groove or a pin that most photos do not show."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--group_by", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--num", type=int, default=90)
    parser.add_argument("--render_size", type=int, default=160)
    parser.add_argument("--teacher_epochs", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=12)
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
    """Writes the trained network."""
    start = time.perf_counter()
    labels = tuple(label for label in PARTS if label.partition("_")[0] not in HARDLY_DIFFERENT)
    renders, teacher = options.work / "renders", options.work / "teacher"
    config = SynthConfig(
        labels=labels,
        num=options.num,
        size=options.render_size,
        quality="draft",
        scenes=SceneConfig(rig=RIG),
    )
    for _ in render_folder(renders, config):
        pass
    tell("rendered", start)
    tuned = options.work / "teacher.keras"
    if not tuned.is_file():
        tune(
            options,
            PACKAGED,
            teacher,
            FineTuneConfig(fine_tune=True, fine_tune_epochs=options.teacher_epochs),
        )
        tell("taught the teacher", start)
    begun = options.work / "begun.keras"
    if not begun.is_file():
        carry_over(tuned, begun, renders, options.size)
        tell("carried over", start)
    lessons = FineTuneConfig(fine_tune=True, fine_tune_epochs=options.epochs, teacher=teacher)
    tune(options, f"saved_model:{begun}", network.with_suffix(""), lessons)
    tell("trained", start)


def tune(options: argparse.Namespace, module: str, out: Path, lessons: FineTuneConfig) -> None:
    """Writes a bundle and, beside it, the tuned network without its layer for our parts."""
    trained = retrain(
        RetrainConfig(image_dir=options.work / "renders", tfhub_module=module, out=out),
        split=SplitConfig(group_by=CAMERAS, testing_percentage=5, validation_percentage=5),
        fine_tune=replace(lessons, fine_tune_size=options.size),
    )
    print(f"{module}: {trained.findings.test.statement}", flush=True)
    trained.findings.compiled.module.network().save(out.with_suffix(".keras"))


def carry_over(tuned: Path, begun: Path, renders: Path, size: int) -> None:
    """Writes a MobileNetV2 that is as like the tuned network as can be had without training."""
    # TensorFlow and Mitsuba cannot end in one process, and those that render import this file.
    from _transplant import transplant

    spec = InputSpec(height=size, width=size)
    files = sorted(renders.rglob("*.jpg"))
    rows = np.linspace(0, len(files) - 1, NUM_LOOKED_AT).astype(int)
    pixels = np.stack([images.to_input(images.decode(files[row]), spec) for row in rows])
    small_old = resolve(f"{PACKAGED}@size={size}").network()
    small_old.set_weights(resolve(f"saved_model:{tuned}").network().get_weights())
    small_new = resolve(f"{UNTRAINED},size={size}").network()
    transplant(small_old, small_new, pixels)
    new = resolve(UNTRAINED).network()
    new.set_weights(small_new.get_weights())
    new.save(begun)


def tell(what: str, start: float) -> None:
    print(f"{(time.perf_counter() - start) / 60:.1f} minutes, {what}", flush=True)


if __name__ == "__main__":
    main()
