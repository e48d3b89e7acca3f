"""Threads change when work is done, and nothing else."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actalker_core.parallel import map_in_order, read_ahead

Pass = Callable[[Iterable[int]], Iterator[int]]
WAIT_SECONDS = 10

PASSES: dict[str, Pass] = {
    "read ahead": read_ahead,
    "one thread": lambda items: map_in_order(lambda x: x, items, 1),
    "three threads": lambda items: map_in_order(lambda x: x, items, 3),
    "both": lambda items: map_in_order(lambda x: x, read_ahead(items), 2),
}
AHEAD = {"read ahead": 1, "one thread": 1, "three threads": 3, "both": 4}
"""Items that are begun beyond the one that is used, at most."""


def threads_of_pools() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("actalker")]


@pytest.fixture(params=sorted(PASSES))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers() | st.none()), st.sampled_from(sorted(PASSES)))
def test_all_items_come_in_their_order(items: list, name: str) -> None:
    assert list(PASSES[name](items)) == items
    assert not threads_of_pools()


@settings(deadline=None, max_examples=20)
@given(st.lists(st.floats(0, 0.003), min_size=1, max_size=12), st.integers(1, 4))
def test_slow_ones_are_not_overtaken(seconds: list[float], threads: int) -> None:
    def sleep(i: int) -> int:
        time.sleep(seconds[i])
        return i

    assert list(map_in_order(sleep, range(len(seconds)), threads)) == list(range(len(seconds)))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 12), st.sampled_from(sorted(PASSES)))
def test_an_error_comes_after_all_items_before_it(count: int, name: str) -> None:
    def read() -> Iterator[int]:
        yield from range(count)
        raise KeyError(count)

    items = PASSES[name](read())
    got: list[int] = []
    with pytest.raises(KeyError) as raises:
        got.extend(items)
    assert raises.value.args == (count,)
    assert got == list(range(len(got)))
    assert len(got) >= count - AHEAD[name]
    assert not threads_of_pools()


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_of_the_work_is_raised_in_its_turn(threads: int) -> None:
    def fail(i: int) -> int:
        return 12 // (4 - i)

    got: list[int] = []
    with pytest.raises(ZeroDivisionError):
        got.extend(map_in_order(fail, range(1000), threads))
    assert got == [3, 4, 6, 12]
    assert not threads_of_pools()


def test_no_more_is_begun_than_said(name: str) -> None:
    starts: list[int] = []

    def read() -> Iterator[int]:
        for i in range(1000):
            starts.append(i)
            yield i

    items = PASSES[name](read())
    assert not starts
    for i in range(5):
        assert next(items) == i
        time.sleep(0.01)
        assert len(starts) <= i + 1 + AHEAD[name]
    items.close()
    assert len(starts) <= 5 + AHEAD[name]
    assert not threads_of_pools()


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_whoever_reads_may_be_interrupted(name: str, error: type[BaseException]) -> None:
    items = PASSES[name](iter(range(1000)))
    assert next(items) == 0
    with pytest.raises(error):
        items.throw(error)
    assert not threads_of_pools()


def test_the_next_item_is_read_while_one_is_used() -> None:
    second = threading.Event()

    def read() -> Iterator[int]:
        yield 1
        second.set()
        yield 2

    items = read_ahead(read())
    assert next(items) == 1
    assert second.wait(WAIT_SECONDS)
    assert list(items) == [2]


def test_as_many_are_done_at_once_as_there_are_threads() -> None:
    barrier = threading.Barrier(3)
    assert sorted(map_in_order(lambda _: barrier.wait(WAIT_SECONDS), range(3), 3)) == [0, 1, 2]


def test_threads_see_the_context_variables_of_whoever_asks(name: str) -> None:
    variable: ContextVar[str] = ContextVar("variable")
    variable.set("mine")
    items = (variable.get() for _ in range(8))
    assert list(PASSES[name](items)) == ["mine"] * 8
    assert list(map_in_order(lambda _: variable.get(), range(8), 3)) == ["mine"] * 8
