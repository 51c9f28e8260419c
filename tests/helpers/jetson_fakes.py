"""Stand-ins for TensorRT and CUDA's runtime that take exactly what each version takes.

What a version does not have is not there, arguments have pybind11's types, and memory is real: the
engine reads its input and writes its output through the addresses that it was given.
"""

import ctypes
import enum
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

POINTER = ctypes.c_void_p
TRUE_SIGNATURES: Mapping[str, tuple[Any, list[Any]]] = {
    "cudaGetErrorString": (ctypes.c_char_p, [ctypes.c_int]),
    "cudaDeviceGetAttribute": (
        ctypes.c_int,
        [ctypes.POINTER(ctypes.c_int), ctypes.c_int, ctypes.c_int],
    ),
    "cudaMalloc": (ctypes.c_int, [ctypes.POINTER(POINTER), ctypes.c_size_t]),
    "cudaFree": (ctypes.c_int, [POINTER]),
    "cudaStreamCreate": (ctypes.c_int, [ctypes.POINTER(POINTER)]),
    "cudaStreamDestroy": (ctypes.c_int, [POINTER]),
    "cudaStreamSynchronize": (ctypes.c_int, [POINTER]),
    "cudaMemcpyAsync": (
        ctypes.c_int,
        [POINTER, POINTER, ctypes.c_size_t, ctypes.c_int, POINTER],
    ),
}
STREAM = 0x7F00_1234_5678
INVALID = 1


class FakeFunction:
    """A C function: called without the true types, it fails as a wrong call would."""

    def __init__(self, name: str, python: Callable[..., int]) -> None:
        self.name, self._python = name, python
        self.argtypes: Any = None
        self.restype: Any = ctypes.c_int

    def __call__(self, *arguments: Any) -> Any:
        restype, argtypes = TRUE_SIGNATURES[self.name]
        assert (self.restype, self.argtypes) == (restype, argtypes), self.name
        assert len(arguments) == len(argtypes), self.name
        if restype is ctypes.c_char_p:
            return self._python(*arguments)
        return ctypes.CFUNCTYPE(restype, *argtypes)(self._python)(*arguments)


class FakeCudart:
    """A GPU whose memory lies in this process; ``failing`` names functions and their code."""

    def __init__(self, *, sm: tuple[int, int, int] = (5, 3, 1)) -> None:
        self.failing: dict[str, int] = {}
        self.calls: list[str] = []
        self.memory: dict[int, Any] = {}
        self.streams: set[int] = set()
        self._attributes = dict(zip((75, 76, 16), sm, strict=True))
        for name in TRUE_SIGNATURES:
            setattr(self, name, FakeFunction(name, self._checked(name)))

    def _checked(self, name: str) -> Callable[..., Any]:
        function = getattr(self, f"_{name}")

        def call(*arguments: Any) -> Any:
            self.calls.append(name)
            return self.failing.get(name) or function(*arguments)

        return call

    def _cudaGetErrorString(self, code: int) -> bytes:  # noqa: N802
        return b"error text %d" % code

    def _cudaDeviceGetAttribute(self, out: Any, attribute: int, device: int) -> int:  # noqa: N802
        if attribute not in self._attributes or device != 0:
            return INVALID
        out[0] = self._attributes[attribute]
        return 0

    def _cudaMalloc(self, out: Any, num_bytes: int) -> int:  # noqa: N802
        block = ctypes.create_string_buffer(num_bytes)
        out[0] = ctypes.addressof(block)
        self.memory[ctypes.addressof(block)] = block
        return 0

    def _cudaFree(self, address: int) -> int:  # noqa: N802
        return 0 if self.memory.pop(address, None) is not None else INVALID

    def _cudaStreamCreate(self, out: Any) -> int:  # noqa: N802
        out[0] = STREAM
        self.streams.add(STREAM)
        return 0

    def _cudaStreamDestroy(self, stream: int) -> int:  # noqa: N802
        if stream not in self.streams:
            return INVALID
        self.streams.remove(stream)
        return 0

    def _cudaStreamSynchronize(self, stream: int) -> int:  # noqa: N802
        return 0 if stream in self.streams else INVALID

    def _cudaMemcpyAsync(  # noqa: N802
        self, to: int, source: int, num_bytes: int, kind: int, stream: int
    ) -> int:
        device = {1: to, 2: source}.get(kind)
        block = self.memory.get(device or 0)
        if block is None or len(block) != num_bytes or stream not in self.streams:
            return INVALID
        ctypes.memmove(to, source, num_bytes)
        return 0


@dataclass
class Board:
    """One version of TensorRT on one GPU.

    Attributes:
        version: As ``tensorrt.__version__``.
        network: float32 (1, 3, h, w) to float32 (1, num_classes).
        tensors: Name → shape, the input first.
        failing: What is to fail: "Runtime", "Builder", "parse", "build", "deserialize",
            "context", "address", "execute".
        builds: For each build, what it was given.
    """

    version: str
    network: Callable[[np.ndarray], np.ndarray]
    tensors: dict[str, tuple[int, ...]]
    cudart: FakeCudart = field(default_factory=FakeCudart)
    failing: set[str] = field(default_factory=set)
    builds: list[dict[str, Any]] = field(default_factory=list)

    @property
    def number(self) -> tuple[int, int]:
        major, minor = self.version.split(".")[:2]
        return int(major), int(minor)

    def module(self) -> types.ModuleType:
        """Returns the module ``tensorrt``."""
        return _Maker(self).module()


Severity = enum.IntEnum("Severity", "INTERNAL_ERROR ERROR WARNING INFO VERBOSE", start=0)
DataType = enum.Enum("DataType", "FLOAT HALF INT8 INT32 BOOL")
TensorIOMode = enum.Enum("TensorIOMode", "NONE INPUT OUTPUT")
MemoryPoolType = enum.Enum("MemoryPoolType", "WORKSPACE DLA_MANAGED_SRAM")
CreationFlag = enum.IntEnum("NetworkDefinitionCreationFlag", "EXPLICIT_BATCH", start=0)
StrongFlag = enum.IntEnum("NetworkDefinitionCreationFlag", {"STRONGLY_TYPED": 1})
BuilderFlag = enum.Enum("BuilderFlag", "FP16 INT8 DEBUG REFIT TF32")
StrongBuilderFlag = enum.Enum("BuilderFlag", "DEBUG REFIT TF32")


class _Config:
    """All that ``IBuilderConfig`` ever had; a version takes its own part."""

    asked: dict[str, Any]
    version: str
    flag_type: type[enum.Enum]

    def begin(self, version: str, flag_type: type[enum.Enum]) -> None:
        self.asked, self.version, self.flag_type = {"flags": {"TF32"}}, version, flag_type

    def set_flag(self, flag: enum.Enum) -> None:
        assert isinstance(flag, self.flag_type)
        self.asked["flags"].add(flag.name)

    def clear_flag(self, flag: enum.Enum) -> None:
        assert isinstance(flag, self.flag_type)
        self.asked["flags"].discard(flag.name)

    def set_workspace(self, value: int) -> None:
        assert type(value) is int
        self.asked["max_workspace_size"] = value

    def set_memory_pool_limit(self, pool: enum.Enum, pool_size: int) -> None:
        assert pool is MemoryPoolType.WORKSPACE
        assert type(pool_size) is int
        self.asked["pool"] = pool_size

    def create_timing_cache(self, serialized_timing_cache: bytes) -> Any:
        assert isinstance(serialized_timing_cache, bytes)
        if serialized_timing_cache and not serialized_timing_cache.startswith(b"TIMES "):
            return None
        return types.SimpleNamespace(known=serialized_timing_cache)

    def set_timing_cache(self, cache: Any, ignore_mismatch: bool) -> bool:
        assert ignore_mismatch is False
        if cache.known not in (b"", b"TIMES " + self.version.encode()):
            return False
        self.asked["timing"] = cache.known
        return True

    def get_timing_cache(self) -> Any:
        times = memoryview(b"TIMES " + self.version.encode())
        return types.SimpleNamespace(serialize=lambda: times)


class _Logger:
    """``trt.Logger``, which takes a severity and has all of them as members."""

    def __init__(self, min_severity: Severity = Severity.WARNING) -> None:
        assert isinstance(min_severity, Severity)


for _severity in Severity:
    setattr(_Logger, _severity.name, _severity)


class _Maker:
    """Makes the classes of one version; methods that it lacks are left out."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.has_bindings = board.number < (10, 0)
        self.has_names = board.number >= (8, 5)
        self.has_timing = self.has_serialized = board.number >= (8, 0)
        self.has_pool = board.number >= (8, 4)
        self.is_strong = board.number >= (11, 0)
        self.flag_type = StrongBuilderFlag if self.is_strong else BuilderFlag

    def module(self) -> types.ModuleType:
        trt = self.trt = types.ModuleType("tensorrt")
        trt.__version__ = self.board.version  # type: ignore[attr-defined]
        members = {
            "float32": DataType.FLOAT,
            "Logger": _Logger,
            "NetworkDefinitionCreationFlag": StrongFlag if self.is_strong else CreationFlag,
            "BuilderFlag": self.flag_type,
            "Builder": self.builder(),
            "OnnxParser": self.parser(),
            "Runtime": self.runtime(),
        }
        if self.has_names:
            members["TensorIOMode"] = TensorIOMode
        if self.has_pool:
            members["MemoryPoolType"] = MemoryPoolType
        for name, value in members.items():
            setattr(trt, name, value)
        return trt

    def builder(self) -> type:
        board, maker = self.board, self
        named: dict[str, Any] = {"__slots__": ()}

        def __init__(self: Any, logger: Any) -> None:  # noqa: N807
            maker.start("Builder", logger)

        def create_network(self: Any, flags: int = 0) -> Any:
            assert type(flags) is int
            # Without the flag the old versions count the batch apart, and no ONNX file fits; of
            # version 10 it is ignored, of 11 unknown.
            assert flags == 1 if board.number < (10, 0) else flags == 0 or not maker.is_strong
            return types.SimpleNamespace(parsed=None)

        def build(self: Any, network: Any, config: Any) -> Any:
            assert network.parsed is not None
            assert isinstance(config, maker.config_class)
            board.builds.append({"onnx": network.parsed, **config.asked})
            return None if "build" in board.failing else memoryview(b"PLAN" + network.parsed[:9])

        def build_engine(self: Any, network: Any, config: Any) -> Any:
            plan = build(self, network, config)
            return None if plan is None else types.SimpleNamespace(serialize=lambda: plan)

        self.config_class = self.config()
        named["create_builder_config"] = lambda _: maker.config_class()
        named |= {"__init__": __init__, "create_network": create_network}
        if self.has_bindings:
            named["build_engine"] = build_engine
        if self.has_serialized:
            named["build_serialized_network"] = build
        return type("Builder", (), named)

    def start(self, kind: str, logger: Any) -> None:
        """What pybind11 says where CUDA or memory is missing."""
        assert isinstance(logger, self.trt.Logger)
        if kind in self.board.failing:
            raise TypeError("pybind11::init(): factory function returned nullptr")

    def config(self) -> type:
        named: dict[str, Any] = {
            "__slots__": ("asked", "version", "flag_type"),
            "__init__": lambda one: one.begin(self.board.version, self.flag_type),
            "begin": _Config.begin,
            "set_flag": _Config.set_flag,
            "clear_flag": _Config.clear_flag,
        }
        if self.has_bindings:  # gone in 10, as the bindings
            named["max_workspace_size"] = property(lambda _: 0, _Config.set_workspace)
        if self.has_pool:
            named["set_memory_pool_limit"] = _Config.set_memory_pool_limit
        if self.has_timing:
            named["create_timing_cache"] = _Config.create_timing_cache
            named["set_timing_cache"] = _Config.set_timing_cache
            named["get_timing_cache"] = _Config.get_timing_cache
        return type("IBuilderConfig", (), named)

    def parser(self) -> type:
        board = self.board

        class OnnxParser:
            num_errors = 1

            def __init__(self, network: Any, logger: Any) -> None:
                assert isinstance(logger, _Logger)
                self._network = network

            def parse(self, model: bytes, path: str | None = None) -> bool:
                assert isinstance(model, bytes)
                self._network.parsed = model
                return "parse" not in board.failing

            def get_error(self, index: int) -> str:
                assert index == 0
                return "In node 3: Unsupported ONNX data type: UINT8"

        return OnnxParser

    def runtime(self) -> type:
        board, maker = self.board, self

        class Runtime:
            def __init__(self, logger: Any) -> None:
                maker.start("Runtime", logger)

            def deserialize_cuda_engine(self, serialized_engine: bytes) -> Any:
                assert isinstance(serialized_engine, bytes)
                whole = serialized_engine.startswith(b"PLAN")
                return maker.engine() if whole and "deserialize" not in board.failing else None

        return Runtime

    def engine(self) -> Any:
        names = list(self.board.tensors)
        shapes = self.board.tensors
        named: dict[str, Any] = {"__slots__": ()}
        if self.has_bindings:
            named["num_bindings"] = property(lambda _: 2)
            named["get_binding_name"] = lambda _, index: names[index]
            named["binding_is_input"] = lambda _, index: index == 0
            named["get_binding_dtype"] = lambda _, index: DataType.FLOAT
            named["get_binding_shape"] = lambda _, index: shapes[names[index]]
        if self.has_names:
            named["num_io_tensors"] = property(lambda _: 2)
            named["get_tensor_name"] = lambda _, index: names[index]
            named["get_tensor_mode"] = lambda _, name: (
                TensorIOMode.INPUT if name == names[0] else TensorIOMode.OUTPUT
            )
            named["get_tensor_dtype"] = lambda _, name: dict.fromkeys(names, DataType.FLOAT)[name]
            named["get_tensor_shape"] = lambda _, name: shapes[name]
        context = None if "context" in self.board.failing else self.context()
        named["create_execution_context"] = lambda _: context
        return type("ICudaEngine", (), named)()

    def context(self) -> Any:
        board, names = self.board, list(self.board.tensors)
        addresses: dict[str, int] = {}

        def execute(by_name: Mapping[str, int], stream_handle: int) -> bool:
            assert type(stream_handle) is int
            assert stream_handle in board.cudart.streams
            source, target = (board.cudart.memory[by_name[name]] for name in names)
            inputs = np.frombuffer(source, np.float32).reshape(board.tensors[names[0]])
            np.frombuffer(target, np.float32)[:] = board.network(inputs)[0]
            return "execute" not in board.failing

        def execute_async_v2(
            _: Any, bindings: list[int], stream_handle: int, input_consumed: None = None
        ) -> bool:
            assert type(bindings) is list
            assert all(type(one) is int for one in bindings)
            return execute(dict(zip(names, bindings, strict=True)), stream_handle)

        def set_tensor_address(_: Any, name: str, memory: int) -> bool:
            assert type(memory) is int
            addresses[name] = memory
            return name in names and "address" not in board.failing

        named: dict[str, Any] = {"__slots__": ()}
        if self.has_bindings:
            named["execute_async_v2"] = execute_async_v2
        if self.has_names:
            named["set_tensor_address"] = set_tensor_address
            named["execute_async_v3"] = lambda _, stream_handle: execute(addresses, stream_handle)
        return type("IExecutionContext", (), named)()
