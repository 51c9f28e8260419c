"""Pictures of many photos at once."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

MAX_ROWS = 40


def contact_sheet(
    folder: Path, labels: Sequence[str], *, columns: int = 12, cell: int = 72
) -> Image.Image:
    """Returns a picture with the first photos of each class, one row a class.

    Args:
        folder: Holds one folder of photos a class.
        labels: The classes, from the top; the first forty are shown.
        columns: Photos of each class.
        cell: Rows and columns of a photo in the picture, in pixels.
    """
    shown = labels[:MAX_ROWS]
    sheet = Image.new("RGB", (columns * cell, len(shown) * cell), "white")
    for row, label in enumerate(shown):
        for column, path in enumerate(sorted((folder / label).glob("*.jpg"))[:columns]):
            with Image.open(path) as photo:
                small = photo.convert("RGB").resize((cell, cell), Image.Resampling.LANCZOS)
            sheet.paste(small, (column * cell, row * cell))
    return sheet
