"""Threads together hold no more pixels than the budget has."""

import struct
import subprocess
import sys
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bricksight.images.reading.budget import PixelBudget


def test_budget__most_pixels_in_flight() -> None:
    budget = PixelBudget(100)
    lock, in_flight, most = threading.Lock(), [0], [0]

    def work(pixels: int) -> None:
        with budget.hold():
            budget.take(pixels)
            with lock:
                in_flight[0] += pixels
                most[0] = max(most[0], in_flight[0])
            threading.Event().wait(0.001)
            with lock:
                in_flight[0] -= pixels

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, [10, 40, 60, 90] * 20))
    assert 60 < most[0] <= 100


def test_budget__larger_than_all_is_let_in_alone() -> None:
    budget = PixelBudget(100)
    with budget.hold():
        budget.take(10)
        with ThreadPoolExecutor(1) as pool:

            def large() -> bool:
                with budget.hold():
                    budget.take(500)
                    return True

            waiting = pool.submit(large)
            threading.Event().wait(0.05)
            assert not waiting.done()
            budget._release()
            assert waiting.result(timeout=10)


def test_budget__who_holds_pixels_does_not_wait() -> None:
    budget = PixelBudget(100)
    both_hold = threading.Barrier(2, timeout=10)

    def work(_: int) -> bool:
        with budget.hold():
            budget.take(50)
            both_hold.wait()
            with budget.hold():
                budget.take(50)
            return True

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(work, range(2), timeout=20)) == [True, True]


def test_budget__an_error_gives_the_pixels_back() -> None:
    budget = PixelBudget(100)
    for _ in range(3):
        try:
            with budget.hold():
                budget.take(80)
                raise ValueError
        except ValueError:
            continue
    assert budget._in_flight == 0


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does")
def test_decode__memory_of_large_pictures_in_threads_is_given_back(tmp_path: Path) -> None:
    """In a fresh process: four pictures of 40 million pixels, which take 160 MB each."""
    pixels = zlib.compress(b"\0" * (6400 * (6400 * 4 + 1)), 1)
    head = struct.pack(">IIBBBBB", 6400, 6400, 8, 6, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", pixels), (b"IEND", b"")]
    png = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    (tmp_path / "large.png").write_bytes(b"\x89PNG\r\n\x1a\n" + png)
    code = (
        "import re, sys\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from pathlib import Path\n"
        "from bricksight.config import InputSpec\n"
        "from bricksight.images import load_input\n"
        "from bricksight.images.reading import decoding\n"
        "decoding._BUDGET._limit = 60_000_000\n"
        "with ThreadPoolExecutor(4) as pool:\n"
        "    list(pool.map(lambda _: load_input(Path(sys.argv[1]), InputSpec()), range(4)))\n"
        # Not ru_maxrss, which a process inherits from the one that has started it.
        "status = Path('/proc/self/status').read_text()\n"
        "print(int(re.search(r'VmHWM:\\s*(\\d+)', status)[1]) // 1024)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "large.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 500  # one picture takes 320 MB while it is put on white
