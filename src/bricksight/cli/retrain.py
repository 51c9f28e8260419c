"""``bricksight retrain``: photos in, bundle out."""

from dataclasses import dataclass, fields
from typing import Annotated

from bricksight.cli._help import panel
from bricksight.cli._output import say, say_json
from bricksight.config import (
    AugmentConfig,
    FilesConfig,
    FineTuneConfig,
    HeadConfig,
    OutputConfig,
    RetrainConfig,
    SourceConfig,
    SplitConfig,
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


def retrain(
    *,
    source: Annotated[SourceConfig, _SOURCE],
    split: Annotated[SplitConfig, _SPLIT] = SplitConfig(),  # noqa: B008  (frozen)
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
        source: What the run starts from.
        split: How the photos are dealt.
        head: How the layer is trained.
        tuning: How the network itself is trained on.
        augment: Random views of the training photos.
        output: The model folder, and what is told.
        files: What is written elsewhere.
    """
    from bricksight import training as room
    from bricksight.cli._console import ConsoleReporter, show_log
    from bricksight.cli._result import print_misclassified, print_result, result_json

    settings = {field.name: getattr(output, field.name) for field in fields(OutputConfig)}
    config = RetrainConfig(**vars(source), **settings, **vars(files))
    show_log("ERROR" if output.quiet else config.logging_verbosity)
    reporter = ConsoleReporter(
        quiet=output.quiet or output.json,
        lines=config.logging_verbosity in ("DEBUG", "INFO"),
    )
    result = room.retrain(
        config, split=split, augment=augment, head=head, fine_tune=tuning, reporter=reporter
    )
    if config.print_misclassified_test_images and not output.json:
        print_misclassified(result)
    if output.json:
        say_json(result_json(result))
    elif output.quiet:
        say(str(result.bundle.path))
    else:
        print_result(result)
    return 0
