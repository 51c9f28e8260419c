import threading

import pytest

from bricksight._support.threads import max_threads, require_threads, thread_map
from bricksight.errors import ConfigError


def test_in_threads__keeps_the_order() -> None:
    with thread_map(str, range(100), num_threads=4) as results:
        assert list(results) == [str(number) for number in range(100)]


def test_in_threads__passes_errors_on() -> None:
    with (
        pytest.raises(ValueError, match="invalid literal"),
        thread_map(int, ["1", "x"], num_threads=2) as results,
    ):
        list(results)


def test_in_threads__drops_what_has_not_begun() -> None:
    begun = []
    stop = threading.Event()

    def job(number: int) -> None:
        begun.append(number)
        if number:
            stop.wait(0.05)

    with (
        pytest.raises(KeyboardInterrupt),
        thread_map(job, range(1000), num_threads=2) as results,
    ):
        next(results)
        raise KeyboardInterrupt
    assert len(begun) < 100


def test_require_threads__as_many_as_the_machine_can_run() -> None:
    for threads in (None, 1, 64, max_threads()):
        require_threads(threads)
    for threads in (-1, 0, max_threads() + 1, 10**11):
        with pytest.raises(ConfigError, match=f"--threads is {threads}; it must be from 1 to"):
            require_threads(threads)
