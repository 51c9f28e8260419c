"""End-to-end training: photos, a backbone, features, a head, an honest evaluation, a bundle."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

from bricksight import bundle as bundles
from bricksight._support.optional import require_tensorflow
from bricksight._support.progress import Progress, Reporter
from bricksight.bundle import Bundle
from bricksight.config import TrainingConfig, given
from bricksight.errors import BricksightError, OutputError
from bricksight.features import FeatureExtractor
from bricksight.finetuning.distillation import require_teacher
from bricksight.training.backbone_selection import featurize_candidates, select_backbone
from bricksight.training.context import TrainingContext, validate_options
from bricksight.training.loading import load_dataset
from bricksight.training.plan import training_plan
from bricksight.training.recipes import selects_scales, train_model
from bricksight.training.results.artifacts import TrainingReport
from bricksight.training.results.bundle_writer import write_bundle, write_summaries
from bricksight.training.results.evaluation import evaluate_model
from bricksight.training.results.outputs import (
    IntermediateGraphs,
    cache_path_of,
    kept_elsewhere,
    model_folder,
    try_outputs,
    write_beside,
)
from bricksight.training.results.tensorboard import WeightHistory
from bricksight.training.results.training_result import TrainingResult


def train(config: TrainingConfig, *, reporter: Reporter | None = None) -> TrainingResult:
    """Train a classifier on the photos of ``config.data.image_dir`` and write it as a bundle.

    Args:
        config: what to train, how, and where to write.
        reporter: called with each progress event.

    Raises:
        DataError: the photos cannot be used.
        BackboneError: the backbone cannot be loaded.
        ConfigError: settings cannot be used together.
        BundleError: the model folder exists already.
        OutputError: a place cannot be written, or another run writes it. The message says where a
            model that is trained already was kept.
        ExportError: a written file gives other answers than the trained head.
    """
    config = given(config, TrainingConfig, "config")
    config = replace(config, finetuning=config.finetuning.resolved)
    validate_options(config)
    try_outputs(config)
    run = _Run(config, Progress(reporter, training_plan(config)))
    out = config.output.out
    try:
        with model_folder(config) as (out, folder):
            run.train()
            run.write(folder)
    except OutputError as error:
        if run.report is None or out is None:
            raise
        raise kept_elsewhere(run.write, out, error) from error
    except (BricksightError, KeyboardInterrupt) as stop:
        run.promise_to_resume(stop)
        raise
    return run.finish(bundles.open_bundle(out))


class _Run:
    """One training: its results so far, and how they are written.

    Attributes:
        report: Everything that the report tells, once the training is over.
    """

    def __init__(self, config: TrainingConfig, progress: Progress) -> None:
        self.report: TrainingReport | None = None
        self._config, self._progress = config, progress
        self._history = WeightHistory()
        self._graphs = IntermediateGraphs(config)
        self._context = TrainingContext(
            config=config,
            extractor=FeatureExtractor(cache_path=cache_path_of(config), progress=progress),
            observer=self._history.take,
            after_step=self._graphs if config.files.intermediate_store_frequency else None,
        )

    def train(self) -> None:
        """Load the photos, select a backbone, train a model and evaluate it."""
        config, context = self._config, self._context
        data = load_dataset(config, self._progress)
        self._progress.plan(training_plan(config, len(data.examples)))
        require_teacher(config.finetuning.teacher, data.labels)
        # TensorFlow takes seconds to load: it does so beside the work that does not need it yet.
        # The run waits for it even where it fails: an interpreter that ends amid the loading
        # crashes.
        with ThreadPoolExecutor(max_workers=1) as beside:
            beside.submit(require_tensorflow)
            candidates = featurize_candidates(
                data, config, context.extractor, multi_scale=selects_scales(config)
            )
            model = train_model(select_backbone(candidates, context), context)
            self._dataset, self.report = model.dataset, evaluate_model(model, context)

    @property
    def _found(self) -> TrainingReport:
        if self.report is None:
            raise RuntimeError("the training is not over")
        return self.report

    def write(self, folder: Path) -> None:
        """Write the bundle into ``folder``."""
        write_bundle(folder, self._dataset, self._found, self._context, self._history)

    def finish(self, bundle: Bundle) -> TrainingResult:
        """Remove checkpoints, write what is wanted beside the bundle, and return the result."""
        for checkpoint in self._context.checkpoints:
            checkpoint.discard()
        summaries = partial(
            write_summaries,
            history=self._found.trained.history,
            heads=self._history,
            progress=self._progress,
        )
        write_beside(self._config, bundle, summaries=summaries, before=self._graphs.error)
        seconds = self._progress.seconds()
        return TrainingResult(bundle=bundle, findings=self._found, seconds=seconds)

    def promise_to_resume(self, stop: BaseException) -> None:
        """Add to the message of an error that --resume continues, where it does."""
        if any(checkpoint.is_kept for checkpoint in self._context.checkpoints):
            told = " ".join(map(str, stop.args))
            stop.args = (f"{told} The same command with --resume goes on from here.".strip(),)
