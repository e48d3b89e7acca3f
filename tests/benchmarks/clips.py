"""What the denoiser reads for a clip, filled with random numbers or, on `meta`, with none."""

from typing import Any

import torch
from bench_core import FACE, SIDE_PX
from torch import Tensor

from actalker_core.bundle import FLOAT32_LEAVES
from actalker_core.conditioning import Branch, Conditioning
from actalker_core.config import ModelConfig, UNetConfig
from actalker_core.faces import Face
from actalker_core.masks import style_masks
from actalker_core.model.unet import UNet
from actalker_core.regions import Regions

MODES = {"joint": (1, 1), "audio only": (1, 0), "expression only": (0, 1)}
"""Gates of audio and expression."""
VIDEO = (12.5, 12.0, 20.0)
"""Frame rate in Hz and both motion buckets."""


def random_unet(config: UNetConfig, device: torch.device, dtype: torch.dtype) -> UNet:
    """A UNet with the weights that its layers start with; scan parameters stay float32."""
    torch.manual_seed(0)
    with device:
        unet = UNet(config)
    for name, parameter in unet.named_parameters():
        if name.rsplit(".", 1)[-1] not in FLOAT32_LEAVES:
            parameter.data = parameter.data.to(dtype)
    return unet.requires_grad_(False)


def random_clip(
    config: ModelConfig,
    size_px: tuple[int, int],
    frames: int,
    mode: str,
    device: torch.device,
    dtype: torch.dtype,
) -> Conditioning:
    """A clip in one of `MODES`, with the masks that go with it: the paper's for two signals.

    Args:
        size_px: height and width of the pictures.
    """
    torch.manual_seed(1)
    grid, unet = (size_px[0] // 8, size_px[1] // 8), config.unet
    like: dict[str, Any] = {"device": device, "dtype": dtype}
    tokens, width = config.audio_projection.context_tokens, unet.cross_attention_dim
    audio, expression = MODES[mode]
    masks = style_masks(
        "paper",
        face_at(size_px),
        *size_px,
        with_audio=bool(audio),
        with_expression=bool(expression),
    )
    return Conditioning(
        image_latent=torch.randn(1, 4, *grid, **like),
        identity=torch.randn(1, 1, width, **like),
        audio=_branch(frames, tokens, width, audio, like),
        expression=_branch(frames, 1, width, expression, like),
        regions=Regions.from_masks(*masks, grid, unet.levels).to(device),
        pose=torch.randn(1, 1, unet.block_out_channels[0], *grid, **like),
        time_ids=torch.tensor([VIDEO], device=device),
    )


def face_at(size_px: tuple[int, int]) -> Face:
    """The benchmarks' face in a picture of another size."""
    height, width = size_px
    x0, y0, x1, y1 = (edge / SIDE_PX for edge in FACE)
    return Face((x0 * width, y0 * height, x1 * width, y1 * height), 1.0)


def _branch(frames: int, tokens: int, width: int, gate: int, like: dict[str, Any]) -> Branch:
    made = Branch(
        torch.randn(frames, tokens, width, **like),
        torch.randn(1, tokens, width, **like),
        torch.full((frames,), float(gate), **like),
    )
    # Tensors without values cannot be asked whether they speak.
    vars(made).update(_open=[gate > 0] * frames, _speaks=[gate > 0] * frames)
    return made


def noise(clip: Conditioning) -> Tensor:
    """(f, 4, h, w) latents for all frames of a clip."""
    latent = clip.image_latent
    return torch.randn(clip.frames, *latent.shape[1:], device=latent.device, dtype=latent.dtype)
