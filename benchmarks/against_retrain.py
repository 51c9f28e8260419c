"""The seed command's training against retrain.py's algorithm: same split, same photos, same steps.

    python benchmarks/against_retrain.py IMAGE_DIR [--seeds 3] [--many 60]

retrain.py pushes a freshly distorted photo through the network for every draw: 400,000 of them. Its
algorithm is stood in for by so many views of each photo (--many) that few draws see the same one.
Ours has the number of views that `bricksight retrain` chooses. Both are tested on the same photos.
"""

import argparse
from pathlib import Path

import numpy as np

from bricksight import images
from bricksight.backbones import resolve
from bricksight.config import AugmentConfig, HeadConfig, SplitConfig
from bricksight.dataset import Dataset, scan
from bricksight.features import (
    AugmentedCopies,
    LabeledFeatures,
    compile_backbone,
    default_cache_path,
    extract,
)
from bricksight.heads import train_by_sgd
from bricksight.training.head.sgd import MAX_COPIES

HUB = "https://tfhub.dev/google/imagenet/mobilenet_v2_100_224/feature_vector/3"
DISTORTIONS = AugmentConfig(
    random_crop=5, random_brightness=5, random_scale=5, flip_left_right=True
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image_dir", type=Path)
    parser.add_argument("--group_by")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--many", type=int, default=60)
    options = parser.parse_args()
    data = scan(options.image_dir, split=SplitConfig(group_by=options.group_by))
    compiled = compile_backbone(
        resolve(HUB),
        images=lambda spec: np.stack([images.load_input(r.path, spec) for r in data.examples[:8]]),
    )

    def features(split: str, copies: AugmentedCopies) -> LabeledFeatures:
        examples = data.in_split(split)
        matrix = extract(
            examples, compiled=compiled, copies=copies, cache_path=default_cache_path()
        ).features
        return LabeledFeatures(
            features=matrix, labels=data.label_indices(examples), groups=np.arange(len(examples))
        )

    test = features("test", AugmentedCopies())
    results: dict[int, list[float]] = {MAX_COPIES: [], options.many: []}
    for seed in range(options.seeds):
        for num, accuracies in results.items():
            copies = AugmentedCopies(
                num_random=num, include_original=False, augment=DISTORTIONS, seed=seed
            )
            accuracies.append(accuracy(features("training", copies), test, data, seed))
            print(f"seed {seed}, {num} copies: {100 * accuracies[-1]:.1f} %", flush=True)
    for num, accuracies in results.items():
        print(
            f"{num} copies: mean {100 * np.mean(accuracies):.1f} %, "
            f"standard deviation {100 * np.std(accuracies):.1f}, {len(test)} test photos"
        )


def accuracy(training: LabeledFeatures, test: LabeledFeatures, data: Dataset, seed: int) -> float:
    config = HeadConfig(how_many_training_steps=4000, learning_rate=0.02, seed=seed)
    head = train_by_sgd(training, None, num_classes=len(data.labels), config=config).head
    return float((head.probabilities(test.original()).argmax(axis=1) == test.labels).mean())


if __name__ == "__main__":
    main()
