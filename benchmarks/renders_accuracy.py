"""What renders bring: real photos never seen, and photos with and without renders in the training.

    python benchmarks/renders_accuracy.py IMAGE_DIR RENDERS_DIR --group_by REGEX [--module REF]

A head on a frozen network. First it is trained on renders alone and tested on all photos. Then five
folds by group: photos of the training folds alone, and with the renders; the test fold plays no
part in any choice. Views are fixed; regularisation and iteration are chosen without it.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from _machine import describe_machine
from head_accuracy import NUM_FOLDS, by_group, mixture, sample, split_folds

from bricksight.config import SplitConfig
from bricksight.dataset import Dataset, Record, scan, scan_extra
from bricksight.features import PLAIN, compile_module, default_cache_path, extract
from bricksight.modules import resolve
from bricksight.training import POLICIES, Examples, choose_l2, train_by_recipe

POLICY = "any angle"
NUM_VIEWS = 24
SHARE = 0.5
TOP_K = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image_dir", type=Path)
    parser.add_argument("renders_dir", type=Path)
    parser.add_argument("--group_by", required=True)
    parser.add_argument(
        "--module",
        default="https://tfhub.dev/google/imagenet/mobilenet_v2_100_224/feature_vector/3",
    )
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    data = scan(options.image_dir, split=SplitConfig(group_by=options.group_by))
    extra, _ = scan_extra(options.renders_dir, known=data.records)
    data = data.with_extra(extra)
    compiled = compile_module(resolve(options.module), images=lambda spec: sample(data, spec))

    def plain(records: Sequence[Record]) -> np.ndarray:
        found = extract(records, compiled=compiled, views=PLAIN, cache_path=default_cache_path())
        return found.matrix[:, 0]

    print(describe_machine())
    print(f"{len(data.records)} photos, {len(extra)} renders, {len(data.labels)} classes\n")
    photos, renders = plain(data.records), plain(extra)
    never_seen(data, photos, renders)
    views = mixture(data, compiled, POLICIES[POLICY], NUM_VIEWS)
    with_and_without(data, views, renders, options.seeds)


def never_seen(data: Dataset, photos: np.ndarray, renders: np.ndarray) -> None:
    """Prints how many photos are answered right by what has seen renders alone."""
    labels = data.label_indices(data.extra)
    rng = np.random.default_rng(0)
    held_out = rng.random(len(labels)) < 0.1
    train, validation = (
        Examples(features=renders[rows, None], labels=labels[rows], groups=np.flatnonzero(rows))
        for rows in (~held_out, held_out)
    )
    l2, _ = choose_l2(train, num_classes=len(data.labels), seed=0)
    head = train_by_recipe(train, validation, num_classes=len(data.labels), l2=l2).head
    print("| trained on | top 1 | top 5 | by group |\n|---|---|---|---|")
    print(
        f"| renders alone | {figures(data, head.probabilities(photos), np.arange(len(photos)))} |\n"
    )


def figures(data: Dataset, probabilities: np.ndarray, rows: np.ndarray) -> str:
    labels = data.label_indices(data.records)[rows]
    _, groups = np.unique([record.group for record in data.records], return_inverse=True)
    order = np.argsort(-probabilities, axis=1)
    found = (
        (order[:, 0] == labels).mean(),
        (order[:, :TOP_K] == labels[:, None]).any(axis=1).mean(),
        by_group(probabilities, labels, groups[rows]),
    )
    return " | ".join(f"{100 * value:.1f} %" for value in found)


def with_and_without(data: Dataset, views: np.ndarray, renders: np.ndarray, num_seeds: int) -> None:
    """Prints the accuracy over all folds, by seed, of photos alone and of both."""
    labels = data.label_indices(data.records)
    _, groups = np.unique([record.group for record in data.records], return_inverse=True)
    found: dict[str, list[tuple[float, float]]] = {"photos": [], "photos and renders": []}
    for seed in range(num_seeds):
        for train_rows, validation_rows, test in split_folds(data, seed):
            train, validation = (
                Examples(features=views[rows], labels=labels[rows], groups=groups[rows])
                for rows in (train_rows, validation_rows)
            )
            l2, _ = choose_l2(train, num_classes=len(data.labels), seed=seed)
            both = train.with_further(renders, data.label_indices(data.extra), share=SHARE)
            for name, examples in zip(found, (train, both), strict=True):
                head = train_by_recipe(
                    examples, validation, num_classes=len(data.labels), l2=l2
                ).head
                probabilities = head.probabilities(views[test, 0])
                right = probabilities.argmax(axis=1) == labels[test]
                grouped = by_group(probabilities, labels[test], groups[test])
                found[name].append((float(right.mean()), grouped))
    print("| trained on | accuracy | of each seed | by group |\n|---|---|---|---|")
    for name, pairs in found.items():
        values = np.array(pairs).reshape(num_seeds, NUM_FOLDS, 2).mean(axis=1)
        seeds = ", ".join(f"{100 * value:.1f}" for value in values[:, 0])
        single, grouped = 100 * values.mean(axis=0)
        print(f"| {name} | {single:.1f} % | {seeds} | {grouped:.1f} % |")


if __name__ == "__main__":
    main()
