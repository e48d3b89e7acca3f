"""What a forward pass holds in memory, known before it runs.

Everything is counted in units of one hidden state at the finest grid, which is (passes · frames ·
tokens · channels) numbers: the peak lies there, in the last block on the way up. It is held
either by a feed-forward, beside what the block keeps for later, or by the scans.
"""

import torch

from .conditioning import Conditioning
from .config import UNetConfig
from .model.attention import TOKENS_AT_ONCE
from .model.unet import UNet
from .regions import Grid, Regions
from .sampler.guidance import Pass
from .sampler.windows import Windows

BESIDE_FEEDING, FEEDING = 13.4, 16.0
"""Units that a block holds beside a feed-forward, and those of the tokens that it feeds at once."""
BESIDE_SCANS, SCANS = 4.2, 12.0
"""Units that a block holds beside the scans, and those of a branch that scans every token."""
EVERYWHERE = 2.0
"""What two branches scan that have no regions."""
USABLE = 0.9
"""Of the memory that is free; the rest is lost between tensors."""


def activation_bytes(
    config: UNetConfig, grid: Grid, frames: int, passes: int, scanned: float, number_bytes: int
) -> int:
    """The most that one evaluation of a window holds above weights and inputs.

    Args:
        grid: (height, width) of the latent. frames: of the window.
        scanned: share of the tokens that the branches scan, added up; see `scanned_share`.
        number_bytes: of the type that the UNet computes in.
    """
    tokens = passes * frames * grid[0] * grid[1]
    number = config.block_out_channels[0] * number_bytes
    feeding = BESIDE_FEEDING * tokens + FEEDING * min(tokens, TOKENS_AT_ONCE)
    scans = (BESIDE_SCANS + SCANS * scanned) * tokens
    return round(max(feeding, scans) * number)


def scanned_share(regions: Regions | None) -> float:
    """Of the tokens, what audio and expression scan together: 0 for nothing, 2 for all twice."""
    if regions is None:
        return EVERYWHERE
    finest = next(iter(regions.grids.values()))
    return sum(
        1.0 if region.kept is None else region.kept.shape[1] / region.weight.shape[1]
        for region in finest
    )


def fitting_passes(unet: UNet, conditioning: Conditioning, windows: Windows) -> int:
    """How many guidance passes fit together into the memory that is free; on a CPU, all."""
    like = unet.conv_in.bias  # weights may be kept in fewer bits
    if like.device.type != "cuda":
        return len(Pass)
    height, width = conditioning.image_latent.shape[2:]
    frames = min(windows.frames, conditioning.frames + windows.padding)
    scanned = scanned_share(conditioning.regions)
    sizes = [
        activation_bytes(unet.config, (height, width), frames, passes, scanned, like.element_size())
        for passes in range(1, len(Pass) + 1)
    ]
    return most_within(sizes, USABLE * _free_bytes(like.device))


def most_within(sizes: list[int], limit: float) -> int:
    """The largest count whose size is within a limit, and at least 1; sizes stand for 1, 2, 3."""
    return max([1, *(count for count, size in enumerate(sizes, start=1) if size <= limit)])


def _free_bytes(device: torch.device) -> int:
    """What the driver has free, and what torch keeps for itself without using it."""
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(torch.cuda.mem_get_info(device)[0]) + int(kept)
