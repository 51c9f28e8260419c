"""Renders the sample: ``python -m bricksight.synth.render OUT --num 40 --size 160 --seed 1``."""

import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import cyclopts
from rich.console import Console
from rich.progress import track

from bricksight._files import replacing
from bricksight._optional import require, require_installed
from bricksight._threads import num_cores
from bricksight.errors import BricksightError, ConfigError
from bricksight.synth.parts import PARTS
from bricksight.synth.poses import stable_poses
from bricksight.synth.raytrace import render_photo
from bricksight.synth.sample import contact_sheet
from bricksight.synth.sampling import photo_rng, sample_scene
from bricksight.synth.scenes import SceneConfig

_PHOTOS_A_JOB = 5


@dataclass(frozen=True, kw_only=True)
class RenderConfig:
    """How a folder of photos is rendered.

    Attributes:
        labels: Keys of ``PARTS``.
        num: Photos a part.
        size: Rows and columns of a photo.
        seed: Equal seeds give equal photos on one machine, whatever ``num`` and ``workers`` are.
        samples: Light paths a pixel.
        scenes: What varies from photo to photo.
    """

    labels: tuple[str, ...] = tuple(PARTS)
    num: int = 40
    size: int = 160
    seed: int = 1
    samples: int = 36
    scenes: SceneConfig = field(default_factory=SceneConfig)

    def __post_init__(self) -> None:
        for label in self.labels:
            if label not in PARTS:
                raise ConfigError(f"No part is called {label!r}. Known are {', '.join(PARTS)}.")
        for name in ("num", "size", "samples"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least 1.")


def render_folder(out: Path, config: RenderConfig, *, workers: int | None = None) -> Iterator[int]:
    """Yields the number of photos as they are finished, a few at a time.

    One folder a part, named by its label, is written into ``out``. Photos that are there already
    stay, so an interrupted run goes on where it stopped.

    Args:
        out: Made if need be.
        config: What is rendered.
        workers: Processes; by default one a core.

    Raises:
        MissingPackageError: Mitsuba is not installed.
    """
    require_installed("mitsuba", extra="synth", feature="Rendering")
    jobs = [
        (out, label, range(start, min(start + _PHOTOS_A_JOB, config.num)), config)
        for start in range(0, config.num, _PHOTOS_A_JOB)
        for label in config.labels
    ]
    # Never in this process: Mitsuba and TensorFlow bring an LLVM each, and what has loaded both
    # aborts when it ends. A forked process would inherit threads in an unknown state.
    with ProcessPoolExecutor(workers or num_cores(), get_context("spawn"), _use_one_thread) as pool:
        yield from pool.map(_render_some, *zip(*jobs, strict=True))


def _use_one_thread() -> None:
    require("drjit", extra="synth", feature="Rendering").set_thread_count(1)


def _render_some(out: Path, label: str, indices: range, config: RenderConfig) -> int:
    paths = {index: out / label / f"{index:04d}.jpg" for index in indices}
    missing = {index: path for index, path in paths.items() if not path.exists()}
    if not missing:
        return len(paths)
    mesh = PARTS[label].mesh()
    poses = stable_poses(mesh)
    for index, path in missing.items():
        rng = photo_rng(config.seed, label, index)
        scene = sample_scene(mesh, poses, rng, config=config.scenes)
        photo = render_photo(mesh, scene, size=config.size, samples=config.samples)
        with replacing(path) as part:
            photo.save(part, quality=scene.finish.jpeg_quality, optimize=True, progressive=True)
    return len(paths)


def main(
    out: Path,
    /,
    *,
    num: int = RenderConfig.num,
    size: int = RenderConfig.size,
    seed: int = RenderConfig.seed,
    samples: int = RenderConfig.samples,
    workers: int | None = None,
    sheet: Path | None = None,
) -> None:
    """Render photos of every part of the sample, one folder a part.

    Parameters
    ----------
    out
        Folder to write to; photos that are there already stay.
    num
        Photos a part.
    size
        Rows and columns of a photo.
    seed
        Equal seeds give equal photos.
    samples
        Light paths a pixel; more give less grain and take longer.
    workers
        Processes; by default one a core.
    sheet
        Also write a picture of some photos of every part to this file.
    """
    console = Console(stderr=True)
    try:
        config = RenderConfig(num=num, size=size, seed=seed, samples=samples)
        finished = render_folder(out, config, workers=workers)
        steps = -(-num // _PHOTOS_A_JOB) * len(PARTS)
        for _ in track(finished, "Rendering", total=steps, console=console):
            pass
        if sheet is not None:
            contact_sheet(out).save(sheet, quality=80, optimize=True)
    except BricksightError as error:
        sys.exit(f"Error: {error}")
    console.print(f"{num * len(PARTS)} photos are in {out}.")


if __name__ == "__main__":
    cyclopts.run(main)
