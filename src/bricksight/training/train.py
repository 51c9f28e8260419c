"""The workflow, in the order in which it is walked."""

import gc
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from bricksight import bundle as bundles
from bricksight._support.filesystem.files import writing
from bricksight._support.optional import require_tensorflow
from bricksight._support.progress import Reporter, SilentReporter, Stopwatch
from bricksight.backbones import frozen_graph
from bricksight.bundle import Bundle, Head
from bricksight.config import (
    AugmentConfig,
    FineTuneConfig,
    HeadConfig,
    RetrainConfig,
    SplitConfig,
    given,
    given_or_default,
)
from bricksight.dataset import Dataset, scan, scan_extra, scan_outliers
from bricksight.errors import BricksightError, ConfigError, OutputError
from bricksight.export import ExportedFile, Proof, Request, build_classifier, export
from bricksight.features.featurized_dataset import Photos
from bricksight.finetuning.distillation import require_teacher
from bricksight.heads import Checkpoint, Observer, TrainedHead
from bricksight.training.backbone_selection import choose_network, open_candidates
from bricksight.training.fine_tuning import fine_tune_network
from bricksight.training.head import train
from bricksight.training.head_options import AfterStep, Training
from bricksight.training.recipes import train_better
from bricksight.training.results.artifacts import (
    Findings,
    manifest,
    write_metrics,
    write_page,
    write_photos,
)
from bricksight.training.results.evaluation import Settings, judge_trained
from bricksight.training.results.outputs import (
    BUNDLE_FILES,
    SUMMARIES,
    IntermediateGraphs,
    cache_path_of,
    kept_elsewhere,
    model_folder,
    try_outputs,
    write_beside,
)
from bricksight.training.results.tensorboard import Snapshots, write_summaries

_PHOTOS_TO_PROVE_ON = 32

Configs = tuple[RetrainConfig, SplitConfig, AugmentConfig, HeadConfig, FineTuneConfig]


@dataclass(frozen=True, kw_only=True)
class RetrainResult:
    """What a run gives.

    Attributes:
        bundle: The model folder.
        findings: All that the report tells.
        seconds: Part of the run → how long it took.
    """

    bundle: Bundle
    findings: Findings
    seconds: Mapping[str, float]


def retrain(
    config: RetrainConfig,
    *,
    split: SplitConfig | None = None,
    augment: AugmentConfig | None = None,
    head: HeadConfig | None = None,
    fine_tune: FineTuneConfig | None = None,
    reporter: Reporter | None = None,
) -> RetrainResult:
    """Returns a bundle trained on the photos of ``config.image_dir``.

    Args:
        config: what to train, and where to write.
        split: how the photos are dealt.
        augment: random views of the training photos; without any, our own recipe chooses them.
        head: how the layer is trained.
        fine_tune: whether and how the network's own weights are trained.
        reporter: follows the run.

    Raises:
        DataError: the photos cannot be used.
        ModuleError: the network cannot be had.
        ConfigError: ``unknown_dir`` with retrain.py's training.
        BundleError: the folder to write exists already.
        OutputError: a place cannot be written, or another run writes it; see the message for where
            a model that is trained already was kept.
        ExportError: a written file gives other answers than the trained layer.
    """
    given(config, RetrainConfig, "config")
    split = given_or_default(split, SplitConfig, "split")
    augment = given_or_default(augment, AugmentConfig, "augment")
    head = given_or_default(head, HeadConfig, "head")
    fine_tune = given_or_default(fine_tune, FineTuneConfig, "fine_tune").resolved
    configs = (config, split, augment, head, fine_tune)
    watch = Stopwatch(reporter or SilentReporter())
    require_recipe(config, head)
    try_outputs(config)
    run = _Run(configs, watch)
    out = config.out
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
    run.discard_checkpoints()
    run.write_beside(bundle)
    return RetrainResult(bundle=bundle, findings=run.found, seconds=watch.seconds_so_far())


def require_recipe(config: RetrainConfig, head: HeadConfig) -> None:
    """Refuses photos of none of the classes, or masks, where the training cannot use them.

    Raises:
        ConfigError: both are asked for.
    """
    if config.cuts_out and head.is_retrain_way:
        raise ConfigError(
            "Other backgrounds (--masks, --empty_scene) are for our own recipe; retrain.py's "
            "training knows none. Leave out --how_many_training_steps, --learning_rate and "
            "--train_batch_size."
        )
    if config.cuts_out and head.views == 0:
        raise ConfigError(
            "--views 0 asks for no random views, and other backgrounds (--masks, --empty_scene) "
            "are shown in those alone. Leave one of them out."
        )
    if config.unknown_dir is not None and head.is_retrain_way:
        raise ConfigError(
            f"--unknown_dir {config.unknown_dir} is for our own recipe; retrain.py's training "
            "knows classes only. Leave out --how_many_training_steps, --learning_rate and "
            "--train_batch_size."
        )
    if config.unknown_dir is not None and head.head == "lda":
        raise ConfigError(
            f"--unknown_dir {config.unknown_dir} does nothing with --head lda, which knows classes "
            "only. Leave one of them out, or take --head softmax."
        )


def find_photos(config: RetrainConfig, split: SplitConfig, watch: Stopwatch) -> Dataset:
    """Returns the photos, with the extra ones and those of no class if there are any.

    Raises:
        DataError: the photos cannot be used.
    """
    with watch.stage("Scanning photos"):
        data = scan(config.image_dir, split=split)
        if config.unknown_dir is not None:
            found, problems = scan_outliers(config.unknown_dir, known=data.records, split=split)
            data = replace(data, outliers=found, problems=(*data.problems, *problems))
        if config.extra_train_dir is None:
            return data
        extra, problems = scan_extra(
            config.extra_train_dir, known=data.records, layout=split.layout
        )
        return data.with_extra(extra, problems)


class _Run:
    """One training: what it has made, and how that is written.

    Attributes:
        findings: What the report tells, once the training is over.
        checkpoints: Where the training is kept until the bundle is written.
    """

    def __init__(self, configs: Configs, watch: Stopwatch) -> None:
        self.findings: Findings | None = None
        self.checkpoints: list[Checkpoint] = []
        self._configs = configs
        self._watch = watch
        self._snapshots = Snapshots()
        self._graphs = IntermediateGraphs(configs[0])

    def train(self) -> None:
        """Reads the photos, trains and judges."""
        config, split, _, head, fine_tune = self._configs
        data = find_photos(config, split, self._watch)
        require_teacher(fine_tune.teacher, data.labels)
        # TensorFlow takes seconds to load; it does so beside the work that does not need it yet.
        # The run waits for it even where it fails: an interpreter that ends amid the loading
        # crashes.
        with ThreadPoolExecutor(max_workers=1) as beside:
            beside.submit(require_tensorflow)
            candidates = open_candidates(
                data,
                config,
                cache_path=cache_path_of(config),
                watch=self._watch,
                all_depths=chooses_depths(head, fine_tune),
            )
            photos = choose_network(candidates, seed=head.seed)
            photos, trained = fit(
                photos,
                self._configs,
                observer=self._snapshots.take,
                after_step=self._graphs if config.intermediate_store_frequency else None,
                checkpoints=self.checkpoints,
            )
            self._photos = photos
            settings = _settings(*self._configs)
            self.findings = judge_trained(photos, trained, config, settings=settings)

    @property
    def found(self) -> Findings:
        """What the report tells."""
        if self.findings is None:
            raise RuntimeError("the training is not over")
        return self.findings

    def write(self, folder: Path) -> None:
        """Writes the bundle into ``folder``."""
        config, findings, watch = self._configs[0], self.found, self._watch
        with watch.stage("Exporting"), writing(folder):
            head = findings.trained.head
            exports = _export(folder, self._photos, head, config)
        with writing(folder):
            if config.summaries_dir is None:
                self._write_summaries(folder / SUMMARIES)
            with watch.stage("Writing the report"):
                write_page(folder, findings, seconds=watch.seconds_so_far())
                write_photos(folder, findings.data)
            write_metrics(folder, findings, seconds=watch.seconds_so_far())
            bundles.write_manifest(folder, manifest(findings, exports))

    def _write_summaries(self, folder: Path) -> None:
        measurements = self.found.trained.history.measurements
        with self._watch.stage("Writing TensorBoard summaries"), writing(folder):
            write_summaries(folder, measurements, self._snapshots.heads)

    def write_beside(self, bundle: Bundle) -> None:
        """Writes what is wanted beside the bundle."""
        config, before = self._configs[0], self._graphs.error
        write_beside(config, bundle, summaries=self._write_summaries, before=before)

    def discard_checkpoints(self) -> None:
        """Removes what the bundle has made superfluous."""
        for checkpoint in self.checkpoints:
            checkpoint.discard()


def fit(
    photos: Photos,
    configs: Configs,
    *,
    observer: Observer,
    after_step: AfterStep | None = None,
    checkpoints: list[Checkpoint] | None = None,
) -> tuple[Photos, TrainedHead]:
    """Returns the photos as the layer sees them, through the network that was trained or chosen.

    Args:
        photos: what is trained on.
        configs: how.
        observer: told of each measurement.
        after_step: told of every step.
        checkpoints: gets those that the training writes, for the caller to discard; ``None`` where
            they are of no use once the training is over.
    """
    config, _, augment, head, tuning = configs
    training = Training(
        config=head,
        augment=augment,
        checkpoint_path=config.checkpoint_path,
        resume=config.resume,
        observer=observer,
        after_step=after_step,
        checkpoints=[] if checkpoints is None else checkpoints,
        extra_share=config.extra_share,
        chooses_turns=config.turns is None and tuning.recipe == "best",
    )
    if compares_trainings(head, tuning) and photos.data.bucket("validation"):
        through, trained = train_better(photos, training, tuning)
    else:
        tuned = None
        if tuning.trains_network:
            tuned = fine_tune_network(photos, training, tuning)
        through, trained = tuned or train(photos, training)
    if checkpoints is None:
        for checkpoint in training.checkpoints:
            checkpoint.discard()
    chosen = {"held_out_cross_entropy_by_network": dict(photos.chosen_from)}
    return through, replace(trained, choices={**trained.choices, **chosen})


def chooses_depths(head: HeadConfig, fine_tune: FineTuneConfig) -> bool:
    """Returns whether the training chooses the depths of the network to take features from."""
    if fine_tune.trains_network:
        return compares_trainings(head, fine_tune)
    return not head.is_retrain_way


def compares_trainings(head: HeadConfig, fine_tune: FineTuneConfig) -> bool:
    """Returns whether the layer alone may be kept after the network has been trained too."""
    return not head.is_retrain_way and fine_tune.keeps_better


def _export(folder: Path, photos: Photos, head: Head, config: RetrainConfig) -> list[ExportedFile]:
    """Writes every format of the bundle and the head itself."""
    classifier = build_classifier(
        frozen_graph(photos.compiled.module), head, final_tensor_name=config.final_tensor_name
    )
    rows = np.linspace(0, len(photos.data.records) - 1, _PHOTOS_TO_PROVE_ON).astype(int)
    rows = np.unique(rows)
    proof = Proof(
        photos=[photos.data.records[row].path for row in rows],
        probabilities=head.probabilities(photos.matrix[rows, 0]),
        labels=photos.data.labels,
        spec=photos.compiled.module.input_spec,
    )
    head.save(folder / bundles.HEAD)
    gc.freeze()  # each export looks for garbage, which need not be sought in what is there now
    try:
        return [
            export(classifier, format_name, folder / name, Request(proof=proof, trust=config.trust))
            for format_name, name in BUNDLE_FILES.items()
        ]
    finally:
        gc.unfreeze()


def _settings(*configs: object) -> Settings:
    """Returns the settings by config, with plain values; paths mean the same from anywhere."""
    return {
        type(config).__name__.removesuffix("Config").lower(): {
            name: str(value.absolute()) if isinstance(value, Path) else value
            for name, value in asdict(config).items()  # type: ignore[call-overload]
        }
        for config in configs
    }
