"""Trainer: gradient steps on a backbone and its head.

The head starts at zero, or as the zero-shot head, and has a ten times higher learning rate than the
backbone (Kumar et al. 2022, arXiv 2202.10054: a random head would distort the features first).
AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) without weight decay of biases and
normalization, a learning rate with warm-up and cosine decay, label smoothing (Szegedy et al. 2016,
arXiv 1512.00567), and an exponential moving average of the weights, which is the result. Training
images are smaller than those in use, which is faster and better (Touvron et al. 2019, arXiv
1906.06423). A teacher sees the same augmented images (Beyer et al. 2022, arXiv 2106.05237).

Keras's ``fit`` with ``use_ema``, ``SwapEMAWeights``, ``EarlyStopping`` and ``BackupAndRestore`` is
not
used: its optimizer has one learning rate for all layers, and a resumed run would not repeat the
batches and weights of an uninterrupted one to the bit.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from bricksight import images
from bricksight._support.optional import require_tensorflow
from bricksight.backbones import mean_over_rotations
from bricksight.bundle import Head
from bricksight.config import InputSpec
from bricksight.finetuning.batches import NO_CLASS, Batch, BatchGenerator, ImageSet
from bricksight.finetuning.fused_graph import build_training_graph, takes_size

HEAD_RATE_FACTOR = 10.0
"""Learning rate of the head, relative to that of the backbone."""

_WARM_UP = 0.1  # of the steps of a stage
_EVAL_BATCH = 32


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One training run with warm-up and decay of the learning rate.

    Attributes:
        batch_generator: Makes the batches.
        epochs: How many times each photo is seen.
        size: Rows and columns of the images, in pixels.
        rate: Highest learning rate of the backbone.
    """

    batch_generator: BatchGenerator
    epochs: float
    size: int
    rate: float

    @property
    def num_steps(self) -> int:
        """Number of batches."""
        return max(1, round(self.epochs * self.batch_generator.steps_per_epoch))


@dataclass(frozen=True, kw_only=True)
class TrainerOptions:
    """Options of all stages.

    Attributes:
        resize: As in ``InputSpec``.
        weight_decay: Weight decay of kernels in AdamW.
        label_smoothing: Share of the target that is spread over all classes, 0 to 1.
        ema: Decay of the exponential moving average of the weights, late in a stage.
        adapt_batch_norm: Whether batch-norm statistics adapt to the photos.
        teacher_share: Share of the teacher's probabilities in the target, if there is a teacher.
    """

    resize: Any = "stretch"
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    ema: float = 0.99
    adapt_batch_norm: bool = True
    teacher_share: float = 0.5


@dataclass(frozen=True, kw_only=True)
class EpochMetrics:
    """Training metrics of one epoch.

    Attributes:
        step: Steps of the stage so far.
        loss: Mean cross entropy with the targets, in nats.
        accuracy: Top-1 accuracy.
    """

    step: int
    loss: float
    accuracy: float


@dataclass(frozen=True, kw_only=True)
class ResumeState:
    """What it takes to resume a stage, besides the weights.

    Attributes:
        step: Steps of the stage that are done.
        optimizer_state: From ``Trainer.optimizer_state`` after these steps.
    """

    step: int
    optimizer_state: Sequence[np.ndarray]


class Trainer:
    """Trains a backbone and a head."""

    def __init__(
        self,
        network: Any,
        num_classes: int,
        options: TrainerOptions,
        *,
        head: Head | None = None,
    ) -> None:
        """Build the training graph.

        Args:
            network: from ``Backbone.trainable``.
            num_classes: how many classes there are.
            options: options of all stages.
            head: the initial head, of as many classes; zero by default. Its background classes are
                trained too, with targets of 0.
        """
        tf = require_tensorflow()
        self._tf, self._options = tf, options
        self._network = network
        self._training_graph = build_training_graph(
            network, adapt_batch_norm=options.adapt_batch_norm
        )
        self._inference_graph = build_training_graph(network, adapt_batch_norm=False)
        self._num_classes = num_classes
        num_outputs = num_classes if head is None else len(head.flat.bias)
        self._head = tf.keras.layers.Dense(num_outputs, kernel_initializer="zeros")
        self._head.build((None, network.output_shape[-1]))
        if head is not None:
            self._assign(self._head.trainable_variables, (head.flat.kernel, head.flat.bias))
        self._own = list(network.trainable_variables)
        self._variables = [*self._own, *self._head.trainable_variables]
        self._infer: Any = None
        self._averages = [tf.Variable(one, trainable=False) for one in self._variables]
        self._optimizers: list[Any] = []

    def takes(self, size: int) -> bool:
        """Tell whether the network takes images of ``size`` x ``size`` pixels."""
        return takes_size(self._training_graph, size)

    @property
    def head(self) -> Head:
        """A copy of the head."""
        kernel, bias = (one.numpy() for one in self._head.trainable_variables)
        return Head(kernel=kernel, bias=bias).split(self._num_classes)

    def get_weights(self) -> list[np.ndarray]:
        """Return a copy of all weights, batch-norm statistics and states of random generators."""
        return [one.numpy() for one in self._all_variables()]

    def set_weights(self, weights: Sequence[np.ndarray]) -> None:
        """Set the weights that ``get_weights`` returned.

        Raises:
            ValueError: they are of another network.
        """
        variables = self._all_variables()
        if [one.shape for one in weights] != [tuple(one.shape) for one in variables]:
            raise ValueError("The weights do not fit the network.")
        self._assign(variables, weights)

    def optimizer_state(self) -> list[np.ndarray]:
        """Return a copy of the averaged weights and of the optimizers' variables."""
        return [one.numpy() for one in self._optimizer_variables()]

    def _optimizer_variables(self) -> list[Any]:
        of_optimizers = [one for optimizer in self._optimizers for one in optimizer.variables]
        return [*self._averages, *of_optimizers]

    def _all_variables(self) -> list[Any]:
        network, head = self._network, self._head.trainable_variables
        return [*network.weights, *head, *_seeds(network)]

    def run(
        self,
        stage: Stage,
        *,
        resume_from: ResumeState | None = None,
        after_step: Callable[[], None] = lambda: None,
        after_epoch: Callable[[EpochMetrics], bool | None] = lambda _: None,
    ) -> int:
        """Train for one stage; afterwards network and head have the averaged weights.

        Args:
            stage: what to train on, how long, and at which learning rate.
            resume_from: where an interrupted stage was after an epoch; call ``set_weights`` first
                with its weights. The result is the same as without the interruption.
            after_step: called after each step.
            after_epoch: called with the metrics of each epoch, and of the last part of one; the
                stage ends if it returns true.

        Returns:
            Number of steps of the stage that are done.
        """
        step_function = self._make_step(stage)
        spec = InputSpec(height=stage.size, width=stage.size, resize=self._options.resize)
        self._assign(self._averages, self._variables)
        if resume_from is not None:
            self._assign(self._optimizer_variables(), resume_from.optimizer_state)
        start = step = resume_from.step if resume_from is not None else 0
        seen: list[tuple[float, float]] = []
        for step, batch in enumerate(
            stage.batch_generator.batches(spec, start=start, stop=stage.num_steps), start=start + 1
        ):
            # Early on, the average would depend on the first weights too long.
            keep = min(self._options.ema, step / (9 + step))
            targets = self._targets(batch)
            loss, accuracy = step_function(batch.images, batch.labels, targets, np.float32(keep))
            seen.append((float(loss), float(accuracy)))
            after_step()
            if step % stage.batch_generator.steps_per_epoch == 0 or step == stage.num_steps:
                mean_loss, mean_accuracy = np.mean(seen, axis=0).tolist()
                seen.clear()
                if after_epoch(EpochMetrics(step=step, loss=mean_loss, accuracy=mean_accuracy)):
                    break
        self._assign(self._variables, self._averages)
        return step

    def _targets(self, batch: Batch) -> np.ndarray:
        """Return the target probabilities, float32 (batch_size, num_outputs).

        Those of the background classes are 0.
        """
        of_classes = self._targets_of_classes(batch)
        num_background = self._head.units - self._num_classes
        return np.pad(of_classes, ((0, 0), (0, num_background)))

    def _targets_of_classes(self, batch: Batch) -> np.ndarray:
        own, other = self._targets_of(batch.labels), self._targets_of(batch.other_labels)
        targets = _blended(own, other, batch.share)
        if batch.answers is None:
            return targets
        # The targets of outliers are uniform, whatever the teacher says.
        known = (batch.labels != NO_CLASS) & (batch.other_labels != NO_CLASS)
        of_teacher = np.where(known, np.float32(self._options.teacher_share), 0)[:, None]
        return _blended(batch.answers, targets, of_teacher)

    def _targets_of(self, labels: np.ndarray) -> np.ndarray:
        """Return smoothed targets; uniform for outliers (Hendrycks et al., arXiv 1812.04606)."""
        num_classes, smoothing = self._num_classes, self._options.label_smoothing
        targets = np.full((len(labels), num_classes), smoothing / num_classes, np.float32)
        targets[np.arange(len(labels)), labels] += np.float32(1 - smoothing)
        targets[labels == NO_CLASS] = np.float32(1 / num_classes)
        return targets

    def _assign(self, targets: Sequence[Any], values: Sequence[Any]) -> None:
        for target, value in zip(targets, values, strict=True):
            target.assign(value)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Use the averaged weights while the block runs."""
        own = [one.numpy() for one in self._variables]
        self._assign(self._variables, self._averages)
        try:
            yield
        finally:
            self._assign(self._variables, own)

    def _make_step(self, stage: Stage) -> Any:
        tf, keras = self._tf, self._tf.keras
        optimizers = self._optimizers = [
            _optimizer(stage.rate * factor, stage.num_steps, self._options.weight_decay, variables)
            for factor, variables in (
                (1.0, self._own),
                (HEAD_RATE_FACTOR, self._head.trainable_variables),
            )
        ]
        loss_function = keras.losses.CategoricalCrossentropy(from_logits=True)
        num_own = len(self._own)

        shape = (None, stage.size, stage.size, 3)

        @tf.function(  # type: ignore[untyped-decorator]
            autograph=False,
            input_signature=[
                tf.TensorSpec(shape, tf.float32),
                tf.TensorSpec((None,), tf.int32),
                tf.TensorSpec((None, self._head.units), tf.float32),
                tf.TensorSpec((), tf.float32),
            ],
        )
        def step(inputs: Any, labels: Any, targets: Any, keep: Any) -> Any:
            with tf.GradientTape() as tape:
                logits = self._head(self._training_graph(inputs, training=True))
                loss = loss_function(targets, logits)
            gradients = tape.gradient(loss, self._variables)
            optimizers[0].apply(gradients[:num_own], self._own)
            optimizers[1].apply(gradients[num_own:], self._head.trainable_variables)
            for average, variable in zip(self._averages, self._variables, strict=True):
                average.assign(variable + keep * (average - variable))
            right = tf.equal(tf.argmax(logits, axis=1, output_type=tf.int32), labels)
            of_a_class = tf.not_equal(labels, NO_CLASS)
            return loss, tf.reduce_mean(tf.cast(tf.boolean_mask(right, of_a_class), tf.float32))

        return step

    def logits(self, image_set: ImageSet, spec: InputSpec, *, num_rotations: int = 1) -> np.ndarray:
        """Return the logits of original photos, float32 (num_photos, num_outputs).

        The outputs are the classes, then the background classes.

        Args:
            image_set: the photos.
            spec: the input size of the network.
            num_rotations: how many rotated copies to average over; see ``with_rotation_tta``.
        """
        if self._infer is None:
            self._infer = self._tf.function(
                lambda inputs: self._head(self._inference_graph(inputs, training=False)),
                autograph=False,
                reduce_retracing=True,
            )
        found = [np.empty((0, self._head.units), np.float32)]
        for start in range(0, len(image_set), _EVAL_BATCH):
            some = image_set.pixels[start : start + _EVAL_BATCH]
            inputs = np.stack([images.to_input(one, spec) for one in some])
            found.append(np.asarray(mean_over_rotations(self._infer, inputs, num_rotations)))
        return np.concatenate(found)


def _seeds(network: Any) -> list[Any]:
    """Return the states of the network's random generators, such as dropout's."""
    known = {id(one) for one in network.weights}
    return [one for one in getattr(network, "variables", ()) if id(one) not in known]


def _blended(first: np.ndarray, second: np.ndarray, share: float | np.ndarray) -> np.ndarray:
    blended: np.ndarray = share * first + (1 - share) * second
    return blended


def _optimizer(rate: float, num_steps: int, decay: float, variables: Sequence[Any]) -> Any:
    keras = require_tensorflow().keras
    warm_up = max(1, round(num_steps * _WARM_UP))
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, num_steps - warm_up), warmup_target=rate, warmup_steps=warm_up
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=decay)
    optimizer.exclude_from_weight_decay(var_list=[one for one in variables if len(one.shape) < 2])
    optimizer.build(variables)
    return optimizer
