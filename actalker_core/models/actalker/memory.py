"""What a forward pass holds in memory, known before it runs.

Everything is counted in units of one hidden state at the finest grid, which is (passes · frames ·
tokens · channels) numbers: the peak lies there, in the last block on the way up. It is held
either by a feed-forward, beside what the block keeps for later, or by the scans.
"""

from collections.abc import Sequence

import torch

from ...diffusion.windows import Windows
from ...ops.attention import TOKENS_AT_ONCE
from .conditioning import Conditioning
from .config import UNetConfig
from .guidance import Pass
from .token_regions import Grid, Regions
from .unet.mamba import MAX_SCAN_TOKENS
from .unet.unet import UNet

BESIDE_FEEDING, FEEDING = 10.4, 16.0
"""Units that a block holds beside a feed-forward, and those of the tokens that it feeds at once."""
BESIDE_SCANS, SCANS = 6.4, 12.3
"""Units that a block holds beside the scans, and those of a signal that scans every token."""
USABLE = 0.9
"""Of the memory that is free; the rest is lost between tensors."""


def estimate_activation_bytes(
    config: UNetConfig,
    grid: Grid,
    frames: int,
    passes: int,
    scan_shares: Sequence[float],
    number_bytes: int,
) -> int:
    """The most that one evaluation of a window holds above weights and inputs.

    Args:
        grid: (height, width) of the latent. frames: of the window.
        scan_shares: share of the tokens that each signal scans; see `scanned_shares`.
        number_bytes: of the type that the UNet computes in.
    """
    tokens = passes * frames * grid[0] * grid[1]
    number = config.block_out_channels[0] * number_bytes
    feeding = BESIDE_FEEDING * tokens + FEEDING * min(tokens, TOKENS_AT_ONCE)
    in_turn = tokens * sum(scan_shares) > MAX_SCAN_TOKENS
    scans = (BESIDE_SCANS + SCANS * (max(scan_shares) if in_turn else sum(scan_shares))) * tokens
    return round(max(feeding, scans) * number)


def scanned_shares(regions: Regions | None) -> list[float]:
    """Of the tokens, what audio and expression scan: each 0 for nothing, 1 for all."""
    if regions is None:
        return [1.0, 1.0]
    finest = next(iter(regions.grids.values()))
    return [
        1.0 if region.token_idx is None else region.token_idx.shape[1] / region.weight.shape[1]
        for region in finest
    ]


def passes_that_fit(unet: UNet, conditioning: Conditioning, windows: Windows) -> int:
    """How many guidance passes fit together into the memory that is free; on a CPU, all."""
    like = unet.conv_norm_out.weight  # those of other layers may be kept in fewer bits
    if like.device.type != "cuda":
        return len(Pass)
    height, width = conditioning.image_latent.shape[2:]
    frames = min(windows.frames, conditioning.frames + windows.padding)
    shares = scanned_shares(conditioning.regions)
    sizes = [
        estimate_activation_bytes(
            unet.config, (height, width), frames, passes, shares, like.element_size()
        )
        for passes in range(1, len(Pass) + 1)
    ]
    return most_within(sizes, USABLE * _free_bytes(like.device))


def most_within(sizes: list[int], limit: float) -> int:
    """The largest count whose size is within a limit, and at least 1; sizes stand for 1, 2, 3."""
    return max([1, *(count for count, size in enumerate(sizes, start=1) if size <= limit)])


def _free_bytes(device: torch.device) -> int:
    """What the driver has free, and what torch keeps for itself without using it."""
    reserve = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(torch.cuda.mem_get_info(device)[0]) + int(reserve)
