"""Held-out accuracy of the default recipe on a frozen network, five folds by group.

The test fold plays no part in any choice: policy and regularisation are chosen by cross-validation
inside the training part, the iteration on validation photos, which the last fit then includes. Run:

    python benchmarks/head_accuracy.py IMAGE_DIR --group_by REGEX [--module REF] [--seeds 3]
"""

import argparse
import json
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from bricksight import images
from bricksight.config import AugmentConfig, InputSpec, SplitConfig
from bricksight.dataset import Dataset, scan
from bricksight.features import (
    PLAIN,
    CompiledModule,
    FeatureSet,
    Views,
    compile_module,
    default_cache_path,
    extract,
)
from bricksight.modules import resolve
from bricksight.retrain._train import VIEWS_TO_CHOOSE_BY
from bricksight.training import (
    POLICIES,
    Examples,
    choose_l2,
    score_policy,
    train_by_recipe,
)

NUM_FOLDS = 5
VALIDATION_FOLDS = 8


def main() -> None:
    options = parse()
    split = SplitConfig(group_by=options.group_by)
    data = scan(Path(options.image_dir), split=split)
    module = resolve(options.module)
    compiled = compile_module(module, images=lambda spec: sample(data, spec))
    features = {
        name: mixture(data, compiled, policy, options.views) for name, policy in POLICIES.items()
    }
    plain = extract(data.records, compiled=compiled, views=PLAIN, cache_path=default_cache_path())
    runs = [
        run(data, features, plain, folds, seed=seed)
        for seed in range(options.seeds)
        for folds in split_folds(data, seed)
    ]
    summarise(runs, options)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image_dir")
    parser.add_argument("--group_by", required=True)
    parser.add_argument(
        "--module",
        default="https://tfhub.dev/google/imagenet/mobilenet_v2_100_224/feature_vector/3",
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--views", type=int, default=24)
    return parser.parse_args()


def sample(data: Dataset, spec: InputSpec) -> np.ndarray:
    return np.stack([images.load_input(record.path, spec) for record in data.records[:8]])


def mixture(
    data: Dataset, compiled: CompiledModule, policy: Sequence[AugmentConfig], num_views: int
) -> np.ndarray:
    """Returns the unchanged photos, then equal numbers of each kind of view."""
    kinds = [
        extract(
            data.records,
            compiled=compiled,
            views=Views(num_random=num_views // len(policy), augment=augment),
            cache_path=default_cache_path(),
        ).matrix
        for augment in policy
    ]
    return np.concatenate([kinds[0][:, :1], *(kind[:, 1:] for kind in kinds)], axis=1)


def few(matrix: np.ndarray, num_kinds: int) -> np.ndarray:
    """Returns the unchanged photos and the first views of each kind, as many as the choice uses."""
    each = (matrix.shape[1] - 1) // num_kinds
    columns = np.arange(1, matrix.shape[1]).reshape(num_kinds, each)
    return matrix[:, [0, *columns[:, : VIEWS_TO_CHOOSE_BY // num_kinds].ravel()]]


def split_folds(data: Dataset, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yields rows to train, to validate and to test on; no group is in two of them."""
    labels = data.label_indices(data.records)
    groups = np.array([record.group for record in data.records])
    outer = StratifiedGroupKFold(NUM_FOLDS, shuffle=True, random_state=seed)
    for rest, test in outer.split(labels, labels, groups):
        inner = StratifiedGroupKFold(VALIDATION_FOLDS, shuffle=True, random_state=seed)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The least populated class")
            train, validation = next(inner.split(labels[rest], labels[rest], groups[rest]))
        yield rest[train], rest[validation], test


def run(
    data: Dataset,
    features: dict[str, np.ndarray],
    plain: FeatureSet,
    folds: tuple[np.ndarray, np.ndarray, np.ndarray],
    *,
    seed: int,
) -> dict[str, Any]:
    train, validation, test = folds
    labels = data.label_indices(data.records)
    _, groups = np.unique([record.group for record in data.records], return_inverse=True)
    num_classes = len(data.labels)

    def examples(matrix: np.ndarray, rows: np.ndarray) -> Examples:
        return Examples(features=matrix[rows], labels=labels[rows], groups=groups[rows])

    scores = {
        name: score_policy(
            examples(few(matrix, len(POLICIES[name])), train), num_classes=num_classes, seed=seed
        )
        for name, matrix in features.items()
    }
    policy = min(scores, key=scores.__getitem__)
    training = examples(features[policy], train)
    l2, losses = choose_l2(training, num_classes=num_classes, seed=seed)
    trained = train_by_recipe(
        training, examples(features[policy], validation), num_classes=num_classes, l2=l2
    )
    probabilities = trained.head.probabilities(plain.matrix[test, 0])
    right = probabilities.argmax(axis=1) == labels[test]
    outcome = {
        "policy": policy,
        "l2": l2,
        "step": trained.history.best_step,
        "accuracy": float(right.mean()),
        "by_group": by_group(probabilities, labels[test], groups[test]),
        "scores": scores,
        "losses": losses,
    }
    print(json.dumps(outcome), flush=True)
    return outcome


def by_group(probabilities: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> float:
    logs = np.log(np.maximum(probabilities, 1e-9))
    kinds, members = np.unique(groups, return_inverse=True)
    sums = np.zeros((len(kinds), probabilities.shape[1]))
    np.add.at(sums, members, logs)
    of_group = np.zeros(len(kinds), int)
    of_group[members] = labels
    return float((sums.argmax(axis=1) == of_group).mean())


def summarise(runs: list[dict[str, Any]], options: argparse.Namespace) -> None:
    for key in ("accuracy", "by_group"):
        values = np.array([run[key] for run in runs]).reshape(options.seeds, NUM_FOLDS)
        print(
            f"{key}: {100 * values.mean():.1f} % (mean of each seed: "
            + ", ".join(f"{100 * value:.1f}" for value in values.mean(axis=1))
            + f"; standard deviation over folds {100 * values.std():.1f})"
        )


if __name__ == "__main__":
    main()
