"""What smaller weights cost, by group: five folds, so that every photo is tested on once a seed.

Ranges and biases are read from training photos of the fold alone. What is trained is what
``bricksight crossval`` trains. Run:

    python benchmarks/quantisation.py IMAGE_DIR --group_by REGEX [--backbone REF] [--seeds 3]
        [--recipe balanced] [--only N]
"""

import argparse
import importlib.util
import itertools
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from _machine import describe_machine

from bricksight import images
from bricksight.backbones import frozen_graph
from bricksight.config import (
    FineTuneConfig,
    HeadConfig,
    InputSpec,
    SplitConfig,
    TrainingConfig,
)
from bricksight.dataset import Dataset, make_folds, scan
from bricksight.features import FeatureExtractor, FeaturizedDataset
from bricksight.formats import Classifier, ParityReference, build_classifier, openvino
from bricksight.formats.request import Precision, Request
from bricksight.formats.tflite import tflite
from bricksight.predict.runtimes import runtime_class
from bricksight.training.context import TrainingContext
from bricksight.training.recipes import selects_scales, train_model

NUM_FOLDS = 5
MAX_CALIBRATION = 200

Writer = Callable[[Classifier, Path, Request], None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image_dir", type=Path)
    parser.add_argument("--group_by", required=True)
    parser.add_argument(
        "--backbone",
        default="https://tfhub.dev/google/imagenet/mobilenet_v2_100_224/feature_vector/3",
    )
    parser.add_argument("--recipe", choices=("fast", "balanced", "best"), default="fast")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", type=int, default=NUM_FOLDS, help="so many of the folds")
    options = parser.parse_args()
    tuning = FineTuneConfig(recipe=options.recipe).resolved
    data = scan(options.image_dir, split=SplitConfig(group_by=options.group_by))
    config = TrainingConfig.of(image_dir=options.image_dir, backbone=options.backbone)
    multi_scale = selects_scales(replace(config, finetuning=tuning))
    photos = FeatureExtractor().featurize(data, config, multi_scale=multi_scale)
    inputs = np.stack([images.load_input(one.path, photos.input_spec) for one in data.examples])
    rows = []
    for seed in range(options.seeds):
        folds = make_folds(photos.data, num_folds=NUM_FOLDS, seed=seed)
        for fold in itertools.islice(folds, options.only):
            classifier = trained(replace(photos, data=fold), config, tuning, seed)
            rows.append(dict(outcomes(fold, classifier, inputs)))
            print(f"{len(rows)} of {options.seeds * options.only} folds", flush=True)
    print(describe_machine())
    summarise(rows, options.seeds)


def trained(
    photos: FeaturizedDataset, config: TrainingConfig, tuning: FineTuneConfig, seed: int
) -> Classifier:
    config = replace(config, head=HeadConfig(seed=seed), finetuning=tuning)
    dataset, found = train_model(photos, TrainingContext(config=config))
    return build_classifier(frozen_graph(dataset.backbone.compiled.backbone), found.head)


def outcomes(
    data: Dataset, classifier: Classifier, inputs: np.ndarray
) -> Iterator[tuple[str, dict[str, float]]]:
    """Yields, a file, bytes, difference, agreement and accuracy on the test photos."""
    train, test = (
        np.array([row for row, one in enumerate(data.examples) if one.split == side])
        for side in ("training", "test")
    )
    chosen = train[np.unique(np.linspace(0, len(train) - 1, MAX_CALIBRATION).astype(int))]
    labels = data.label_indices(data.examples)[test]
    reference: np.ndarray | None = None
    for name, (runtime, suffix, write, precision) in files().items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"model{suffix}"
            write(classifier, path, request(data, inputs[chosen], precision))
            size = sum(file.stat().st_size for file in Path(folder).iterdir())
            answers = runtime_class(runtime)(path).run(inputs[test])
        reference = answers if reference is None else reference
        yield (
            name,
            {
                "MB": size / 1e6,
                "difference": float(np.abs(answers - reference).max()),
                "agreement": float((answers.argmax(1) == reference.argmax(1)).mean()),
                "accuracy": float((answers.argmax(1) == labels).mean()),
            },
        )


def files() -> dict[str, tuple[str, str, Writer, Precision]]:
    """Returns name → runtime, suffix, writer and precision; the first is the reference."""
    return {
        "tflite float32": ("litert", ".tflite", tflite.write, "float32"),
        "tflite float16": ("litert", ".tflite", tflite.write, "float16"),
        "tflite dynamic": ("litert", ".tflite", tflite.write, "dynamic"),
        "tflite int8": ("litert", ".tflite", tflite.write, "int8"),
        "tflite int8, biases as converted": ("litert", ".tflite", write_uncorrected, "int8"),
        "openvino float16": ("openvino", ".xml", openvino.write, "float16"),
        "openvino int8": ("openvino", ".xml", openvino.write, "int8"),
        **(
            {"openvino int8 by NNCF": ("openvino", ".xml", write_by_nncf, "int8")}
            if importlib.util.find_spec("nncf")
            else {}
        ),
    }


def write_by_nncf(classifier: Classifier, path: Path, request: Request) -> None:
    """Writes OpenVINO's own 8 bits, the slow and better of its two ways (``pip install nncf``)."""
    import nncf
    from openvino import Core, save_model

    calibration = request.calibration() if request.calibration else np.empty(0)
    with tempfile.TemporaryDirectory() as folder:
        openvino.write(
            classifier, Path(folder) / "model.xml", replace(request, precision="float32")
        )
        model = Core().read_model(str(Path(folder) / "model.xml"))
        model = nncf.quantize(
            model,
            nncf.Dataset(list(calibration), lambda photo: photo[None]),
            subset_size=len(calibration),
            fast_bias_correction=False,
        )
        save_model(model, str(path), compress_to_fp16=False)


def write_uncorrected(classifier: Classifier, path: Path, request: Request) -> None:
    """Writes what TensorFlow's converter makes of it, to see what the correction brings."""
    photos = tflite._batches(request)
    path.write_bytes(tflite._converted(tflite._with_batch(classifier, 1), batches=photos))


def request(data: Dataset, calibration: np.ndarray, precision: Precision) -> Request:
    height, width = calibration.shape[1:3]
    reference = ParityReference(
        photos=[],
        probabilities=np.empty(0),
        labels=data.labels,
        spec=InputSpec(height=height, width=width),
    )
    return Request(reference=reference, calibration=lambda: calibration, precision=precision)


def summarise(rows: list[dict[str, dict[str, float]]], num_seeds: int) -> None:
    """Prints, a file, means over all folds, and of the accuracy also the mean of each seed."""
    print("| file | MB | largest difference | same first answer | accuracy | mean of each seed |")
    print("|---" * 6 + "|")
    for name in rows[0]:
        accuracy = np.array([row[name]["accuracy"] for row in rows]).reshape(num_seeds, -1)
        seeds = ", ".join(f"{100 * value:.1f}" for value in accuracy.mean(axis=1))
        print(
            f"| {name} | {rows[0][name]['MB']:.2f} "
            f"| {max(row[name]['difference'] for row in rows):.2g} "
            f"| {100 * np.mean([row[name]['agreement'] for row in rows]):.1f} % "
            f"| {100 * accuracy.mean():.1f} % | {seeds} |"
        )


if __name__ == "__main__":
    main()
