"""From photos to a trained head, by retrain.py's way or by our own recipe."""

import hashlib
import json
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from bricksight._files import cache_dir
from bricksight.bundle import Head
from bricksight.config import AugmentConfig, HeadConfig, HeadKind
from bricksight.dataset import SPLIT_RULE_VERSION, Record, mirrored_pairs
from bricksight.features import Views
from bricksight.modules import EVERY_QUARTER, Module
from bricksight.retrain._photos import Photos
from bricksight.retrain._prior import prior_head
from bricksight.training import (
    BOLDEST_POLICY,
    DEFAULT_HEADS,
    POLICIES,
    Checkpoint,
    Examples,
    Guidance,
    HeadChoice,
    Measurement,
    Observer,
    Score,
    TrainedHead,
    can_cross_validate,
    choose_depths,
    choose_head,
    last_as_good,
    score_policy,
    train_by_recipe,
    train_by_sgd,
)
from bricksight.training.sgd import DEFAULT_BATCH_SIZE, DEFAULT_STEPS

_LOGGER = logging.getLogger(__name__)

MAX_VIEWS = 24
"""Random views of a photo that our recipe makes at most."""

MAX_VIEWS_FOR_STEPS = 10
"""The same for retrain.py's training, whose slight distortions make views that are more alike."""

VIEWS_TO_CHOOSE_BY = 6
"""Random views of a photo by which the kinds of views are chosen."""

_VIEWS_IN_ALL = 18_000
_PHOTOS_TO_CHOOSE_BY = 600
_UNCHANGED = "unchanged photos"

AfterStep = Callable[[Module, int, Head], None]
"""Told the network that the layer is for, the step's number, and the layer."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """How the head is to be trained.

    Attributes:
        config: Steps, rate, views, seed.
        augment: Random views; the identity leaves the choice to the recipe.
        checkpoint_path: Where an interrupted training is kept, ``None`` for the cache folder.
        resume: Whether to go on from there.
        observer: Told of each measurement.
        after_step: Told of every step.
        extra_share: See ``SourceConfig``.
        chooses_turns: Whether the turned copies of a photo are to be seen too, if that helps.
    """

    config: HeadConfig
    augment: AugmentConfig
    checkpoint_path: Path | None
    resume: bool
    observer: Observer
    after_step: AfterStep | None
    extra_share: float = 0.5
    chooses_turns: bool = False


def train(photos: Photos, training: Training) -> tuple[Photos, TrainedHead]:
    """Returns the trained head, and the photos with the features that it takes.

    Raises:
        DataError: a photo cannot be read any more.
    """
    if training.config.is_retrain_way:
        return photos, _by_sgd(photos, training)
    return _by_recipe(photos, training)


def _validation(photos: Photos) -> Examples | None:
    records, examples = photos.plain("validation")
    return examples if records else None


def _by_sgd(photos: Photos, training: Training) -> TrainedHead:
    config = training.config
    unused = _unlike_default(config, ("head", "ignore_colour", "mirror"))
    if unused:
        _LOGGER.warning("retrain.py's way trains the layer, and --%s does nothing.", unused)
    records = photos.data.bucket("training")
    views = Views(augment=training.augment, seed=config.seed)
    if training.augment.is_identity and config.views:
        _LOGGER.warning(
            "--views %d does nothing: no option asks for random views, such as "
            "--random_brightness 10.",
            config.views,
        )
    if not training.augment.is_identity:
        num = _num_views_for_steps(config, len(records))
        # retrain.py showed no undistorted photo either once there was a distortion.
        views = replace(views, num_random=num, include_plain=num == 0)
    examples = _with_further(photos, photos.views(records, views), training)
    num_steps = config.how_many_training_steps or DEFAULT_STEPS
    with photos.watch.stage("Training", num_steps) as advance:

        def after_step(step: int, head: Head) -> None:
            advance(1)
            if training.after_step is not None:
                training.after_step(photos.compiled.module, step, head)

        trained = train_by_sgd(
            examples,
            _validation(photos),
            num_classes=len(photos.data.labels),
            config=config,
            observer=training.observer,
            after_step=after_step,
            checkpoint=_checkpoint(photos, training, views),
        )
    return replace(trained, choices={**trained.choices, "views": len(views.keys)})


def _num_views_for_steps(config: HeadConfig, num_photos: int) -> int:
    """Returns how many views to make so that few draws see the same one, within bounds."""
    if config.views is not None:
        return config.views
    draws = (config.how_many_training_steps or DEFAULT_STEPS) * (
        config.train_batch_size or DEFAULT_BATCH_SIZE
    )
    num = min(math.ceil(draws / max(num_photos, 1)), affordable_views(num_photos))
    return min(num, MAX_VIEWS_FOR_STEPS)


def affordable_views(num_photos: int) -> int:
    """Returns how many random views of each photo are worth their time."""
    return min(MAX_VIEWS, max(2, _VIEWS_IN_ALL // max(num_photos, 1)))


def _checkpoint(photos: Photos, training: Training, views: Views) -> Checkpoint:
    """Returns where this training is kept; the key holds all that the result depends on."""
    described = {
        "split_rule": SPLIT_RULE_VERSION,
        "module": photos.compiled.module.fingerprint,
        "input": photos.compiled.module.input_spec.key,
        "config": asdict(training.config),
        "photos": [
            (record.sha256, record.label, record.bucket)
            for record in (*photos.data.records, *photos.data.extra)
        ],
        "extra_share": training.extra_share,
        "views": views.keys,
    }
    key = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()
    path = training.checkpoint_path or cache_dir("checkpoints") / key[:16]
    return Checkpoint(path.with_name(path.name + ".npz"), key, resume=training.resume)


def _by_recipe(photos: Photos, training: Training) -> tuple[Photos, TrainedHead]:
    config, num_classes = training.config, len(photos.data.labels)
    warn_of_unused(
        training,
        instead="Without --how_many_training_steps our own recipe",
        names=("validation_batch_size", "eval_step_interval"),
    )
    records, validation = photos.data.bucket("training"), photos.data.bucket("validation")
    if not can_cross_validate(photos.unchanged(records)):
        _LOGGER.warning(
            "No class has training photos of two groups, so that nothing can be chosen by "
            "cross-validation: the mildest views and the usual regularisation are used."
        )
    kinds, by_views = _choose_views(photos, training)
    if photos.cutouts is not None and not kinds:
        _LOGGER.warning(
            "Held-out photos are told apart best without random views, and no background is "
            "replaced. An option such as --random_rotation 15 takes this choice over."
        )
    photos, by_turns = choose_turns(photos, [views.augment for views in kinds], training)
    examples = _with_views(photos, records, kinds)
    depths, by_depths = _choose_depths(photos, examples, seed=config.seed)
    narrow = photos.of_depths(depths)
    examples = examples.first_features(narrow.compiled.num_features)
    outliers = photos.outlier_views(kinds)
    if outliers is not None:
        outliers = outliers[..., : narrow.compiled.num_features]
    guidance = Guidance(outliers=outliers, prior=prior_head(narrow))
    choice, by_head, logits = _choose_head(photos, examples, guidance, config)
    held_out = None
    if validation:
        held_out = _with_views(photos, validation, kinds)
        held_out = held_out.first_features(narrow.compiled.num_features)

    def observe(measurement: Measurement, head: Head) -> None:
        training.observer(measurement, head)
        if training.after_step is not None:
            training.after_step(narrow.compiled.module, measurement.step, head)

    with photos.watch.stage("Training"):
        trained = train_by_recipe(
            _with_further(narrow, examples, training),
            held_out,
            num_classes=num_classes,
            choice=choice,
            class_weight=config.class_weight or "none",
            observer=observe,
            guidance=guidance,
        )
    chosen = {
        "views": examples.features.shape[1],
        "augmentation": [asdict(views.augment) for views in kinds],
        "depths": narrow.once.module.depths or 1,
        "turns": narrow.turns,
        "held_out_cross_entropy_by_views": by_views,
        "held_out_cross_entropy_by_turns": by_turns,
        "held_out_cross_entropy_by_depths": by_depths,
        "held_out_cross_entropy_by_head": by_head,
        "extra_photos": len(photos.data.extra),
        "outliers": sum(record.bucket == "training" for record in photos.data.outliers),
        "others_known": 0 if trained.head.others is None else len(trained.head.others.bias),
    }
    return narrow, replace(
        trained,
        choices={**trained.choices, **chosen},
        out_of_fold=None if logits is None else _out_of_fold(trained, logits, examples),
    )


def _out_of_fold(trained: TrainedHead, logits: np.ndarray, examples: Examples) -> np.ndarray:
    """Returns what ``trained`` would have answered had it given these logits.

    A temperature of their own would make them surer or less sure than its answers to photos are.
    """
    temperature = np.float32(trained.temperature)
    return trained.head.answers(logits / temperature, examples.plain())


def warn_of_unused(training: Training, *, instead: str, names: Sequence[str]) -> None:
    """Says which settings do nothing where ``instead`` trains the layer."""
    resume = ("resume",) if training.resume else ()
    unused = _unlike_default(training.config, names, *resume)
    if unused:
        _LOGGER.warning("%s trains the layer, and --%s does nothing.", instead, unused)


def _unlike_default(config: HeadConfig, names: Sequence[str], *further: str) -> str:
    """Returns the options that were given, as they follow on "--"."""
    default = HeadConfig()
    given = [name for name in names if getattr(config, name) != getattr(default, name)]
    return ", --".join([*given, *further])


def choose_augments(photos: Photos, training: Training) -> tuple[AugmentConfig, ...]:
    """Returns the random changes to train the network with.

    They are chosen as for the layer alone, but the boldest of those that cannot be told apart: a
    network that is trained learns what does not matter, a frozen one has to put up with it.
    """
    kinds, _ = _choose_views(photos, training, boldly=True)
    return tuple(views.augment for views in kinds) or (AugmentConfig(),)


def choose_turns(
    photos: Photos, augments: Sequence[AugmentConfig], training: Training
) -> tuple[Photos, dict[str, float]]:
    """Returns the photos as they are, or with their turned copies if that tells them apart better.

    With them come the held-out cross entropies of both; none where there was no choice.

    Args:
        photos: each seen once.
        augments: the random changes that are trained on.
        training: whether there is a choice, and its seed.
    """
    spec, records = photos.once.module.input_spec, photos.data.bucket("training")
    is_square = spec.height == spec.width
    can_choose = training.chooses_turns and is_square
    if not can_choose or not can_cross_validate(photos.unchanged(records)):
        return photos, {}
    few = _kinds(augments, VIEWS_TO_CHOOSE_BY, training.config.seed)
    candidates = {str(one.turns): one for one in (photos, photos.turned(EVERY_QUARTER))}
    losses = {
        turns: _score(one, few, training.config.seed).loss for turns, one in candidates.items()
    }
    return candidates[min(losses, key=losses.__getitem__)], losses


def _choose_views(
    photos: Photos, training: Training, *, boldly: bool = False
) -> tuple[list[Views], dict[str, float]]:
    """Returns the kinds of views to train on, and the held-out cross entropy of each policy."""
    config, records = training.config, photos.data.bucket("training")
    num = affordable_views(len(records)) if config.views is None else config.views
    if num == 0:
        return [], {}
    if not training.augment.is_identity:
        return _kinds((training.augment,), num, config.seed), {}
    allowed = {name: allowed_kinds(photos, config, kinds) for name, kinds in POLICIES.items()}
    # Held-out renders would choose the mildest, but photos will differ from renders more.
    if photos.data.is_rendered or config.ignore_colour:
        return _kinds(allowed[BOLDEST_POLICY], num, config.seed), {}
    if not can_cross_validate(photos.unchanged(records)):
        return _kinds(next(iter(allowed.values())), num, config.seed), {}
    policies = {_UNCHANGED: (), **allowed}
    groups, scores = photos.unchanged(_spread(records)).groups, {}
    for name, policy in policies.items():
        few = _kinds(policy, min(num, VIEWS_TO_CHOOSE_BY), config.seed)
        scores[name] = _score(photos, few, config.seed)
    losses = {name: score.loss for name, score in scores.items()}
    best = min(losses, key=losses.__getitem__)
    if boldly:
        best = list(scores)[last_as_good(list(scores.values()), groups)]
    return _kinds(policies[best], num, config.seed), losses


def _score(photos: Photos, kinds: Sequence[Views], seed: int) -> Score:
    """Returns how well training on these views tells held-out photos apart."""
    # The features of the other depths would take several times as long, to the same end.
    records = _spread(photos.data.bucket("training"))
    examples = _with_views(photos, records, kinds).first_features(photos.widths[0])
    with photos.watch.stage("Choosing the views"):
        return score_policy(examples, num_classes=len(photos.data.labels), seed=seed)


def allowed_kinds(
    photos: Photos, config: HeadConfig, policy: Sequence[AugmentConfig]
) -> tuple[AugmentConfig, ...]:
    """Returns the policy, without mirroring where it would turn one class into another."""
    pairs = mirrored_pairs(photos.data.labels) if config.mirror == "auto" else []
    if config.mirror == "always" or not (pairs or config.mirror == "never"):
        return tuple(policy)
    if pairs:
        photos.watch.say_once(
            f"{' and '.join(pairs[0])} are mirror images of one another; no view is mirrored."
        )
    return tuple(replace(kind, flip_left_right=False) for kind in policy)


def _choose_depths(
    photos: Photos, examples: Examples, *, seed: int
) -> tuple[int, dict[str, float]]:
    if len(photos.widths) == 1 or not can_cross_validate(examples):
        return 1, {}
    with photos.watch.stage("Choosing the depths"):
        depths, losses = choose_depths(
            examples, photos.widths, num_classes=len(photos.data.labels), seed=seed
        )
    return depths, {str(number): loss for number, loss in losses.items()}


def _choose_head(
    photos: Photos,
    examples: Examples,
    guidance: Guidance,
    config: HeadConfig,
) -> tuple[HeadChoice, dict[str, float], np.ndarray | None]:
    kinds: tuple[HeadKind, ...] = ("softmax", "lda") if config.head == "auto" else (config.head,)
    if guidance.outliers is not None and config.head == "auto":
        kinds = ("softmax",)  # discriminant analysis has no place for photos of no class
    if not can_cross_validate(examples):
        return DEFAULT_HEADS[kinds[0]], {}, None
    with photos.watch.stage("Choosing the head"):
        choice, losses, logits = choose_head(
            examples,
            kinds,
            num_classes=len(photos.data.labels),
            seed=config.seed,
            guidance=guidance,
        )
    return choice, {str(tried): loss for tried, loss in losses.items()}, logits


def _kinds(policy: Sequence[AugmentConfig], num_views: int, seed: int) -> list[Views]:
    """Returns about ``num_views`` random views in all, the same number of each kind."""
    each = max(1, num_views // max(len(policy), 1))
    return [
        Views(num_random=each, include_plain=False, augment=augment, seed=seed)
        for augment in policy
    ]


def _with_views(photos: Photos, records: Sequence[Record], kinds: Sequence[Views]) -> Examples:
    """Returns the unchanged photos first, then the views of each kind."""
    plain = photos.unchanged(records)
    parts = [plain.features, *(photos.views(records, views).features for views in kinds)]
    return replace(plain, features=np.concatenate(parts, axis=1))


def _with_further(photos: Photos, examples: Examples, training: Training) -> Examples:
    """Returns the training photos with the extra ones, by which nothing is chosen."""
    extra = photos.data.extra
    if not extra:
        return examples
    labels = photos.data.label_indices(extra)
    return examples.with_further(photos.extra, labels, share=training.extra_share)


def _spread(records: Sequence[Record]) -> Sequence[Record]:
    """Returns photos evenly spread over the list, which is sorted by class."""
    return records[:: max(1, math.ceil(len(records) / _PHOTOS_TO_CHOOSE_BY))]
