"""``bricksight demo``: the whole job on what the package ships."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bricksight.cli._output import say


def demo(*, out: Path = Path("demo-bricks")) -> int:
    """Train on the sample that the package ships, show the figures, and classify a photo.

    Nothing is downloaded: the photos and the pretrained network come with the package.

    Args:
        out: The model folder to write; an existing one of an earlier demo is replaced.
    """
    from bricksight import synth
    from bricksight._support.text import percent
    from bricksight.cli._console import ConsoleReporter, show_log
    from bricksight.cli._result import print_result
    from bricksight.config import TrainingConfig
    from bricksight.predict import Predictor
    from bricksight.training import train

    show_log("INFO")
    with tempfile.TemporaryDirectory() as folder:
        photos = Path(folder) / "sample"
        num_photos = synth.write_sample(photos)
        say(f"{num_photos} photos of {len(synth.SAMPLE_LABELS)} parts, as bricksight sample writes")
        # The network for bricks was trained on renders of these very parts.
        config = TrainingConfig.of(
            image_dir=photos, out=out, backbone="packaged:efficientnet_lite0"
        )
        with _replaced(out):
            result = train(config, reporter=ConsoleReporter())
        tested = result.findings.data.in_split("test")[0]
        answer = Predictor(out).predict(tested.path, top_k=3)
        print_result(result)
        named = ", ".join(f"{one.label} {percent(one.probability)}" for one in answer.predictions)
        say(f"A photo it has not seen, {tested.relative_path}: {named}")
    return 0


@contextlib.contextmanager
def _replaced(out: Path) -> Iterator[None]:
    """Has the model of an earlier demo go once the block has written a new one, and not before."""
    from bricksight._support.filesystem.files import writing
    from bricksight._support.filesystem.locks import temporary_folder
    from bricksight._support.filesystem.places import is_empty, moved
    from bricksight.bundle import open_bundle
    from bricksight.errors import BundleError
    from bricksight.synth import SAMPLE_LABELS

    if not out.exists() or (out.is_dir() and is_empty(out)):
        yield
        return
    if open_bundle(out).labels != SAMPLE_LABELS:
        raise BundleError(f"{out} is not of an earlier demo; it is not replaced. Name another.")
    with writing(out):
        holder = temporary_folder(out.absolute().parent, out.name)
        with holder as aside, moved([(None, out)], aside=aside):
            yield
