"""The model files that every bundle holds."""

import gc
from pathlib import Path

import numpy as np

from bricksight.backbones import frozen_graph
from bricksight.bundle import HEAD, Head
from bricksight.config import TrainingConfig
from bricksight.features.featurized_dataset import FeaturizedDataset
from bricksight.formats import ExportedFile, ParityReference, Request, build_classifier, export
from bricksight.training.results.outputs import BUNDLE_FILES

_PHOTOS_TO_PROVE_ON = 32


def write_exports(
    folder: Path, photos: FeaturizedDataset, head: Head, config: TrainingConfig
) -> list[ExportedFile]:
    """Writes every format of the bundle and the head itself."""
    classifier = build_classifier(
        frozen_graph(photos.compiled.module),
        head,
        final_tensor_name=config.output.final_tensor_name,
    )
    rows = np.linspace(0, len(photos.data.examples) - 1, _PHOTOS_TO_PROVE_ON).astype(int)
    rows = np.unique(rows)
    reference = ParityReference(
        photos=[photos.data.examples[row].path for row in rows],
        probabilities=head.probabilities(photos.matrix[rows, 0]),
        labels=photos.data.labels,
        spec=photos.compiled.module.input_spec,
    )
    request = Request(reference=reference, trust=config.backbone.trust)
    head.save(folder / HEAD)
    gc.freeze()  # each export looks for garbage, which need not be sought in what is there now
    try:
        return [
            export(classifier, format_name, folder / name, request)
            for format_name, name in BUNDLE_FILES.items()
        ]
    finally:
        gc.unfreeze()
