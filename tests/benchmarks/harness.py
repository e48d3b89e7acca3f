"""What the benchmarks share: peers that take turns, memory and FLOPs without values, a table.

Every number is a ratio of medians taken in one process, or a count.
"""

import statistics
import sys
import time
import weakref
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

REPEATS = 5


def say(line: str = "") -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def seconds_of(call: Callable[[], object]) -> float:
    """One call; on a GPU until its work is done."""
    _wait()
    start = time.perf_counter()
    call()
    _wait()
    return time.perf_counter() - start


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def median_seconds(
    peers: Mapping[str, Callable[[], object]], repeats: int = REPEATS
) -> dict[str, float]:
    """Peers take turns, once unmeasured to warm up; the median of their times counts."""
    times: dict[str, list[float]] = {name: [] for name in peers}
    for peer in peers.values():
        peer()
    for _ in range(repeats):
        for name, peer in peers.items():
            times[name].append(seconds_of(peer))
    return {name: statistics.median(values) for name, values in times.items()}


def flops(call: Callable[[], object]) -> int:
    """A multiply-add counts as two.

    To be given tensors on `meta`, where nothing is computed: on a CPU torch counts no attention.
    """
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


class PeakMemory(TorchDispatchMode):
    """Counts the bytes of all tensors made inside, and the most that lived at once."""

    def __init__(self) -> None:
        super().__init__()
        self.current = self.peak = 0
        self._storages: set[int] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        for tensor in tree_leaves((args, kwargs)):
            if isinstance(tensor, Tensor):
                self._leave_out(tensor.untyped_storage())
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                self._count(tensor.untyped_storage())
        return result

    def _leave_out(self, storage: torch.UntypedStorage) -> None:
        """Not counted while it lives; later its address may be another's."""
        key = storage._cdata
        if key not in self._storages:
            self._storages.add(key)
            weakref.finalize(storage, self._storages.discard, key)

    def _count(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._storages:
            return
        self._storages.add(key)
        self.current += size
        self.peak = max(self.peak, self.current)
        weakref.finalize(storage, self._forget, key, size)

    def _forget(self, key: int, size: int) -> None:
        self._storages.discard(key)
        self.current -= size


def peak_bytes(call: Callable[[], object]) -> int:
    """The most that lived at once, above what was there before; run as sampling is."""
    with torch.inference_mode(), PeakMemory() as memory:
        call()
    return memory.peak
