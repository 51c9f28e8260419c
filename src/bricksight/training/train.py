"""The whole road: photos, a backbone, features, a head, an honest evaluation, a bundle."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bricksight import bundle as bundles
from bricksight._support.filesystem.files import writing
from bricksight._support.optional import require_tensorflow
from bricksight._support.progress import Reporter, SilentReporter, StageTimer
from bricksight._support.reprs import short_repr
from bricksight.bundle import Bundle
from bricksight.config import TrainingConfig, given
from bricksight.errors import BricksightError, OutputError
from bricksight.finetuning.distillation import require_teacher
from bricksight.heads import Checkpoint
from bricksight.training.backbone_selection import featurize_candidates, select_backbone
from bricksight.training.loading import load_dataset
from bricksight.training.options import validate_options
from bricksight.training.recipes import selects_depths, train_model
from bricksight.training.results.artifacts import (
    TrainingReport,
    manifest,
    metrics,
    write_metrics,
    write_page,
    write_photos,
)
from bricksight.training.results.evaluation import evaluate_model
from bricksight.training.results.exports import write_exports
from bricksight.training.results.outputs import (
    SUMMARIES,
    IntermediateGraphs,
    cache_path_of,
    kept_elsewhere,
    model_folder,
    try_outputs,
    write_beside,
)
from bricksight.training.results.tensorboard import WeightHistory, write_summaries


@dataclass(frozen=True, kw_only=True)
class TrainingResult:
    """What a training gives.

    Attributes:
        bundle: The model folder.
        findings: All that the report tells.
        seconds: Part of the run → how long it took.
    """

    bundle: Bundle
    findings: TrainingReport
    seconds: Mapping[str, float]

    def __repr__(self) -> str:
        return short_repr(self, self.bundle.path.name, self.findings.test.statement)

    def to_dict(self) -> dict[str, Any]:
        """Return ``bundle``, the path, and the content of ``metrics.json``, for JSON."""
        return {"bundle": str(self.bundle.path), **metrics(self.findings, seconds=self.seconds)}


def train(config: TrainingConfig, *, reporter: Reporter | None = None) -> TrainingResult:
    """Returns a bundle trained on the photos of ``config.data.image_dir``.

    Args:
        config: what to train, how, and where to write.
        reporter: follows the run.

    Raises:
        DataError: the photos cannot be used.
        BackboneError: the network cannot be had.
        ConfigError: settings that cannot be used together.
        BundleError: the folder to write exists already.
        OutputError: a place cannot be written, or another run writes it; see the message for where
            a model that is trained already was kept.
        ExportError: a written file gives other answers than the trained head.
    """
    config = given(config, TrainingConfig, "config")
    config = replace(config, finetuning=config.finetuning.resolved)
    validate_options(config)
    try_outputs(config)
    run = _Run(config, StageTimer(reporter or SilentReporter()))
    out = config.output.out
    try:
        with model_folder(config) as (out, folder):
            run.train()
            run.write(folder)
    except OutputError as error:
        if run.findings is None or out is None:
            raise
        raise kept_elsewhere(run.write, out, error) from error
    except (BricksightError, KeyboardInterrupt) as stop:
        if any(checkpoint.is_kept for checkpoint in run.checkpoints):
            told = " ".join(map(str, stop.args))
            stop.args = (f"{told} The same command with --resume goes on from here.".strip(),)
        raise
    bundle = bundles.open_bundle(out)
    run.finish(bundle)
    return TrainingResult(bundle=bundle, findings=run.found, seconds=run.watch.seconds_so_far())


class _Run:
    """One training: what it has made, and how that is written.

    Attributes:
        watch: Times the stages.
        findings: What the report tells, once the training is over.
        checkpoints: Where the training is kept until the bundle is written.
    """

    def __init__(self, config: TrainingConfig, watch: StageTimer) -> None:
        self.watch = watch
        self.findings: TrainingReport | None = None
        self.checkpoints: list[Checkpoint] = []
        self._config = config
        self._snapshots = WeightHistory()
        self._graphs = IntermediateGraphs(config)

    def train(self) -> None:
        """Loads the photos, selects a backbone, trains a model and evaluates it."""
        config = self._config
        data = load_dataset(config, self.watch)
        require_teacher(config.finetuning.teacher, data.labels)
        # TensorFlow takes seconds to load; it does so beside the work that does not need it yet.
        # The run waits for it even where it fails: an interpreter that ends amid the loading
        # crashes.
        with ThreadPoolExecutor(max_workers=1) as beside:
            beside.submit(require_tensorflow)
            candidates = featurize_candidates(
                data,
                config,
                cache_path=cache_path_of(config),
                watch=self.watch,
                all_depths=selects_depths(config),
            )
            self._photos, trained = train_model(
                select_backbone(candidates, seed=config.head.seed),
                config,
                observer=self._snapshots.take,
                after_step=self._graphs if config.files.intermediate_store_frequency else None,
                checkpoints=self.checkpoints,
            )
            self.findings = evaluate_model(self._photos, trained, config)

    @property
    def found(self) -> TrainingReport:
        """What the report tells."""
        if self.findings is None:
            raise RuntimeError("the training is not over")
        return self.findings

    def write(self, folder: Path) -> None:
        """Writes the bundle into ``folder``."""
        findings, watch = self.found, self.watch
        with watch.stage("Exporting"), writing(folder):
            exports = write_exports(folder, self._photos, findings.trained.head, self._config)
        with writing(folder):
            if self._config.files.summaries_dir is None:
                self._write_summaries(folder / SUMMARIES)
            with watch.stage("Writing the report"):
                write_page(folder, findings, seconds=watch.seconds_so_far())
                write_photos(folder, findings.data)
            write_metrics(folder, findings, seconds=watch.seconds_so_far())
            bundles.write_manifest(folder, manifest(findings, exports))

    def finish(self, bundle: Bundle) -> None:
        """Removes what the bundle has made superfluous, and writes what is wanted beside it."""
        for checkpoint in self.checkpoints:
            checkpoint.discard()
        summaries, before = self._write_summaries, self._graphs.error
        write_beside(self._config, bundle, summaries=summaries, before=before)

    def _write_summaries(self, folder: Path) -> None:
        measurements = self.found.trained.history.measurements
        with self.watch.stage("Writing TensorBoard summaries"), writing(folder):
            write_summaries(folder, measurements, self._snapshots.heads)
