"""Threads together hold no more pixels than the budget has."""

import threading
from concurrent.futures import ThreadPoolExecutor

from bricksight.images._budget import PixelBudget


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
