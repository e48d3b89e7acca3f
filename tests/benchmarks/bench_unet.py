"""A small UNet against diffusers' plain one of the same width, and FLOPs of the released size."""

from collections.abc import Callable

import torch
from diffusers import UNetSpatioTemporalConditionModel
from harness import flops, median_seconds, say
from windows import MODES, empty_unet, forward

from actalker_core.config import VARIANTS, UNetConfig
from actalker_core.model.unet import UNet

SMALL = UNetConfig(
    block_out_channels=(64, 128, 256, 256),
    num_attention_heads=(1, 2, 4, 4),
    cross_attention_dim=128,
    addition_time_embed_dim=64,
    projection_class_embeddings_input_dim=192,
)
FRAMES, SIDE_PX = 6, 256
GOAL = 1.15
RELEASED_TFLOP = {
    "audio only": 183,
    "expression only": 184,
    "both, paper's masks": 185,
    "both, everywhere": 185,
}
"""Of the released way, by count."""


def floor(config: UNetConfig, frames: int, side_px: int, like: torch.Tensor) -> Callable:
    """One pass of diffusers' UNet without any control."""
    kind = dict(device=like.device, dtype=like.dtype)
    unet = UNetSpatioTemporalConditionModel(
        in_channels=config.in_channels,
        out_channels=config.out_channels,
        block_out_channels=config.block_out_channels,
        layers_per_block=config.layers_per_block,
        num_attention_heads=config.num_attention_heads,
        cross_attention_dim=config.cross_attention_dim,
        addition_time_embed_dim=config.addition_time_embed_dim,
        projection_class_embeddings_input_dim=config.projection_class_embeddings_input_dim,
    )
    unet = unet.to(**kind).eval()
    side = side_px // 8
    given = (
        torch.randn(1, frames, config.in_channels, side, side, **kind),
        torch.ones((), device=like.device),
        torch.randn(1, 1, config.cross_attention_dim, **kind),
        torch.ones(1, 3, device=like.device),
    )
    return lambda: unet(*given, return_dict=False)


def main() -> None:
    unet = UNet(SMALL).eval()
    calls: dict[str, Callable] = {"floor": floor(SMALL, FRAMES, SIDE_PX, unet.conv_in.weight)}
    for name, mode in MODES.items():
        calls[name] = forward(unet, mode, FRAMES, SIDE_PX, mode.passes[-1:])
    counts = {name: flops(call) for name, call in calls.items()}
    found = median_seconds(calls)
    say(f"One pass of a small UNet ({FRAMES} frames of {SIDE_PX} px) against diffusers' plain one")
    say(f"   {'mode':<24}{'seconds':>9}{'FLOPs':>8}{'per FLOP':>10}")
    for name in MODES:
        seconds, work = (of[name] / of["floor"] for of in (found, counts))
        say(f"   {name:<24}{seconds:>8.2f}×{work:>7.2f}×{seconds / work:>9.2f}×")
    say(f"   asked: at most {GOAL}× per FLOP, so without Mamba and signals by their count\n")
    whole = empty_unet(VARIANTS["released"].unet)
    say("One forward of the released size: 25 frames of 576×576 in all passes that differ")
    for name, mode in MODES.items():
        count = flops(forward(whole, mode, 25, 576)) / 1e12
        say(f"   {name:<24}{count:>7.1f} TFLOP (released {RELEASED_TFLOP[name]})")
    say()


if __name__ == "__main__":
    with torch.inference_mode():
        main()
