"""``bricksight retrain``: photos in, bundle out."""

from typing import Annotated

from cyclopts import Parameter

from bricksight.config import AugmentConfig, HeadConfig, RetrainConfig, SplitConfig

_FLAT = Parameter(name="*")


def retrain(
    *,
    config: Annotated[RetrainConfig, _FLAT],
    split: Annotated[SplitConfig, _FLAT] = SplitConfig(),  # noqa: B008  (frozen)
    head: Annotated[HeadConfig, _FLAT] = HeadConfig(),  # noqa: B008
    augment: Annotated[AugmentConfig, _FLAT] = AugmentConfig(),  # noqa: B008
    quiet: bool = False,
    json: bool = False,
) -> int:
    """Trains a classifier on a folder of photos, one sub-folder a class.

    All of retrain.py's options are understood. Without them, the layer is trained by a recipe that
    is chosen for the photos by cross-validation.

    Args:
        config: What to train and where to write.
        split: How the photos are dealt.
        head: How the layer is trained.
        augment: Random views of the training photos.
        quiet: Show nothing but the model folder.
        json: Print one JSON object instead of text.
    """
    import json as json_module

    from bricksight import retrain as room
    from bricksight.cli._console import ConsoleReporter, own_stderr, show_log
    from bricksight.cli._result import print_misclassified, print_result, result_json

    show_log("ERROR" if quiet else config.logging_verbosity)
    reporter = ConsoleReporter(quiet=quiet or json)
    try:
        result = room.retrain(config, split=split, augment=augment, head=head, reporter=reporter)
    except KeyboardInterrupt:
        print("\nInterrupted. The same command with --resume goes on from here.", file=own_stderr())
        return 130
    if config.print_misclassified_test_images and not json:
        print_misclassified(result)
    if json:
        print(json_module.dumps(result_json(result), ensure_ascii=False))
    elif quiet:
        print(result.bundle.path)
    else:
        print_result(result)
    return 0
