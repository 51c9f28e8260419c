"""Images in memory, and the augmented batches that fine-tuning trains on."""

import functools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bricksight import images
from bricksight._support.threads import num_cores, thread_map
from bricksight.config import AugmentConfig, InputSpec
from bricksight.images import Backgrounds, ForegroundMasks

_DECODING_MARGIN = 1.5
"""Size of decoded photos relative to the input size: as much as augmentation can use."""

NO_CLASS = -1
"""The label of outliers."""


class Batch(NamedTuple):
    """The images and targets of one training step.

    Attributes:
        images: float32 (batch_size, height, width, 3), RGB in [0, 1].
        labels: int32 (batch_size,), of the larger share of each image; ``NO_CLASS`` for outliers.
        other_labels: int32 (batch_size,), of the image that is mixed in; equal to ``labels`` where
            nothing is mixed in.
        share: Share of ``labels`` in each image, 0.5 to 1.
        answers: Probabilities from the teacher, float32 (batch_size, num_classes), if there is one.
    """

    images: np.ndarray
    labels: np.ndarray
    other_labels: np.ndarray
    share: float
    answers: np.ndarray | None


@dataclass(frozen=True, kw_only=True)
class ImageSet:
    """Decoded photos in memory.

    Attributes:
        pixels: uint8 (height, width, 3) each, RGB; a fourth channel, if there is one, is the
            foreground mask, 255 on the object.
        labels: int (num_photos,), indices of the classes.
    """

    pixels: Sequence[np.ndarray]
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: Sequence[int] | np.ndarray) -> "ImageSet":
        """Return the photos of these rows."""
        return ImageSet(pixels=[self.pixels[row] for row in rows], labels=self.labels[rows])


def read_image_set(
    paths: Sequence[Path],
    labels: np.ndarray,
    *,
    size: int,
    foreground_masks: ForegroundMasks | None = None,
) -> ImageSet:
    """Return photos decoded to about 1.5 times ``size``, with their aspect ratio.

    At 160 pixels a photo takes about 170 kB of memory, and a third more with a mask.

    Args:
        paths: the files.
        labels: int (num_photos,), indices of the classes.
        size: rows and columns of the training images.
        foreground_masks: masks of some of the photos.

    Raises:
        ImageError: a photo cannot be read.
    """
    smallest = round(size * _DECODING_MARGIN)

    def read(path: Path) -> np.ndarray:
        photo = read_photo(path)
        return photo if foreground_masks is None else foreground_masks.cut_out(photo, path)

    def read_photo(path: Path) -> np.ndarray:
        pixels = images.decode(path, min_size=smallest)
        return images.shrink(pixels, smallest / min(pixels.shape[:2]))

    with thread_map(read, paths, num_threads=num_cores()) as found:
        return ImageSet(pixels=list(found), labels=np.asarray(labels))


class BatchComposition(NamedTuple):
    """How many images of each kind a batch has.

    Attributes:
        num_photos: Training photos.
        num_extra: Extra photos.
        num_outliers: Outliers.
    """

    num_photos: int
    num_extra: int
    num_outliers: int

    @classmethod
    def of(
        cls, batch_size: int, *, extra_share: float, outliers_share: float
    ) -> "BatchComposition":
        """Return the composition for shares of 0 to 1; at least one image is a photo."""
        num_outliers = min(batch_size - 1, round(batch_size * outliers_share))
        num_extra = min(batch_size - num_outliers - 1, round(batch_size * extra_share))
        return cls(batch_size - num_extra - num_outliers, num_extra, num_outliers)

    def steps_per_epoch(self, num_photos: int) -> int:
        """Return the number of batches until each of ``num_photos`` has been seen."""
        return -(-num_photos // self.num_photos)


@dataclass(frozen=True, kw_only=True)
class BatchGenerator:
    """Draws augmented batches from photos in memory.

    Attributes:
        photos: At least one; each is seen once per epoch.
        extra: Extra photos, such as renders, if there are any.
        extra_share: Share of extra photos in each batch, 0 to 1.
        outliers: Out-of-class photos, if there are any.
        outliers_share: Share of outliers in each batch, 0 to 1.
        augments: Augmentation policy; each image takes one of these at random.
        batch_size: Images in a batch.
        seed: The same seed gives the same batches, from any step on.
        mixup: Parameter of the beta distribution of mixup; 0 turns it off.
        cutmix: Parameter of the beta distribution of CutMix; 0 turns it off. With both, each batch
            uses one of them.
        teacher: Returns ``Batch.answers`` for the images of a batch.
        backgrounds: Replace the background of photos that have a mask.
    """

    photos: ImageSet
    extra: ImageSet | None = None
    extra_share: float = 0.0
    outliers: ImageSet | None = None
    outliers_share: float = 0.0
    augments: Sequence[AugmentConfig]
    batch_size: int
    seed: int
    mixup: float = 0.0
    cutmix: float = 0.0
    teacher: Callable[[np.ndarray], np.ndarray] | None = None
    backgrounds: Backgrounds | None = None

    @property
    def composition(self) -> BatchComposition:
        """How many images of each kind a batch has."""
        return BatchComposition.of(
            self.batch_size,
            extra_share=self.extra_share if self.extra else 0.0,
            outliers_share=self.outliers_share if self.outliers else 0.0,
        )

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches until every photo has been seen."""
        return self.composition.steps_per_epoch(len(self.photos))

    def batches(self, spec: InputSpec, *, start: int, stop: int) -> Iterator[Batch]:
        """Yield the batches of steps ``start`` to ``stop`` - 1; the next is prepared meanwhile."""
        with ThreadPoolExecutor(1, thread_name_prefix="batches") as pool:
            ahead = None
            for step in range(start, stop):
                batch = ahead or pool.submit(self.batch, step, spec)
                ahead = pool.submit(self.batch, step + 1, spec) if step + 1 < stop else None
                yield batch.result()

    def batch(self, step: int, spec: InputSpec) -> Batch:
        """Return the batch of one step, which depends only on the step and the seed."""
        rng = np.random.default_rng([self.seed, step])
        drawn, composition = [], self.composition
        for source, (image_set, num) in enumerate(
            (
                (self.photos, composition.num_photos),
                (self.extra, composition.num_extra),
                (self.outliers, composition.num_outliers),
            )
        ):
            if num and image_set is not None:
                rows = self._rows(source, len(image_set), step, num)
                drawn += [(image_set.pixels[row], image_set.labels[row]) for row in rows]
        kinds = rng.integers(len(self.augments), size=len(drawn))
        render = functools.partial(images.augment, spec=spec, backgrounds=self.backgrounds)
        views = np.stack(
            [
                render(pixels, rng, config=self.augments[kind])
                for (pixels, _), kind in zip(drawn, kinds, strict=True)
            ]
        )
        labels = np.array([label for _, label in drawn], np.int32)
        views, partners, share = self._mixed(views, rng)
        pair = labels, labels[partners]
        if share < 0.5:
            pair, share = pair[::-1], 1 - share
        return Batch(views, *pair, share, self.teacher(views) if self.teacher else None)

    def _mixed(
        self, views: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """Apply mixup or CutMix; return images, the row of each partner, and the share kept.

        As in the authors' code, one share is drawn per batch, and images are paired by a
        permutation of the batch (mixup: arXiv 1710.09412; CutMix: arXiv 1905.04899).
        """
        if not (self.mixup or self.cutmix):
            return views, np.arange(len(views)), 1.0
        blends = rng.integers(2) == 0 if self.mixup and self.cutmix else bool(self.mixup)
        alpha = self.mixup if blends else self.cutmix
        share, partners = float(rng.beta(alpha, alpha)), rng.permutation(len(views))
        if blends:
            kept = np.float32(share)
            return kept * views + (1 - kept) * views[partners], partners, share
        place, share = _rectangle(views.shape[1:3], share, rng)
        views[(slice(None), *place)] = views[partners][(slice(None), *place)]
        return views, partners, share

    def _rows(self, source: int, num_images: int, step: int, num: int) -> list[int]:
        """Return the rows of a step: each epoch goes through all images in another random order."""
        places = range(step * num, (step + 1) * num)
        orders = {
            epoch: np.random.default_rng([self.seed, source, epoch]).permutation(num_images)
            for epoch in {place // num_images for place in places}
        }
        return [int(orders[place // num_images][place % num_images]) for place in places]


def _rectangle(
    size: tuple[int, int], share: float, rng: np.random.Generator
) -> tuple[tuple[slice, slice], float]:
    """Return a rectangle of about ``1 - share`` of an image, clipped, and the share outside it."""
    spans = []
    for length in size:
        centre, half = int(rng.integers(length)), int(length * np.sqrt(1 - share)) // 2
        spans.append(slice(max(0, centre - half), min(length, centre + half)))
    covered = np.prod([span.stop - span.start for span in spans]) / np.prod(size)
    return (spans[0], spans[1]), float(1 - covered)
