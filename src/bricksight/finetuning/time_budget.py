"""Time budget: measure a training step on this machine, and plan the epochs that fit."""

import itertools
import math
import statistics
import time
from dataclasses import dataclass

from bricksight.finetuning import BatchGenerator, Stage, Trainer

FEWEST_EPOCHS = 5
"""Fewest epochs that are worth it: with fewer, a head alone is better."""

_MEASURED_STEPS = 6
_TINY_RATE = 1e-9
_INFERENCE_SHARE = 0.2
"""Inference time of a photo relative to its training time; LiteRT takes about a fifth."""

_CLOSING_SECONDS = 25.0
"""For compiling the fine-tuned backbone, writing and verifying the files, and the report."""

_EXTRA_SHARE = 0.45
"""Largest share of the training time for pretraining on the extra photos."""


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Training times on this machine.

    Attributes:
        first_step: Seconds of the first step of a stage, in which TensorFlow traces the graph.
        step: Seconds of each further step at the smaller size.
        full_size_step: Seconds of each further step at full size.
    """

    first_step: float
    step: float
    full_size_step: float


@dataclass(frozen=True, kw_only=True)
class Work:
    """The amount of work.

    Attributes:
        steps_per_epoch: Batches of an epoch of the photos.
        extra_steps_per_epoch: Batches of an epoch of pretraining, 0 without pretraining.
        full_size_share: Share of the epochs at full size.
        num_validation: Validation photos, which are classified after each epoch.
        num_photos: Photos whose features the fine-tuned backbone computes at the end.
        batch_size: Photos in a step.
    """

    steps_per_epoch: int
    extra_steps_per_epoch: int
    full_size_share: float
    num_validation: int
    num_photos: int
    batch_size: int


@dataclass(frozen=True, kw_only=True)
class EpochPlan:
    """The epochs that fit, and the seconds that they and everything after them take."""

    epochs: int
    extra_epochs: int
    seconds: float


def measure_costs(
    trainer: Trainer, batch_generator: BatchGenerator, *, size: int, full_size: int
) -> Costs:
    """Return the training times; the trainer's weights are unchanged.

    The time at full size is estimated from the number of pixels.
    """
    weights, ends = trainer.get_weights(), [time.perf_counter()]
    stage = Stage(
        batch_generator=batch_generator,
        epochs=_MEASURED_STEPS / batch_generator.steps_per_epoch,
        size=size,
        rate=_TINY_RATE,
    )
    trainer.run(stage, after_step=lambda: ends.append(time.perf_counter()))
    trainer.set_weights(weights)
    taken = [end - start for start, end in itertools.pairwise(ends)]
    step = statistics.median(taken[1:] or taken)
    return Costs(first_step=taken[0], step=step, full_size_step=step * (full_size / size) ** 2)


def plan_epochs(
    seconds: float, costs: Costs, work: Work, *, max_epochs: int, max_extra_epochs: int
) -> EpochPlan:
    """Return the epochs that fit into ``seconds``; none if too few do."""
    inference = costs.full_size_step / work.batch_size * _INFERENCE_SHARE
    # The validation photos also have a phase of their own, at the end.
    of_choice = (work.full_size_share, work.extra_steps_per_epoch, work.num_validation)
    num_stages = 1 + sum(one > 0 for one in of_choice)
    fixed = num_stages * costs.first_step + work.num_photos * inference + _CLOSING_SECONDS
    mean_step = (
        1 - work.full_size_share
    ) * costs.step + work.full_size_share * costs.full_size_step
    of_epoch = work.steps_per_epoch * mean_step + work.num_validation * inference
    of_extra_epoch = work.extra_steps_per_epoch * costs.step
    left = seconds - fixed
    extra = 0
    if of_extra_epoch:
        extra = min(max_extra_epochs, max(0, math.floor(_EXTRA_SHARE * left / of_extra_epoch)))
    epochs = min(max_epochs, math.floor((left - extra * of_extra_epoch) / of_epoch))
    if epochs < min(FEWEST_EPOCHS, max_epochs):
        return EpochPlan(epochs=0, extra_epochs=0, seconds=fixed)
    total = fixed + epochs * of_epoch + extra * of_extra_epoch
    return EpochPlan(epochs=epochs, extra_epochs=extra, seconds=total)
