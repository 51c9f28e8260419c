"""``bricksight demo``: train on sample photos and classify one of them."""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bricksight.cli._output import say


def demo(*, out: Path = Path("demo-model")) -> int:
    """Train on the photos of `bricksight sample`, print the accuracy, and classify a test photo.

    Nothing is downloaded. Photos and backbone are part of the installation.

    Args:
        out: Folder of the model to write. The model of an earlier demo is replaced.
    """
    from bricksight._support.text import percent
    from bricksight.cli._console import ConsoleReporter, show_log
    from bricksight.cli._result import print_result
    from bricksight.cli.commands.sample import installed_sample, write
    from bricksight.config import TrainingConfig
    from bricksight.dataset import class_folders
    from bricksight.predict import Predictor
    from bricksight.training import train

    show_log("INFO")
    with tempfile.TemporaryDirectory() as folder:
        photos = Path(folder) / "sample"
        sample = installed_sample()
        say(f"{write(sample, photos)} {sample.title}, as bricksight sample writes")
        config = TrainingConfig.of(image_dir=photos, out=out, backbone=sample.backbone)
        with _replaced(out, class_folders(photos)):
            result = train(config, reporter=ConsoleReporter())
        tested = result.findings.data.in_split("test")[0]
        answer = Predictor(out).predict(tested.path, top_k=3)
        named = ", ".join(f"{one.label} {percent(one.probability)}" for one in answer.predictions)
        say(f"Answer for the test photo {tested.relative_path}: {named}")
        print_result(result, photo=Path("PHOTO"))
    return 0


@contextlib.contextmanager
def _replaced(out: Path, labels: Sequence[str]) -> Iterator[None]:
    """Remove the model of an earlier demo after the block has written a new one."""
    from bricksight._support.filesystem.files import writing
    from bricksight._support.filesystem.locks import temporary_folder
    from bricksight._support.filesystem.places import is_empty, moved
    from bricksight.bundle import open_bundle
    from bricksight.errors import BundleError

    if not out.exists() or (out.is_dir() and is_empty(out)):
        yield
        return
    if list(open_bundle(out).labels) != sorted(labels):
        raise BundleError(
            f"{out} is not the model of an earlier demo. It is not replaced; name another folder."
        )
    with writing(out):
        holder = temporary_folder(out.absolute().parent, out.name)
        with holder as aside, moved([(None, out)], aside=aside):
            yield
