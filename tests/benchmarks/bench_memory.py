"""Peak memory of a released-size window, counted on tensors without values: `make bench`."""

from collections.abc import Iterator

import torch

from actalker_core.models.actalker.config import VARIANTS
from actalker_core.models.actalker.memory import estimate_activation_bytes, scanned_shares
from actalker_core.models.actalker.token_regions import Regions
from actalker_core.models.actalker.unet.unet import UNet
from benchmarks.harness import say
from benchmarks.windows import MODES, FusedAttention, empty_unet, face_masks, window_peak_bytes

CONFIG = VARIANTS["released"].unet
SIDE_PX = 576


def rows(unet: UNet, name: str) -> Iterator[str]:
    """Of one mode: counted, with what must be held beside it, and foretold."""
    mode, grid = MODES[name], (SIDE_PX // 8, SIDE_PX // 8)
    share = scanned_shares(Regions.from_masks(*face_masks(mode, SIDE_PX), grid, CONFIG.levels))
    weight_bytes = sum(parameter.nbytes for parameter in unet.parameters())
    for way, limit, passes, weights in (
        ("in one batch", 10, len(mode.passes), weight_bytes),
        ("pass by pass", 6, 1, 0),
    ):
        run = mode.passes[-passes:]
        peak = window_peak_bytes(unet, mode, CONFIG.num_frames, SIDE_PX, run)
        estimate = estimate_activation_bytes(CONFIG, grid, CONFIG.num_frames, passes, share, 2)
        verdict = "within" if peak + weights <= limit * 1e9 else "OVER"
        yield (
            f"   {name:<22}{way:<14}{(peak + weights) / 1e9:>6.2f} GB, {verdict} {limit} GB; "
            f"besides weights {peak / 1e9:.2f} GB, foretold {estimate / 1e9:.2f} GB"
        )


def main() -> None:
    unet = empty_unet(CONFIG, torch.float16, FusedAttention)
    say(f"Peak memory of a window: {CONFIG.num_frames} frames, {SIDE_PX}², half precision;")
    say("weights are held in one batch, and streamed pass by pass")
    for name in MODES:
        for row in rows(unet, name):
            say(row)
    say()
