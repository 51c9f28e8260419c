"""``bricksight retrain``: photos in, bundle out."""

from dataclasses import dataclass
from typing import Annotated

from bricksight.cli._help import panel
from bricksight.cli._output import say, say_json
from bricksight.config import (
    AugmentConfig,
    BackboneConfig,
    DataConfig,
    FilesConfig,
    FineTuneConfig,
    HeadConfig,
    OutputConfig,
    SplitConfig,
    TrainingConfig,
)

_SOURCE, _SPLIT, _TRAINING, _TUNING, _VIEWS, _OUTPUT, _FILES = map(
    panel,
    (
        "Photos and network",
        "Split",
        "Training",
        "Fine-tuning the network",
        "Random views",
        "Output",
        "Files beside the model folder",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Output(OutputConfig):
    """The model folder, and what is told.

    Attributes:
        quiet: Show nothing but the model folder.
        json: Print one JSON object instead of text.
    """

    quiet: bool = False
    json: bool = False


def retrain(  # noqa: PLR0913  (one a panel)
    *,
    data: Annotated[DataConfig, _SOURCE],
    backbone: Annotated[BackboneConfig, _SOURCE] = BackboneConfig(),  # noqa: B008  (frozen)
    split: Annotated[SplitConfig, _SPLIT] = SplitConfig(),  # noqa: B008
    head: Annotated[HeadConfig, _TRAINING] = HeadConfig(),  # noqa: B008
    tuning: Annotated[FineTuneConfig, _TUNING] = FineTuneConfig(),  # noqa: B008
    augment: Annotated[AugmentConfig, _VIEWS] = AugmentConfig(),  # noqa: B008
    output: Annotated[Output, _OUTPUT] = Output(),
    files: Annotated[FilesConfig, _FILES] = FilesConfig(),  # noqa: B008
) -> int:
    """Train a classifier on a folder of photos, one sub-folder a class.

    All of retrain.py's options are understood. Without them, the layer is trained by a recipe that
    is chosen for the photos by cross-validation.

    Args:
        data: The photos.
        backbone: The pretrained network.
        split: How the photos are dealt.
        head: How the layer is trained.
        tuning: How the network itself is trained on.
        augment: Random views of the training photos.
        output: The model folder, and what is told.
        files: What is written elsewhere.
    """
    from bricksight.cli._console import ConsoleReporter, show_log
    from bricksight.cli._result import print_misclassified, print_result, result_json
    from bricksight.training import train

    config = TrainingConfig(
        data=data,
        split=split,
        augmentation=augment,
        backbone=backbone,
        head=head,
        finetuning=tuning,
        output=output,
        files=files,
    )
    show_log("ERROR" if output.quiet else output.logging_verbosity)
    reporter = ConsoleReporter(
        quiet=output.quiet or output.json,
        lines=output.logging_verbosity in ("DEBUG", "INFO"),
    )
    result = train(config, reporter=reporter)
    if output.print_misclassified_test_images and not output.json:
        print_misclassified(result)
    if output.json:
        say_json(result_json(result))
    elif output.quiet:
        say(str(result.bundle.path))
    else:
        print_result(result)
    return 0
