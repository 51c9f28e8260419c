"""``synth.jsonl``: what is on each rendered photo, a line a photo."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bricksight._support.filesystem.files import atomic_write, writing
from bricksight._support.text import json_text
from bricksight.bricks.synth.scenes.scene import Scene, View
from bricksight.config import RENDERS_FILE
from bricksight.errors import ConfigError, DataError

RECORDS = RENDERS_FILE
"""The file's name, in the folder that holds the folders of the classes."""


def record(
    scene: Scene, view: View, *, part: str, file: str, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns the line of a photo.

    Args:
        scene: What was rendered.
        view: The camera.
        part: Number of the part.
        file: Path of the photo below the folder.
        settings: What all photos of a run share, and the scene's number.
    """
    brick, camera = scene.bricks[0], view.camera
    return {
        "file": file,
        "label": brick.label,
        "part": part,
        "colour": brick.colour.name,
        "surface": brick.colour.surface,
        "rotation": brick.placement.rotation.round(6).tolist(),
        "view": view.name,
        "camera": {
            "position": camera.position.round(3).tolist(),
            "target": camera.target.round(3).tolist(),
            "up": camera.up.round(6).tolist(),
            "field_of_view_degrees": round(camera.field_of_view_degrees, 4),
        },
        "num_neighbours": len(scene.bricks) - 1,
        "floor": scene.ground.photo.name if scene.ground.photo else scene.ground.floor,
        **settings,
    }


def read_records(folder: Path) -> dict[str, dict[str, Any]]:
    """Returns path below the folder → line; none where there is no such file.

    A last line that was cut off when a run was stopped is left out.

    Raises:
        DataError: the file is damaged.
    """
    path = folder / RECORDS
    if not path.exists():
        return {}
    found = {}
    lines = _text_of(path).removesuffix("\n").split("\n")
    for number, line in enumerate(lines, start=1):
        try:
            one = json.loads(line)
            if not all(isinstance(one.get(name, ""), str) for name in ("file", "label")):
                raise TypeError("a name is no text")
            found[one["file"]] = one
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            if number == len(lines):
                break
            raise DataError(
                f"{path}, line {number}, describes no photo ({error}). Mend the line, or remove "
                "the file and the photos, and render them again."
            ) from error
    return found


def _text_of(path: Path) -> str:
    try:
        if not path.is_file():
            raise OSError("it is not a regular file")
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror or error}). Name another folder, or mend it."
        ) from error


def begin_records(folder: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Writes the file anew, without a line that was cut off."""
    with atomic_write(folder / RECORDS) as part:
        part.write_text("", encoding="utf-8")
        add_records(part, records)


def add_records(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Adds lines to the file."""
    with writing(path), path.open("a", encoding="utf-8") as file:
        file.writelines(json_text(one) + "\n" for one in records)


def require_same_settings(
    folder: Path,
    records: Mapping[str, Mapping[str, Any]],
    settings: Mapping[str, Any],
    *,
    origins: Mapping[str, str],
) -> None:
    """Checks that a run may go on in a folder.

    Args:
        folder: Where the photos are.
        records: What it holds.
        settings: What all photos of the run share.
        origins: Label → what the shape of its part comes from.

    Raises:
        ConfigError: the folder holds other files, or photos that were rendered otherwise.
    """
    if not records:
        first = next(folder.iterdir(), None) if folder.is_dir() else None
        if first is not None and first.name != RECORDS:
            raise ConfigError(
                f"{folder} is not empty: it holds {first.name!r}, and no {RECORDS}. Renders go "
                "into a folder of their own; name a new one."
            )
        return
    for one in records.values():
        for name, value in settings.items():
            if one.get(name) != value:
                raise ConfigError(
                    f"{folder} holds photos with {name} {one.get(name)!r}; {value!r} was asked "
                    "for. Ask for the same to go on there, or name another folder."
                )
        label, made_from = one.get("label", ""), one.get("origin")
        if label in origins and origins[label] != made_from:
            raise ConfigError(
                f"{folder} holds photos of {label} with the shape from {made_from!r}; now it "
                f"comes from {origins[label]!r}. Name the LDraw library that was named then by "
                "--ldraw, or none if none was, or name another folder."
            )
