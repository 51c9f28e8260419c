"""``bricksight camera``: classify a live camera or a video."""

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
class CameraOptions:
    """Source of the frames, and their classification.

    Attributes:
        source: Camera number, video file, rtsp:// or http:// address, csi (Jetson camera), or
            GStreamer pipeline.
        region: Side of the classified region in the middle of the frame, as a share of the frame.
        whole_frame: Classify the whole frame.
        smooth: Average the probabilities over this many frames; 1 turns it off.
        top_k: Number of classes to show.
        max_frames: Stop after this many frames.
        runtime: Runtime: litert, tensorflow, saved_model, keras, onnxruntime, openvino or tfjs. By
            default litert for a bundle, and the runtime of an exported file.
        threads: Number of threads; by default all cores.
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
class WindowOptions:
    """Window, saved photos and recording.

    Attributes:
        headless: Open no window. Print one JSON object per frame: frame, time_s, label, is_unknown,
            predictions, fps.
        save_dir: Folder for saved photos, one sub-folder per class. Key s saves as the label shown,
            1 to 9 as the class of that rank.
        save_label: Save all photos as this class, whatever the model answers.
        save_every: Save a photo as --save_label every this many seconds.
        record: Record the window to this .mp4, .avi or .mkv file.
    """

    headless: bool = False
    save_dir: Path | None = None
    save_label: str | None = None
    save_every: float | None = None
    record: Path | None = None

    def __post_init__(self) -> None:
        if self.save_label is not None and self.save_dir is None:
            raise ConfigError("--save_label needs a folder. Add --save_dir DIR.")
        if self.save_every is not None and self.save_label is None:
            raise ConfigError("--save_every needs a class. Add --save_label LABEL.")
        if self.save_every is not None and not self.save_every > 0:
            raise ConfigError(f"--save_every is {self.save_every}; it must be over 0 seconds.")
        if self.headless and self.save_dir is not None and self.save_every is None:
            raise ConfigError(
                "--save_dir with --headless has no keys. Add --save_label and --save_every."
            )

    def keeper(self) -> "Keeper | None":
        """Return what saves photos, ``None`` if none are saved."""
        from bricksight.camera import Keeper

        return None if self.save_dir is None else Keeper(self.save_dir, label=self.save_label)


def camera(
    model: Path,
    /,
    *,
    options: Annotated[CameraOptions, panel("Frames and answers")] = CameraOptions(),
    window: Annotated[WindowOptions, panel("Window and files")] = WindowOptions(),
) -> int:
    """Classify a live camera or a video.

    Keys in the window: q or Escape quits. s saves the framed region as a photo of the class shown,
    1 to 9 as the class of that rank. Train again on the saved photos.

    Args:
        model: Bundle or exported file.
        options: Source of the frames, and their classification.
        window: Window, saved photos and recording.
    """
    from bricksight.camera import Recorder, Window, observe, open_video, parse_source, watch
    from bricksight.predict import Predictor

    source, keeper = parse_source(options.source), window.keeper()
    _tell_new_class(window)
    with ExitStack() as opened:
        screen = None if window.headless else opened.enter_context(Window(f"bricksight {model}"))
        predictor = Predictor(
            model, runtime=options.runtime, threads=options.threads, trust=options.trust
        )
        video = opened.enter_context(open_video(source))
        recorder = None
        if window.record is not None:
            recorder = opened.enter_context(Recorder(window.record, fps=video.fps))
        observations = observe(
            predictor,
            itertools.islice(video, options.max_frames),
            region=None if options.whole_frame else options.region,
            smooth=options.smooth,
            top_k=options.top_k,
        )
        watch(
            observations,
            screen=screen,
            recorder=recorder,
            keeper=keeper,
            write=_write if window.headless else None,
            save_every_s=window.save_every,
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


def _tell_new_class(window: WindowOptions) -> None:
    """Print a warning if --save_label is a new class, which may be a typing error."""
    from bricksight.dataset import class_folders

    folder, label = window.save_dir, window.save_label
    if folder is None or label is None or not folder.is_dir() or (folder / label).is_dir():
        return
    classes = class_folders(folder)
    near = get_close_matches(label, classes, n=1) or [
        name for name in classes if name.startswith(label)
    ]
    hint = f"; is {near[0]!r} meant?" if near else "."
    if classes:
        note(f"! {label!r} is a new class in {folder}{hint}")
