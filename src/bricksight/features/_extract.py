"""Compute features of photos and of augmented copies, on all cores, through the cache."""

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from bricksight import images
from bricksight._support.threads import num_cores
from bricksight.config import AugmentConfig, InputSpec
from bricksight.dataset import Example
from bricksight.errors import CacheError, ImageError
from bricksight.features._cache import FeatureCache, do_without
from bricksight.features._compile import CompiledBackbone, Run
from bricksight.images import ForegroundMasks

AUGMENTATION_VERSION = 1
"""Part of an augmented copy's key: raised when the same settings and seed give another image."""

DECODING_VERSION = 2
"""Part of every copy's key: raised when the same file gives other pixels."""

_ORIGINAL_KEY = f"plain-{DECODING_VERSION}"
_QUEUED_PER_WORKER = 4


@dataclass(frozen=True, kw_only=True)
class AugmentedCopies:
    """Which copies of each photo to compute features of: the original, augmented ones, or both.

    Attributes:
        num_random: Number of augmented copies; 0 for none.
        include_original: Whether the original photo is the first copy.
        augment: The random changes.
        seed: Together with the photo's content and the copy's number it determines the copy, so
            that adding photos does not change the copies of others.
        foreground_masks: Where the objects are, and what augmentation shows behind them.
    """

    num_random: int = 0
    include_original: bool = True
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    seed: int = 0
    foreground_masks: ForegroundMasks | None = None

    @property
    def keys(self) -> list[str]:
        """The keys of a photo without a mask; see ``keys_of``."""
        return self._keys("")

    def keys_of(self, example: Example) -> list[str]:
        """Return a key for each copy: equal keys mean equal pixels, in every run."""
        return self._keys(
            "" if self.foreground_masks is None else self.foreground_masks.key_of(example.path)
        )

    def _keys(self, cutout: str) -> list[str]:
        amounts = [(name, _shortest(value)) for name, value in asdict(self.augment).items()]
        behind = (cutout,) if cutout else ()
        versions = (AUGMENTATION_VERSION, DECODING_VERSION)
        settings = repr((versions, sorted(amounts), self.seed, *behind))
        digest = hashlib.sha256(settings.encode()).hexdigest()[:16]
        random = [f"{digest}-{number}" for number in range(self.num_random)]
        return [_ORIGINAL_KEY, *random] if self.include_original else random

    def read(self, example: Example, spec: InputSpec) -> np.ndarray:
        """Return the decoded photo that ``render`` takes.

        Raises:
            ImageError: it cannot be read.
        """
        photo = images.decode(example.path, min_size=images.decoding_size(spec))
        return (
            photo
            if self.foreground_masks is None
            else self.foreground_masks.cut_out(photo, example.path)
        )

    def render(self, photo: np.ndarray, key: str, *, sha256: str, spec: InputSpec) -> np.ndarray:
        """Return the copy of this key of a decoded photo, float32 (height, width, 3) in [0, 1]."""
        if key == _ORIGINAL_KEY:
            return images.to_input(photo[..., :3], spec)
        number = int(key.rpartition("-")[2])
        rng = np.random.default_rng([self.seed, number, int(sha256[:15], 16)])
        backgrounds = None if self.foreground_masks is None else self.foreground_masks.backgrounds
        return images.augment(photo, rng, config=self.augment, spec=spec, backgrounds=backgrounds)


def _shortest(amount: float) -> float:
    """Return 5 for 5.0 too, so that both give the same key."""
    return int(amount) if isinstance(amount, float) and amount.is_integer() else amount


ORIGINAL = AugmentedCopies()
"""The original photo only."""


@dataclass(frozen=True, kw_only=True)
class FeatureSet:
    """Features of a list of photos.

    Attributes:
        features: float32 (num_examples, num_copies, num_features), in the order of ``examples``.
        examples: The photos that could be read.
        failures: Path below image_dir → reason, of the photos that could not.
        num_computed: Number of copies that were computed; the others came from the cache.
    """

    features: np.ndarray
    examples: tuple[Example, ...]
    failures: dict[str, str]
    num_computed: int

    @classmethod
    def empty(cls, num_features: int) -> "FeatureSet":
        """Return the features of no photos."""
        nothing = np.empty((0, 1, num_features), np.float32)
        return cls(features=nothing, examples=(), failures={}, num_computed=0)


def extract(
    examples: Sequence[Example],
    *,
    compiled: CompiledBackbone,
    copies: AugmentedCopies = ORIGINAL,
    cache_path: Path | None = None,
    advance: Callable[[int], None] | None = None,
    workers: int | None = None,
) -> FeatureSet:
    """Return the features of ``examples``, from the cache where it has them.

    Besides the features, memory holds only the few photos in work.

    Args:
        examples: the photos.
        compiled: the backbone.
        copies: which copies of each photo.
        cache_path: the cache file; ``None`` to compute everything and keep nothing.
        advance: called with 1 after each photo.
        workers: number of threads, each with its own interpreter; by default one per core.
    """
    features = np.zeros((len(examples), len(copies.keys), compiled.num_features), np.float32)
    failures: dict[int, str] = {}
    num_computed = 0
    worker = _Worker(compiled, copies)
    cache = None if cache_path is None else _open_cache(cache_path, compiled)
    try:
        for row, outcome in _outcomes(examples, copies, worker, cache, workers or num_cores()):
            if isinstance(outcome, str):
                failures[row] = outcome
            else:
                found, computed = outcome
                num_computed += len(computed)
                if cache is not None and computed:
                    cache.put(examples[row].sha256, computed)
                found.update(computed)
                for column, key in enumerate(copies.keys_of(examples[row])):
                    features[row, column] = found[key]
            if advance is not None:
                advance(1)
    finally:
        if cache is not None:
            cache.close()
    good = [row for row in range(len(examples)) if row not in failures]
    return FeatureSet(
        features=features[good] if failures else features,
        examples=tuple(examples[row] for row in good),
        failures={examples[row].relative_path: reason for row, reason in failures.items()},
        num_computed=num_computed,
    )


def _open_cache(path: Path, compiled: CompiledBackbone) -> FeatureCache | None:
    backbone = compiled.backbone
    try:
        return FeatureCache(
            path,
            fingerprint=f"{backbone.fingerprint}-{compiled.runtime}",
            input_key=backbone.input_spec.key,
            reference=backbone.reference,
            num_features=compiled.num_features,
        )
    except CacheError as error:
        do_without(path, error.__cause__ if isinstance(error.__cause__, Exception) else error)
        return None


_ByCopy = dict[str, np.ndarray]
_Outcome = tuple[_ByCopy, _ByCopy] | str
"""(found in the cache, computed now), or why the photo cannot be read."""


def _outcomes(
    examples: Sequence[Example],
    copies: AugmentedCopies,
    worker: "_Worker",
    cache: FeatureCache | None,
    workers: int,
) -> Iterator[tuple[int, _Outcome]]:
    """Yield each photo's row and outcome; the queue before the workers is short, to save memory."""
    queue: deque[tuple[int, _ByCopy, Future[_ByCopy | str]]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="features") as pool:
        try:
            for row, example in enumerate(examples):
                keys = copies.keys_of(example)
                found = cache.get(example.sha256, keys) if cache is not None else {}
                missing = [key for key in keys if key not in found]
                if not missing:
                    yield row, (found, {})
                    continue
                queue.append((row, found, pool.submit(worker.compute, example, missing)))
                if len(queue) >= workers * _QUEUED_PER_WORKER:
                    yield _next(queue)
            while queue:
                yield _next(queue)
        finally:
            for _, _, future in queue:
                future.cancel()


def _next(queue: deque[tuple[int, _ByCopy, "Future[_ByCopy | str]"]]) -> tuple[int, _Outcome]:
    row, found, future = queue.popleft()
    computed = future.result()
    return row, computed if isinstance(computed, str) else (found, computed)


class _Worker:
    """Computes the features of one photo; each thread opens the backbone once."""

    def __init__(self, compiled: CompiledBackbone, copies: AugmentedCopies) -> None:
        self._compiled = compiled
        self._copies = copies
        self._local = threading.local()

    def compute(self, example: Example, keys: Sequence[str]) -> _ByCopy | str:
        """Return the features by copy, or why the photo cannot be read."""
        spec = self._compiled.backbone.input_spec
        run = self._interpreter()
        computed = {}
        with images.reserve_memory():
            try:
                photo = self._copies.read(example, spec)
            except ImageError as error:
                return str(error)
            for key in keys:
                image = self._copies.render(photo, key, sha256=example.sha256, spec=spec)
                computed[key] = run(image[None])[0]
        return computed

    def _interpreter(self) -> Run:
        if not hasattr(self._local, "run"):
            self._local.run = self._compiled.open()
        run: Run = self._local.run
        return run
