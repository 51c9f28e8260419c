#!/usr/bin/env python3
"""Classify photos, camera frames and videos on a Jetson with the model in this folder.

Needs Python 3.6 or newer, NumPy, OpenCV and TensorRT, which JetPack brings. The first run builds
the TensorRT engine, which takes minutes; later runs load it.

    python3 classify.py photo.jpg folder/
    python3 classify.py --camera 0              python3 classify.py --csi 0 --headless
    python3 classify.py --video clip.mp4        python3 classify.py --selftest
"""

import argparse
import collections
import contextlib
import ctypes
import functools
import hashlib
import json
import os
import platform
import re
import signal
import struct
import sys
import threading
import time
import unicodedata
from pathlib import Path
from typing import Any, Callable, Dict, Generator, Iterator, List, Optional, Sequence, Tuple

if platform.machine() == "aarch64":
    # NumPy's OpenBLAS may detect the Nano's processor wrongly and crash: "Illegal instruction".
    os.environ.setdefault("OPENBLAS_CORETYPE", "ARMV8")
try:
    import cv2  # before NumPy and TensorRT, which may use up the static TLS that libgomp needs
    import numpy as np
except ImportError as error:
    sys.exit(
        f"classify.py: OpenCV or NumPy cannot be imported ({error}). Both come with the JetPack, "
        "for the system's python3 only: leave virtual environments and conda. README.md, "
        '"When something fails", has the cures for "static TLS block" and NumPy 2.'
    )

HERE = Path(__file__).resolve().parent
PHOTO_EXTENSIONS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff"),
    # Listed so that they are reported, not skipped, if OpenCV cannot read them.
    *(".heic", ".heif", ".hif", ".avif", ".gif"),
)
# Folders of file managers, network storage and operating systems (thumbnails, deleted photos).
SYSTEM_FOLDERS = {
    *("__macosx", "@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "@tmp"),
    *("~snapshot", "_gsdata_", "$recycle.bin", "recycler", "recycled", "lost+found"),
    *("system volume information", "network trash folder", "temporary items"),
}
TOLERANCE = {"fp16": 0.03, "fp32": 0.005}
SILENCE_S = 10.0
MIB = 1 << 20
_BITS = 22  # fixed-point precision of the resize weights, as in Pillow

CSI_CURE = "If a program has crashed before: sudo systemctl restart nvargus-daemon"
USB_CURE = "List the cameras: ls /dev/video*. Beside a CSI camera, a USB camera is usually 1"

Frames = Generator[Tuple[float, Any], None, None]
Box = Tuple[int, int, int, int]


class BoardError(Exception):
    """An error that the user can fix; the message says how."""


# ----------------------------------------------------------------------------------------------
# The folder


class Settings:
    """Labels and preprocessing from the model's folder, and access to its other files."""

    def __init__(self, folder: Path) -> None:
        """Read preprocess.json and labels.txt.

        Raises:
            BoardError: A file is missing or damaged.
        """
        self.folder = folder
        self.model = folder / "model.onnx"
        with self._whole():
            said = read_json(folder / "preprocess.json")
            self.height = whole_number(said, "height", 8, 4096)
            self.width = whole_number(said, "width", 8, 4096)
            if said["resize"] not in ("stretch", "letterbox"):
                raise ValueError(
                    "resize is {!r}; expected 'stretch' or 'letterbox'".format(said["resize"])
                )
            self.letterbox = said["resize"] == "letterbox"
            self.grey = whole_number(said, "letterbox_grey", 0, 255)
            self.low, self.high = [number(value, "range", -1e3, 1e3) for value in said["range"]]
            self.input, self.output = str(said["input"]), str(said["output"])
            threshold = said["unknown_threshold"]
            self.unknown_threshold: Optional[float] = (
                None if threshold is None else number(threshold, "unknown_threshold", 0, 1)
            )
            self.model_sha256: Optional[str] = said.get("model_sha256")
            self.labels = read_labels(folder / "labels.txt")

    @contextlib.contextmanager
    def _whole(self) -> Iterator[None]:
        """Convert errors about the folder's files to ``BoardError``."""
        try:
            yield
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise BoardError(
                f"{self.folder} is not a folder of `bricksight export --format jetson`, or one of "
                f"its files is missing or damaged ({type(error).__name__}: {error}). Copy the "
                "whole folder again."
            ) from error

    def model_bytes(self) -> bytes:
        """Return the content of model.onnx after verifying its checksum."""
        with self._whole():
            content = self.model.read_bytes()
            found = hashlib.sha256(content).hexdigest()
            if self.model_sha256 not in (None, found):
                raise ValueError(f"{self.model} is not the file that was written")
            return content

    def golden(self) -> List[Tuple[Path, Any]]:
        """Return the golden photos, each with the probabilities computed on the PC."""
        folder = self.folder / "golden"
        with self._whole():
            said = read_json(folder / "golden.json")["photos"]
            rows = [np.float32(one["probabilities"]).reshape(len(self.labels)) for one in said]
            if not rows:
                raise ValueError("golden.json lists no photos")
            names = [str(one["file"]) for one in said]
            if any(Path(name).name != name for name in names):
                raise ValueError(f"golden.json lists photos outside of its folder: {names}")
            return [(folder / name, row) for name, row in zip(names, rows)]

    def require_tensors(self, found: Any) -> None:
        """Compare the model's tensors, name to (is input, shape), with the settings.

        Raises:
            BoardError: They differ.
        """
        expected = {
            self.input: (True, (1, 3, self.height, self.width)),
            self.output: (False, (1, len(self.labels))),
        }
        if found != expected:
            raise BoardError(
                f"The model's float32 tensors are {found}; preprocess.json and labels.txt expect "
                f"{expected}. These files do not belong together. Copy the whole folder again."
            )


def read_labels(path: Path) -> List[str]:
    """Read the labels; a byte order mark and CRLF, which editors add, are accepted."""
    text = path.read_text(encoding="utf-8-sig")  # lines end with LF, CRLF or CR, as Python reads
    labels = text.rstrip("\n").split("\n")
    if not all(label.strip() and "\0" not in label for label in labels):
        raise ValueError("a line of labels.txt is empty or not text")
    if len(set(labels)) < len(labels):
        raise ValueError("labels.txt has a duplicate label")
    return labels


def read_json(path: Path) -> Dict[str, Any]:
    """Read a JSON object from a file of at most 16 MiB."""
    if path.stat().st_size > 16 * MIB:
        raise ValueError(f"{path} is larger than 16 MiB")
    said = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(said, dict):
        raise ValueError(f"{path} does not contain a JSON object")
    return said


def whole_number(said: Dict[str, Any], name: str, low: int, high: int) -> int:
    """Return a setting after checking that it is an integer from ``low`` to ``high``."""
    value = said[name]
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"{name} is {value!r}; expected a whole number from {low} to {high}")
    return value


def number(value: Any, name: str, low: float, high: float) -> float:
    """Return a number after checking that it is from ``low`` to ``high``; NaN is refused."""
    if type(value) not in (int, float) or not low <= value <= high:
        raise ValueError(f"{name} is {value!r}; expected a number from {low} to {high}")
    return float(value)


# ----------------------------------------------------------------------------------------------
# Preprocessing: Pillow's bilinear resize, as in training, implemented in NumPy. cv2.resize would
# skip pixels (INTER_LINEAR) or use another filter (INTER_AREA).


def read_photo(path: Path, settings: Settings) -> Any:
    """Read a photo as uint8 (height, width, 3), RGB; EXIF rotation applied, transparency white.

    Raises:
        BoardError: The photo cannot be read.
    """
    try:
        content = path.read_bytes()
        size = jpeg_size(content)
        flags = cv2.IMREAD_COLOR
        if size is not None:
            flags = _jpeg_flags(min(size) // (2 * max(settings.height, settings.width)))
        elif path.suffix.lower() in (".png", ".webp"):
            flags = cv2.IMREAD_UNCHANGED
        elif path.suffix.lower() in (".tif", ".tiff"):
            flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
        if printable(name_of(path)) == name_of(path):
            picture = cv2.imread(name_of(path), flags)
        else:  # OpenCV cannot open a name that is not UTF-8
            picture = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except OSError as error:
        raise BoardError(f"{path} cannot be read: {error.strerror}") from error
    except cv2.error as error:
        raise BoardError(f"{path} cannot be read by OpenCV: {error}") from error
    if picture is None:
        raise BoardError(
            f"{path} is damaged, or has a format that this OpenCV cannot read, such as HEIC. Save "
            "it as JPEG or PNG"
        )
    if picture.dtype not in (np.uint8, np.uint16):
        raise BoardError(
            f"{path} has pixels of type {picture.dtype}; expected 8 or 16 bits. Save it with 8 bits"
        )
    return np.ascontiguousarray(_on_white(picture)[..., ::-1])


def name_of(path: Any) -> str:
    """Return a path as text, decoded as UTF-8 in any locale; otherwise OpenCV 4.1 would crash.

    Bytes that are not UTF-8 become surrogates, which os.fsencode restores.
    """
    return os.fsencode(path).decode("utf-8", "surrogateescape")


def jpeg_size(content: bytes) -> Optional[Tuple[int, int]]:
    """Return (width, height) from a JPEG's header, None if it is not a JPEG."""
    if content[:2] != b"\xff\xd8":
        return None
    at = 2
    while at + 9 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return width, height
        at += 1 if marker == 0xFF else 2 + struct.unpack(">H", content[at + 2 : at + 4])[0]
    return None


def _jpeg_flags(times: int) -> int:
    """Return flags that decode a large JPEG at 1/2, 1/4 or 1/8 of its size.

    ``times`` is its shorter side divided by twice the input size.
    """
    for factor, flags in ((8, "8"), (4, "4"), (2, "2")):
        if times >= factor:
            return int(getattr(cv2, "IMREAD_REDUCED_COLOR_" + flags))
    return int(cv2.IMREAD_COLOR)


def _on_white(picture: Any) -> Any:
    if picture.ndim == 2:
        picture = picture[..., None]
    if picture.dtype == np.uint16:
        # As in training, an image without values over 4,095 is treated as 12-bit.
        is_12_bit = picture[..., :3].max() < 4096
        alpha = picture[..., 3:]
        alpha = alpha >> (4 if is_12_bit and alpha.size and alpha.max() < 4096 else 8)
        colour = picture[..., :3] >> (4 if is_12_bit else 8)
        picture = np.concatenate([colour, alpha], axis=2).astype(np.uint8)
    if picture.shape[2] == 4:
        alpha = picture[..., 3:].astype(np.uint32)
        return ((picture[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    return picture if picture.shape[2] == 3 else np.repeat(picture[..., :1], 3, axis=2)


def to_input(image: Any, settings: Settings) -> Any:
    """Convert an image, uint8 (height, width, 3), RGB, to the input float32 (1, 3, H, W)."""
    height, width = settings.height, settings.width
    rows, columns = height, width
    if settings.letterbox:
        scale = min(width / image.shape[1], height / image.shape[0])
        rows = max(1, round(image.shape[0] * scale))
        columns = max(1, round(image.shape[1] * scale))
    pixels = np.full((height, width, 3), settings.grey, np.float32)
    top, left = (height - rows) // 2, (width - columns) // 2
    pixels[top : top + rows, left : left + columns] = resize(image, rows, columns)
    scaled = pixels / np.float32(255) * np.float32(settings.high - settings.low)
    return np.ascontiguousarray((scaled + np.float32(settings.low)).transpose(2, 0, 1)[None])


def resize(image: Any, rows: int, columns: int) -> Any:
    """Resize an image: uint8, bilinear with antialiasing.

    Steps and rounding are those of Pillow: first, blocks of pixels are averaged to at least three
    times the size; then, columns and rows are filtered with a triangle as wide as the reduction.
    (Pillow filters the rows of some tall images first, which rounds some values differently.)
    """
    height, width = image.shape[:2]
    by_rows, by_columns = int(height / rows / 3.0) or 1, int(width / columns / 3.0) or 1
    if by_rows > 1 or by_columns > 1:
        image = _average_blocks(image, by_rows, by_columns)
    across = _filter(image.transpose(1, 0, 2), width / by_columns, columns)
    return _filter(across.transpose(1, 0, 2), height / by_rows, rows)


def _average_blocks(image: Any, by_rows: int, by_columns: int) -> Any:
    starts = [np.arange(0, image.shape[0], by_rows), np.arange(0, image.shape[1], by_columns)]
    counts = [np.diff(np.append(starts[axis], image.shape[axis])) for axis in (0, 1)]
    sums = np.add.reduceat(image, starts[0], axis=0, dtype=np.uint32)
    sums = np.add.reduceat(sums, starts[1], axis=1)
    areas = (counts[0][:, None] * counts[1])[..., None].astype(np.uint32)
    return (((sums + areas // 2) * ((1 << 24) // areas)) >> 24).astype(np.uint8)


def _filter(image: Any, span: float, size: int) -> Any:
    """Resample the rows of an image to ``size`` rows with the triangle filter."""
    lines = np.ascontiguousarray(image).reshape(len(image), -1)
    taps, weights = _triangle(len(lines), span, size)
    total = np.full((size, lines.shape[1]), 1 << (_BITS - 1), np.int32)
    for tap, weight in zip(taps.T, weights.T):
        total += weight[:, None] * lines[tap]
    return (total >> _BITS).astype(np.uint8).reshape((size, *image.shape[1:]))


@functools.lru_cache(maxsize=8)
def _triangle(num_lines: int, span: float, size: int) -> Tuple[Any, Any]:
    """Return source lines and weights of each new line, each (size, num_taps)."""
    scale = span / size
    support = max(scale, 1.0)
    centres = (np.arange(size) + 0.5) * scale
    first = np.maximum(np.floor(centres - support + 0.5), 0).astype(int)
    end = np.minimum(np.floor(centres + support + 0.5), num_lines).astype(int)
    taps = first[:, None] + np.arange((end - first).max())
    weights = np.maximum(1 - np.abs(taps - centres[:, None] + 0.5) / support, 0)
    weights[taps >= end[:, None]] = 0
    weights /= weights.sum(axis=1, keepdims=True)
    return np.minimum(taps, num_lines - 1), np.floor(weights * (1 << _BITS) + 0.5).astype(np.int32)


# ----------------------------------------------------------------------------------------------
# CUDA memory and streams by ctypes; pycuda would have to be compiled on the board


_INT, _POINTER = ctypes.c_int, ctypes.c_void_p
_OUT_INT, _OUT_POINTER = ctypes.POINTER(_INT), ctypes.POINTER(_POINTER)
SIGNATURES: Dict[str, Tuple[Any, List[Any]]] = {
    "cudaGetErrorString": (ctypes.c_char_p, [_INT]),
    "cudaDeviceGetAttribute": (_INT, [_OUT_INT, _INT, _INT]),
    "cudaMalloc": (_INT, [_OUT_POINTER, ctypes.c_size_t]),
    "cudaFree": (_INT, [_POINTER]),
    "cudaStreamCreate": (_INT, [_OUT_POINTER]),
    "cudaStreamDestroy": (_INT, [_POINTER]),
    "cudaStreamSynchronize": (_INT, [_POINTER]),
    "cudaMemcpyAsync": (_INT, [_POINTER, _POINTER, ctypes.c_size_t, _INT, _POINTER]),
}


class Cuda:
    """Wrapper of libcudart; functions that fail raise ``BoardError``."""

    TO_DEVICE, TO_HOST = 1, 2
    _MULTIPROCESSORS, _MAJOR, _MINOR = 16, 75, 76
    _NO_MEMORY = 2

    def __init__(self) -> None:
        """Load the library.

        Raises:
            BoardError: The library is not found, or the GPU does not respond.
        """
        self._library = self._load()
        for name, (restype, argtypes) in SIGNATURES.items():
            function = getattr(self._library, name)
            function.restype, function.argtypes = restype, argtypes
        self.gpu = self._gpu()

    @staticmethod
    def _load() -> Any:
        names = ["/usr/local/cuda/lib64/libcudart.so"]
        installed = Path("/usr/local").glob("cuda*/targets/*/lib/libcudart.so*")
        names += sorted((str(one) for one in installed), reverse=True)
        names += ["libcudart.so" + end for end in ("", ".13", ".12", ".11.0", ".10.2")]
        for name in names:
            try:
                return ctypes.CDLL(name)
            except OSError:
                continue
        raise BoardError(
            "CUDA's library libcudart was not found below /usr/local/cuda* or in the library path. "
            "It comes with JetPack: sudo apt-get install nvidia-jetpack"
        )

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function of the library.

        Raises:
            BoardError: The function returns an error.
        """
        code = getattr(self._library, name)(*arguments)
        if code != 0:
            text = (self._library.cudaGetErrorString(code) or b"no text").decode("ascii", "replace")
            place = "Memory" if code == self._NO_MEMORY else "When something fails"
            raise BoardError(
                f'CUDA: {name} failed with error {code} ({text}); see README.md, "{place}".'
            )

    def _gpu(self) -> str:
        """Return compute capability and number of multiprocessors; engines depend on both."""
        values = []
        for attribute in (self._MAJOR, self._MINOR, self._MULTIPROCESSORS):
            value = ctypes.c_int()
            self.call("cudaDeviceGetAttribute", ctypes.byref(value), attribute, 0)
            values.append(value.value)
        return "sm{}{}x{}".format(*values)

    def allocate(self, num_bytes: int) -> int:
        """Allocate GPU memory and return its address."""
        pointer = ctypes.c_void_p()
        self.call("cudaMalloc", ctypes.byref(pointer), num_bytes)
        return pointer.value or 0

    def new_stream(self) -> int:
        """Create a CUDA stream and return its handle."""
        stream = ctypes.c_void_p()
        self.call("cudaStreamCreate", ctypes.byref(stream))
        return stream.value or 0

    def copy(self, destination: int, source: int, num_bytes: int, kind: int, stream: int) -> None:
        """Queue a copy between host and GPU memory."""
        self.call("cudaMemcpyAsync", destination, source, num_bytes, kind, stream)


# ----------------------------------------------------------------------------------------------
# TensorRT 7.1 to 10.x; differences are detected by attributes, not by version numbers


def import_tensorrt() -> Any:
    """Import ``tensorrt``.

    Raises:
        BoardError: It is not installed.
    """
    try:
        import tensorrt
    except ImportError as error:
        raise BoardError(
            f"TensorRT cannot be imported ({error}). It comes with JetPack (sudo apt-get install "
            "nvidia-jetpack), for the system's python3 only. Do not use virtual environments or "
            "conda, and do not install tensorrt with pip. To run without it: --runtime onnxruntime"
        ) from error
    return tensorrt


def _made(kind: Callable[..., Any], logger: Any) -> Any:
    """Create a TensorRT object; it fails if memory is short or CUDA does not work."""
    try:
        return kind(logger)
    except (TypeError, RuntimeError) as error:
        raise BoardError(
            f"TensorRT cannot start ({error}). The usual reason is too little memory; see "
            'README.md, "Memory".'
        ) from error


@contextlib.contextmanager
def _signals_end_at_once() -> Iterator[None]:
    """Let Ctrl-C end the process during a native call that takes minutes."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.SIG_DFL) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before):
            signal.signal(number, handler)


class EngineBuilder:
    """Builds engines from ONNX files; keeps a timing cache, which speeds up later builds."""

    def __init__(self, trt: Any, logger: Any, options: argparse.Namespace) -> None:
        """Prepare a builder with the options ``precision`` and ``workspace``."""
        self._trt, self._logger = trt, logger
        self._precision: str = options.precision
        self._workspace: int = options.workspace * MIB

    def build(self, onnx: bytes, timing_file: Path) -> bytes:
        """Build an engine and return it serialized.

        Raises:
            BoardError: TensorRT cannot read the file, or memory is short.
        """
        builder = _made(self._trt.Builder, self._logger)
        explicit = getattr(self._trt.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH", None)
        network = builder.create_network(0 if explicit is None else 1 << int(explicit))
        parser = self._trt.OnnxParser(network, self._logger)
        if not parser.parse(onnx):
            errors = [str(parser.get_error(index)) for index in range(parser.num_errors)]
            raise BoardError(
                "TensorRT {} cannot read model.onnx:\n  {}".format(
                    self._trt.__version__, "\n  ".join(errors)
                )
            )
        config = builder.create_builder_config()
        self._set_up(config)
        self._take_timing(config, timing_file)
        with _signals_end_at_once():
            plan = self._plan(builder, network, config)
        if plan is None:
            raise BoardError(
                "TensorRT could not build the engine; see its messages above. The usual reason is "
                'too little memory: see README.md, "Memory", or try a smaller --workspace.'
            )
        self._keep_timing(config, timing_file)
        return bytes(plan)

    @staticmethod
    def _plan(builder: Any, network: Any, config: Any) -> Any:
        if hasattr(builder, "build_serialized_network"):
            return builder.build_serialized_network(network, config)
        engine = builder.build_engine(network, config)
        return None if engine is None else engine.serialize()

    def _set_up(self, config: Any) -> None:
        flags = self._trt.BuilderFlag
        if hasattr(config, "set_memory_pool_limit"):
            config.set_memory_pool_limit(self._trt.MemoryPoolType.WORKSPACE, self._workspace)
        else:
            config.max_workspace_size = self._workspace
        if self._precision == "fp32":
            if hasattr(flags, "TF32"):  # on by default, but as inexact as fp16
                config.clear_flag(flags.TF32)
        elif hasattr(flags, "FP16"):
            config.set_flag(flags.FP16)
        else:
            raise BoardError(
                f"TensorRT {self._trt.__version__} no longer has an option for fp16. "
                "Use --precision fp32."
            )

    @staticmethod
    def _take_timing(config: Any, file: Path) -> None:
        if hasattr(config, "create_timing_cache"):
            cache = config.create_timing_cache(file.read_bytes() if file.is_file() else b"")
            if cache is None or not config.set_timing_cache(cache, False):
                config.set_timing_cache(config.create_timing_cache(b""), False)

    @staticmethod
    def _keep_timing(config: Any, file: Path) -> None:
        cache = config.get_timing_cache() if hasattr(config, "get_timing_cache") else None
        if cache is not None:
            _write(file, bytes(cache.serialize()))


class TensorRT:
    """Runs model.onnx as a TensorRT engine, which is built for this board if necessary."""

    def __init__(self, settings: Settings, options: argparse.Namespace) -> None:
        """Load the engine, or build it if there is none.

        Raises:
            BoardError: TensorRT or CUDA fails.
        """
        self.precision: str = options.precision
        self._trt = import_tensorrt()
        self._cuda = Cuda()
        levels = self._trt.Logger
        self._logger = levels(levels.INFO if options.verbose else levels.WARNING)
        # They must be freed in this order: context, engine, runtime.
        self._context: Any = None
        self._engine: Any = None
        self._runtime = _made(self._trt.Runtime, self._logger)
        self._buffers: List[int] = []
        self._engine = self._open(settings, options)
        self._prepare(settings)

    def _open(self, settings: Settings, options: argparse.Namespace) -> Any:
        onnx = settings.model_bytes()
        board = f"{self._cuda.gpu}.trt{self._trt.__version__}"
        content = hashlib.sha256(onnx).hexdigest()[:12]
        folder: Path = options.engines or settings.folder
        file = folder / f"model.{board}.{content}.{self.precision}.engine"
        if file.is_file() and not options.rebuild:
            engine = self._runtime.deserialize_cuda_engine(file.read_bytes())
            if engine is not None:
                return engine
            tell(f"{file} cannot be loaded. It is built again.")
        _require_writable(folder)
        tell(f"Building {file}. This takes minutes, but only once.")
        started = time.time()
        builder = EngineBuilder(self._trt, self._logger, options)
        plan = builder.build(onnx, folder / f"model.{board}.timing")
        _write(file, plan)
        tell(f"Built in {time.time() - started:.0f} s.")
        engine = self._runtime.deserialize_cuda_engine(plan)
        if engine is None:
            raise BoardError(
                "TensorRT cannot load the engine that it has just built; see its messages above. "
                "Run again with --rebuild."
            )
        return engine

    def _tensors(self) -> List[Tuple[str, bool, Any, Any]]:
        """Return (name, is input, type, shape) of the engine's tensors, in its order."""
        engine = self._engine
        if self._by_name:
            names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
            return [
                (
                    name,
                    engine.get_tensor_mode(name) == self._trt.TensorIOMode.INPUT,
                    engine.get_tensor_dtype(name),
                    tuple(engine.get_tensor_shape(name)),
                )
                for name in names
            ]
        return [
            (
                engine.get_binding_name(index),
                engine.binding_is_input(index),
                engine.get_binding_dtype(index),
                tuple(engine.get_binding_shape(index)),
            )
            for index in range(engine.num_bindings)
        ]

    def _prepare(self, settings: Settings) -> None:
        self._by_name = hasattr(self._engine, "num_io_tensors")
        tensors = self._tensors()
        settings.require_tensors(
            {
                name: (is_input, shape)
                for name, is_input, kind, shape in tensors
                if kind == self._trt.float32
            }
        )
        self._context = self._engine.create_execution_context()
        if self._context is None:
            raise BoardError(
                'TensorRT has too little memory to run the engine; see README.md, "Memory".'
            )
        self._result = np.empty((1, len(settings.labels)), np.float32)
        self._stream = self._cuda.new_stream()
        for name, is_input, _, shape in tensors:
            address = self._cuda.allocate(4 * int(np.prod(shape)))
            self._buffers.append(address)
            if is_input:
                self._source = address
            else:
                self._target = address
            if self._by_name and not self._context.set_tensor_address(name, address):
                raise BoardError(
                    f"TensorRT: set_tensor_address({name!r}) failed; see its messages above."
                )

    def run(self, inputs: Any) -> Any:
        """Return the probabilities, float32 (num_classes,).

        Raises:
            BoardError: TensorRT or CUDA fails.
        """
        copy, stream = self._cuda.copy, self._stream
        copy(self._source, inputs.ctypes.data, inputs.nbytes, Cuda.TO_DEVICE, stream)
        if self._by_name:
            name, done = "execute_async_v3", self._context.execute_async_v3(stream)
        else:
            name, done = "execute_async_v2", self._context.execute_async_v2(self._buffers, stream)
        if not done:
            raise BoardError(f"TensorRT: {name} failed; see its messages above.")
        result = self._result
        copy(result.ctypes.data, self._target, result.nbytes, Cuda.TO_HOST, stream)
        self._cuda.call("cudaStreamSynchronize", stream)
        return result[0].copy()

    def about(self) -> str:
        """Return what runs, for people."""
        return f"TensorRT {self._trt.__version__} {self.precision}, GPU {self._cuda.gpu}"

    def close(self) -> None:
        """Free GPU memory and stream, then context, engine and runtime, in this order."""
        self._cuda.call("cudaStreamSynchronize", self._stream)
        while self._buffers:
            self._cuda.call("cudaFree", self._buffers.pop())
        self._cuda.call("cudaStreamDestroy", self._stream)
        self._context = self._engine = self._runtime = None


def _require_writable(folder: Path) -> None:
    """Check, before the engine is built, that the folder can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_written(folder, str(error.strerror)) from error
    if not os.access(str(folder), os.W_OK):
        raise _not_written(folder, "Permission denied")


def _not_written(path: Path, reason: str) -> BoardError:
    return BoardError(
        f"{path} cannot be written ({reason}). Name another folder with --engines FOLDER"
    )


def _write(path: Path, content: bytes) -> None:
    """Write a file atomically, so that a power cut does not leave a partial engine."""
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise _not_written(path, str(error.strerror)) from error


class OnnxRuntime:
    """Runs model.onnx in ONNX Runtime (``--runtime onnxruntime``)."""

    precision = "fp32"

    def __init__(self, settings: Settings, options: argparse.Namespace) -> None:
        """Load the model.

        Raises:
            BoardError: ONNX Runtime is not installed, or cannot read the model.
        """
        os.environ.setdefault("NVIDIA_TF32_OVERRIDE", "0")  # TF32 is as inexact as fp16
        try:
            import onnxruntime
        except ImportError as error:
            raise BoardError(
                f"ONNX Runtime cannot be imported ({error}). See the end of README.md."
            ) from error
        wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
        there = onnxruntime.get_available_providers()
        providers = [name for name in wanted if name in there]
        model = settings.model_bytes()
        try:
            self._session = onnxruntime.InferenceSession(model, providers=providers)
        except Exception as error:  # its errors have no class of their own
            raise BoardError(
                f"ONNX Runtime cannot read {settings.model}: {error}. Copy the folder again."
            ) from error
        tensors = [(True, one) for one in self._session.get_inputs()]
        tensors += [(False, one) for one in self._session.get_outputs()]
        settings.require_tensors(
            {one.name: (is_input, tuple(one.shape)) for is_input, one in tensors}
        )
        self._names = settings.input, settings.output
        self._version = onnxruntime.__version__

    def run(self, inputs: Any) -> Any:
        """Return the probabilities, float32 (num_classes,)."""
        return self._session.run([self._names[1]], {self._names[0]: inputs})[0][0]

    def about(self) -> str:
        """Return what runs, for people."""
        return f"ONNX Runtime {self._version}, {self._session.get_providers()[0]}"

    def close(self) -> None:
        """Do nothing."""


RUNTIMES: Dict[str, Any] = {"tensorrt": TensorRT, "onnxruntime": OnnxRuntime}


# ----------------------------------------------------------------------------------------------
# Frames


class Newest:
    """Reads a live camera continuously in a thread and keeps only the newest frame."""

    def __init__(self, capture: Any) -> None:
        self._capture = capture
        self._changed = threading.Condition()
        self._frame: Optional[Any] = None
        self._ended = False
        self._thread = threading.Thread(target=self._read)
        self._thread.daemon = True
        self._thread.start()

    def _read(self) -> None:
        while not self._ended:
            there, frame = self._capture.read()
            with self._changed:
                self._frame = frame if there else None
                self._ended = self._ended or not there
                self._changed.notify()

    def take(self) -> Optional[Any]:
        """Wait for a new frame and return it; None if none arrives in time or the camera ended."""
        with self._changed:
            self._changed.wait_for(lambda: self._frame is not None or self._ended, SILENCE_S)
            frame, self._frame = self._frame, None
            return frame

    def stop(self) -> bool:
        """Stop reading; returns whether the camera can be released."""
        self._ended = True
        self._thread.join(SILENCE_S)
        return not self._thread.is_alive()


def csi_pipeline(options: argparse.Namespace) -> str:
    """Return the GStreamer pipeline of a CSI camera: scaled by hardware, old frames dropped."""
    width, height = options.width, options.height
    return (
        f"nvarguscamerasrc sensor-id={options.csi} ! video/x-raw(memory:NVMM), width=(int){width}, "
        f"height=(int){height}, format=(string)NV12, framerate=(fraction){options.fps}/1 ! "
        # Bilinear; the default would skip half of the pixels.
        f"nvvidconv flip-method={options.flip} interpolation-method=1 ! video/x-raw, "
        f"width=(int){width // 2}, height=(int){height // 2}, format=(string)BGRx ! videoconvert ! "
        "video/x-raw, format=(string)BGR ! appsink drop=true max-buffers=1 sync=false"
    )


def open_capture(options: argparse.Namespace) -> Any:
    """Open the camera or video as ``cv2.VideoCapture``.

    Raises:
        BoardError: It cannot be opened.
    """
    if options.csi is not None:
        capture, what, cure = _open_csi(options), f"The CSI camera {options.csi}", CSI_CURE
    elif options.camera is not None:
        capture, what, cure = _open_usb(options), f"The USB camera {options.camera}", USB_CURE
    else:
        capture, what = (
            cv2.VideoCapture(printable(name_of(options.video))),
            f"The video {name_of(options.video)}",
        )
        cure = "Check that the file exists. If it does, this OpenCV may lack its codec"
    if not capture.isOpened():
        capture.release()
        raise BoardError(f"{what} cannot be opened. {cure}.")
    return capture


def _open_csi(options: argparse.Namespace) -> Any:
    if not re.search(r"GStreamer:\s+YES", cv2.getBuildInformation()):
        raise BoardError(
            f"This OpenCV ({cv2.__version__}) has no GStreamer, which a CSI camera needs. That of "
            "JetPack has it. Remove others (pip3 uninstall opencv-python; on a Nano sudo apt-get "
            "remove python3-opencv), then: sudo apt-get install --reinstall libopencv-python"
        )
    return cv2.VideoCapture(csi_pipeline(options), cv2.CAP_GSTREAMER)


def _open_usb(options: argparse.Namespace) -> Any:
    capture = cv2.VideoCapture(options.camera, cv2.CAP_V4L2)
    # MJPG first: with YUYV, the default, USB transfers at most a third of the frames.
    capture.set(cv2.CAP_PROP_FOURCC, int.from_bytes(b"MJPG", "little"))
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, options.width)
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, options.height)
    capture.set(cv2.CAP_PROP_FPS, options.fps)
    return capture


def frames(options: argparse.Namespace) -> Frames:
    """Yield (seconds, BGR image): every frame of a video, the newest frame of a camera.

    Raises:
        BoardError: The source cannot be opened, or the camera stops sending frames.
    """
    capture = open_capture(options)
    if options.video is not None:
        return _every_frame(capture, options.video)
    return _newest_frames(capture, USB_CURE if options.csi is None else CSI_CURE)


def _every_frame(capture: Any, name: str) -> Frames:
    count = 0
    try:
        rate = capture.get(cv2.CAP_PROP_FPS) or 30.0
        there, picture = capture.read()
        while there:
            yield count / rate, picture
            count += 1
            there, picture = capture.read()
    finally:
        capture.release()
    if not count:
        raise BoardError(f"No frame of the video {name} can be read. Record or convert it again.")


def _newest_frames(capture: Any, cure: str) -> Frames:
    newest = Newest(capture)
    started = time.time()
    try:
        while True:
            picture = newest.take()
            if picture is None:
                raise BoardError(
                    f"The camera sent no frame for {SILENCE_S:.0f} s, or was disconnected. {cure}."
                )
            yield time.time() - started, picture
    finally:
        if newest.stop():  # releasing it during a read would crash
            capture.release()


def central_box(picture: Any, settings: Settings, share: float) -> Box:
    """Return (left, top, right, bottom) of the centre, with the network's aspect ratio."""
    height, width = picture.shape[:2]
    scale = share * min(height / settings.height, width / settings.width)
    rows = max(1, round(scale * settings.height))
    columns = max(1, round(scale * settings.width))
    left, top = (width - columns) // 2, (height - rows) // 2
    return left, top, left + columns, top + rows


# ----------------------------------------------------------------------------------------------
# Answers


def answer(probabilities: Any, settings: Settings, options: argparse.Namespace) -> Dict[str, Any]:
    """Return the answer for one photo or frame, with the keys of `bricksight classify --json`.

    Raises:
        BoardError: The output of the model is not a set of probabilities.
    """
    _require_probabilities(probabilities, settings)
    order = np.argsort(-probabilities, kind="mergesort")[: options.top]
    threshold = settings.unknown_threshold if options.threshold is None else options.threshold
    best = [
        {"label": settings.labels[index], "probability": round(float(probabilities[index]), 6)}
        for index in order
    ]
    is_unknown = threshold is not None and float(probabilities[order[0]]) < threshold
    return {
        "label": None if is_unknown else best[0]["label"],
        "is_unknown": is_unknown,
        "predictions": best,
    }


def _require_probabilities(found: Any, settings: Settings) -> None:
    # The comparisons are false for NaN.
    is_right = found.min() >= -0.01 and found.max() <= 1.01 and abs(float(found.sum()) - 1) <= 0.01
    if found.shape != (len(settings.labels),) or not is_right:
        raise BoardError(
            f"The model's output for a photo begins with {found[:4]}; expected "
            f"{len(settings.labels)} probabilities with a sum of 1. Copy the folder again, and run "
            "--selftest."
        )


def as_text(said: Dict[str, Any]) -> str:
    """Format an answer as text."""
    best = ", ".join(
        "{} {:.1f} %".format(one["label"], 100 * one["probability"]) for one in said["predictions"]
    )
    return f"unknown ({best})" if said["is_unknown"] else best


def printable(text: str) -> str:
    """Escape invisible and control characters, so that text is safe to print to a terminal."""
    return "".join(one if _is_drawn(one) else _escaped(one) for one in text)


def _is_drawn(character: str) -> bool:
    hidden = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    # Emoji and some scripts need joiners.
    return character in "\u200c\u200d\ufe0f" or unicodedata.category(character) not in hidden


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name that is not UTF-8
        return "\\x{:02x}".format(code - 0xDC00)
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def tell(text: str) -> None:
    """Write a message to stderr; only a line break before two spaces starts a new line."""
    _write_lines(re.split(r"\n(?=  )", text), sys.stderr)


def _write_lines(lines: Sequence[str], stream: Any) -> None:
    """Write lines, with unsafe characters and those that the encoding lacks escaped."""
    encoding = stream.encoding or "ascii"
    text = "".join(printable(line) + "\n" for line in lines)
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()


def say(said: Dict[str, Any], lines: Sequence[str], options: argparse.Namespace) -> None:
    """Write an answer to stdout: a JSON line when headless, else the lines."""
    _write_lines([json.dumps(said)] if options.headless else lines, sys.stdout)


def photos_below(folder: Path) -> List[Path]:
    """Return the photos in a folder and its sub-folders, sorted; each folder is listed once.

    Hidden files, system files, pipes and devices are skipped.
    """
    found, seen, waiting = [], set(), [folder]
    while waiting:
        here = waiting.pop()
        if here.resolve() in seen:
            continue
        seen.add(here.resolve())
        try:
            for path in here.iterdir():
                if path.name.startswith(".") or path.name.lower() in SYSTEM_FOLDERS:
                    continue
                if path.is_dir():
                    waiting.append(path)
                elif path.suffix.lower() in PHOTO_EXTENSIONS and path.is_file():
                    found.append(path)
        except OSError as error:
            tell(f"{here} cannot be listed: {error.strerror}")
    return sorted(found)


def photos_in(paths: Sequence[Path]) -> List[Path]:
    """Return the given files, and the photos below the given folders, sorted by folder."""
    found: List[Path] = []
    for path in paths:
        found += photos_below(path) if path.is_dir() else [path]
    if not found:
        raise BoardError(
            f"{paths[0]} holds no photos ({' '.join(PHOTO_EXTENSIONS)}). Name another folder."
        )
    return found


def classify_photos(runtime: Any, settings: Settings, options: argparse.Namespace) -> int:
    """Classify photos; unreadable ones are reported, and the exit code is then 1."""
    code = 0
    for path in photos_in(options.photos):
        try:
            image = read_photo(path, settings)
        except BoardError as error:
            tell(f"set aside: {error}")
            code = 1
            continue
        said = answer(runtime.run(to_input(image, settings)), settings, options)
        said["photo"] = name_of(path)
        say(said, [f"{name_of(path)}: {as_text(said)}"], options)
    return code


def classify_frames(runtime: Any, settings: Settings, options: argparse.Namespace) -> int:
    """Classify frames and show the answers in a window, or print them as JSON lines."""
    rows: Any = collections.deque(maxlen=options.smooth)
    times: Any = collections.deque(maxlen=31)
    show = None if options.headless else _window()
    with contextlib.closing(frames(options)) as source:
        for index, (time_s, picture) in enumerate(source):
            left, top, right, bottom = box = central_box(picture, settings, options.region)
            image = np.ascontiguousarray(picture[top:bottom, left:right, ::-1])
            rows.append(runtime.run(to_input(image, settings)))
            said = answer(np.mean(rows, axis=0), settings, options)
            times.append(time.time())
            rate = (len(times) - 1) / max(times[-1] - times[0], 1e-9)
            said.update(frame=index, time_s=round(time_s, 3), fps=round(rate, 1))
            if show is None:
                say(said, [], options)
            elif not show(picture, box, said):
                break
            if index + 1 == options.limit:
                break
    return 0


def _require_display() -> None:
    """Check, before the engine is built, that there is a display."""
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise BoardError(
            "There is no display for a window. Use --headless, or, if a monitor is connected: "
            "export DISPLAY=:0"
        )


def _window() -> Callable[[Any, Box, Dict[str, Any]], bool]:
    """Open a window; returns a function that shows a frame, false when the user quits."""
    title = "classify.py: press q to quit"
    try:
        cv2.namedWindow(title, cv2.WINDOW_AUTOSIZE)
    except cv2.error as error:
        raise BoardError(f"OpenCV cannot open a window; use --headless. ({error})") from error

    def show(picture: Any, box: Box, said: Dict[str, Any]) -> bool:
        # Negative once the window is closed; WND_PROP_VISIBLE does not work with GTK.
        if cv2.getWindowProperty(title, cv2.WND_PROP_AUTOSIZE) < 0:
            return False
        _draw(picture, box, said)
        cv2.imshow(title, picture)
        return cv2.waitKey(1) & 0xFF not in (ord("q"), 27)

    return show


def _draw(picture: Any, box: Box, said: Dict[str, Any]) -> None:
    colour = (40, 170, 255) if said["is_unknown"] else (90, 220, 90)
    cv2.rectangle(picture, box[:2], box[2:], colour, 2)
    # OpenCV's fonts have only ASCII characters.
    named = printable(as_text(said)).encode("ascii", "backslashreplace").decode("ascii")
    for row, text in enumerate([named, "{:.1f} frames/s".format(said["fps"])]):
        place = (10, 28 + 28 * row)
        for ink, thickness in (((0, 0, 0), 4), ((255, 255, 255), 1)):
            cv2.putText(
                picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.7, ink, thickness, cv2.LINE_AA
            )


# ----------------------------------------------------------------------------------------------
# Selftest and benchmark


def selftest(runtime: Any, settings: Settings, options: argparse.Namespace) -> int:
    """Compare the probabilities for the golden photos with those of the PC; returns 0 if equal."""
    allowed = TOLERANCE[runtime.precision]
    wrong = 0
    for path, expected in settings.golden():
        found = runtime.run(to_input(read_photo(path, settings), settings))
        difference = float(np.abs(found - expected).max())
        is_wrong = not difference <= allowed  # also for NaN
        wrong += is_wrong
        said = {"photo": path.name, "difference": round(difference, 6), "passed": not is_wrong}
        text = "{}: {}, on the PC {}; probabilities differ by up to {:.4f} ({} allowed): {}".format(
            path.name,
            settings.labels[int(found.argmax())],
            settings.labels[int(expected.argmax())],
            difference,
            allowed,
            "FAILED" if is_wrong else "passed",
        )
        say(said, [text], options)
    if wrong:
        cure = "Do not use its answers. Copy the folder again."
        if runtime.precision == "fp16":
            cure = "Try --precision fp32. If that fails too, do not use the answers."
        raise BoardError(
            f"The selftest failed: for {wrong} of the golden photos, {runtime.about()} gives other "
            f"probabilities than the PC. {cure}"
        )
    tell(f"Selftest passed: {runtime.about()}")
    return 0


def benchmark(runtime: Any, settings: Settings, options: argparse.Namespace) -> int:
    """Measure preprocessing and inference separately, on a golden photo."""
    image = read_photo(settings.golden()[0][0], settings)
    inputs = to_input(image, settings)
    for _ in range(10):
        runtime.run(inputs)
    said: Dict[str, Any] = {"runtime": runtime.about(), "photo_size": list(image.shape[1::-1])}
    steps: Dict[str, Callable[[], Any]] = {
        "prepare": lambda: to_input(image, settings),
        "network": lambda: runtime.run(inputs),
    }
    for step, function in sorted(steps.items()):
        times = []
        for _ in range(options.iterations):
            started = time.perf_counter()
            function()
            times.append(1000 * (time.perf_counter() - started))
        for percentile in (50, 95):
            said[f"{step}_ms_p{percentile}"] = round(float(np.percentile(times, percentile)), 3)
    say(said, [f"{key:16} {value}" for key, value in sorted(said.items())], options)
    return 0


def build_only(runtime: Any, settings: Settings, options: argparse.Namespace) -> int:
    """Report that the engine is ready; the runtime has built it if necessary."""
    tell(f"Ready: {runtime.about()}")
    return 0


# ----------------------------------------------------------------------------------------------
# Command line


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        usage="python3 classify.py PHOTO... | --camera N | --csi N | --video FILE | --selftest | "
        "--benchmark | --build [options]",
        description="Classify photos, camera frames or a video with the model in this folder.",
    )
    add = parser.add_argument_group("what to do").add_argument
    add("photos", nargs="*", type=Path, metavar="PHOTO", help="photos or folders of photos")
    add("--camera", type=int, metavar="N", help="USB camera /dev/videoN")
    add("--csi", type=int, metavar="N", help="CSI camera, sensor N")
    add("--video", metavar="FILE", help="video file")
    add("--selftest", action="store_true", help="compare with the results of the PC")
    add("--benchmark", action="store_true", help="measure preprocessing and inference")
    add("--build", action="store_true", help="only build the engine")
    add = parser.add_argument_group("answers").add_argument
    add("--headless", action="store_true", help="no window, one JSON object per line")
    add("--smooth", type=_at_least(1), default=5, metavar="N", help="average over N frames (5)")
    add("--region", type=_over_0, default=0.6, help="side of the classified region, 0 to 1 (0.6)")
    add("--threshold", type=_share, help="answers below it are unknown; 0: none are")
    add("--top", type=_at_least(1), default=3, metavar="N", help="number of classes per answer (3)")
    add("--limit", type=_at_least(1), metavar="N", help="stop after N frames")
    add = parser.add_argument_group("cameras").add_argument
    add("--width", type=_at_least(16), default=1280, metavar="N", help="of frames (1280)")
    add("--height", type=_at_least(16), default=720, metavar="N", help="of frames (720)")
    add("--fps", type=_at_least(1), default=30, metavar="N", help="frames per second (30)")
    add("--flip", type=int, choices=range(8), default=0, help="CSI: nvvidconv's flip-method (0)")
    add = parser.add_argument_group("network").add_argument
    add("--runtime", choices=list(RUNTIMES), default="tensorrt", help="(tensorrt)")
    add(
        "--precision",
        choices=["fp16", "fp32"],
        default="fp16",
        help="of the TensorRT engine (fp16)",
    )
    add("--workspace", type=_at_least(1), default=256, metavar="MIB", help="build memory (256)")
    add("--rebuild", action="store_true", help="build the engine even if it exists")
    add("--engines", type=Path, metavar="FOLDER", help="folder of engines (beside model.onnx)")
    add("--iterations", type=_at_least(1), default=200, metavar="N", help="of --benchmark (200)")
    add("--verbose", action="store_true", help="show more messages of TensorRT")
    add("--folder", type=Path, default=HERE, help="folder of the model (that of this file)")
    return parser


def _at_least(low: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not (text.isdigit() and int(text) >= low):
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} on")
        return int(text)

    return number


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return share


def _over_0(text: str) -> float:
    if _share(text) == 0:
        raise argparse.ArgumentTypeError("the region must be larger than 0")
    return _share(text)


def _task(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Callable[..., int]:
    live = [options.camera is not None, options.csi is not None, options.video is not None]
    asked = [
        (bool(options.photos), classify_photos),
        *[(one, classify_frames) for one in live],
        (options.selftest, selftest),
        (options.benchmark, benchmark),
        (options.build, build_only),
    ]
    chosen = [task for is_asked, task in asked if is_asked]
    if len(chosen) != 1:
        parser.error(
            "name photos, or exactly one of --camera, --csi, --video, --selftest, --benchmark, "
            "--build"
        )
    return chosen[0]


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run the command; returns 0, 1 if something failed or was set aside, 2 for wrong usage."""
    parser = _parser()
    options = parser.parse_args(arguments)
    task = _task(parser, options)
    try:
        settings = Settings(options.folder)
        if task is classify_frames and not options.headless:
            _require_display()
        runtime = RUNTIMES[options.runtime](settings, options)
        code = task(runtime, settings, options)
        runtime.close()  # not after an error, because it would raise another one
        return code
    except BoardError as error:
        tell(f"classify.py: {error}")
        return 1
    except KeyboardInterrupt:
        return 130


def run() -> int:
    """Run ``main()`` with stdout reserved for answers; signals end it with cleanup."""
    # TensorRT and the CSI camera write messages to descriptor 1, which would mix with JSON lines.
    sys.stdout = os.fdopen(os.dup(1), "w", encoding=sys.stdout.encoding)
    os.dup2(2, 1)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:  # so that the camera is released
            signal.signal(number, signal.default_int_handler)
    try:
        return main()
    except BrokenPipeError:  # the reader of the answers has ended, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


if __name__ == "__main__":
    sys.exit(run())
