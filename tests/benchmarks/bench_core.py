"""What the core saves, as ratios measured in this process: `make bench`.

The layer is one frame of a 576×576 picture at each channel count of the released UNet. Peers
take turns, and the median of their times counts.
"""

import statistics
import sys
import time
import weakref
from collections import Counter
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from actalker_core.config import VARIANTS
from actalker_core.faces import Face
from actalker_core.masks import box_mask, style_masks
from actalker_core.model.attention import Signal
from actalker_core.model.mamba import ParallelControlMamba, use_scan_backend
from actalker_core.model.scan import selective_scan
from actalker_core.regions import tokens_of
from actalker_core.sampler.denoise import sample
from actalker_core.sampler.guidance import Guidance, Pass, equal_passes
from actalker_core.sampler.schedule import karras_sigmas
from actalker_core.sampler.windows import Windows

REPEATS = 5
SIDE_PX = 576
LAYERS = ((320, 72), (640, 36), (1280, 18))
FACE = (120.0, 60.0, 461.0, 401.0)  # 35 % of the picture
RELEASED = VARIANTS["released"]


def say(line: str = "") -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def median_seconds(peers: Sequence[Callable[[], object]]) -> list[float]:
    times: list[list[float]] = [[] for _ in peers]
    for _ in range(REPEATS):
        for peer, own in zip(peers, times, strict=True):
            start = time.perf_counter()
            peer()
            own.append(time.perf_counter() - start)
    return [statistics.median(own) for own in times]


class PeakMemory(TorchDispatchMode):
    """Counts the bytes of all tensors made inside, and the most that lived at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        for tensor in tree_leaves((args, kwargs)):
            if isinstance(tensor, Tensor):
                self._known.add(tensor.untyped_storage()._cdata)
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                self._count(tensor.untyped_storage())
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return
        self._known.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._forget, key, size)

    def _forget(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size


# Layer -------------------------------------------------------------------------------------------


def mask_pairs() -> dict[str, tuple[Tensor, Tensor]]:
    whole, face = torch.ones(1, 1, SIDE_PX, SIDE_PX), box_mask(FACE, SIDE_PX, SIDE_PX)
    paper = style_masks(
        "paper", Face(FACE, 1.0), SIDE_PX, SIDE_PX, with_audio=True, with_expression=True
    )
    return {
        "full / full": (whole, whole),
        "mouth / everything else": (paper[0], 1 - paper[0]),
        "mouth / rest of the face": paper,
        "face / none": (face, 0 * whole),
        "none / face": (0 * whole, face),
    }


def layer_call(channels: int, side: int, masks: tuple[Tensor, Tensor], backend: str) -> Callable:
    torch.manual_seed(0)
    unet = RELEASED.unet
    layer = ParallelControlMamba(
        channels, unet.cross_attention_dim, unet.state, unet.expand, unet.directions
    )
    use_scan_backend(layer, backend)
    x, identity, audio, expression = (
        torch.randn(1, tokens, width)
        for tokens, width in ((side * side, channels), (1, 1024), (32, 1024), (1, 1024))
    )
    regions = [tokens_of(mask, (side, side)) for mask in masks]
    return lambda: layer(x, identity, Signal(audio, regions[0]), Signal(expression, regions[1]))


def bench_layer() -> None:
    say("One parallel-control layer against the same layer with the plain Python reference scan")
    header = f"{'channels':>9} {'masks (audio / expression)':<28}"
    say(f"{header}{'ratio':>7}{'reference':>12}{'ours':>9}")
    for channels, side in LAYERS:
        for name, masks in mask_pairs().items():
            reference = layer_call(channels, side, masks, "reference")
            ours = layer_call(channels, side, masks, "chunked")
            slow, fast = median_seconds([reference, ours])
            times = f"{slow / fast:>6.1f}×{slow:>10.3f} s{fast:>7.3f} s"
            say(f"{channels:>9} {name:<28}{times}")


# Scan memory -------------------------------------------------------------------------------------


def scan_peak_bytes(backend: str) -> int:
    tokens, channels, state = 72 * 72 + 33, 640, 16
    values = [torch.randn(1, tokens, channels) for _ in range(2)]
    a, b, c = (
        -torch.rand(channels, state),
        torch.randn(1, tokens, 1, state),
        torch.randn(1, tokens, 1, state),
    )
    with PeakMemory() as memory:
        selective_scan(*values, a, b, c, backend=backend)
    return memory.peak


def bench_memory() -> None:
    reference, ours = scan_peak_bytes("reference"), scan_peak_bytes("chunked")
    say("\nMemory of one scan (5,217 tokens, 640 channels) above its inputs")
    sizes = f"{ours / 1e6:.0f} MB, {reference / 1e6:.0f} MB"
    say(f"   1/{reference / ours:.0f} of the reference ({sizes})")


# Sampler -----------------------------------------------------------------------------------------


class Counting:
    """A denoiser that only counts its evaluations."""

    def __init__(self, planned: bool) -> None:
        self.planned = planned
        self.calls: Counter[Pass] = Counter()

    def passes(self, frames: Sequence[int]) -> list[Pass]:
        return equal_passes(True, False) if self.planned else list(Pass)

    def __call__(
        self, x: Tensor, sigma: float, frames: Sequence[int], passes: Sequence[Pass]
    ) -> Tensor:
        self.calls.update(passes)
        return x.expand(len(passes), *x.shape)


def evaluations(planned: bool, windows: Windows, frames: int = 25, steps: int = 25) -> int:
    s = RELEASED.sampling
    denoiser = Counting(planned)
    noise = torch.zeros(frames + windows.padding, 1, 1, 1)
    sample(denoiser, noise, karras_sigmas(steps, s.sigma_min, s.sigma_max), Guidance(), windows)
    return denoiser.calls.total()


def bench_sampler() -> None:
    ours, released = evaluations(True, Windows()), evaluations(False, Windows(mode="cyclic"))
    say("\nUNet evaluations (passes × windows) for 25 frames × 25 steps, audio only")
    say(f"   {released / ours:.2f}× fewer: {ours} instead of the released {released}")


if __name__ == "__main__":
    with torch.inference_mode():
        bench_sampler()
        bench_memory()
        bench_layer()
