"""Work that goes on in threads while what came first is used; results come in order.

Threads serve, as OpenCV, FFmpeg and NumPy let go of Python's lock in their large steps. An error in
one of them is raised where the result is asked for. Whoever reads may stop early: then nothing more
is begun, and what is being done is waited for. Context variables are those of whoever asks.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_order(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int
) -> Iterator[Result]:
    """The results in the order of the items, of which one more is begun than there are threads."""
    pending: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads, "actalker") as pool:
        try:
            for item in items:
                pending.append(pool.submit(copy_context().run, work, item))
                if len(pending) > threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def read_ahead(items: Iterable[Item]) -> Iterator[Item]:
    """The same items; the next one is read in another thread while one is used."""
    reader, context = iter(items), copy_context()
    end: Any = object()

    def read() -> Item:
        return context.run(next, reader, end)

    with ThreadPoolExecutor(1, "actalker") as pool:
        next_item = pool.submit(read)
        try:
            while (item := next_item.result()) is not end:
                next_item = pool.submit(read)
                yield item
        finally:
            next_item.cancel()
