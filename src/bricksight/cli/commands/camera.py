"""``bricksight camera``: what does the camera see?"""

import itertools
from contextlib import ExitStack
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from bricksight._support.threads import require_threads
from bricksight.cli._help import panel
from bricksight.cli._output import note, say_json
from bricksight.errors import ConfigError

if TYPE_CHECKING:
    from bricksight.camera import Keeper, Observation


@dataclass(frozen=True, kw_only=True)
class Seeing:
    """Where frames come from, and how they are answered.

    Attributes:
        source: A camera's number, rtsp://... or http://..., a video file, csi (a Jetson's camera),
            or a GStreamer pipeline.
        region: How much of the frame's middle is classified, by its sides: over 0 to 1.
        whole_frame: Classify all of the frame instead.
        smooth: Average the probabilities of this many frames; 1 for none.
        top_k: How many classes to name.
        max_frames: Stop after this many frames.
        runtime: What runs the model: litert, tensorflow, saved_model, keras, onnxruntime,
            openvino or tfjs; by default litert for a folder, and what a file is for.
        threads: Cores to use; all of them by default.
        trust: Run a model even if it may access files, the network or other programs.
    """

    source: str = "0"
    region: float = 0.6
    whole_frame: bool = False
    smooth: int = 5
    top_k: int = 3
    max_frames: int | None = None
    runtime: str | None = None
    threads: int | None = None
    trust: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.region <= 1:
            raise ConfigError(f"--region is {self.region}; it must be over 0 and at most 1.")
        for name in ("smooth", "top_k", "max_frames"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"--{name} is {value}; it must be at least 1.")
        require_threads(self.threads)


@dataclass(frozen=True, kw_only=True)
class Keeping:
    """What is shown and kept.

    Attributes:
        headless: No window; print a JSON object a frame: frame, time_s, label, is_unknown,
            predictions, fps.
        save_dir: Save photos into class folders here: s as the label shown, 1 to 9 as the class of
            that rank.
        save_label: Everything that s saves is of this class, whatever the model says.
        save_every: Save a photo as --save_label every so many seconds, without a key.
        record: Record what the window shows to this .mp4, .avi or .mkv file.
    """

    headless: bool = False
    save_dir: Path | None = None
    save_label: str | None = None
    save_every: float | None = None
    record: Path | None = None

    def __post_init__(self) -> None:
        if self.save_label is not None and self.save_dir is None:
            raise ConfigError("--save_label needs to know where: --save_dir DIR.")
        if self.save_every is not None and self.save_label is None:
            raise ConfigError("--save_every needs the class of what it saves: --save_label LABEL.")
        if self.save_every is not None and not self.save_every > 0:
            raise ConfigError(f"--save_every is {self.save_every}; it must be over 0 seconds.")
        if self.headless and self.save_dir is not None and self.save_every is None:
            raise ConfigError(
                "--save_dir with --headless: there are no keys. Add --save_label and --save_every."
            )

    def keeper(self) -> "Keeper | None":
        """Returns what saves photos, ``None`` if nothing is to be saved."""
        from bricksight.camera import Keeper

        return None if self.save_dir is None else Keeper(self.save_dir, label=self.save_label)


def camera(
    bundle: Path,
    /,
    *,
    seeing: Annotated[Seeing, panel("Frames and answers")] = Seeing(),
    keeping: Annotated[Keeping, panel("Window and files")] = Keeping(),
) -> int:
    """Say what a camera or a video shows in its middle, live.

    Keys in the window: q or Escape quits, s saves the framed part as a photo under the label shown,
    1 to 9 under the class of that rank in the list. Train again on what was saved.

    Args:
        bundle: The model folder, or a file that export wrote.
        seeing: Where frames come from, and how they are answered.
        keeping: What is shown and kept.
    """
    from bricksight.camera import Recorder, Window, observe, open_video, parse_source, watch
    from bricksight.predict import Predictor

    source, keeper = parse_source(seeing.source), keeping.keeper()
    _tell_new_class(keeping)
    with ExitStack() as opened:
        screen = None if keeping.headless else opened.enter_context(Window(f"bricksight {bundle}"))
        predictor = Predictor(
            bundle, runtime=seeing.runtime, threads=seeing.threads, trust=seeing.trust
        )
        video = opened.enter_context(open_video(source))
        recorder = None
        if keeping.record is not None:
            recorder = opened.enter_context(Recorder(keeping.record, fps=video.fps))
        observations = observe(
            predictor,
            itertools.islice(video, seeing.max_frames),
            region=None if seeing.whole_frame else seeing.region,
            smooth=seeing.smooth,
            top_k=seeing.top_k,
        )
        watch(
            observations,
            screen=screen,
            recorder=recorder,
            keeper=keeper,
            write=_write if keeping.headless else None,
            save_every_s=keeping.save_every,
            in_real_time=not source.is_live,
        )
    return 0


def _write(seen: "Observation") -> None:
    content = {
        "frame": seen.index,
        "time_s": round(seen.frame.time_s, 3),
        "label": seen.answer.label,
        "is_unknown": seen.answer.is_unknown,
        "predictions": [
            {"label": one.label, "probability": one.probability} for one in seen.answer.predictions
        ],
        "fps": round(seen.fps, 1),
    }
    say_json(content)


def _tell_new_class(keeping: Keeping) -> None:
    """Says that --save_label begins a class; it may be a slip of the pen."""
    from bricksight.dataset import class_folders

    folder, label = keeping.save_dir, keeping.save_label
    if folder is None or label is None or not folder.is_dir() or (folder / label).is_dir():
        return
    classes = class_folders(folder)
    near = get_close_matches(label, classes, n=1) or [
        name for name in classes if name.startswith(label)
    ]
    hint = f"; is {near[0]!r} meant?" if near else "."
    if classes:
        note(f"! {label!r} is a new class in {folder}{hint}")
