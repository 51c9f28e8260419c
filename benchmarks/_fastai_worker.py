"""Trains with fastai or timm, in an environment of theirs: neither bricksight nor TensorFlow here.

    python _fastai_worker.py JOB.json ANSWERS.json

``against_fastai.py`` writes the job and reads the answers. All recipes begin with the weights in
the job's file, under timm's ``tf_efficientnet_lite0``.

- "book": fastai's book, chapter 5, the last recipe: crops of at least three quarters of the photo,
  ``aug_transforms``, ``fine_tune(6, freeze_epochs=3)`` at the default rate;
- "fastai": ``lr_find``, then ``fine_tune`` at the rate it suggests, for all the time, with label
  smoothing and answers averaged over random views (both chapter 7), whole photos squashed, and
  views turned to any side and mirrored both ways. Mixup, which chapter 7 says needs far more
  epochs, is left out;
- "timm": "Getting Started with PyTorch Image Models (timm): A Practitioner's Guide", for all the
  time: RandAugment, Lookahead and AdamW, a cosine after a warm-up, label smoothing. The rate is
  AdamW's own, for the guide's is for training from nothing;
- "timm mixed": with the guide's mixup and CutMix, and the loss that timm's ``train.py`` has for
  them.
  Those that take all the time have their tensors channels-last, as both libraries can and PyTorch's
  Performance Tuning Guide advises for processors;
- "features": trains nothing, answers with the network's features of the photos as they are.
"""

import json
import math
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fastai.callback.channelslast
import fastai.callback.progress
import fastai.callback.schedule  # noqa: F401 (all give the Learner methods that are called here)
import numpy as np
import timm
import torch
from fastai.callback.core import Callback, CancelFitException
from fastai.data.block import CategoryBlock, DataBlock
from fastai.data.transforms import ColReader, IndexSplitter
from fastai.losses import LabelSmoothingCrossEntropyFlat
from fastai.torch_core import set_seed
from fastai.vision.augment import Resize, ResizeMethod, aug_transforms
from fastai.vision.data import ImageBlock
from fastai.vision.learner import vision_learner
from PIL import Image
from timm.data import Mixup, create_transform, resolve_data_config
from timm.loss import LabelSmoothingCrossEntropy, SoftTargetCrossEntropy
from timm.optim import create_optimizer_v2
from timm.scheduler import CosineLRScheduler

ARCHITECTURE = "tf_efficientnet_lite0"
CORES = len(os.sched_getaffinity(0))
SMOOTHING = 0.1
TICKS = 1000  # the length of a schedule that follows the clock


@dataclass(frozen=True)
class Job:
    """What to do.

    Attributes:
        recipe: a key of ``RECIPES``.
        training: path and label's index of each photo.
        testing: paths.
        num_labels: how many labels there are.
        weights: EfficientNet-Lite0 with the tensors' names of the packaged file.
        size: rows and columns of the network's images.
        batch: photos in each step.
        seconds: what the training may take, for recipes that have no epochs of their own.
        seed: of everything random.
    """

    recipe: str
    training: list[tuple[str, int]]
    testing: list[str]
    num_labels: int
    weights: str
    size: int
    batch: int
    seconds: float
    seed: int


def main() -> None:
    job = Job(**json.loads(Path(sys.argv[1]).read_text()))
    torch.set_num_threads(CORES)
    set_seed(job.seed, reproducible=True)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder, "weights.pth")
        torch.save(renamed(job), weights)
        outputs, seconds, epochs = RECIPES[job.recipe](job, weights)
    found = {"outputs": outputs.tolist(), "seconds": seconds, "epochs": epochs}
    Path(sys.argv[2]).write_text(json.dumps(found))


def renamed(job: Job) -> dict[str, torch.Tensor]:
    """Returns the job's tensors by timm's names; both files have them in the network's order."""
    given = torch.load(job.weights, map_location="cpu").values()
    wanted = timm.create_model(ARCHITECTURE).state_dict()
    return dict(zip(wanted, given, strict=True))


def network(weights: Path, num_labels: int) -> Any:
    overlay = {"file": str(weights)}
    return timm.create_model(
        ARCHITECTURE, pretrained=True, num_classes=num_labels, pretrained_cfg_overlay=overlay
    )


def features(job: Job, weights: Path) -> tuple[np.ndarray, float, float]:
    model = network(weights, 0).eval()
    mean, std = (np.float32(model.pretrained_cfg[name]) for name in ("mean", "std"))
    pixels = [np.asarray(Image.open(path).convert("RGB"), np.float32) for path in job.testing]
    images = (np.stack(pixels) / 255 - mean) / std
    with torch.no_grad():
        return model(torch.from_numpy(images.transpose(0, 3, 1, 2))).numpy(), 0.0, 0.0


class Clock(Callback):
    """Has a schedule follow the clock instead of the steps, and ends it on time.

    A single epoch is left as it is: the one that ``fine_tune`` trains the layer on top in.
    """

    order = -5  # after TrainEvalCallback, which counts the steps; before ParamScheduler
    run_valid = False

    def __init__(self, end: float) -> None:
        self.end = end

    def before_fit(self) -> None:
        self.start = time.perf_counter()

    def before_batch(self) -> None:
        if self.learn.n_epoch > 1:
            share = (time.perf_counter() - self.start) / max(self.end - self.start, 1e-9)
            if share >= 1:
                raise CancelFitException
            self.learn.pct_train = share


def loaders(job: Job, resize: Resize, views: list[Any]) -> Any:
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock(vocab=list(range(job.num_labels)), sort=False)),
        get_x=ColReader(0),
        get_y=ColReader(1),
        splitter=IndexSplitter([]),
        item_tfms=resize,
        batch_tfms=views,
    )
    return block.dataloaders(job.training, bs=job.batch, num_workers=CORES)


def learner(job: Job, weights: Path, dls: Any, folder: Path, **settings: Any) -> Any:
    overlay = {"file": str(weights)}
    return vision_learner(
        dls, ARCHITECTURE, path=folder, pretrained_cfg_overlay=overlay, **settings
    )


def by_book(job: Job, weights: Path) -> tuple[np.ndarray, float, float]:
    start = time.perf_counter()
    views = aug_transforms(size=job.size, min_scale=0.75)
    learn = learner(job, weights, loaders(job, Resize(2 * job.size), views), weights.parent)
    with learn.no_bar(), learn.no_logging():
        learn.fine_tune(6, freeze_epochs=3)
        seconds = time.perf_counter() - start
        outputs, _ = learn.get_preds(dl=learn.dls.test_dl(job.testing))
    return outputs.numpy(), seconds, 9


def by_fastai(job: Job, weights: Path) -> tuple[np.ndarray, float, float]:
    start = time.perf_counter()
    views = aug_transforms(
        mult=2, flip_vert=True, max_rotate=90, size=job.size, min_scale=0.75
    )  # mult doubles the 90 degrees too
    dls = loaders(job, Resize(job.size * 5 // 4, ResizeMethod.Squish), views)
    loss = LabelSmoothingCrossEntropyFlat(SMOOTHING)
    learn = learner(job, weights, dls, weights.parent, loss_func=loss)
    learn.to_channelslast(use_amp=False)
    with learn.no_bar(), learn.no_logging():
        rate = learn.lr_find(show_plot=False).valley
        learn.fine_tune(10**4, rate, cbs=Clock(start + job.seconds))
        seconds = time.perf_counter() - start
        epochs = 1 + learn.train_iter / len(dls.train)
        outputs, _ = learn.tta(dl=dls.test_dl(job.testing))
    print(f"rate found: {rate:.2g}", file=sys.stderr)
    return outputs.numpy(), seconds, epochs


class Photos(torch.utils.data.Dataset):
    """Photos and their labels, as a transform makes them."""

    def __init__(self, rows: list[tuple[str, int]], transform: Any) -> None:
        self.rows, self.transform = rows, transform

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        path, label = self.rows[index]
        return self.transform(Image.open(path).convert("RGB")), label


def by_timm(job: Job, weights: Path, *, mixed: bool = False) -> tuple[np.ndarray, float, float]:
    start = time.perf_counter()
    model = network(weights, job.num_labels).to(memory_format=torch.channels_last)
    data = resolve_data_config({"input_size": (3, job.size, job.size)}, model=model)
    augment = create_transform(**data, is_training=True, auto_augment="rand-m7-mstd0.5-inc1")
    loader = torch.utils.data.DataLoader(
        Photos(job.training, augment),
        batch_size=job.batch,
        shuffle=True,
        drop_last=True,
        num_workers=CORES,
        persistent_workers=True,
    )
    mix = Mixup(0.2, 1.0, label_smoothing=SMOOTHING, num_classes=job.num_labels)
    loss = SoftTargetCrossEntropy() if mixed else LabelSmoothingCrossEntropy(SMOOTHING)
    optimizer = create_optimizer_v2(model, opt="lookahead_adamw", lr=1e-3, weight_decay=0.01)
    schedule = CosineLRScheduler(
        optimizer,
        t_initial=TICKS,
        lr_min=1e-6,
        warmup_t=TICKS * 3 // 40,  # the guide's: three of its 40 epochs
        warmup_lr_init=1e-4,
        t_in_epochs=False,
    )
    model.train()
    steps, share = 0, 0.0
    while share < 1:
        for images, labels in loader:
            share = (time.perf_counter() - start) / job.seconds
            if share >= 1:
                break
            schedule.step_update(math.floor(share * TICKS))
            entry, target = mix(images, labels) if mixed else (images, labels)
            optimizer.zero_grad()
            entry = entry.contiguous(memory_format=torch.channels_last)
            loss(model(entry), target).backward()
            optimizer.step()
            steps += 1
    optimizer.sync_lookahead()
    seconds = time.perf_counter() - start
    plain = Photos([(path, 0) for path in job.testing], create_transform(**data))
    model.eval()
    with torch.no_grad():
        outputs = [
            model(images).softmax(dim=1)
            for images, _ in torch.utils.data.DataLoader(plain, batch_size=job.batch)
        ]
    return torch.cat(outputs).numpy(), seconds, steps / len(loader)


def by_timm_mixed(job: Job, weights: Path) -> tuple[np.ndarray, float, float]:
    return by_timm(job, weights, mixed=True)


RECIPES = {
    "book": by_book,
    "fastai": by_fastai,
    "timm": by_timm,
    "timm mixed": by_timm_mixed,
    "features": features,
}


if __name__ == "__main__":
    main()
