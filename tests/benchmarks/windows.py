"""A window of frames in the three modes of the gates, for a UNet of any size on any device."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from unittest.mock import patch

import torch
from torch import Tensor

from actalker_core.control.regions import box_mask, draw_style_masks
from actalker_core.faces import Face
from actalker_core.models.actalker.conditioning import Conditioning, GatedCondition
from actalker_core.models.actalker.config import UNetConfig
from actalker_core.models.actalker.denoiser import velocity
from actalker_core.models.actalker.guidance import Pass, equal_passes
from actalker_core.models.actalker.networks import FLOAT32_LEAVES
from actalker_core.models.actalker.token_regions import Regions
from actalker_core.models.actalker.unet.unet import UNet
from actalker_core.ops.layers import FUSED_LAYERS, Layers
from actalker_core.ops.protocol import LayerOps
from actalker_core.ops.selective_scan import ScanInput, dispatch
from benchmarks.harness import peak_bytes

FACE_SHARE = (0.208, 0.104, 0.800, 0.696)
"""Edges of a face that fills 35 % of the picture, as shares of its sides."""


@dataclass(frozen=True)
class Mode:
    """Which signals speak, and in which regions."""

    audio: bool
    expression: bool
    style: str

    @property
    def passes(self) -> list[Pass]:
        """Those that differ."""
        return list(dict.fromkeys(equal_passes(self.audio, self.expression)))


MODES = {
    "audio only": Mode(True, False, "face"),
    "expression only": Mode(False, True, "face"),
    "both, paper's masks": Mode(True, True, "paper"),
    "both, everywhere": Mode(True, True, "released"),
}
"""A single signal owns the face, 35 % of the picture."""


def face_masks(mode: Mode, side_px: int) -> tuple[Tensor, Tensor]:
    """Audio and expression mask (1, 1, side, side)."""
    x0, y0, x1, y1 = (share * side_px for share in FACE_SHARE)
    if mode.style == "face":
        face = box_mask((x0, y0, x1, y1), side_px, side_px)
        return face * mode.audio, face * mode.expression
    return draw_style_masks(
        mode.style,
        Face((x0, y0, x1, y1), 1.0),
        side_px,
        side_px,
        with_audio=mode.audio,
        with_expression=mode.expression,
    )


def conditioning(
    config: UNetConfig, mode: Mode, frames: int, side_px: int, like: Tensor, audio_tokens: int = 32
) -> Conditioning:
    """Random signals on the device and in the type of a tensor; on `meta` without values."""
    side, width = side_px // 8, config.cross_attention_dim

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, device=like.device, dtype=like.dtype)

    def gated_condition(tokens: int, *, is_driven: bool) -> GatedCondition:
        template = GatedCondition(
            torch.ones(frames, 1, 1), torch.zeros(1, 1, 1), torch.ones(frames) * is_driven
        )
        condition = replace(
            template,
            tokens=draw(frames, tokens, width),
            null_embedding=draw(1, tokens, width),
            gate=torch.full((frames,), float(is_driven), device=like.device),
        )
        for name in ("_open", "_active"):  # known without values
            condition.__dict__[name] = getattr(template, name)
        return condition

    regions = Regions.from_masks(*face_masks(mode, side_px), (side, side), config.levels)
    return Conditioning(
        image_latent=draw(1, 4, side, side),
        identity=draw(1, 1, width),
        audio=gated_condition(audio_tokens, is_driven=mode.audio),
        expression=gated_condition(1, is_driven=mode.expression),
        regions=regions.to(like.device),
        pose=draw(1, 1, config.block_out_channels[0], side, side),
        time_ids=draw(1, 3).float(),
    )


def forward(
    unet: UNet, mode: Mode, frames: int, side_px: int, passes: Sequence[Pass] | None = None
) -> Callable[[], Tensor]:
    """One evaluation of a window in all passes of a mode that differ, or in given ones."""
    like = unet.conv_in.weight
    read = conditioning(unet.config, mode, frames, side_px, like)
    x = torch.randn(frames, 4, side_px // 8, side_px // 8, device=like.device, dtype=like.dtype)
    c_noise = torch.ones(1, device=like.device)
    run = list(passes or mode.passes)
    return lambda: velocity(unet, read, x, c_noise, range(frames), run)


def window_peak_bytes(
    unet: UNet, mode: Mode, frames: int, side_px: int, passes: Sequence[Pass] | None = None
) -> int:
    """What such an evaluation of an empty UNet holds at most on a GPU, above its weights."""
    call = forward(unet, mode, frames, side_px, passes)
    with patch.object(dispatch, "scan_as_operator", fused_scan):
        return peak_bytes(call)


def noise(read: Conditioning) -> Tensor:
    """(f, 4, h, w) latents for all frames of what is read."""
    latent = read.image_latent
    return torch.randn(read.frames, *latent.shape[1:], device=latent.device, dtype=latent.dtype)


def random_unet(config: UNetConfig, device: torch.device, dtype: torch.dtype) -> UNet:
    """A UNet with the weights that its layers start with; scan parameters stay float32."""
    torch.manual_seed(0)
    with device:
        unet = UNet(config)
    for name, parameter in unet.named_parameters():
        if name.rsplit(".", 1)[-1] not in FLOAT32_LEAVES:
            parameter.data = parameter.data.to(dtype)
    return unet.requires_grad_(False)


def empty_unet(
    config: UNetConfig, dtype: torch.dtype = torch.float32, ops: LayerOps = FUSED_LAYERS
) -> UNet:
    """A UNet without values, on `meta`."""
    with torch.device("meta"):
        return UNet(config, ops).to(dtype).eval()


class FusedAttention(Layers):
    """Layers whose attention needs no memory but for its result, as a GPU's does."""

    @staticmethod
    def attend(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
        return torch.empty_like(q)


def fused_scan(inputs: Sequence[ScanInput], backend: str) -> list[Tensor]:
    """The scan as a GPU does it, but for the kernel."""
    from actalker_core.ops.selective_scan import triton

    with patch.object(triton, "_scan_kernel", IdleKernel()):
        return triton.scan_triton(inputs)


class IdleKernel:
    """In place of a kernel of Triton."""

    def __getitem__(self, grid: object) -> Callable[..., None]:
        return lambda *arguments, **options: None
