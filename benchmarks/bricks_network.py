"""Makes ``packaged:mobilenet_v2_bricks``: a MobileNetV2 trained on renders of LEGO parts.

    python benchmarks/bricks_network.py --work FOLDER --ldraw LIBRARY

Renders our own parts, tunes the packaged EfficientNet-Lite0 to tell them apart, carries its weights
over into a MobileNetV2, has it teach that network the same, and trains that on, with more renders
each time, at last of the parts of bricks_parts.txt from LDraw's library. Only renders and the
packaged network go into it, so that it can be shipped. FOLDER keeps each step; the last is
FOLDER/mobilenet_v2_bricks.npz.
"""

import argparse
import functools
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from _machine import describe_machine

from bricksight import images
from bricksight.backbones import resolve
from bricksight.bricks.synth import PARTS, SceneConfig, SynthConfig, render_folder
from bricksight.bricks.synth.scenes.scene import RIG
from bricksight.config import AugmentConfig, FineTuneConfig, InputSpec, SplitConfig, TrainingConfig
from bricksight.features import LabeledFeatures
from bricksight.finetuning import (
    BatchGenerator,
    EpochMetrics,
    Stage,
    Trainer,
    TrainerOptions,
    read_image_set,
)
from bricksight.finetuning.layer_freezing import WHOLE, freeze
from bricksight.heads import BOLDEST_POLICY, POLICIES, SYNTHETIC_POLICY, HeadChoice
from bricksight.heads.linear import LinearFit
from bricksight.training import train

PACKAGED = "packaged:efficientnet_lite0"
UNTRAINED = "keras:MobileNetV2@weights=random"
CAMERAS = r"(.*)_(?:front|back|bottom)"
NUM_LOOKED_AT = 800
HARDLY_DIFFERENT = ("3040a", "4150", "3068a", "3070a")
"""Parts that differ from another one by a groove or a pin that most photos do not show."""

OWN_PARTS = tuple(label for label in PARTS if label.partition("_")[0] not in HARDLY_DIFFERENT)
LIBRARY_PARTS = tuple(Path(__file__).with_name("bricks_parts.txt").read_text().split())
"""Numbers in LDraw's library, of each part one variant."""


@dataclass(frozen=True)
class Renders:
    """A folder of renders.

    Attributes:
        num: How many of each part.
        seed: Of ``SynthConfig``.
        labels: Classes.
        rig: Cameras; none is one that looks from anywhere above.
    """

    num: int
    seed: int
    labels: tuple[str, ...] = OWN_PARTS
    rig: tuple[str, ...] = RIG


RENDERS = {
    "renders": Renders(45, 0),
    "more_renders": Renders(120, 7),
    "further_renders": Renders(100, 11),
    "library_renders": Renders(36, 21, LIBRARY_PARTS),
    "anywhere_renders": Renders(24, 31, LIBRARY_PARTS, rig=()),
    "below_renders": Renders(12, 41, LIBRARY_PARTS, rig=("bottom",)),
}

_NUMBER = re.compile(r"[a-z]?[0-9]+")  # without the letter of the variant
RENDER_SIZE = 160
SMALL = 128  # while the teacher learns and teaches
TEACHER_EPOCHS = 6
TAUGHT_EPOCHS = 12
KNOWN_VIEWS = 1
KNOWN_L2 = 1e-3
KNOWN_ITERATIONS = 60
BATCH = 128  # of renders whose features are computed at once


@dataclass(frozen=True)
class Lesson:
    """One stage of the training that follows on the teacher's.

    Attributes:
        folders: Of renders, keys of ``RENDERS``.
        epochs: How many times each is seen.
        size: Rows and columns of the images.
        rate: Highest learning rate.
        augments: Random changes; each view takes one of them.
        batch: Renders in a step.
        whole: Whether the layers with fine maps learn too.
        ema: Share of the average of the weights that a step keeps.
    """

    folders: tuple[str, ...]
    epochs: int
    size: int = RENDER_SIZE
    rate: float = 1e-3
    augments: tuple[AugmentConfig, ...] = POLICIES[BOLDEST_POLICY]
    batch: int = 32
    whole: bool = True
    ema: float = TrainerOptions.ema


RIG_RENDERS = ("further_renders", "library_renders")
ALL_PARTS = (*RIG_RENDERS, "anywhere_renders", "below_renders")
_LARGE = functools.partial(Lesson, batch=64, whole=False, ema=0.998)
LESSONS = (
    Lesson(("renders",), 8),
    Lesson(("renders", "more_renders"), 6),
    _LARGE(("further_renders",), 12, size=SMALL),
    _LARGE(("further_renders",), 4, rate=4e-4),
    _LARGE(RIG_RENDERS, 12, size=SMALL),
    _LARGE(RIG_RENDERS, 3, rate=4e-4),
    _LARGE(RIG_RENDERS, 6, rate=8e-4, augments=SYNTHETIC_POLICY),
    _LARGE(ALL_PARTS, 4, rate=8e-4, augments=SYNTHETIC_POLICY),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--ldraw", type=Path, required=True, help="a folder or complete.zip")
    options = parser.parse_args()
    work = options.work
    print(describe_machine(), flush=True)
    start = time.perf_counter()

    def made(name: str, make: Callable[[Path], None]) -> Path:
        """Returns the path of a step's result, which is made if it is not there yet."""
        path = work / name
        if not path.exists():
            make(path)
            print(f"{name}: after {(time.perf_counter() - start) / 60:.0f} minutes", flush=True)
        return path

    for name, renders_of in RENDERS.items():
        library = options.ldraw if renders_of.labels == LIBRARY_PARTS else None
        render(work / name, renders_of, library)
    renders = work / "renders"
    teacher = made("teacher.keras", lambda path: tune(renders, PACKAGED, path, TEACHER_EPOCHS))
    resume_from = made("begun.keras", lambda path: carry_over(teacher, path, renders))
    network = made(
        "taught.keras",
        lambda path: tune(
            renders, f"saved_model:{resume_from}", path, TAUGHT_EPOCHS, teacher.with_suffix("")
        ),
    )
    for number, lesson in enumerate(LESSONS, start=1):
        train = functools.partial(train_on, network, lesson, number)
        network = made(f"trained_{number}.keras", train)
    folders = [work / name for name in ALL_PARTS]
    head = made("known.npz", lambda path: fit_known(network, folders, path))
    made("mobilenet_v2_bricks.npz", lambda path: pack(network, head, path))


def render(folder: Path, renders: Renders, library: Path | None) -> None:
    """Renders parts, our own where there is no library; what is there already stays."""
    config = SynthConfig(
        labels=renders.labels,
        ldraw=library,
        num=renders.num,
        seed=renders.seed,
        size=RENDER_SIZE,
        quality="draft",
        scenes=SceneConfig(rig=renders.rig),
    )
    for _ in render_folder(folder, config):
        pass


def tune(renders: Path, backbone: str, out: Path, epochs: int, teacher: Path | None = None) -> None:
    """Writes the tuned network without its layer for our parts, and a bundle beside it."""
    trained = train(
        replace(
            TrainingConfig.of(image_dir=renders, backbone=backbone, out=out.with_suffix("")),
            split=SplitConfig(group_by=CAMERAS, testing_percentage=5, validation_percentage=5),
            finetuning=FineTuneConfig(
                fine_tune=True,
                fine_tune_from="whole",
                fine_tune_size=SMALL,
                fine_tune_epochs=epochs,
                teacher=teacher,
            ),
        ),
    )
    print(f"{backbone}: {trained.findings.test.statement}", flush=True)
    trained.findings.compiled.backbone.network().save(out)


def train_on(network: Path, lesson: Lesson, number: int, out: Path) -> None:
    """Writes the network trained on, in any colour and at any angle."""
    files, names, labels = renders_in([out.parent / name for name in lesson.folders])
    backbone = resolve(f"saved_model:{network}")
    found: Any = backbone.network()
    freeze(found, WHOLE if lesson.whole else None, backbone)
    batch_generator = BatchGenerator(
        photos=read_image_set(files, labels, size=lesson.size),
        augments=lesson.augments,
        batch_size=lesson.batch,
        seed=number,
    )
    stage = Stage(
        batch_generator=batch_generator, epochs=lesson.epochs, size=lesson.size, rate=lesson.rate
    )
    Trainer(found, len(names), TrainerOptions(ema=lesson.ema)).run(stage, after_epoch=tell)
    found.save(out)


def renders_in(folders: Sequence[Path]) -> tuple[list[Path], list[str], np.ndarray]:
    """Returns all photos, the numbers of the parts, and which of these each photo shows.

    Variants of a part, and our own and LDraw's, are one: most photos do not tell them apart.
    """
    files = [file for folder in folders for file in sorted(folder.glob("*/*.jpg"))]
    numbers = [_NUMBER.findall(file.parent.name)[0] for file in files]
    names, labels = np.unique(numbers, return_inverse=True)
    return files, names.tolist(), labels


def tell(seen: EpochMetrics) -> None:
    print(f"step {seen.step}: {100 * seen.accuracy:.1f} % of the views right", flush=True)


def carry_over(tuned: Path, resume_from: Path, renders: Path) -> None:
    """Writes a MobileNetV2 that is as like the tuned network as can be had without training."""
    # TensorFlow and Mitsuba cannot end in one process, and those that render import this file.
    from _transplant import transplant

    spec = InputSpec(height=SMALL, width=SMALL)
    files = sorted(renders.rglob("*.jpg"))
    rows = np.linspace(0, len(files) - 1, NUM_LOOKED_AT).astype(int)
    pixels = np.stack([images.to_input(images.decode(files[row]), spec) for row in rows])
    small_old = resolve(f"{PACKAGED}@size={SMALL}").network()
    small_old.set_weights(resolve(f"saved_model:{tuned}").network().get_weights())
    small_new = resolve(f"{UNTRAINED},size={SMALL}").network()
    transplant(small_old, small_new, pixels)
    new = resolve(UNTRAINED).network()
    new.set_weights(small_new.get_weights())
    new.save(resume_from)


def fit_known(network: Path, folders: Sequence[Path], out: Path) -> None:
    """Writes the layer by which the network tells all parts apart, fitted to random views."""
    files, names, labels = renders_in(folders)
    spec = InputSpec(height=RENDER_SIZE, width=RENDER_SIZE)
    image_set = read_image_set(files, labels, size=RENDER_SIZE)
    small = resolve(f"{UNTRAINED},size={RENDER_SIZE}").network()
    small.set_weights(resolve(f"saved_model:{network}").network().get_weights())
    kinds = POLICIES[BOLDEST_POLICY]

    def view(row: int, number: int) -> np.ndarray:
        rng, kind = np.random.default_rng([number, row]), kinds[(row + number) % len(kinds)]
        return images.augment(image_set.pixels[row], rng, config=kind, spec=spec)

    features = [
        np.concatenate(
            [
                small(np.stack([view(row, number) for row in rows]), training=False)
                for rows in np.array_split(np.arange(len(files)), len(files) // BATCH + 1)
            ]
        )
        for number in range(KNOWN_VIEWS)
    ]
    labeled = LabeledFeatures(
        features=np.stack(features, 1), labels=labels, groups=np.arange(len(files))
    )
    fit = LinearFit(labeled, num_classes=len(names), class_weight="balanced")
    choice = HeadChoice("softmax", shrinkage=None, l2=KNOWN_L2)
    head = fit.fit(choice, max_iterations=KNOWN_ITERATIONS)
    np.savez(out, known_labels=names, known_kernel=head.kernel, known_bias=head.bias)


def pack(network: Path, known: Path, out: Path) -> None:
    """Writes the weights as the package has them, as float16 numbers in the order of Keras."""
    weights = resolve(f"saved_model:{network}").network().get_weights()
    arrays = {f"{number:03d}": one.astype(np.float16) for number, one in enumerate(weights)}
    with np.load(known, allow_pickle=False) as head:
        arrays |= {name: head[name].astype(np.float16) for name in ("known_kernel", "known_bias")}
        arrays["known_labels"] = head["known_labels"]
    np.savez_compressed(out, **arrays)


if __name__ == "__main__":
    main()
