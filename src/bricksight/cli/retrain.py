"""``bricksight retrain``: photos in, bundle out."""

from dataclasses import dataclass
from typing import Annotated

from bricksight.cli._help import panel
from bricksight.config import (
    AugmentConfig,
    FilesConfig,
    HeadConfig,
    OutputConfig,
    RetrainConfig,
    SourceConfig,
    SplitConfig,
)

_SOURCE, _SPLIT, _TRAINING, _VIEWS, _OUTPUT, _FILES = map(
    panel,
    (
        "Photos and network",
        "Split",
        "Training",
        "Random views",
        "Output",
        "Files beside the model folder",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Telling:
    """What is printed at the end.

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
    augment: Annotated[AugmentConfig, _VIEWS] = AugmentConfig(),  # noqa: B008
    output: Annotated[OutputConfig, _OUTPUT] = OutputConfig(),  # noqa: B008
    telling: Annotated[Telling, _OUTPUT] = Telling(),
    files: Annotated[FilesConfig, _FILES] = FilesConfig(),  # noqa: B008
) -> int:
    """Trains a classifier on a folder of photos, one sub-folder a class.

    All of retrain.py's options are understood. Without them, the layer is trained by a recipe that
    is chosen for the photos by cross-validation.

    Args:
        source: What the run starts from.
        split: How the photos are dealt.
        head: How the layer is trained.
        augment: Random views of the training photos.
        output: The model folder, and what is told.
        telling: What is printed at the end.
        files: What is written elsewhere.
    """
    import json as json_module

    from bricksight import retrain as room
    from bricksight.cli._console import ConsoleReporter, own_stderr, show_log
    from bricksight.cli._result import print_misclassified, print_result, result_json

    config = RetrainConfig(**vars(source), **vars(output), **vars(files))
    show_log("ERROR" if telling.quiet else config.logging_verbosity)
    reporter = ConsoleReporter(
        quiet=telling.quiet or telling.json,
        lines=config.logging_verbosity in ("DEBUG", "INFO"),
    )
    try:
        result = room.retrain(config, split=split, augment=augment, head=head, reporter=reporter)
    except KeyboardInterrupt:
        print("\nInterrupted. The same command with --resume goes on from here.", file=own_stderr())
        return 130
    if config.print_misclassified_test_images and not telling.json:
        print_misclassified(result)
    if telling.json:
        print(json_module.dumps(result_json(result), ensure_ascii=False))
    elif telling.quiet:
        print(result.bundle.path)
    else:
        print_result(result)
    return 0
