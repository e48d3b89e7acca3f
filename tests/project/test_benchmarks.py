"""The benchmarks' peers compute the same, and their counts are held to limits."""

import pytest
import torch
from benchmarks import bench_scan
from benchmarks.bench_layer import SHARES, split_regions
from benchmarks.bench_scan import draw, peers
from benchmarks.bench_unet import counts
from benchmarks.harness import flops, peak_bytes
from benchmarks.released import fast_scan, layers_run_as_released, plain_scan, released_layer
from benchmarks.windows import MODES, empty_unet, forward
from helpers.formula import fill_weights
from helpers.tiny import TINY
from torch import Tensor

from actalker_core.models.actalker.config import VARIANTS
from actalker_core.models.actalker.unet.attention import RegionCondition
from actalker_core.models.actalker.unet.mamba import ParallelControlMamba
from actalker_core.models.actalker.unet.unet import UNet

FLOP_LIMITS = {
    "audio only": 125e12,
    "expression only": 121e12,
    "both, paper's masks": 170e12,
    "both, everywhere": 170e12,
}
"""Of one forward of the released size: 25 frames of 576×576 in all passes that differ."""


def close(got: Tensor, want: Tensor) -> bool:
    return bool((got - want).abs().max() <= 1e-5 * want.abs().max())


@pytest.mark.parametrize("scan", [plain_scan, fast_scan])
@pytest.mark.parametrize("shares", SHARES.values())
def test_the_released_way_is_the_same_layer(scan, shares) -> None:
    layer = fill_weights(ParallelControlMamba(8, 6, 4, 2, 2), 3)
    x, identity, audio, expression = (
        torch.randn(2, tokens, width, generator=torch.Generator().manual_seed(tokens))
        for tokens, width in ((36, 8), (1, 6), (5, 6), (2, 6))
    )
    regions = split_regions(shares, 6)
    inputs = (
        x,
        identity,
        RegionCondition(audio, regions[0]),
        RegionCondition(expression, regions[1]),
    )
    with torch.no_grad():
        assert close(released_layer(layer, *inputs, scan), layer(*inputs))


def test_the_peers_of_the_scan_compute_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_scan, "build_loop", lambda: None)  # a compiler takes too long
    calls = peers(draw(37, 6))
    want = calls.pop("reference")()
    with torch.no_grad():
        assert all(close(call(), want) for call in calls.values())


def test_a_model_may_run_the_released_way() -> None:
    unet = fill_weights(UNet(TINY.unet), 7)
    call = forward(unet, MODES["both, paper's masks"], 2, 64)
    with torch.no_grad():
        want = call()
        with layers_run_as_released():
            got = call()
    assert (got - want).abs().max() < 1e-3 * want.abs().max()
    assert not torch.equal(got, want)


@pytest.mark.parametrize("name", MODES)
def test_a_released_forward_keeps_its_flops(name: str) -> None:
    unet = empty_unet(VARIANTS["released"].unet)
    assert flops(forward(unet, MODES[name], 25, 576)) <= FLOP_LIMITS[name]


def test_attention_is_counted() -> None:
    """It alone grows faster than the number of tokens."""
    small, large = (counts(TINY.unet, 2, side_px) for side_px in (64, 128))
    assert large["floor"] > 4 * small["floor"]


def test_memory_is_counted_where_it_lives() -> None:
    def grow_and_shrink() -> None:
        a = torch.empty(1000, device="meta")  # 4,000 bytes
        b = torch.cat([a, a])
        del a
        torch.cat([b, b])

    assert peak_bytes(grow_and_shrink) == 8000 + 16000
