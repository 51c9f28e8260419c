"""Write contact sheets: images with all photos of a class, each with its file name."""

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

_BACKGROUND = (240, 241, 243)
_TILE_BACKGROUND = (225, 227, 230)
_TEXT_COLOUR = (32, 33, 36)
_CAPTION_COLOUR = (105, 109, 115)
_ERROR_COLOUR = (176, 32, 32)

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
_LABEL_CONFLICT_SHEET = "same photo, two labels.jpg"
_QUALITY = 88


def contact_sheet(
    paths: Sequence[AnyPath], *, columns: int = 8, thumb: int = 160, title: str = ""
) -> Image.Image:
    """Return an RGB image with thumbnails of photos in rows, with their file names.

    Photos keep their aspect ratio. For an unreadable photo, the reason is shown instead.

    Args:
        paths: At least one photo.
        columns: Photos per row.
        thumb: Longer side of the thumbnails, in pixels.
        title: A line of text above the photos.

    Raises:
        ConfigError: There are no photos, or ``paths`` are not paths.
    """
    photos = input_paths(paths, "the photos")
    if not photos:
        raise ConfigError("There are no photos to show. Expected at least one path.")
    return _sheet([_tile(path, path.name, thumb) for path in photos], columns=columns, title=title)


def write_captioned_sheet(path: Path, photos: Sequence[tuple[Path, str]], *, title: str) -> None:
    """Write a JPEG file with thumbnails of photos, each with a caption below it.

    Args:
        path: The file to write; an existing file is replaced.
        photos: Path and caption of each photo, at least one.
        title: A line of text above the photos.
    """
    tiles = [_tile(photo, caption, _PAIR_THUMB) for photo, caption in photos]
    _save(_sheet(tiles, columns=_columns(len(tiles)), title=title), path)


def write_contact_sheets(
    dataset: Dataset, folder: Path, *, progress: Callable[[int, int], None] | None = None
) -> list[Path]:
    """Write the contact sheets of all classes as JPEG files, and return their paths.

    A class with many photos is continued in ``CLASS, sheet 2.jpg``.

    Args:
        dataset: The photos.
        folder: Created if it does not exist; sheets of an earlier check are replaced. A new folder
            inside ``image_dir`` is marked, so that a training does not take it for a class.
        progress: Called with the number of photos done and the number of all photos.
    """
    mark_as_own(folder, among=dataset.image_dir)
    members: dict[str, list[Path]] = {label: [] for label in dataset.labels}
    for example in dataset.examples:
        members[example.label].append(example.path)
    taken = {_LABEL_CONFLICT_SHEET}
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


def write_label_conflict_sheet(report: CheckReport, folder: Path) -> Path | None:
    """Write a sheet of photo pairs that are (nearly) identical but in different classes.

    One of the two labels is often wrong, and a person sees quickly which.

    Returns:
        The path of the sheet. ``None`` if there are no such pairs; then the sheet of an earlier
        check is removed.
    """
    path = folder / _LABEL_CONFLICT_SHEET
    pairs = _label_conflicts(report)
    if not pairs:
        path.unlink(missing_ok=True)
        return None
    shown = pairs[:_MAX_PAIRS]
    tiles = [_pair([(report.image_dir / name, name) for name in pair]) for pair in shown]
    title = f"Nearly identical photos in different classes  ({pluralize(len(pairs), 'pair')}"
    title += ")" if len(shown) == len(pairs) else f", the {len(shown)} most similar)"
    _save(_sheet(tiles, columns=3, title=title), path)
    return path


def _label_conflicts(report: CheckReport) -> list[tuple[str, str]]:
    """Return pairs of relative paths, identical files first, then the most similar photos."""
    problems = report.dataset.problems
    copies = [
        (problem.paths[0], problem.paths[-1])
        for problem in problems
        if problem.kind == "conflicting_labels"
    ]
    similar = [(one.path, one.other) for one in report.near_duplicates.across_labels]
    return list(dict.fromkeys((min(pair), max(pair)) for pair in [*copies, *similar]))


def _pages(label: str, photos: Sequence[Path]) -> Iterator[tuple[str, Sequence[Path], str]]:
    """Yield file name, photos and title of each sheet of a class."""
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
    """Return a unique file name for a sheet, and add it to ``taken``.

    Names are compared without case, because some file systems do not distinguish it.
    """
    if f"{name}.jpg".casefold() in taken:
        name += f" {hashlib.sha256(name.encode()).hexdigest()[:8]}"
    taken.add(f"{name}.jpg".casefold())
    return f"{name}.jpg"


def _columns(num_photos: int) -> int:
    """Return a number of columns that suits a screen."""
    return 6 if num_photos <= 24 else 10


def _write(job: tuple[Path, Sequence[Path], str]) -> int:
    """Write a sheet, and return how many photos are on it."""
    path, photos, title = job
    _save(contact_sheet(photos, columns=_columns(len(photos)), title=title), path)
    return len(photos)


def _save(sheet: Image.Image, path: Path) -> None:
    with atomic_write(path) as part:
        sheet.save(part, format="JPEG", quality=_QUALITY)


def _sheet(tiles: Sequence[Image.Image], *, columns: int, title: str) -> Image.Image:
    """Return an image of tiles, all of one size, in rows below a title."""
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    top = _MARGIN + (_TITLE_HEIGHT if title else 0)
    step_x, step_y = tiles[0].width + _GAP, tiles[0].height + _GAP
    inner = max(columns * step_x - _GAP, min(_MAX_TITLE, math.ceil(text_width(title, _TITLE_SIZE))))
    sheet = Image.new(
        "RGB", (2 * _MARGIN + inner, top + rows * step_y - _GAP + _MARGIN), _BACKGROUND
    )
    draw = ImageDraw.Draw(sheet)
    place = (_MARGIN, _MARGIN - 4)
    draw_text(draw, place, title, size=_TITLE_SIZE, colour=_TEXT_COLOUR, room=inner)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        sheet.paste(tile, (_MARGIN + column * step_x, top + row * step_y))
    return sheet


def _pair(photos: Sequence[tuple[Path, str]]) -> Image.Image:
    """Return two photos side by side with their names, and a margin at the right."""
    left, right = (_tile(path, name, _PAIR_THUMB) for path, name in photos)
    pair = Image.new("RGB", (left.width + right.width + 2 * _GAP, left.height), _BACKGROUND)
    pair.paste(left, (0, 0))
    pair.paste(right, (left.width + 2, 0))
    return pair


def _tile(path: Path, name: str, thumb: int) -> Image.Image:
    """Return a thumbnail on a square background with its name below it."""
    tile = Image.new("RGB", (thumb, thumb + _NAME_HEIGHT), _BACKGROUND)
    tile.paste(_TILE_BACKGROUND, (0, 0, thumb, thumb))
    draw = ImageDraw.Draw(tile)
    try:
        photo = decode_image(path, min_size=thumb)
    except ImageError as error:
        _draw_line(draw, thumb / 2, str(error), _ERROR_COLOUR, room=thumb - 2 * _GAP)
    else:
        scale = thumb / max(photo.size)
        size = (max(1, round(photo.width * scale)), max(1, round(photo.height * scale)))
        resized = photo.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
        tile.paste(resized, ((thumb - resized.width) // 2, (thumb - resized.height) // 2))
    _draw_line(draw, thumb + _NAME_HEIGHT / 2, name, _CAPTION_COLOUR, room=thumb)
    return tile


def _draw_line(
    draw: ImageDraw.ImageDraw, y: float, text: str, colour: tuple[int, int, int], *, room: float
) -> None:
    """Draw a line of text, horizontally centred in a tile."""
    place = (draw.im.size[0] / 2, y)
    draw_text(draw, place, text, size=_NAME_SIZE, colour=colour, room=room, anchor="mm")
