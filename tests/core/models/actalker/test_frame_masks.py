"""Masks per frame: what the denoiser makes of them, and that equal ones change nothing."""

import pytest
import torch
from helpers.defaults import GUIDANCE, RHO, WINDOWS
from helpers.drawn_faces import ANY_FACES, BOX_STYLES, draw_both, make_face, quick, shift_box
from helpers.formula import fill_weights
from helpers.signals import noise
from helpers.tiny import TINY
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from actalker_core.control import regions
from actalker_core.control.regions import draw_style_masks, grow_mask
from actalker_core.diffusion.loop import sample
from actalker_core.diffusion.schedules import karras_sigmas
from actalker_core.diffusion.windows import Windows
from actalker_core.faces import Face
from actalker_core.models.actalker.conditioning import Conditioning, GatedCondition
from actalker_core.models.actalker.denoiser import Denoiser
from actalker_core.models.actalker.guidance import Guidance
from actalker_core.models.actalker.token_regions import Regions, TokenRegion
from actalker_core.models.actalker.unet.unet import UNet

FRAMES, GRID = 3, (8, 8)
CONFIG = TINY.unet
SMALL = (10.0, 8.0, 50.0, 58.0)


def same_tokens(clip: TokenRegion, per_frame: TokenRegion, rows: int) -> bool:
    if clip.token_idx is None or per_frame.token_idx is None:
        token_idx = clip.token_idx is per_frame.token_idx
    else:
        token_idx = torch.equal(per_frame.token_idx, clip.token_idx.expand(rows, -1))
    weights = torch.equal(per_frame.weight, clip.weight.expand(rows, -1, -1))
    return weights and token_idx and per_frame.pad_mask is None and clip.pad_mask is None


@quick
@given(
    ANY_FACES,
    st.sampled_from(BOX_STYLES),
    st.lists(st.integers(0, FRAMES - 1), min_size=1, max_size=5),
    st.integers(-3, 3),
)
def test_equal_masks_per_frame_give_the_tokens_of_the_clip(
    face: Face, style: str, frames: list[int], reach: int
) -> None:
    clip_masks = [grow_mask(mask, reach) for mask in draw_both(style, face)]
    frame_masks = [grow_mask(mask, reach) for mask in draw_both(style, [face] * FRAMES)]
    clip_regions = Regions.from_masks(*clip_masks, (12, 10), 3).select(frames)
    frame_regions = Regions.from_masks(*frame_masks, (12, 10), 3).select(frames)
    assert list(clip_regions.grids) == list(frame_regions.grids)
    for grid in clip_regions.grids:
        for a, b in zip(clip_regions.at(grid), frame_regions.at(grid), strict=True):
            assert same_tokens(a, b, len(frames))


def condition(seed: int, tokens: int) -> GatedCondition:
    width = CONFIG.cross_attention_dim
    return GatedCondition(
        noise(FRAMES, tokens, width, seed=seed),
        noise(1, tokens, width, seed=99),
        torch.ones(FRAMES),
    )


def make_conditioning(audio: Tensor, expression: Tensor) -> Conditioning:
    return Conditioning(
        image_latent=noise(1, 4, *GRID, seed=1),
        identity=noise(1, 1, CONFIG.cross_attention_dim, seed=2),
        audio=condition(3, 8),
        expression=condition(4, 1),
        regions=Regions.from_masks(audio, expression, GRID, CONFIG.levels),
        pose=noise(1, 1, CONFIG.block_out_channels[0], *GRID, seed=5),
        time_ids=torch.tensor([[12.5, 12.0, 20.0]]),
    )


@pytest.fixture(scope="module")
def unet() -> UNet:
    return fill_weights(UNet(CONFIG), 7)


UNIT = Guidance((1.0, 1.0), (1.0, 1.0), (1.0, 1.0))


def sample_latents(
    unet: UNet, audio: Tensor, expression: Tensor, windows: Windows, guidance: Guidance = UNIT
) -> Tensor:
    c = make_conditioning(audio, expression).pad(windows.padding)
    x = 10 * noise(FRAMES + windows.padding, 4, *GRID, seed=6)
    result = sample(Denoiser(unet, c), x, karras_sigmas(2, 0.1, 10.0, RHO), guidance, windows)
    return result[:FRAMES]


def draw_masks(style: str, frames: int | None = None) -> tuple[Tensor, Tensor]:
    faces = make_face(SMALL) if frames is None else [make_face(SMALL)] * frames
    return draw_style_masks(style, faces, 64, 64, with_audio=True, with_expression=True)


@pytest.mark.parametrize(
    ("style", "guidance"),
    [("paper", GUIDANCE), *((style, UNIT) for style in regions.STYLES if style != "paper")],
)
def test_equal_masks_per_frame_give_the_latents_of_the_clip(
    unet: UNet, style: str, guidance: Guidance
) -> None:
    expected = sample_latents(unet, *draw_masks(style), WINDOWS, guidance)
    result = sample_latents(unet, *draw_masks(style, FRAMES), WINDOWS, guidance)
    assert (result - expected).abs().max() < 1e-5


@pytest.mark.parametrize("mode", ["tight", "cyclic"])
def test_windows_take_the_masks_of_their_frames(unet: UNet, mode: str) -> None:
    windows = Windows(2, 0, 1, mode)
    expected = sample_latents(unet, *draw_masks("paper"), windows)
    result = sample_latents(unet, *draw_masks("paper", FRAMES), windows)
    assert (result - expected).abs().max() < 1e-5


@pytest.mark.parametrize("index", [0, 1], ids=["audio", "expression"])
def test_one_signal_may_have_masks_per_frame_and_the_other_one_for_the_clip(
    unet: UNet, index: int
) -> None:
    masks = list(draw_masks("paper"))
    masks[index] = draw_masks("paper", FRAMES)[index]
    expected = sample_latents(unet, *draw_masks("paper"), WINDOWS)
    assert (sample_latents(unet, *masks, WINDOWS) - expected).abs().max() < 1e-5


def test_each_frame_reads_its_own_mask(unet: UNet) -> None:
    """With windows of one frame, a clip is as many clips of one frame."""
    frames = [make_face(shift_box(SMALL, 8 * i, 0)) for i in range(FRAMES)]
    signals = {"with_audio": True, "with_expression": True}
    windows = Windows(1, 0, 0)
    result = sample_latents(unet, *draw_style_masks("paper", frames, 64, 64, **signals), windows)
    singles = [
        sample_latents(unet, *draw_style_masks("paper", face, 64, 64, **signals), windows)
        for face in frames
    ]
    for i, single in enumerate(singles):
        assert torch.allclose(result[i], single[i], rtol=1e-3, atol=1e-4)
    assert (result[1] - singles[0][1]).abs().max() > 1e-2
