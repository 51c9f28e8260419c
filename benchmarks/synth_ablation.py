"""What each kind of randomisation brings: renders without it, photos never seen.

    python benchmarks/synth_ablation.py PHOTOS --ldraw DIR --group_by REGEX --work FOLDER

For each variant and seed: ``bricksight synth`` renders the classes of PHOTOS, ``bricksight
retrain`` trains a network on the renders alone, ``bricksight evaluate`` answers all PHOTOS. Each
variant takes one kind of variation away and keeps the others. FOLDER keeps what was rendered,
trained and measured, so that a run that was stopped goes on.

    python benchmarks/synth_ablation.py --picture FILE.jpg

draws photos of our own parts instead, a row a variant, in the order of the table.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from _machine import describe_machine
from PIL import Image

from bricksight.bricks.synth import SynthConfig, render_folder, scene_config

SHOWN_PARTS = ("3003", "3040b", "4733", "3700", "3941", "2357", "3023", "3665a", "54200", "4286")
SHOWN_SIZE = 96


@dataclass(frozen=True)
class Variant:
    """Ranges that differ from the defaults, and further options of ``retrain``."""

    scenes: dict[str, Any] = field(default_factory=dict)
    training: tuple[str, ...] = ()


def fixed(**values: float) -> dict[str, list[float]]:
    """Returns ranges of one value each."""
    return {name: [value, value] for name, value in values.items()}


VARIANTS = {
    "everything varies": Variant(),
    "no other attitude: studs up": Variant({"upright_probability": 1.0, "free_probability": 0.0}),
    "no other colour: light grey": Variant({"colour_weights": {"Light Bluish Grey": 1.0}}),
    "no other floor: plain, matt": Variant(
        {"floor_weights": {"plain": 1.0}, "glossy_floor_probability": 0.0}
    ),
    "no other light: one lamp": Variant(
        fixed(
            num_lamps=1,
            light_elevation_degrees=60,
            light_distance=10,
            light_size=0.5,
            light_kelvin=5000,
            room_kelvin=5000,
            room_share=0.5,
        )
    ),
    "no other camera": Variant(
        fixed(
            elevation_degrees=40,
            side_elevation_degrees=30,
            bottom_elevation_degrees=90,
            roll_degrees=0,
            distance=5,
            fill=0.8,
            off_centre=0,
            aperture=0,
        )
    ),
    "a perfect sensor": Variant(
        fixed(
            exposure=1.1,
            white_balance=1,
            blur=0.3,
            motion=0,
            noise=0,
            jpeg_quality=95,
            haze=0.1,
            glass_blur=0.3,
        )
    ),
    "no neighbours": Variant({"neighbour_probability": 0.0}),
    "no random views in training": Variant(training=("--augmented_copies", "0")),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path, nargs="?")
    parser.add_argument("--ldraw", type=Path)
    parser.add_argument("--group_by")
    parser.add_argument("--work", type=Path)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--num", type=int, default=24)
    parser.add_argument("--size", type=int, default=144)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    if options.picture:
        draw(options.picture)
        return
    if not all((options.photos, options.ldraw, options.group_by, options.work)):
        parser.error("PHOTOS, --ldraw, --group_by and --work are needed, or --picture.")
    print(f"{describe_machine()}; {options.num} renders a part, {options.size} px\n", flush=True)
    print("| renders | top 1 | top 5 | by group |\n|---|---|---|---|", flush=True)
    for name, variant in VARIANTS.items():
        found = [measure(name, variant, seed, options) for seed in range(1, options.seeds + 1)]
        print(f"| {name} | {' | '.join(map(told, zip(*found, strict=True)))} |", flush=True)


def draw(path: Path) -> None:
    """Writes a row of photos for each variant that is one of scenes; the columns are parts."""
    shown = {name: one.scenes for name, one in VARIANTS.items() if not one.training}
    picture = Image.new("RGB", (len(SHOWN_PARTS) * SHOWN_SIZE, len(shown) * SHOWN_SIZE))
    for row, scenes in enumerate(shown.values()):
        config = SynthConfig(
            labels=SHOWN_PARTS, num=1, size=SHOWN_SIZE, scenes=scene_config(scenes), seed=4
        )
        with tempfile.TemporaryDirectory() as folder:
            for _ in render_folder(Path(folder), config):
                pass
            for column, part in enumerate(SHOWN_PARTS):
                with Image.open(Path(folder) / part / "00000.jpg") as photo:
                    picture.paste(photo, (column * SHOWN_SIZE, row * SHOWN_SIZE))
    picture.save(path, quality=85, optimize=True)


def told(values: Sequence[float]) -> str:
    """Returns the mean in percent, and the standard deviation where there is one."""
    mean = f"{100 * statistics.mean(values):.1f}"
    return f"{mean} ± {100 * statistics.stdev(values):.1f}" if len(values) > 1 else mean


def measure(
    name: str, variant: Variant, seed: int, options: argparse.Namespace
) -> tuple[float, float, float]:
    """Returns the share of photos right at once and among five, and of groups."""
    folder = options.work / f"{'-'.join(name.replace(':', '').replace(',', '').split())}-{seed}"
    measured = folder / "measured.json"
    if not measured.is_file():
        render_and_train(folder, variant, seed, options)
        arguments = ["evaluate", folder / "model", options.photos, "--json"]
        answer = bricksight(*arguments, "--group_by", options.group_by)
        measured.write_text(answer, encoding="utf-8")
    found = json.loads(measured.read_text(encoding="utf-8"))
    return found["accuracy"], found["top_k_accuracy"], found["groups"]["accuracy"]


def render_and_train(
    folder: Path, variant: Variant, seed: int, options: argparse.Namespace
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    scenes, renders = folder / "scenes.json", folder / "renders"
    scenes.write_text(json.dumps(variant.scenes), encoding="utf-8")
    what = ["--for", options.photos, "--ldraw", options.ldraw, "--rig", "--scenes", scenes]
    how = ["--num", options.num, "--size", options.size, "--quality", "draft", "--seed", seed]
    bricksight("synth", renders, *what, *how, "--quiet")
    backbone = f"keras:MobileNetV2@size={options.size}"
    network = ["--backbone", backbone, "--fine_tune", "--fine_tune_size", options.size]
    split = ["--testing_percentage", 5, "--validation_percentage", 5]
    split += ["--group_by", "(.*)_(?:front|back|bottom)"]
    further = ["--fine_tune_epochs", options.epochs, "--seed", seed, *variant.training]
    place = [renders, "--out", folder / "model"]
    bricksight("train", *place, *network, *split, *further)


def bricksight(*arguments: object) -> str:
    """Runs the command and returns what it prints."""
    command = [sys.executable, "-m", "bricksight", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
