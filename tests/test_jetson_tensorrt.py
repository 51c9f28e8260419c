"""classify.py's calls of TensorRT and CUDA, against stand-ins of each version's signatures."""

import ctypes
import json
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from jetson_fakes import TRUE_SIGNATURES, Board, FakeCudart
from jetson_folder import jetson_folder as jetson_folder
from jetson_folder import load_program

pytestmark = pytest.mark.tf

VERSIONS = ("7.1.3.0", "8.2.1.8", "8.5.2.2", "8.6.2.3", "10.3.0", "10.16.2")


@pytest.fixture
def folder(jetson_folder: Path, tmp_path: Path) -> Path:
    """A copy of its own: engines are written into it."""
    return Path(shutil.copytree(jetson_folder, tmp_path / "board"))


@pytest.fixture
def program(folder: Path) -> ModuleType:
    return load_program(folder)


def board_of(folder: Path, version: str = "8.2.1.8", **settings: Any) -> Board:
    ort = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    session = ort.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    return Board(
        version,
        network=lambda inputs: session.run(None, {"input_0": inputs})[0],
        tensors={"input_0": (1, 3, 32, 32), "output_0": (1, 3)},
        **settings,
    )


def plug_in(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", board.module())
    monkeypatch.setattr(ctypes, "CDLL", lambda name: board.cudart)


@pytest.mark.parametrize("version", VERSIONS)
def test_tensorrt__selftest_passes_and_all_is_given_back(
    folder: Path, program: ModuleType, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    board = board_of(folder, version)
    plug_in(board, monkeypatch)
    assert program.main(["--selftest"]) == 0
    (build,) = board.builds
    assert build["onnx"] == (folder / "model.onnx").read_bytes()
    assert build["flags"] == ["FP16"]
    workspace = "pool" if board.number >= (8, 4) else "max_workspace_size"
    assert build[workspace] == 256 * 2**20
    assert not board.cudart.memory
    assert not board.cudart.streams


@pytest.mark.parametrize("version", VERSIONS)
def test_tensorrt__answers_are_those_of_the_network(
    folder: Path,
    program: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    version: str,
) -> None:
    plug_in(board_of(folder, version), monkeypatch)
    photos = [str(folder / "golden")]
    assert program.main([*photos, "--headless"]) == 0
    by_engine = capsys.readouterr().out
    assert program.main([*photos, "--headless", "--runtime", "onnxruntime"]) == 0
    assert by_engine == capsys.readouterr().out
    assert len({json.loads(line)["label"] for line in by_engine.splitlines()}) > 1


def test_engine__is_built_once_for_a_gpu_a_version_a_file_and_a_precision(
    folder: Path, program: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def builds(board: Board, *options: str) -> int:
        plug_in(board, monkeypatch)
        assert program.main(["--build", *options]) == 0
        return len(board.builds)

    first = board_of(folder)
    assert builds(first) == 1
    assert builds(first) == 1
    assert builds(first, "--precision", "fp32") == 2
    assert first.builds[-1]["flags"] == []
    assert builds(first, "--rebuild") == 3
    assert builds(board_of(folder, "8.0.1.6")) == 1
    assert builds(board_of(folder, cudart=FakeCudart(sm=(8, 7, 8)))) == 1
    content = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(content + b"\x3a\x00")  # an empty field more
    assert builds(board_of(folder)) == 1
    names = sorted(path.name for path in folder.glob("*.engine"))
    assert len(names) == 5
    assert [name for name in names if name.startswith("model.sm87x8.trt8.2.1.8.")]


def test_engine__a_damaged_one_is_built_again(
    folder: Path,
    program: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    board = board_of(folder)
    plug_in(board, monkeypatch)
    program.main(["--build"])
    (engine,) = folder.glob("*.engine")
    engine.write_bytes(b"half")
    assert program.main(["--selftest"]) == 0
    assert "cannot be loaded; it is built again" in capsys.readouterr().err
    assert len(board.builds) == 2


def test_timing_cache__is_given_to_the_next_build_and_a_foreign_one_is_not(
    folder: Path, program: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = board_of(folder)
    plug_in(board, monkeypatch)
    for _ in range(2):
        assert program.main(["--build", "--rebuild"]) == 0
    (timing,) = folder.glob("*.timing")
    timing.write_bytes(b"of another board")
    assert program.main(["--build", "--rebuild"]) == 0
    assert [build["timing"] for build in board.builds] == [b"", b"TIMES 8.2.1.8", b""]


@pytest.mark.parametrize("name", sorted(set(TRUE_SIGNATURES) - {"cudaGetErrorString"}))
def test_cuda__an_error_code_ends_the_run_and_names_the_call(
    folder: Path,
    program: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    board = board_of(folder)
    board.cudart.failing[name] = 2
    plug_in(board, monkeypatch)
    assert program.main(["--selftest"]) == 1
    assert f"CUDA: {name} failed with error 2 (error text 2)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("failing", "message"),
    [
        ("parse", "does not take model.onnx:\n  In node 3: Unsupported ONNX data type: UINT8"),
        ("build", "could not build the engine"),
        ("deserialize", "cannot load the engine that it has just built"),
        ("context", "found no memory to run the engine"),
        ("execute", "TensorRT: execute_async_v"),
    ],
)
@pytest.mark.parametrize("version", VERSIONS)
def test_tensorrt__what_it_refuses_is_said(
    folder: Path,
    program: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    version: str,
    failing: str,
    message: str,
) -> None:
    plug_in(board_of(folder, version, failing={failing}), monkeypatch)
    assert program.main(["--selftest"]) == 1
    assert message in capsys.readouterr().err


def test_tensorrt__an_engine_of_another_size_is_refused(
    folder: Path,
    program: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    board = board_of(folder)
    board.tensors["output_0"] = (1, 4)
    plug_in(board, monkeypatch)
    assert program.main(["--selftest"]) == 1
    assert "copy all again" in capsys.readouterr().err


def test_tensorrt__wrong_answers_fail_the_selftest(
    folder: Path,
    program: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    board = board_of(folder)
    board.network = lambda inputs: np.full((1, 3), np.nan, np.float32)
    plug_in(board, monkeypatch)
    assert program.main(["--selftest"]) == 1
    assert "WRONG" in capsys.readouterr().out


def test_tensorrt__absent_it_is_not_replaced_in_silence(
    folder: Path,
    program: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    assert program.main([str(folder / "golden")]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "It comes with the JetPack" in said.err
    assert "--runtime onnxruntime" in said.err
