"""Contact sheets: all photos of a class on one picture, each with its file name."""

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from bricksight._support.filesystem.files import atomic_write
from bricksight._support.filesystem.locks import short_name
from bricksight._support.filesystem.walk import mark_as_own
from bricksight._support.lettering import draw_text, text_width
from bricksight._support.text import pluralize
from bricksight._support.threads import num_cores, thread_map
from bricksight.config import AnyPath, input_paths
from bricksight.dataset import Dataset
from bricksight.errors import ConfigError, ImageError
from bricksight.images.reading.decoding import decode_image
from bricksight.quality._report import CheckReport

_PAPER = (240, 241, 243)
_MOUNT = (225, 227, 230)
_INK = (32, 33, 36)
_GREY = (105, 109, 115)
_RED = (176, 32, 32)

_MARGIN = 24
_GAP = 10
_TITLE_SIZE = 26
_NAME_SIZE = 12
_TITLE_HEIGHT = 54
_MAX_TITLE = 1200
_NAME_HEIGHT = 20
_ROWS_PER_PAGE = 25
_PAIR_THUMB = 160
_MAX_PAIRS = 60
_TWIN_SHEET = "same photo, two labels.jpg"
_QUALITY = 88


def contact_sheet(
    paths: Sequence[AnyPath], *, columns: int = 8, thumb: int = 160, title: str = ""
) -> Image.Image:
    """Return one RGB picture of all photos, in rows, with the names of their files.

    Photos keep their proportions. In place of one that cannot be read stands the reason.

    Args:
        paths: at least one photo.
        columns: photos in a row.
        thumb: longer side of a photo on the sheet, in pixels.
        title: a line of text above the photos.

    Raises:
        ConfigError: there are no photos, or ``paths`` are no paths.
    """
    photos = input_paths(paths, "the photos")
    if not photos:
        raise ConfigError("There are no photos; at least one is needed.")
    return _sheet([_tile(path, path.name, thumb) for path in photos], columns=columns, title=title)


def write_captioned_sheet(path: Path, photos: Sequence[tuple[Path, str]], *, title: str) -> None:
    """Write a JPEG file of photos with a caption below each.

    Args:
        path: the file, replaced if it is there.
        photos: at least one: where it is, and its caption.
        title: a line of text above the photos.
    """
    tiles = [_tile(photo, caption, _PAIR_THUMB) for photo, caption in photos]
    _save(_sheet(tiles, columns=_columns(len(tiles)), title=title), path)


def write_contact_sheets(
    dataset: Dataset, folder: Path, *, progress: Callable[[int, int], None] | None = None
) -> list[Path]:
    """Return the sheets of all classes, written into ``folder`` as JPEG files.

    A class with more photos than one sheet takes goes on to ``CLASS, sheet 2.jpg``.

    Args:
        dataset: the photos.
        folder: made if need be; sheets of an earlier check are replaced. A new one among the photos
            is marked, so that no training takes it for a class.
        progress: called with the number of photos shown so far and the number of all.
    """
    mark_as_own(folder, among=dataset.image_dir)
    members: dict[str, list[Path]] = {label: [] for label in dataset.labels}
    for example in dataset.examples:
        members[example.label].append(example.path)
    taken = {_TWIN_SHEET}
    jobs = [
        (folder / _file_name(name, taken), paths, title)
        for label, photos in members.items()
        for name, paths, title in _pages(label, photos)
    ]
    done = 0
    with thread_map(_write, jobs, num_threads=num_cores()) as written:
        for num_photos in written:
            done += num_photos
            if progress is not None:
                progress(done, len(dataset.examples))
    return [path for path, _, _ in jobs]


def write_twin_sheet(report: CheckReport, folder: Path) -> Path | None:
    """Return the sheet of photos that are, or look, the same under two labels.

    ``None`` if there are none; then the sheet of an earlier check is removed. One of the labels of
    such a pair is often wrong, and the eye sees at once which.
    """
    path = folder / _TWIN_SHEET
    pairs = _pairs_of_two_labels(report)
    if not pairs:
        path.unlink(missing_ok=True)
        return None
    shown = pairs[:_MAX_PAIRS]
    tiles = [_pair([(report.image_dir / name, name) for name in pair]) for pair in shown]
    title = f"Nearly the same under two labels  ({pluralize(len(pairs), 'pair')}"
    title += ")" if len(shown) == len(pairs) else f", the {len(shown)} most alike)"
    _save(_sheet(tiles, columns=3, title=title), path)
    return path


def _pairs_of_two_labels(report: CheckReport) -> list[tuple[str, str]]:
    """Return pairs of relative paths, exact copies first, then the most alike."""
    problems = report.dataset.problems
    copies = [
        (each.paths[0], each.paths[-1]) for each in problems if each.kind == "conflicting_labels"
    ]
    alike = [(twin.path, twin.other) for twin in report.twins.across_labels]
    return list(dict.fromkeys((min(pair), max(pair)) for pair in [*copies, *alike]))


def _pages(label: str, photos: Sequence[Path]) -> Iterator[tuple[str, Sequence[Path], str]]:
    """Yield name, photos and title of each sheet of a class."""
    size = _columns(len(photos)) * _ROWS_PER_PAGE
    num_pages = -(-len(photos) // size)
    for page in range(num_pages):
        name, title = short_name(label), f"{label}  ({pluralize(len(photos), 'photo')})"
        if page:
            name += f", sheet {page + 1}"
        if num_pages > 1:
            title += f", sheet {page + 1} of {num_pages}"
        yield name, photos[page * size : (page + 1) * size], title


def _file_name(name: str, taken: set[str]) -> str:
    """Return the file name of a sheet, which no other sheet has, and adds it to ``taken``.

    Some file systems do not distinguish upper and lower case.
    """
    if f"{name}.jpg".casefold() in taken:
        name += f" {hashlib.sha256(name.encode()).hexdigest()[:8]}"
    taken.add(f"{name}.jpg".casefold())
    return f"{name}.jpg"


def _columns(num_photos: int) -> int:
    """Return a number of columns that suits a screen: few photos stay on few rows."""
    return 6 if num_photos <= 24 else 10


def _write(job: tuple[Path, Sequence[Path], str]) -> int:
    """Return how many photos are on the sheet that it writes."""
    path, photos, title = job
    _save(contact_sheet(photos, columns=_columns(len(photos)), title=title), path)
    return len(photos)


def _save(sheet: Image.Image, path: Path) -> None:
    with atomic_write(path) as part:
        sheet.save(part, format="JPEG", quality=_QUALITY)


def _sheet(tiles: Sequence[Image.Image], *, columns: int, title: str) -> Image.Image:
    """Return tiles of one size in rows below a title."""
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    top = _MARGIN + (_TITLE_HEIGHT if title else 0)
    step_x, step_y = tiles[0].width + _GAP, tiles[0].height + _GAP
    inner = max(columns * step_x - _GAP, min(_MAX_TITLE, math.ceil(text_width(title, _TITLE_SIZE))))
    sheet = Image.new("RGB", (2 * _MARGIN + inner, top + rows * step_y - _GAP + _MARGIN), _PAPER)
    draw = ImageDraw.Draw(sheet)
    place = (_MARGIN, _MARGIN - 4)
    draw_text(draw, place, title, size=_TITLE_SIZE, colour=_INK, room=inner)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        sheet.paste(tile, (_MARGIN + column * step_x, top + row * step_y))
    return sheet


def _pair(photos: Sequence[tuple[Path, str]]) -> Image.Image:
    """Return two photos with their names close together, with more room at their right."""
    left, right = (_tile(path, name, _PAIR_THUMB) for path, name in photos)
    pair = Image.new("RGB", (left.width + right.width + 2 * _GAP, left.height), _PAPER)
    pair.paste(left, (0, 0))
    pair.paste(right, (left.width + 2, 0))
    return pair


def _tile(path: Path, name: str, thumb: int) -> Image.Image:
    """Return a photo on its mount with its name below."""
    tile = Image.new("RGB", (thumb, thumb + _NAME_HEIGHT), _PAPER)
    tile.paste(_MOUNT, (0, 0, thumb, thumb))
    draw = ImageDraw.Draw(tile)
    try:
        photo = decode_image(path, min_size=thumb)
    except ImageError as error:
        _draw_line(draw, thumb / 2, str(error), _RED, room=thumb - 2 * _GAP)
    else:
        scale = thumb / max(photo.size)
        size = (max(1, round(photo.width * scale)), max(1, round(photo.height * scale)))
        resized = photo.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
        tile.paste(resized, ((thumb - resized.width) // 2, (thumb - resized.height) // 2))
    _draw_line(draw, thumb + _NAME_HEIGHT / 2, name, _GREY, room=thumb)
    return tile


def _draw_line(
    draw: ImageDraw.ImageDraw, y: float, text: str, colour: tuple[int, int, int], *, room: float
) -> None:
    """Draw a line in the middle of a tile."""
    place = (draw.im.size[0] / 2, y)
    draw_text(draw, place, text, size=_NAME_SIZE, colour=colour, room=room, anchor="mm")
