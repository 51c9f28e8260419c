"""Does the model know what it does not know? Classes are left out and shown to it all the same.

    python benchmarks/unknown_accuracy.py PHOTOS --group_by REGEX [--left_out 10] [--seeds 3]
        [--unknown_dir DIR] [--tta 4]

Of each seed, so many classes at random are taken away, a model is trained on the others, and tells
apart the photos of its own classes that it has not seen and all photos of the left-out ones, by
several scores. The area under the ROC curve is 1 for a perfect score and 0.5 for a coin. For the
threshold that the model would use, the shares of known and of unknown photos that are refused.
"By group" is one answer to all photos of an object.
With --unknown_dir, photos of other things are trained with as `bricksight retrain` does, and those
of them that are held out are measured too.
"""

import argparse
import statistics
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
from _machine import describe_machine
from scipy.special import logsumexp, softmax
from sklearn.metrics import roc_auc_score

from bricksight._support.fusion import fuse
from bricksight.bundle import Head
from bricksight.config import (
    FineTuneConfig,
    HeadConfig,
    SplitConfig,
    TrainingConfig,
)
from bricksight.dataset import make_folds
from bricksight.evaluation import rejected
from bricksight.features import FeatureExtractor, FeaturizedDataset
from bricksight.training.context import TrainingContext
from bricksight.training.loading import load_dataset
from bricksight.training.recipes import selects_scales, train_model
from bricksight.training.results.evaluation import choose_threshold


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--group_by", required=True)
    parser.add_argument("--backbone", default="packaged:efficientnet_lite0")
    parser.add_argument("--left_out", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=0, help="of fine-tuning; 0 for the layer")
    parser.add_argument("--unknown_dir", type=Path, help="photos of none of the classes")
    parser.add_argument("--tta", type=int, default=1, choices=(1, 2, 4))
    parser.add_argument("--rejection_rate", type=float, default=5)
    options = parser.parse_args()
    print(f"{describe_machine()}; {options.backbone}, {options.left_out} classes left out\n")
    photos = photos_of(options)
    found = defaultdict(list)
    for seed in range(options.seeds):
        for name, value in measure(photos, options, seed).items():
            found[name].append(value)
            print(f"seed {seed}, {name}: {value:.3f}", flush=True)
    print("\n| what | mean | each seed |\n|---|---|---|")
    for name, values in found.items():
        each = ", ".join(f"{value:.3f}" for value in values)
        print(f"| {name} | {statistics.fmean(values):.3f} | {each} |")


def config_of(options: argparse.Namespace) -> TrainingConfig:
    return TrainingConfig.of(
        image_dir=options.photos,
        backbone=options.backbone,
        tta=options.tta,
        unknown_dir=options.unknown_dir,
        rejection_rate=options.rejection_rate,
    )


def photos_of(options: argparse.Namespace) -> FeaturizedDataset:
    """Returns all photos; their features are taken from the cache that all runs share."""
    config, extractor = config_of(options), FeatureExtractor()
    split = SplitConfig(group_by=options.group_by)
    data = load_dataset(replace(config, split=split), extractor.progress)
    multi_scale = selects_scales(replace(config, finetuning=tuning_of(options)))
    return extractor.featurize(data, config, multi_scale=multi_scale)


def tuning_of(options: argparse.Namespace) -> FineTuneConfig:
    return FineTuneConfig(
        fine_tune=options.epochs > 0, fine_tune_epochs=options.epochs or None
    ).resolved


def measure(photos: FeaturizedDataset, options: argparse.Namespace, seed: int) -> dict[str, float]:
    """Returns the area under the curve of each score, and what the threshold refuses."""
    rng = np.random.default_rng(seed)
    left_out = set(rng.choice(photos.data.labels, options.left_out, replace=False).tolist())
    known, unknown = part(photos, left_out, keep=False), part(photos, left_out, keep=True)
    fold = next(make_folds(known.data, num_folds=5, seed=seed))
    tuning = tuning_of(options)
    config = replace(
        config_of(options), split=photos.data.split, head=HeadConfig(seed=seed), finetuning=tuning
    )
    context = TrainingContext(config=config)
    dataset, trained = train_model(replace(known, data=fold), context)
    unseen = context.extractor.with_features_of(unknown, dataset.backbone).features[:, 0]
    test, fitted = dataset.in_split("test"), dataset.in_split("training")
    scores = {
        side: scores_of(trained.head, rows, fitted.original(), fitted.labels)
        for side, rows in (("known", test.original()), ("unknown", unseen))
    }
    is_known = np.repeat([1, 0], [len(scores["known"]["highest probability"]), len(unseen)])
    areas = {
        f"area, {name}": float(
            roc_auc_score(
                is_known, np.concatenate([scores["known"][name], scores["unknown"][name]])
            )
        )
        for name in scores["known"]
    }
    threshold, _ = choose_threshold(trained, fold, options.rejection_rate)
    answers = {
        "known photos": trained.head.probabilities(test.original()),
        "photos of left-out classes": trained.head.probabilities(unseen),
        "photos of --unknown_dir": trained.head.probabilities(dataset.held_out_outliers()),
    }
    shares = {
        f"refused, {side}": rejected(one, threshold).share
        for side, one in answers.items()
        if len(one)
    }
    right = answers["known photos"].argmax(axis=1) == test.labels
    by_group = area_by_group(
        (answers["known photos"], [one.group for one in fold.in_split("test")]),
        (answers["photos of left-out classes"], [one.group for one in unknown.data.examples]),
    )
    return {"accuracy": float(right.mean())} | areas | {"area, by group": by_group} | shares


def area_by_group(
    known: tuple[np.ndarray, list[str]], unknown: tuple[np.ndarray, list[str]]
) -> float:
    """Returns the area by the highest probability of one answer to the photos of each object."""
    highest = [
        fuse(answers, np.unique(groups, return_inverse=True)[1]).max(axis=1)
        for answers, groups in (known, unknown)
    ]
    is_known = np.repeat([1, 0], [len(one) for one in highest])
    return float(roc_auc_score(is_known, np.concatenate(highest)))


def part(photos: FeaturizedDataset, labels: set[str], *, keep: bool) -> FeaturizedDataset:
    """Returns the photos of these classes, or of the others."""
    examples = photos.data.examples
    rows = [row for row, one in enumerate(examples) if (one.label in labels) == keep]
    data = replace(
        photos.data,
        labels=tuple(label for label in photos.data.labels if (label in labels) == keep),
        examples=tuple(examples[row] for row in rows),
    )
    return replace(photos, data=data, features=photos.features[rows])


def scores_of(
    head: Head, features: np.ndarray, fitted: np.ndarray, labels: np.ndarray
) -> dict[str, np.ndarray]:
    """Returns how much each photo looks like a known one, by several scores.

    All but the first two are of the classes alone, without what else the network knows.
    """
    logits = head.logits(features)
    probabilities = softmax(logits, axis=1)
    answers = head.probabilities(features)
    background = softmax(head.flat.logits(features), axis=1)[:, len(head.bias) :]
    ordered = np.sort(probabilities, axis=1)
    entropy = -(probabilities * np.log(np.maximum(probabilities, 1e-12))).sum(axis=1)
    means = np.stack([fitted[labels == one].mean(axis=0) for one in np.unique(labels)])
    scale = fitted.std(axis=0) + 1e-3
    near = [-np.min(np.linalg.norm((row - means) / scale, axis=1)) for row in features]
    return {
        "highest probability": answers.max(axis=1),
        "background improbable": -background.sum(axis=1),
        "highest probability of classes alone": ordered[:, -1],
        "margin to the second": ordered[:, -1] - ordered[:, -2],
        "entropy": -entropy,
        "energy": logsumexp(logits, axis=1),
        "highest logit": logits.max(axis=1),
        "distance to the nearest class": np.array(near),
    }


if __name__ == "__main__":
    main()
