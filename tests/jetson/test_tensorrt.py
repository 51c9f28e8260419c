"""classify.py's calls of TensorRT and CUDA, against stand-ins of each version's signatures."""

import ctypes
import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from helpers.jetson_fakes import TRUE_SIGNATURES, Board, FakeCudart
from helpers.jetson_folder import jetson_folder as jetson_folder
from helpers.jetson_folder import load_program, replace_model

pytestmark = pytest.mark.tf

VERSIONS = ("7.1.3.0", "8.2.1.8", "8.5.2.2", "8.6.2.3", "10.3.0", "10.16.2")


@dataclass(frozen=True)
class Bench:
    """A folder of its own, as engines are written into it, and what plugs it into a board."""

    folder: Path
    program: ModuleType
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def board(self, version: str = "8.2.1.8", **settings: Any) -> Board:
        ort = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
        path = str(self.folder / "model.onnx")
        session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
        return Board(
            version,
            network=lambda inputs: session.run(None, {"input_0": inputs})[0],
            tensors={"input_0": (1, 3, 32, 32), "output_0": (1, 3)},
            **settings,
        )

    def run(self, board: Board, *arguments: str) -> tuple[int, str, str]:
        """Returns exit code, stdout and stderr of classify.py on this board."""
        self.monkeypatch.setitem(sys.modules, "tensorrt", board.module())
        self.monkeypatch.setattr(ctypes, "CDLL", lambda name: board.cudart)
        code = self.program.main(list(arguments))
        return code, *self.capsys.readouterr()

    def fails(self, board: Board, *arguments: str) -> str:
        """Returns stderr of a run that ends by an error."""
        code, _, error = self.run(board, *arguments)
        assert code == 1
        return error


@pytest.fixture
def bench(
    jetson_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Bench:
    folder = Path(shutil.copytree(jetson_folder, tmp_path / "board"))
    return Bench(folder, load_program(folder), monkeypatch, capsys)


@pytest.mark.parametrize("version", VERSIONS)
def test_tensorrt__selftest_passes_and_all_is_given_back(bench: Bench, version: str) -> None:
    board = bench.board(version)
    assert bench.run(board, "--selftest")[0] == 0
    (build,) = board.builds
    assert build["onnx"] == (bench.folder / "model.onnx").read_bytes()
    assert build["flags"] == {"FP16", "TF32"}
    workspace = "pool" if board.number >= (8, 4) else "max_workspace_size"
    assert build[workspace] == 256 * 2**20
    assert not board.cudart.memory
    assert not board.cudart.streams


@pytest.mark.parametrize("version", [*VERSIONS, "11.4.0"])
def test_tensorrt__fp32_is_exact_on_an_orin_too(bench: Bench, version: str) -> None:
    board = bench.board(version)
    assert bench.run(board, "--selftest", "--precision", "fp32")[0] == 0
    assert board.builds[0]["flags"] == set()


@pytest.mark.parametrize("version", VERSIONS)
def test_tensorrt__answers_are_those_of_the_network(bench: Bench, version: str) -> None:
    board, arguments = bench.board(version), [str(bench.folder / "golden"), "--headless"]
    _, by_engine, _ = bench.run(board, *arguments)
    assert bench.run(board, *arguments, "--runtime", "onnxruntime")[:2] == (0, by_engine)
    assert len({json.loads(line)["label"] for line in by_engine.splitlines()}) > 1


def test_engine__is_built_once_for_a_gpu_a_version_a_file_and_a_precision(bench: Bench) -> None:
    def builds(board: Board, *options: str) -> int:
        assert bench.run(board, "--build", *options)[0] == 0
        return len(board.builds)

    first = bench.board()
    assert builds(first) == 1
    assert builds(first) == 1
    assert builds(first, "--precision", "fp32") == 2
    assert builds(first, "--rebuild") == 3
    assert builds(bench.board("8.0.1.6")) == 1
    assert builds(bench.board(cudart=FakeCudart(sm=(8, 7, 8)))) == 1
    content = (bench.folder / "model.onnx").read_bytes()
    replace_model(bench.folder, content + b"\x3a\x00")  # an empty field more
    assert builds(bench.board()) == 1
    names = sorted(path.name for path in bench.folder.glob("*.engine"))
    assert len(names) == 5
    assert [name for name in names if name.startswith("model.sm87x8.trt8.2.1.8.")]


def test_engine__a_damaged_one_is_built_again(bench: Bench) -> None:
    board = bench.board()
    bench.run(board, "--build")
    (engine,) = bench.folder.glob("*.engine")
    engine.write_bytes(b"half")
    code, _, error = bench.run(board, "--selftest")
    assert code == 0
    assert "cannot be loaded. It is built again" in error
    assert len(board.builds) == 2


def test_engine__lies_in_a_folder_of_its_own(bench: Bench, tmp_path: Path) -> None:
    engines = tmp_path / "new" / "engines"
    assert bench.run(bench.board(), "--build", "--engines", str(engines))[0] == 0
    assert {path.suffix for path in engines.iterdir()} == {".engine", ".timing"}
    assert not list(bench.folder.glob("*.engine"))


def test_engine__a_folder_that_cannot_be_written_is_found_before_building(
    bench: Bench, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    board = bench.board()
    error = bench.fails(board, "--build", "--engines", str(tmp_path / "file" / "engines"))
    assert "engines cannot be written (Not a directory). Name another folder" in error
    bench.monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    assert "cannot be written (Permission denied)" in bench.fails(board, "--build")
    assert not board.builds


@pytest.mark.parametrize("foreign", [b"of another program", b"TIMES 8.6.1.6"])
def test_timing_cache__is_given_to_the_next_build_and_a_foreign_one_is_not(
    bench: Bench, foreign: bytes
) -> None:
    board = bench.board()
    for _ in range(2):
        assert bench.run(board, "--build", "--rebuild")[0] == 0
    (timing,) = bench.folder.glob("*.timing")
    timing.write_bytes(foreign)
    assert bench.run(board, "--build", "--rebuild")[0] == 0
    assert [build["timing"] for build in board.builds] == [b"", b"TIMES 8.2.1.8", b""]


@pytest.mark.parametrize(("code", "place"), [(2, "Memory"), (100, "When something fails")])
@pytest.mark.parametrize("name", sorted(set(TRUE_SIGNATURES) - {"cudaGetErrorString"}))
def test_cuda__an_error_code_ends_the_run_and_names_the_call(
    bench: Bench, name: str, code: int, place: str
) -> None:
    board = bench.board()
    board.cudart.failing[name] = code
    said = f'CUDA: {name} failed with error {code} (error text {code}); see README.md, "{place}"'
    assert said in bench.fails(board, "--selftest")
    assert f"## {place}" in (bench.folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("failing", "message"),
    [
        ("Runtime", "TensorRT cannot start (pybind11::init()"),
        ("Builder", "TensorRT cannot start (pybind11::init()"),
        ("parse", "cannot read model.onnx:\n  In node 3: Unsupported ONNX data type: UINT8"),
        ("build", "could not build the engine"),
        ("deserialize", "cannot load the engine that it has just built"),
        ("context", "too little memory to run the engine"),
        ("execute", "TensorRT: execute_async_v"),
    ],
)
@pytest.mark.parametrize("version", VERSIONS)
def test_tensorrt__what_it_refuses_is_said(
    bench: Bench, version: str, failing: str, message: str
) -> None:
    assert message in bench.fails(bench.board(version, failing={failing}), "--selftest")


def test_tensorrt__a_refused_address_is_said(bench: Bench) -> None:
    board = bench.board("10.3.0", failing={"address"})
    assert "set_tensor_address('input_0') failed" in bench.fails(board, "--selftest")


def test_tensorrt__a_version_without_fp16_is_said(bench: Bench) -> None:
    assert "no longer has an option for fp16" in bench.fails(bench.board("11.4.0"), "--selftest")


def test_tensorrt__an_engine_of_another_size_is_refused(bench: Bench) -> None:
    board = bench.board()
    board.tensors["output_0"] = (1, 4)
    assert "Copy the whole folder again" in bench.fails(board, "--selftest")


def test_tensorrt__wrong_answers_fail_the_selftest(bench: Bench) -> None:
    board = bench.board()
    board.network = lambda inputs: np.full((1, 3), np.nan, np.float32)
    code, said, _ = bench.run(board, "--selftest")
    assert code == 1
    assert "FAILED" in said


def test_tensorrt__absent_it_is_not_replaced_in_silence(bench: Bench) -> None:
    bench.monkeypatch.setitem(sys.modules, "tensorrt", None)
    assert bench.program.main([str(bench.folder / "golden")]) == 1
    said = bench.capsys.readouterr()
    assert said.out == ""
    assert "It comes with JetPack" in said.err
    assert "--runtime onnxruntime" in said.err
