"""Peak memory of a released-size window, counted on tensors without values: `make bench`."""

from collections.abc import Sequence

import torch
from bench_core import FACE, RELEASED, SIDE_PX, PeakMemory, say
from torch import Tensor

from actalker_core.conditioning import Branch, Conditioning
from actalker_core.config import ModelConfig
from actalker_core.faces import Face
from actalker_core.footprint import activation_bytes
from actalker_core.masks import style_masks
from actalker_core.model.scan import fused
from actalker_core.model.unet import UNet
from actalker_core.regions import Regions
from actalker_core.sampler.guidance import Pass
from actalker_core.sampler.predict import velocity

META = torch.device("meta")
LIMITS_GB = {"all passes in one batch": 10.0, "pass by pass, weights streamed": 6.0}


def branch(frames: int, tokens: int, width: int, dtype: torch.dtype) -> Branch:
    """A signal that is there in every frame, without values."""
    made = Branch(
        torch.empty(frames, tokens, width, device=META, dtype=dtype),
        torch.empty(1, tokens, width, device=META, dtype=dtype),
        torch.empty(frames, device=META, dtype=dtype),
    )
    vars(made).update(_open=[True] * frames, _speaks=[True] * frames)
    return made


def conditioning(
    config: ModelConfig, size_px: tuple[int, int], frames: int, dtype: torch.dtype
) -> Conditioning:
    """Both signals in the paper's regions, without values."""
    height, width = size_px
    grid, unet = (height // 8, width // 8), config.unet
    x0, y0, x1, y1 = (edge / SIDE_PX for edge in FACE)
    face = Face((x0 * width, y0 * height, x1 * width, y1 * height), 1.0)
    masks = style_masks("paper", face, *size_px, with_audio=True, with_expression=True)

    def empty(*shape: int) -> Tensor:
        return torch.empty(*shape, device=META, dtype=dtype)

    return Conditioning(
        image_latent=empty(1, 4, *grid),
        identity=empty(1, 1, unet.cross_attention_dim),
        audio=branch(
            frames, config.audio_projection.context_tokens, unet.cross_attention_dim, dtype
        ),
        expression=branch(frames, 1, unet.cross_attention_dim, dtype),
        regions=Regions.from_masks(*masks, grid, unet.levels).to(META),
        pose=empty(1, 1, unet.block_out_channels[0], *grid),
        time_ids=torch.empty(1, 3, device=META),
    )


def peak_bytes(
    config: ModelConfig,
    size_px: tuple[int, int],
    frames: int,
    passes: Sequence[Pass],
    dtype: torch.dtype = torch.float16,
) -> int:
    """The most that the denoiser holds at once over a window, weights and inputs left out.

    The scans count as Triton's, whose operator can be asked for shapes alone.
    """
    with META:
        unet = UNet(config.unet).to(dtype)
    clip = conditioning(config, size_px, frames, dtype)
    x = torch.empty(frames, *clip.image_latent.shape[1:], device=META, dtype=dtype)
    usual, fused.DEVICE_TYPE = fused.DEVICE_TYPE, META.type
    try:
        with PeakMemory() as memory, torch.inference_mode():
            velocity(unet, clip, x, torch.empty(1, device=META), range(frames), passes)
    finally:
        fused.DEVICE_TYPE = usual
    return memory.peak


def weight_bytes(config: ModelConfig, dtype: torch.dtype = torch.float16) -> int:
    with META:
        unet = UNet(config.unet)
    return sum(parameter.numel() for parameter in unet.parameters()) * dtype.itemsize


def bench_window_memory() -> None:
    frames, weights = RELEASED.unet.num_frames, weight_bytes(RELEASED) / 1e9
    say(f"\nPeak memory of a window: {frames} frames, {SIDE_PX}², half precision, both signals")
    for (name, limit), passes in zip(LIMITS_GB.items(), (len(Pass), 1), strict=True):
        counted = peak_bytes(RELEASED, (SIDE_PX, SIDE_PX), frames, list(Pass)[-passes:])
        grid = (SIDE_PX // 8, SIDE_PX // 8)
        formula = activation_bytes(RELEASED.unet, grid, frames, passes, 2)
        say(
            f"   {name:<32}{counted / 1e9:>6.2f} GB of activations (limit {limit:g} GB; "
            f"Preflight's formula {formula / counted:.2f} of it); "
            f"with all weights {counted / 1e9 + weights:.2f} GB"
        )


if __name__ == "__main__":
    bench_window_memory()
