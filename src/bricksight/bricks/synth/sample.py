"""The rendered photos that come with the package."""

from pathlib import Path

from bricksight._support.filesystem.files import writing
from bricksight._support.filesystem.places import is_empty, new_folder
from bricksight.errors import DataError

SAMPLE_LABELS = (
    "3001_brick_2x4",
    "3002_brick_2x3",
    "3003_brick_2x2",
    "3004_brick_1x2",
    "3005_brick_1x1",
    "3020_plate_2x4",
    "3022_plate_2x2",
    "3023_plate_1x2",
    "3039_slope_2x2",
    "3068b_tile_2x2",
    "3700_technic_brick_1x2_hole",
    "3941_round_brick_2x2",
)
"""The classes of the sample in the order of their folders."""

_PHOTOS = Path(__file__).with_name("sample")


def write_sample(out: Path) -> int:
    """Returns the number of photos written: the packaged sample, one folder a class.

    Args:
        out: Made if need be; must not hold anything yet.

    Raises:
        DataError: ``out`` is not an empty folder.
        OutputError: it cannot be written; nothing is left of it.
    """
    photos = sorted(_PHOTOS.glob("*/*.jpg"))
    with writing(out):
        _check_free(out)
    with new_folder(out) as folder, writing(folder):
        for photo in photos:
            copy = folder / photo.relative_to(_PHOTOS)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(photo.read_bytes())
    return len(photos)


def _check_free(out: Path) -> None:
    if out.is_dir():
        if not is_empty(out):
            first = next(one for one in out.iterdir())
            raise DataError(
                f"{out} is not empty: it holds {first.name!r}. The sample goes into a folder of "
                "its own; name a new one, or empty this one first."
            )
    elif out.exists():
        raise DataError(f"{out} is a file; the sample needs a folder. Name a new one.")
