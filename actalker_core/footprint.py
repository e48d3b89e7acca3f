"""What a clip takes: memory while the denoiser runs over a window, and time.

At its peak the UNet is on the way up, in a feed-forward of the finest grid, where the sequences
are longest: all outputs of the way down to that grid are still there, and the block's input,
which has the channels of the grid below.
"""

import torch

from .config import UNetConfig
from .model.unet import UNet
from .preflight import Cost
from .sampler.guidance import Pass

FEED_FORWARD = 16
"""Values and gates, the gates' GELU, and their product: (8 + 4 + 4) times the tokens."""

TRANSFORMER = 8
"""Tokens that a transformer holds meanwhile: its input, what the spatial block and the Mamba layer
made of it, the temporal block's sums, and what its norms gave to attention and feed-forward."""

SPARE = 1.15
"""Room for what is not counted, such as a convolution's workspace: the formula's own error."""


def activation_bytes(
    config: UNetConfig, grid: tuple[int, int], frames: int, passes: int, bytes_per_number: int
) -> int:
    """The most that the UNet holds at once besides its weights.

    Args:
        grid: (height, width) of the latent.
        frames: of a window.
        passes: that share a batch.
        bytes_per_number: of the type that it computes in.
    """
    finest, coarser = config.block_out_channels[:2]
    kept = 1 + config.layers_per_block  # the first convolution's output and the layers'
    numbers = finest * (kept + FEED_FORWARD + TRANSFORMER) + coarser
    return passes * frames * grid[0] * grid[1] * numbers * bytes_per_number


def seconds(cost: Cost, seconds_per_evaluation: float) -> float:
    """How long sampling takes; decoding and encoding are not in it."""
    return cost.evaluations * seconds_per_evaluation


def passes_at_once(unet: UNet, grid: tuple[int, int], frames: int) -> int:
    """How many passes over a window of so many frames fit beside a UNet on its device."""
    weight = unet.conv_in.weight
    one = activation_bytes(unet.config, grid, frames, 1, weight.element_size())
    return passes_that_fit(one, free_bytes(weight.device))


def free_bytes(device: torch.device) -> int | None:
    """Memory of a CUDA device that nobody uses, the allocator's own stock included; else None."""
    if device.type != "cuda":
        return None
    stock = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + stock


def passes_that_fit(bytes_per_pass: int, free: int | None) -> int:
    """How many passes can share a batch: at least one, and all where memory is not known."""
    if free is None:
        return len(Pass)
    return max(1, min(len(Pass), int(free / (SPARE * bytes_per_pass))))
