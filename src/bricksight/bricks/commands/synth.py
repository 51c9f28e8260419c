"""``bricksight synth``: training photos of parts, rendered."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from bricksight._support.text import pluralize, some
from bricksight.cli.for_packs import console_progress, panel, say
from bricksight.errors import ConfigError, DataError

if TYPE_CHECKING:
    from bricksight.bricks.synth import SceneConfig

_MAX_SCENES_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Which parts are rendered.

    Attributes:
        parts: Part numbers or names with commas between; "all" for all of our own.
        for_: A folder of photos whose classes begin with part numbers: these parts.
        ldraw: The LDraw library, a folder or complete.zip; by default LDRAWDIR, and our own parts
            where it is not set.
    """

    parts: str | None = None
    for_: Path | None = None
    ldraw: Path | None = None


@dataclass(frozen=True, kw_only=True)
class RenderedPhotos:
    """How the photos are made.

    Attributes:
        num: Photos of each part.
        size: Rows and columns of a photo.
        quality: How long the renderer works on a photo.
        seed: Equal seeds give equal photos.
        rig: Three cameras look at each brick, from two sides and from below through glass; the
            photos are called NUMBER_front, _back and _bottom.
        backgrounds: Folder with photos of your empty scene, to lie the bricks on.
        scenes: JSON file with other ranges of what varies, such as {"fill": [0.5, 0.8]}.
        masks: Also write where the part is, to the folder OUT_masks.
        processes: How many work at once; by default one a core.
        quiet: Show no progress.
    """

    num: int = 60
    size: int = 192
    quality: Literal["draft", "normal", "fine"] = "normal"
    seed: int = 1
    rig: bool = False
    backgrounds: Path | None = None
    scenes: Path | None = None
    masks: bool = False
    processes: int | None = None
    quiet: bool = False


def synth(
    out: Path,
    /,
    *,
    which: Annotated[Parts, panel("Parts")] = Parts(),
    photos: Annotated[RenderedPhotos, panel("Photos")] = RenderedPhotos(),
) -> int:
    """Render training photos of parts that nobody has photographed yet.

    OUT becomes a folder like one of photos, one sub-folder a part, with synth.jsonl, which tells
    what is on each. A run that was stopped goes on where it was. Beside it, OUT_preview.jpg shows
    some photos of each part.

    Args:
        out: The folder, new or of an earlier run.
        which: Which parts are rendered.
        photos: How the photos are made.
    """
    from bricksight._support.filesystem.files import atomic_write
    from bricksight._support.filesystem.places import claimed, try_file, try_folder
    from bricksight.bricks.synth.render import SynthConfig, render_folder
    from bricksight.bricks.synth.sheet import contact_sheet

    preview = out.with_name(f"{out.absolute().name}_preview.jpg")
    try_folder(out)
    try_file(preview)
    progress = console_progress(quiet=photos.quiet)
    labels = _labels(which, progress.message)
    config = SynthConfig(
        labels=labels,
        ldraw=which.ldraw,
        num=photos.num,
        size=photos.size,
        quality=photos.quality,
        seed=photos.seed,
        masks=photos.masks,
        scenes=_scenes(photos),
    )
    total = len(labels) * config.num_scenes * len(config.views)
    title = f"Rendering {pluralize(len(labels), 'part')}"
    with claimed(out), progress.stage(title, total) as advance:
        for count in render_folder(out, config, processes=photos.processes):
            advance(count)
    sheet = contact_sheet(out, labels)
    with atomic_write(preview) as part:
        sheet.save(part, format="JPEG", quality=85, optimize=True)
    say(
        f"{total} photos of {pluralize(len(labels), 'part')} are in {out}; some in {preview}.",
        f"  bricksight train PHOTOS --extra_train_dir {shlex.quote(str(out))}",
    )
    return 0


def _labels(which: Parts, remark: Any) -> tuple[str, ...]:
    from bricksight.bricks.synth import PARTS
    from bricksight.bricks.synth.models import known_numbers, part_number
    from bricksight.dataset import class_folders

    if (which.parts is None) == (which.for_ is None):
        raise ConfigError("Name the parts either by --parts or by --for, a folder of photos.")
    if which.parts == "all":
        return tuple(PARTS)
    if which.parts is not None:
        return tuple(dict.fromkeys(name.strip() for name in which.parts.split(",") if name.strip()))
    folder = which.for_
    if folder is None or not folder.is_dir():
        raise DataError(f"--for {folder} is not a folder. Name one of photos, a sub-folder a part.")
    classes = class_folders(folder)
    known = known_numbers(classes, which.ldraw)
    left_out = [name for name in classes if name not in known]
    if not known:
        raise DataError(
            f"No class of --for {folder} begins with the number of a part that is known; it has "
            f"{some(classes)}. Name an LDraw library by --ldraw, or parts by --parts."
        )
    for label, number in known.items():
        if number != part_number(label):
            remark(f"! {label} is rendered as {number}, the only variant that the library has.")
    if left_out:
        remark(f"! No part is known for {some(left_out)}; left out.")
    return tuple(known)


def _scenes(photos: RenderedPhotos) -> "SceneConfig":
    from bricksight.bricks.synth import scene_config
    from bricksight.bricks.synth.scenes.scene import RIG
    from bricksight.images import find_backgrounds

    given: dict[str, Any] = {}
    if photos.scenes is not None:
        given = _json_object(photos.scenes)
    if photos.rig:
        given["rig"] = RIG
    if photos.backgrounds is not None:
        given["backgrounds"] = find_backgrounds(photos.backgrounds)
    return scene_config(given)


def _json_object(path: Path) -> dict[str, Any]:
    from bricksight._support.untrusted.fields import mapping
    from bricksight._support.untrusted.json_files import read_json

    try:
        content = mapping(read_json(path, most_bytes=_MAX_SCENES_BYTES), "the content")
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"--scenes {path} cannot be read as a JSON object ({error}). Write one "
            'such as {"fill": [0.5, 0.8]}.'
        ) from error
    return content
