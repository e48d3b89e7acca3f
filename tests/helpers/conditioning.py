"""A small clip's conditioning with random tokens."""

import torch
from torch import Tensor

from actalker_core.control.regions import box_mask
from actalker_core.models.actalker.conditioning import Conditioning, GatedCondition
from actalker_core.models.actalker.token_regions import Regions
from helpers.tiny import TINY

CONFIG = TINY.unet
FRAMES, GRID = 6, (8, 8)
OPEN, SHUT = [1.0] * FRAMES, [0.0] * FRAMES
HALFWAY = [1.0, 1.0, 0.5, 0.0, 0.0, 0.0]


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def gated_condition(seed: int, gate: list[float], tokens: int = 1) -> GatedCondition:
    width = CONFIG.cross_attention_dim
    return GatedCondition(
        draw(seed, len(gate), tokens, width), draw(99, 1, tokens, width), torch.tensor(gate)
    )


def conditioning(audio: list[float], expression: list[float]) -> Conditioning:
    mouth = box_mask((16, 32, 48, 64), 64, 64)
    return Conditioning(
        image_latent=draw(1, 1, 4, *GRID),
        identity=draw(2, 1, 1, CONFIG.cross_attention_dim),
        audio=gated_condition(3, audio, 8),
        expression=gated_condition(4, expression),
        regions=Regions.from_masks(mouth, 1 - mouth, GRID, CONFIG.levels),
        pose=draw(5, 1, 1, CONFIG.block_out_channels[0], *GRID),
        time_ids=torch.tensor([[12.5, 12.0, 20.0]]),
    )
