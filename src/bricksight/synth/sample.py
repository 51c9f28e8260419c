"""The rendered photos that come with the package."""

from pathlib import Path

from PIL import Image

from bricksight.errors import DataError
from bricksight.synth.parts import PARTS

SAMPLE_LABELS = tuple(sorted(PARTS))
"""The classes of the sample in the order of their folders."""

_PHOTOS = Path(__file__).with_name("sample")


def write_sample(out: Path) -> int:
    """Returns the number of photos written: the packaged sample, one folder a class.

    Args:
        out: Made if need be; must not hold anything yet.

    Raises:
        DataError: ``out`` is not an empty folder, or cannot be written to.
    """
    photos = sorted(_PHOTOS.glob("*/*.jpg"))
    try:
        _check_free(out)
        for photo in photos:
            copy = out / photo.relative_to(_PHOTOS)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(photo.read_bytes())
    except OSError as error:
        raise DataError(
            f"The sample cannot be written to {out} ({error.strerror or error}). "
            "Name a folder that can be written to."
        ) from error
    return len(photos)


def contact_sheet(folder: Path, *, columns: int = 12, cell: int = 72) -> Image.Image:
    """Returns a picture with the first photos of each class, one row a class.

    Args:
        folder: Holds one folder of photos a class.
        columns: Photos of each class.
        cell: Rows and columns of a photo in the picture, in pixels.
    """
    sheet = Image.new("RGB", (columns * cell, len(SAMPLE_LABELS) * cell), "white")
    for row, label in enumerate(SAMPLE_LABELS):
        for column, path in enumerate(sorted((folder / label).glob("*.jpg"))[:columns]):
            with Image.open(path) as photo:
                small = photo.resize((cell, cell), Image.Resampling.LANCZOS)
            sheet.paste(small, (column * cell, row * cell))
    return sheet


def _check_free(out: Path) -> None:
    if out.is_dir():
        first = next(out.iterdir(), None)
        if first is not None:
            raise DataError(
                f"{out} is not empty: it holds {first.name!r}. The sample goes into a folder of "
                "its own; name a new one, or empty this one first."
            )
    elif out.exists():
        raise DataError(f"{out} is a file; the sample needs a folder. Name a new one.")
