"""From photos to a trained head, by retrain.py's way or by our own recipe."""

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bricksight._files import cache_dir
from bricksight.bundle import Head
from bricksight.config import AugmentConfig, HeadConfig
from bricksight.dataset import SPLIT_RULE_VERSION, Record
from bricksight.features import Views
from bricksight.retrain._photos import Photos
from bricksight.training import (
    POLICIES,
    Checkpoint,
    Examples,
    Observer,
    TrainedHead,
    choose_l2,
    score_policy,
    train_by_recipe,
    train_by_sgd,
)
from bricksight.training.sgd import DEFAULT_BATCH_SIZE, DEFAULT_STEPS

MAX_VIEWS = 16
"""Random views of a photo that our recipe makes at most; 24 gained nothing over 16."""

MAX_VIEWS_FOR_STEPS = 10
"""The same for retrain.py's training, whose slight distortions make views that are more alike."""

_VIEWS_IN_ALL = 12_000
_VIEWS_TO_CHOOSE_BY = 3
_PHOTOS_TO_CHOOSE_BY = 600
_UNCHANGED = "unchanged photos"


@dataclass(frozen=True, kw_only=True)
class Training:
    """How the head is to be trained.

    Attributes:
        config: Steps, rate, views, seed.
        augment: Random views; the identity leaves the choice to the recipe.
        checkpoint_path: Where an interrupted training is kept, ``None`` for the cache folder.
        resume: Whether to go on from there.
        observer: Told of each measurement.
        after_step: Told of every step of retrain.py's training.
    """

    config: HeadConfig
    augment: AugmentConfig
    checkpoint_path: Path | None
    resume: bool
    observer: Observer
    after_step: Callable[[int, Head], None] | None


def train(photos: Photos, training: Training) -> TrainedHead:
    """Returns the trained head.

    Raises:
        DataError: a photo cannot be read any more.
    """
    by_way = _by_sgd if training.config.is_retrain_way else _by_recipe
    return by_way(photos, training)


def _validation(photos: Photos) -> Examples | None:
    records, examples = photos.plain("validation")
    return examples if records else None


def _by_sgd(photos: Photos, training: Training) -> TrainedHead:
    config = training.config
    records = photos.data.bucket("training")
    views = Views(augment=training.augment, seed=config.seed)
    if not training.augment.is_identity:
        num = _num_views_for_steps(config, len(records))
        # retrain.py showed no undistorted photo either once there was a distortion.
        views = replace(views, num_random=num, include_plain=num == 0)
    examples = photos.views(records, views)
    num_steps = config.how_many_training_steps or DEFAULT_STEPS
    with photos.watch.stage("Training", num_steps) as advance:

        def after_step(step: int, head: Head) -> None:
            advance(1)
            if training.after_step is not None:
                training.after_step(step, head)

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
        "photos": [(record.sha256, record.label, record.bucket) for record in photos.data.records],
        "views": views.keys,
    }
    key = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()
    path = training.checkpoint_path or cache_dir("checkpoints") / key[:16]
    return Checkpoint(path.with_name(path.name + ".npz"), key, resume=training.resume)


def _by_recipe(photos: Photos, training: Training) -> TrainedHead:
    config, num_classes = training.config, len(photos.data.labels)
    views, scores = _choose_views(photos, training)
    examples = photos.views(photos.data.bucket("training"), views)
    with photos.watch.stage("Choosing the regularisation"):
        l2, losses = choose_l2(examples, num_classes=num_classes, seed=config.seed)
    with photos.watch.stage("Training"):
        trained = train_by_recipe(
            examples,
            _validation(photos),
            num_classes=num_classes,
            l2=l2,
            class_weight=config.class_weight or "none",
            observer=training.observer,
        )
    chosen = {
        "views": len(views.keys),
        "augmentation": asdict(views.augment),
        "held_out_cross_entropy_by_views": scores,
        "held_out_cross_entropy_by_l2": losses,
    }
    return replace(trained, choices={**trained.choices, **chosen})


def _choose_views(photos: Photos, training: Training) -> tuple[Views, dict[str, float]]:
    """Returns the views to train on, and the held-out cross entropy of each candidate."""
    config, records = training.config, photos.data.bucket("training")
    num = affordable_views(len(records)) if config.views is None else config.views
    if num == 0:
        return Views(seed=config.seed), {}
    if not training.augment.is_identity:
        return Views(num_random=num, augment=training.augment, seed=config.seed), {}
    scores = {
        name: _score(photos, policy, min(num, _VIEWS_TO_CHOOSE_BY), seed=config.seed)
        for name, policy in {_UNCHANGED: AugmentConfig(), **POLICIES}.items()
    }
    best = min(scores, key=scores.__getitem__)
    if best == _UNCHANGED:
        return Views(seed=config.seed), scores
    return Views(num_random=num, augment=POLICIES[best], seed=config.seed), scores


def _score(photos: Photos, policy: AugmentConfig, num_views: int, *, seed: int) -> float:
    views = Views(num_random=0 if policy.is_identity else num_views, augment=policy, seed=seed)
    examples = photos.views(_spread(photos.data.bucket("training")), views)
    with photos.watch.stage("Choosing the views"):
        return score_policy(examples, num_classes=len(photos.data.labels), seed=seed)


def _spread(records: Sequence[Record]) -> Sequence[Record]:
    """Returns photos evenly spread over the list, which is sorted by class."""
    return records[:: max(1, math.ceil(len(records) / _PHOTOS_TO_CHOOSE_BY))]
