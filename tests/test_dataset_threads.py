import threading

import pytest

from bricksight._threads import in_threads


def test_in_threads__keeps_the_order() -> None:
    with in_threads(str, range(100), num_threads=4) as results:
        assert list(results) == [str(number) for number in range(100)]


def test_in_threads__passes_errors_on() -> None:
    with (
        pytest.raises(ValueError, match="invalid literal"),
        in_threads(int, ["1", "x"], num_threads=2) as results,
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
        in_threads(job, range(1000), num_threads=2) as results,
    ):
        next(results)
        raise KeyboardInterrupt
    assert len(begun) < 100
