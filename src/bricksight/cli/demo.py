"""``bricksight demo``: the whole job on what the package ships."""

import tempfile
from pathlib import Path

from bricksight.cli._output import say


def demo(*, out: Path = Path("demo-bricks")) -> int:
    """Trains on the sample that the package ships, shows the figures, and classifies a photo.

    Nothing is downloaded: the photos and the pretrained network come with the package.

    Args:
        out: The model folder to write; an existing one of an earlier demo is replaced.
    """
    import shutil

    from bricksight import synth
    from bricksight._text import percent
    from bricksight.bundle import open_bundle
    from bricksight.cli._console import ConsoleReporter, show_log
    from bricksight.cli._result import print_result
    from bricksight.config import RetrainConfig
    from bricksight.predict import Predictor
    from bricksight.retrain import retrain

    show_log("INFO")
    with tempfile.TemporaryDirectory() as folder:
        photos = Path(folder) / "sample"
        num_photos = synth.write_sample(photos)
        say(f"{num_photos} photos of {len(synth.SAMPLE_LABELS)} parts, as `bricksight sample`")
        if out.exists():
            open_bundle(out)  # refuses to remove anything but a bundle
            shutil.rmtree(out)
        # The network for bricks was trained on renders of these very parts.
        config = RetrainConfig(
            image_dir=photos, out=out, tfhub_module="packaged:efficientnet_lite0"
        )
        result = retrain(config, reporter=ConsoleReporter())
        tested = result.findings.data.bucket("testing")[0]
        answer = Predictor(out).predict(tested.path, top_k=3)
        print_result(result)
        named = ", ".join(f"{one.label} {percent(one.probability)}" for one in answer.predictions)
        say(f"A photo it has not seen, {tested.relative_path}: {named}")
    return 0
