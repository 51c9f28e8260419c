"""``bricksight sample``: photos to try everything with."""

import shlex
from pathlib import Path

from bricksight.cli._output import say


def sample(out: Path, /) -> int:
    """Write a small data set: 12 LEGO-style parts, 40 rendered photos each, one folder a part.

    Parameters
    ----------
    out
        New or empty folder.
    """
    from bricksight.synth import SAMPLE_LABELS, write_sample

    num_photos = write_sample(out)
    folder = shlex.quote(str(out))
    say(
        f"Wrote {num_photos} photos of {len(SAMPLE_LABELS)} parts to {out}.",
        "They are rendered, so expect real photos to be harder. Train on them, without the network",
        "for bricks, which was trained on renders of these very parts:",
        f"  bricksight train {folder} --backbone packaged:efficientnet_lite0",
    )
    return 0
