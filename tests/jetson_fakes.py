"""Stand-ins for TensorRT and CUDA's runtime that take exactly what each version takes.

What a version does not have is not there, arguments have pybind11's types, and memory is real: the
engine reads its input and writes its output through the addresses that it was given.
"""

import ctypes
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
        failing: What is to fail: "parse", "build", "deserialize", "context", "execute".
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


class _Config:
    """All that ``IBuilderConfig`` ever had; a version takes its own part."""

    asked: dict[str, Any]
    version: str

    def begin(self, version: str) -> None:
        self.asked, self.version = {"flags": []}, version

    def set_flag(self, flag: str) -> None:
        self.asked["flags"].append(flag)

    def set_workspace(self, value: int) -> None:
        assert isinstance(value, int)
        self.asked["max_workspace_size"] = value

    def set_memory_pool_limit(self, pool: str, pool_size: int) -> None:
        assert pool == "WORKSPACE"
        assert isinstance(pool_size, int)
        self.asked["pool"] = pool_size

    def create_timing_cache(self, serialized_timing_cache: bytes) -> Any:
        assert isinstance(serialized_timing_cache, bytes)
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


class _Maker:
    """Makes the classes of one version; methods that it lacks are left out."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.has_bindings = board.number < (10, 0)
        self.has_names = board.number >= (8, 5)
        self.has_timing = self.has_serialized = board.number >= (8, 0)
        self.has_pool = board.number >= (8, 4)

    def module(self) -> types.ModuleType:
        trt = self.trt = types.ModuleType("tensorrt")
        trt.__version__ = self.board.version  # type: ignore[attr-defined]
        members = {
            "float32": "FLOAT",
            "Logger": type("Logger", (), {"INFO": 3, "WARNING": 2, "__init__": _takes_int}),
            "NetworkDefinitionCreationFlag": types.SimpleNamespace(EXPLICIT_BATCH=0),
            "BuilderFlag": types.SimpleNamespace(FP16="FP16"),
            "Builder": self.builder(),
            "OnnxParser": self.parser(),
            "Runtime": self.runtime(),
        }
        if self.has_names:
            members["TensorIOMode"] = types.SimpleNamespace(INPUT="IN", OUTPUT="OUT")
        if self.has_pool:
            members["MemoryPoolType"] = types.SimpleNamespace(WORKSPACE="WORKSPACE")
        for name, value in members.items():
            setattr(trt, name, value)
        return trt

    def builder(self) -> type:
        board, maker = self.board, self
        named: dict[str, Any] = {}

        def __init__(self: Any, logger: Any) -> None:  # noqa: N807
            assert isinstance(logger, maker.trt.Logger)

        def create_network(self: Any, flags: int = 0) -> Any:
            assert isinstance(flags, int)
            # Without the flag the old versions count the batch apart, and no ONNX file fits.
            assert flags == 1 or board.number >= (10, 0)
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

    def config(self) -> type:
        named: dict[str, Any] = {
            "__slots__": ("asked", "version"),
            "__init__": lambda one: one.begin(self.board.version),
            "begin": _Config.begin,
            "set_flag": _Config.set_flag,
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
                self._network = network

            def parse(self, model: bytes) -> bool:
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
                assert isinstance(logger, maker.trt.Logger)

            def deserialize_cuda_engine(self, serialized_engine: bytes) -> Any:
                assert isinstance(serialized_engine, bytes)
                whole = serialized_engine.startswith(b"PLAN")
                return maker.engine() if whole and "deserialize" not in board.failing else None

        return Runtime

    def engine(self) -> Any:
        names = list(self.board.tensors)
        shapes = self.board.tensors
        named: dict[str, Any] = {}
        if self.has_bindings:
            named["num_bindings"] = property(lambda _: 2)
            named["get_binding_name"] = lambda _, index: names[index]
            named["binding_is_input"] = lambda _, index: index == 0
            named["get_binding_dtype"] = lambda _, index: "FLOAT"
            named["get_binding_shape"] = lambda _, index: shapes[names[index]]
        if self.has_names:
            named["num_io_tensors"] = property(lambda _: 2)
            named["get_tensor_name"] = lambda _, index: names[index]
            named["get_tensor_mode"] = lambda _, name: "IN" if name == names[0] else "OUT"
            named["get_tensor_dtype"] = lambda _, name: dict.fromkeys(names, "FLOAT")[name]
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

        def execute_async_v2(_: Any, bindings: list[int], stream_handle: int) -> bool:
            assert type(bindings) is list
            assert all(type(one) is int for one in bindings)
            return execute(dict(zip(names, bindings, strict=True)), stream_handle)

        def set_tensor_address(_: Any, name: str, memory: int) -> bool:
            assert type(memory) is int
            addresses[name] = memory
            return name in names

        named: dict[str, Any] = {}
        if self.has_bindings:
            named["execute_async_v2"] = execute_async_v2
        if self.has_names:
            named["set_tensor_address"] = set_tensor_address
            named["execute_async_v3"] = lambda _, stream_handle: execute(addresses, stream_handle)
        return type("IExecutionContext", (), named)()


def _takes_int(self: Any, min_severity: int) -> None:
    assert isinstance(min_severity, int)
