"""Write a bundle: the model files, the head, the report, the metrics and the manifest."""

import gc
from pathlib import Path

import numpy as np

from bricksight import bundle as bundles
from bricksight._support.filesystem.files import writing
from bricksight._support.progress import Progress
from bricksight.backbones import frozen_graph
from bricksight.bundle import HEAD, Head
from bricksight.config import TrainingConfig
from bricksight.features import FeaturizedDataset
from bricksight.formats import ExportedFile, ParityReference, Request, build_classifier, export
from bricksight.heads import History
from bricksight.training.context import TrainingContext
from bricksight.training.plan import WRITING
from bricksight.training.results import tensorboard
from bricksight.training.results.artifacts import (
    TrainingReport,
    manifest,
    write_metrics,
    write_page,
    write_photos,
)
from bricksight.training.results.outputs import BUNDLE_FILES, SUMMARIES
from bricksight.training.results.tensorboard import WeightHistory

_PHOTOS_TO_VERIFY_ON = 32


def write_bundle(
    folder: Path,
    dataset: FeaturizedDataset,
    report: TrainingReport,
    context: TrainingContext,
    heads: WeightHistory,
) -> None:
    """Write all files of a bundle into ``folder``.

    Args:
        folder: an empty folder.
        dataset: with the backbone that the head takes features of.
        report: has the head and the figures.
        context: the settings.
        heads: the head at some of its steps.

    Raises:
        OutputError: the folder cannot be written.
        ExportError: a written file gives other answers than the head.
    """
    config, progress = context.config, context.progress
    with progress.stage(WRITING), writing(folder):
        exports = _write_exports(folder, dataset, report.trained.head, config)
    if config.files.summaries_dir is None:
        write_summaries(
            folder / SUMMARIES, history=report.trained.history, heads=heads, progress=progress
        )
    with writing(folder):
        with progress.stage("Writing the report"):
            write_page(folder, report, seconds=progress.seconds())
            write_photos(folder, report.data)
        write_metrics(folder, report, seconds=progress.seconds())
        bundles.write_manifest(folder, manifest(report, exports))


def write_summaries(
    folder: Path, *, history: History, heads: WeightHistory, progress: Progress
) -> None:
    """Write TensorBoard's files into ``folder``."""
    with progress.stage("Writing TensorBoard summaries"), writing(folder):
        tensorboard.write_summaries(folder, history.measurements, heads.heads)


def _write_exports(
    folder: Path, dataset: FeaturizedDataset, head: Head, config: TrainingConfig
) -> list[ExportedFile]:
    """Write every format of the bundle, and the head itself."""
    classifier = build_classifier(
        frozen_graph(dataset.backbone.compiled.backbone),
        head,
        final_tensor_name=config.output.final_tensor_name,
    )
    rows = np.linspace(0, len(dataset.data.examples) - 1, _PHOTOS_TO_VERIFY_ON).astype(int)
    rows = np.unique(rows)
    reference = ParityReference(
        photos=[dataset.data.examples[row].path for row in rows],
        probabilities=head.probabilities(dataset.features[rows, 0]),
        labels=dataset.data.labels,
        spec=dataset.input_spec,
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
