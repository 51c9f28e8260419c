"""The workflow, in the order in which it is walked."""

import datetime
import itertools
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from bricksight import bundle as bundles
from bricksight._files import replacing
from bricksight._optional import require_tensorflow
from bricksight.bundle import Bundle, Head
from bricksight.config import (
    AugmentConfig,
    FineTuneConfig,
    HeadConfig,
    RetrainConfig,
    SplitConfig,
)
from bricksight.dataset import Dataset, scan, scan_extra, scan_outliers
from bricksight.errors import BundleError, CacheError, ConfigError
from bricksight.export import ExportedFile, Proof, Request, build_classifier, export
from bricksight.features import default_cache_path
from bricksight.modules import Module, frozen_graph
from bricksight.retrain._better import train_better
from bricksight.retrain._findings import (
    Findings,
    manifest,
    write_metrics,
    write_page,
    write_photos,
)
from bricksight.retrain._finetune import fine_tune_network
from bricksight.retrain._judging import Settings, judge_trained
from bricksight.retrain._networks import choose_network, open_candidates
from bricksight.retrain._photos import Photos
from bricksight.retrain._progress import Reporter, SilentReporter, Stopwatch
from bricksight.retrain._summaries import Snapshots, write_summaries
from bricksight.retrain._train import train
from bricksight.retrain._training import AfterStep, Training
from bricksight.training import Observer, TrainedHead

BUNDLE_FILES = {
    "frozen_graph": "output_graph.pb",
    "saved_model": "saved_model",
    "tflite": "model.tflite",
}
"""Formats that every bundle holds, and under which name."""

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
        ExportError: a written file gives other answers than the trained layer.
        CacheError: the cache folder cannot be used.
    """
    split, augment = split or SplitConfig(), augment or AugmentConfig()
    head, fine_tune = head or HeadConfig(), (fine_tune or FineTuneConfig()).resolved
    configs = (config, split, augment, head, fine_tune)
    watch = Stopwatch(reporter or SilentReporter())
    require_recipe(config, head)
    out = _new_folder(config)
    data = find_photos(config, split, watch)
    # TensorFlow takes seconds to load; it does so beside the work that does not need it yet. The
    # run waits for it even where it fails: an interpreter that ends amid the loading crashes.
    with ThreadPoolExecutor(max_workers=1) as beside:
        beside.submit(require_tensorflow)
        candidates = open_candidates(
            data,
            config,
            cache_path=cache_path_of(config),
            watch=watch,
            all_depths=chooses_depths(head, fine_tune),
        )
        photos = choose_network(candidates, seed=head.seed)
        return _run(photos, out, configs, watch)


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
        return data.with_extra(*scan_extra(config.extra_train_dir, known=data.records))


def _run(photos: Photos, out: Path, configs: Configs, watch: Stopwatch) -> RetrainResult:
    """Trains, judges and writes."""
    config = configs[0]
    snapshots = Snapshots()
    photos, trained = fit(photos, configs, observer=snapshots.take)
    findings = judge_trained(photos, trained, config, settings=_settings(*configs))
    with bundles.new_bundle(out) as folder:
        with watch.stage("Exporting"):
            exports = _export(folder, photos, trained.head, config)
        with watch.stage("Writing TensorBoard summaries"):
            write_summaries(
                _summaries_dir(config, folder, out), trained.history.measurements, snapshots.heads
            )
        with watch.stage("Writing the report"):
            write_page(folder, findings, seconds=watch.seconds_so_far())
            write_photos(folder, findings.data)
        write_metrics(folder, findings, seconds=watch.seconds_so_far())
        bundles.write_manifest(folder, manifest(findings, exports))
    bundle = bundles.open_bundle(out)
    _copy_outputs(config, bundle)
    return RetrainResult(bundle=bundle, findings=findings, seconds=watch.seconds_so_far())


def fit(photos: Photos, configs: Configs, *, observer: Observer) -> tuple[Photos, TrainedHead]:
    """Returns the photos as the layer sees them, through the network that was trained or chosen."""
    config, _, augment, head, tuning = configs
    training = Training(
        config=head,
        augment=augment,
        checkpoint_path=config.checkpoint_path,
        resume=config.resume,
        observer=observer,
        after_step=_intermediate_graphs(config),
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


def _new_folder(config: RetrainConfig) -> Path:
    """Returns the folder to write, refused before any work if it cannot be made."""
    now = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    out = config.out or Path(f"{config.image_dir.resolve().name}-{now}")
    saved_model = config.saved_model_dir
    empty = saved_model is not None and saved_model.is_dir() and not any(saved_model.iterdir())
    for folder in (out,) if saved_model is None or empty else (out, saved_model):
        if folder.exists():
            raise BundleError(
                f"{folder} exists already. Name another folder, or remove it first; bricksight "
                "overwrites no model."
            )
    _require_writable(config, out)
    return out


def _require_writable(config: RetrainConfig, out: Path) -> None:
    """Refuses places that cannot be written to before any work rather than after it."""
    folders = [config.summaries_dir, config.bottleneck_dir, config.saved_model_dir, out]
    if config.intermediate_store_frequency:
        folders.append(config.intermediate_output_graphs_dir)
    files = [config.output_graph, config.output_labels, config.checkpoint_path]
    for path in filter(None, [*folders, *files]):
        above = next(parent for parent in path.resolve().parents if parent.exists())
        if not above.is_dir():
            raise BundleError(f"{path} cannot be made: {above} is a file, not a folder.")
    for path in filter(None, folders):
        if path.is_file():
            raise BundleError(f"{path} is a file; a folder is to be written there.")
    for path in filter(None, files):
        if path.is_dir():
            raise BundleError(f"{path} is a folder; a file is to be written there.")


def cache_path_of(config: RetrainConfig) -> Path:
    """Returns the file of the feature cache.

    Raises:
        CacheError: its folder cannot be made.
    """
    if config.bottleneck_dir is None:
        return default_cache_path()
    try:
        config.bottleneck_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CacheError(
            f"--bottleneck_dir {config.bottleneck_dir} cannot be made ({error.strerror})."
        ) from error
    return config.bottleneck_dir / "features.sqlite"


def _intermediate_graphs(config: RetrainConfig) -> AfterStep | None:
    """Returns what writes a frozen graph every so many steps, ``None`` if none are wanted."""
    every = config.intermediate_store_frequency
    if not every:
        return None

    def write(module: Module, step: int, head: Head) -> None:
        if step and step % every == 0:
            classifier = build_classifier(
                frozen_graph(module), head, final_tensor_name=config.final_tensor_name
            )
            path = config.intermediate_output_graphs_dir / f"intermediate_{step}.pb"
            with replacing(path) as part:
                part.write_bytes(classifier.graph_def_bytes)

    return write


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
    return [
        export(classifier, format_name, folder / name, Request(proof=proof, trust=config.trust))
        for format_name, name in BUNDLE_FILES.items()
    ]


def _summaries_dir(config: RetrainConfig, folder: Path, out: Path) -> Path:
    """Returns where the event files go: into the bundle, or into a folder of this run's own."""
    if config.summaries_dir is None:
        return folder / "summaries"
    names = itertools.chain([out.name], (f"{out.name}-{number}" for number in itertools.count(2)))
    return next(
        config.summaries_dir / name for name in names if not (config.summaries_dir / name).exists()
    )


def _copy_outputs(config: RetrainConfig, bundle: Bundle) -> None:
    """Writes the files that retrain.py's flags ask for beside the bundle."""
    wanted = {
        BUNDLE_FILES["frozen_graph"]: config.output_graph,
        bundles.LABELS: config.output_labels,
    }
    for name, path in wanted.items():
        if path is not None:
            with replacing(path) as part:
                shutil.copyfile(bundle.path / name, part)
    if config.saved_model_dir is not None:
        shutil.copytree(
            bundle.path / BUNDLE_FILES["saved_model"], config.saved_model_dir, dirs_exist_ok=True
        )


def _settings(*configs: object) -> Settings:
    """Returns the settings by config, with plain values; paths mean the same from anywhere."""
    return {
        type(config).__name__.removesuffix("Config").lower(): {
            name: str(value.absolute()) if isinstance(value, Path) else value
            for name, value in asdict(config).items()  # type: ignore[call-overload]
        }
        for config in configs
    }
