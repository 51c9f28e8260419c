"""What the comparisons with other trainers have in common: the folds, our own recipe, the table."""

import argparse
import itertools
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from _machine import describe_machine

from bricksight._support.fusion import fuse
from bricksight.config import (
    FineTuneConfig,
    HeadConfig,
    Recipe,
    SplitConfig,
    TrainingConfig,
)
from bricksight.dataset import Dataset, make_folds, scan
from bricksight.features import FeatureExtractor
from bricksight.training.context import TrainingContext
from bricksight.training.recipes import selects_scales, train_model

SIZE = 160
BATCH = 32

OURS: dict[str, Recipe] = {"ours": "balanced", "ours, the layer alone": "fast"}
"""Names of our own recipes."""

Answers = tuple[str, np.ndarray, float]
"""A recipe's name, its probabilities of the test photos and the seconds of its training."""

RunAll = Callable[[Dataset, int, argparse.Namespace], Iterator[Answers]]


def parser_of(description: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path)
    parser.add_argument("--group_by", required=True)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--only", type=int, help="so many of the folds")
    parser.add_argument("--minutes", type=float, default=3)
    return parser


def compare(run_all: RunAll, options: argparse.Namespace) -> None:
    """Runs every recipe on every fold and prints how many test photos and groups are right."""
    data = scan(options.photos, split=SplitConfig(group_by=options.group_by))
    print(f"{describe_machine()}; {options.minutes:g} minutes a fold", flush=True)
    right: dict[str, list[bool]] = defaultdict(list)
    groups: dict[str, list[bool]] = defaultdict(list)
    seconds: dict[str, list[float]] = defaultdict(list)
    dealt = make_folds(data, num_folds=options.folds, seed=0)
    for number, fold in enumerate(itertools.islice(dealt, options.only)):
        for name, probabilities, taken in run_all(fold, number, options):
            found, by_group = score(fold, probabilities)
            right[name] += found.tolist()
            groups[name] += by_group.tolist()
            seconds[name].append(taken)
            print(
                f"fold {number}, {name}: {100 * found.mean():.1f} %, "
                f"by group {100 * by_group.mean():.1f} %, {taken:.0f} s",
                flush=True,
            )
    print("\n| recipe | right | by group | minutes a fold |\n|---|---|---|---|")
    for name, found in right.items():
        print(
            f"| {name} | {100 * np.mean(found):.1f} % | {100 * np.mean(groups[name]):.1f} % "
            f"| {np.mean(seconds[name]) / 60:.1f} |"
        )


def score(fold: Dataset, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns which test photos are right, and which objects of a group and a label."""
    examples = fold.in_split("test")
    labels = fold.label_indices(examples)
    objects = np.array([f"{example.label}/{example.group}" for example in examples])
    _, first, indices = np.unique(objects, return_index=True, return_inverse=True)
    fused = fuse(probabilities, indices)
    return probabilities.argmax(axis=1) == labels, fused.argmax(axis=1) == labels[first]


def by_ours(
    fold: Dataset, seed: int, options: argparse.Namespace, *, network: str, recipe: Recipe
) -> tuple[np.ndarray, float]:
    """Trains by a recipe of our own; no feature is known before."""
    start = time.perf_counter()
    config = TrainingConfig.of(image_dir=options.photos, backbone=network)
    head = HeadConfig(seed=seed)
    budget = None if recipe == "fast" else f"{60 * options.minutes:.0f}s"
    tuning = FineTuneConfig(recipe=recipe, time_budget=budget).resolved
    with tempfile.TemporaryDirectory() as folder:
        config = replace(config, head=head, finetuning=tuning)
        extractor = FeatureExtractor(cache_path=Path(folder) / "features.sqlite")
        photos = extractor.featurize(fold, config, multi_scale=selects_scales(config))
        context = TrainingContext(config=config, extractor=extractor)
        dataset, trained = train_model(replace(photos, data=fold), context)
    taken = time.perf_counter() - start
    return trained.head.probabilities(dataset.in_split("test").original()), taken
