"""diffusers' plain SVD UNet, the floor: of the same sizes as ours, without signals and Mamba."""

from collections.abc import Callable

import torch
from diffusers import UNetSpatioTemporalConditionModel
from torch import Tensor

from actalker_core.models.actalker.config import UNetConfig


def plain_unet(config: UNetConfig) -> UNetSpatioTemporalConditionModel:
    return UNetSpatioTemporalConditionModel(
        in_channels=config.in_channels,
        out_channels=config.out_channels,
        down_block_types=_kinds(config, "CrossAttnDownBlock", "DownBlock"),
        up_block_types=_kinds(config, "CrossAttnUpBlock", "UpBlock")[::-1],
        block_out_channels=config.block_out_channels,
        layers_per_block=config.layers_per_block,
        num_attention_heads=config.num_attention_heads,
        cross_attention_dim=config.cross_attention_dim,
        addition_time_embed_dim=config.addition_time_embed_dim,
        projection_class_embeddings_input_dim=config.projection_class_embeddings_input_dim,
    )


def _kinds(config: UNetConfig, with_attention: str, without: str) -> tuple[str, ...]:
    names = [with_attention] * (config.levels - 1) + [without]
    return tuple(f"{name}SpatioTemporal" for name in names)


def floor(
    config: UNetConfig, passes: int, frames: int, side_px: int, like: Tensor
) -> Callable[[], object]:
    """So many passes in one batch, on the device and in the type of a tensor."""
    with like.device:
        unet = plain_unet(config)
    # some parameters are made on the CPU whatever the device
    unet = unet.to(device=like.device, dtype=like.dtype).requires_grad_(False).eval()
    side = side_px // 8

    def draw(*shape: int) -> Tensor:
        return torch.randn(passes, *shape, device=like.device, dtype=like.dtype)

    x = draw(frames, config.in_channels, side, side)
    context = draw(1, config.cross_attention_dim)
    step, ids = torch.ones((), device=like.device), torch.ones(passes, 3, device=like.device)
    return lambda: unet(x, step, context, ids, return_dict=False)
