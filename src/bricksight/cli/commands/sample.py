"""``bricksight sample``: photos to try everything with."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from bricksight.cli._output import say

if TYPE_CHECKING:
    from bricksight.packs import Sample


def sample(out: Path, /) -> int:
    """Write a small data set to try everything with, one folder a class.

    The photos come with a pack; nothing is downloaded.

    Parameters
    ----------
    out
        New or empty folder.
    """
    found = installed_sample()
    num_photos = write(found, out)
    say(f"Wrote {num_photos} {found.title} to {out}.")
    if found.remark:
        say(found.remark)
    say(f"  bricksight train {shlex.quote(str(out))} --backbone {found.backbone}")
    return 0


def installed_sample() -> "Sample":
    """Return the sample of the first pack that has one.

    Raises:
        PackError: no installed pack has one.
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
    """Return the number of photos of a sample that were written to ``out``."""
    from bricksight.packs import load_target

    num_photos: int = load_target(sample.write)(out)
    return num_photos
