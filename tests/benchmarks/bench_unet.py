"""A small UNet against diffusers' plain one of the same width, and FLOPs of the released size."""

from collections.abc import Callable

from actalker_core.models.actalker.config import VARIANTS, UNetConfig
from actalker_core.models.actalker.unet.unet import UNet
from benchmarks.harness import flops, median_seconds, say
from benchmarks.plain import floor
from benchmarks.windows import MODES, empty_unet, forward

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


def calls(unet: UNet, frames: int, side_px: int) -> dict[str, Callable[[], object]]:
    """The floor, and the last pass of each mode: the one with all its signals."""
    peers = {"floor": floor(unet.config, 1, frames, side_px, unet.conv_in.weight)}
    for name, mode in MODES.items():
        peers[name] = forward(unet, mode, frames, side_px, mode.passes[-1:])
    return peers


def counts(config: UNetConfig, frames: int, side_px: int) -> dict[str, int]:
    """FLOPs; those of the scans themselves are left out, which is no help to ours."""
    empty = calls(empty_unet(config), frames, side_px)
    return {name: flops(call) for name, call in empty.items()}


def main() -> None:
    operations = counts(SMALL, FRAMES, SIDE_PX)
    times = median_seconds(calls(UNet(SMALL).eval(), FRAMES, SIDE_PX))
    say(f"One pass of a small UNet ({FRAMES} frames of {SIDE_PX} px) against diffusers' plain one")
    say(f"   {'mode':<24}{'seconds':>9}{'FLOPs':>8}{'per FLOP':>10}")
    for name in MODES:
        seconds, work = (of[name] / of["floor"] for of in (times, operations))
        say(f"   {name:<24}{seconds:>8.2f}×{work:>7.2f}×{seconds / work:>9.2f}×")
    say(f"   target: at most {GOAL}× per FLOP, so without Mamba and signals by their count\n")
    unet = empty_unet(VARIANTS["released"].unet)
    say("One forward of the released size: 25 frames of 576×576 in all passes that differ")
    for name, mode in MODES.items():
        count = flops(forward(unet, mode, 25, 576)) / 1e12
        say(f"   {name:<24}{count:>7.1f} TFLOP (released {RELEASED_TFLOP[name]})")
    say()
