"""``bricksight sample``: write sample photos."""

from pathlib import Path
from typing import TYPE_CHECKING

from bricksight.cli._output import say

if TYPE_CHECKING:
    from bricksight.packs import Sample


def sample(out: Path, /) -> int:
    """Write sample photos to try bricksight with, one sub-folder per class.

    Nothing is downloaded. The photos are part of a pack.

    Args:
        out: New or empty folder.
    """
    from bricksight.cli._next import shown

    found = installed_sample()
    num_photos = write(found, out)
    say(f"Wrote {num_photos} {found.title} to {out}.")
    if found.remark:
        say(found.remark)
    say("Next:", f"  bricksight train {shown(out)} --backbone {found.backbone}")
    return 0


def installed_sample() -> "Sample":
    """Return the sample of the first pack that has one.

    Raises:
        PackError: no installed pack has sample photos.
    """
    from bricksight.errors import PackError
    from bricksight.packs import find_packs

    for pack in find_packs():
        if pack.sample is not None:
            return pack.sample
    raise PackError(
        "No installed pack has sample photos. Install bricksight again, or train on a folder of "
        "your own: bricksight train PHOTOS"
    )


def write(sample: "Sample", out: Path) -> int:
    """Write a sample to ``out`` and return its number of photos."""
    from bricksight.packs import load_target

    num_photos: int = load_target(sample.write)(out)
    return num_photos
