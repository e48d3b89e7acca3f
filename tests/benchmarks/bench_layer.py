"""One parallel-control layer against the released way, on one frame of a 576×576 picture.

The limit is what a scan that takes no time would reach: most of the rest is matrix products.
"""

from collections.abc import Callable, Sequence
from unittest import mock

import torch
from torch import Tensor

from actalker_core.models.actalker.config import VARIANTS
from actalker_core.models.actalker.token_regions import TokenRegion, find_tokens
from actalker_core.models.actalker.unet import mamba
from actalker_core.models.actalker.unet.attention import RegionCondition
from actalker_core.models.actalker.unet.mamba import ParallelControlMamba
from actalker_core.ops.selective_scan import ScanInput
from benchmarks.harness import median_seconds, say
from benchmarks.released import released_layer

LAYERS = ((320, 72), (640, 36), (1280, 18))
"""Channels and side of the grid, at each level of the released UNet."""
SHARES = {
    "full / full": (1.0, 1.0),
    "35 % / none": (0.35, 0.0),
    "none / 35 %": (0.0, 0.35),
    "10 % / 90 %": (0.1, 0.9),
}
"""Of the tokens that audio and expression own."""
GOAL = 6.0


def split_regions(shares: tuple[float, float], side: int) -> list[TokenRegion]:
    """The first rows of the picture for the audio, the last ones for the expression."""
    rows = [round(share * side) for share in shares]
    masks = torch.zeros(2, 1, side, side)
    masks[0, :, : rows[0]] = 1
    masks[1, :, side - rows[1] :] = 1
    return [find_tokens(mask[None], (side, side)) for mask in masks]


def peers(channels: int, side: int, shares: tuple[float, float]) -> dict[str, Callable[[], Tensor]]:
    """The same layer in both ways, and without its scans."""
    torch.manual_seed(0)
    unet = VARIANTS["released"].unet
    width = unet.cross_attention_dim
    layer = ParallelControlMamba(channels, width, unet.state, unet.expand, unet.directions)
    x, identity, audio, expression = (
        torch.randn(1, tokens, size)
        for tokens, size in ((side * side, channels), (1, width), (32, width), (1, width))
    )
    regions = split_regions(shares, side)
    inputs = (
        x,
        identity,
        RegionCondition(audio, regions[0]),
        RegionCondition(expression, regions[1]),
    )

    def without_scans() -> Tensor:
        with mock.patch.object(mamba, "scan_inputs", skip_scans):
            out: Tensor = layer(*inputs)
        return out

    return {
        "ours": lambda: layer(*inputs),
        "without scans": without_scans,
        "released": lambda: released_layer(layer, *inputs),
    }


def skip_scans(inputs: Sequence[ScanInput], backend: str) -> list[Tensor]:
    """The image tokens as they are."""
    return [scan.x[:, : scan.image_tokens] for scan in inputs]


def main() -> None:
    say("One parallel-control layer against the released way with the Python scan")
    head = f"{'ratio':>7}{'limit':>8}{'released':>11}{'ours':>10}"
    say(f"{'channels':>9} {'audio / expression':<20}{head}")
    for channels, side in LAYERS:
        for name, shares in SHARES.items():
            seconds = median_seconds(peers(channels, side, shares))
            ours, theirs = seconds["ours"], seconds["released"]
            ratios = f"{theirs / ours:>6.1f}×{theirs / seconds['without scans']:>7.1f}×"
            say(f"{channels:>9} {name:<20}{ratios}{theirs:>9.3f} s{ours:>8.3f} s")
    say(f"   target: at least {GOAL:g}×\n")
