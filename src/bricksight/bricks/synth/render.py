"""Folders of rendered photos: jobs for all cores, resumed where they stopped."""

import errno
import functools
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from bricksight._support.filesystem.files import atomic_write, sha256_of, writing
from bricksight._support.filesystem.walk import mark_as_own
from bricksight._support.optional import require, require_installed
from bricksight._support.threads import num_cores
from bricksight.bricks.synth.labels import require_folder_names
from bricksight.bricks.synth.models import Models, find_models
from bricksight.bricks.synth.records import (
    RECORDS,
    add_records,
    begin_records,
    read_records,
    record,
    require_same_settings,
)
from bricksight.bricks.synth.rendering.denoising import ONE_THREAD
from bricksight.bricks.synth.rendering.raytrace import QUALITIES, render_scene
from bricksight.bricks.synth.scenes.sampling import photo_rng, sample_scene
from bricksight.bricks.synth.scenes.scene import SceneConfig
from bricksight.errors import ConfigError, OutputError

_SCENES_A_JOB = 4
_MAX_PHOTOS = 1_000_000
_LIMITS = {"num": (1, 100_000), "size": (8, 2048), "seed": (0, 2**63 - 1)}
_MOST_PROCESSES = 64  # or four a core, where that is more

_RENDERER_VERSION = 2
"""Raised when the same ranges give other photos, so that no folder holds both kinds."""


def _require_whole(name: str, value: object, lowest: int, highest: int) -> None:
    if type(value) is not int or not lowest <= value <= highest:
        limits = f"from {lowest:,} to {highest:,}"
        raise ConfigError(f"--{name} is {value}; it must be a whole number {limits}.")


@dataclass(frozen=True, kw_only=True)
class SynthConfig:
    """How a folder of photos is rendered.

    Attributes:
        labels: Classes; each begins with a part number.
        ldraw: The LDraw library, a folder or ``complete.zip``; ``None`` for our own parts alone.
        num: Photos of each part; with a rig rounded up to whole scenes.
        size: Rows and columns of a photo.
        quality: One of ``QUALITIES``.
        seed: Equal seeds give equal photos on one machine, whatever ``num`` and the processes are.
        masks: Whether to write where the part is, into the folder ``OUT_masks``.
        scenes: What varies from photo to photo.
    """

    labels: tuple[str, ...]
    ldraw: Path | None = None
    num: int = 60
    size: int = 192
    quality: str = "normal"
    seed: int = 1
    masks: bool = False
    scenes: SceneConfig = field(default_factory=SceneConfig)

    def __post_init__(self) -> None:
        if not self.labels:
            raise ConfigError("No parts are named; --parts must name at least one.")
        require_folder_names(self.labels)
        for name, (lowest, highest) in _LIMITS.items():
            _require_whole(name, getattr(self, name), lowest, highest)
        if len(self.labels) * self.num > _MAX_PHOTOS:
            raise ConfigError(
                f"--num {self.num} of {len(self.labels):,} parts are "
                f"{len(self.labels) * self.num:,} photos; {_MAX_PHOTOS:,} are the limit of a run. "
                "Render some of the parts at a time."
            )
        if self.quality not in QUALITIES:
            raise ConfigError(
                f"--quality is {self.quality!r}; it must be one of {', '.join(QUALITIES)}."
            )

    @property
    def views(self) -> tuple[str, ...]:
        """Names of the cameras; one without a name where there is no rig."""
        return self.scenes.rig or ("",)

    @property
    def num_scenes(self) -> int:
        """Scenes of each part."""
        return -(-self.num // len(self.views))

    def settings(self) -> dict[str, Any]:
        """Returns what photos of one folder must share.

        Background photos count by what they show, not by where they lie.

        Raises:
            ConfigError: a background cannot be read.
        """
        ranges = {
            **asdict(self.scenes),
            "backgrounds": tuple(map(_digest_of_background, self.scenes.backgrounds)),
        }
        scenes = hashlib.sha256(repr((_RENDERER_VERSION, ranges)).encode()).hexdigest()[:12]
        return {
            "size": self.size,
            "quality": self.quality,
            "seed": self.seed,
            "scenes": scenes,
        }


def render_folder(out: Path, config: SynthConfig, *, processes: int | None = None) -> Iterator[int]:
    """Yields how many photos there are more, as they are finished.

    One folder a class, named by its label, is written into ``out``, and a line a photo into
    ``synth.jsonl``. What is there already stays, so an interrupted run goes on where it stopped;
    its photos are yielded first.

    Args:
        out: Made if need be.
        config: What is rendered.
        processes: By default one a core.

    Raises:
        ConfigError: a part is not known, ``processes`` is no number for this machine, or ``out``
            holds something else.
        LDrawError: a part cannot be read, or cannot lie on a table.
        MissingPackageError: Mitsuba is not installed.
        OutputError: a photo cannot be written, or a process has been killed.
    """
    if processes is not None:
        _require_whole("processes", processes, 1, max(_MOST_PROCESSES, 4 * num_cores()))
    for package in ("mitsuba", "pyoidn"):
        require_installed(package, extra="synth", feature="Rendering")
    models = find_models(config.labels, config.ldraw)  # before anything is written
    settings, origins = config.settings(), {label: models.origin(label) for label in models}
    records = read_records(out)
    require_same_settings(out, records, settings, origins=origins)
    done = {name for name in records if (out / name).is_file()}
    jobs = list(_jobs(config, done))
    wanted = {_file(label, i, view) for label, i in _all_scenes(config) for view in config.views}
    yield len(done & wanted)
    begin_records(out, records.values())
    if config.masks:
        mark_as_own(_masks_of(out), among=out.parent)
    # Never in this process: Mitsuba and TensorFlow bring an LLVM each, and what has loaded both
    # aborts when it ends. A forked process would inherit threads in an unknown state.
    with ProcessPoolExecutor(
        processes or num_cores(), get_context("spawn"), _use_one_thread
    ) as pool:
        futures = [
            pool.submit(
                _render_some, out, label, some, config, {"origin": origins[label], **settings}
            )
            for label, some in jobs
        ]
        try:
            for future in as_completed(futures):
                lines = future.result()
                add_records(out / RECORDS, lines)
                yield len(lines)
        except BrokenProcessPool as error:
            raise OutputError(
                "A rendering process was killed, perhaps because memory ran out. Run the command "
                "again with fewer --processes; it continues where it stopped."
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _all_scenes(config: SynthConfig) -> Iterator[tuple[str, int]]:
    """Yields label and number, one scene of each part after the other."""
    for index in range(config.num_scenes):
        for label in config.labels:
            yield label, index


def _jobs(config: SynthConfig, done: set[str]) -> Iterator[tuple[str, list[int]]]:
    """Yields label and scenes that are wanted, first scenes of all parts first."""
    for start in range(0, config.num_scenes, _SCENES_A_JOB):
        for label in config.labels:
            some = [
                index
                for index in range(start, min(start + _SCENES_A_JOB, config.num_scenes))
                if any(_file(label, index, view) not in done for view in config.views)
            ]
            if some:
                yield label, some


def _masks_of(out: Path) -> Path:
    return out.with_name(f"{out.name}_masks")


def _file(label: str, index: int, view: str) -> str:
    return f"{label}/{index:05d}_{view}.jpg" if view else f"{label}/{index:05d}.jpg"


def _use_one_thread() -> None:
    os.environ.update(ONE_THREAD)
    require("drjit", extra="synth", feature="Rendering").set_thread_count(1)


def _digest_of_background(photo: Path) -> str:
    try:
        if photo.exists() and not photo.is_file():  # a pipe would be waited for
            raise OSError(errno.EINVAL, "it is no regular file")
        return sha256_of(photo)
    except OSError as error:
        raise ConfigError(
            f"The background {photo} cannot be read ({error.strerror or error}). Name photos that "
            "can."
        ) from error


@functools.lru_cache(maxsize=2)
def _models(labels: tuple[str, ...], ldraw: Path | None) -> Models:
    return find_models(labels, ldraw)


def _render_some(
    out: Path,
    label: str,
    indices: Sequence[int],
    config: SynthConfig,
    settings: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Returns the lines of the photos that it has written, with the settings on each."""
    models = _models(config.labels, config.ldraw)
    lines = []
    for index in indices:
        rng = photo_rng(config.seed, label, index)
        scene = sample_scene(models[label], rng, config=config.scenes, others=models)
        shots = render_scene(
            scene,
            models,
            size=config.size,
            quality=QUALITIES[config.quality],
            masks=config.masks,
        )
        for shot in shots:
            file = _file(label, index, shot.view.name)
            quality = shot.view.finish.jpeg_quality
            with writing(out / file), atomic_write(out / file) as part:
                shot.photo.save(part, format="JPEG", quality=quality)
            if shot.mask is not None:
                mask = (_masks_of(out) / file).with_suffix(".png")
                with writing(mask), atomic_write(mask) as part:
                    shot.mask.save(part, format="PNG")
            part_number, shared = models[label].number, {"index": index, **settings}
            lines.append(record(scene, shot.view, part=part_number, file=file, settings=shared))
    return lines
