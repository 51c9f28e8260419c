"""The rendered photos that come with the package."""

from pathlib import Path

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
