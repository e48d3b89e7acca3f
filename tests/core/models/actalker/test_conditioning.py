"""Signals over time: gates, padding, and what the denoiser makes of them."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from helpers.conditioning import (
    CONFIG,
    FRAMES,
    GRID,
    HALFWAY,
    OPEN,
    SHUT,
    conditioning,
    draw,
    gated_condition,
)
from helpers.defaults import GUIDANCE, RHO
from helpers.formula import fill_weights

from actalker_core.diffusion.loop import sample
from actalker_core.diffusion.schedules import karras_sigmas
from actalker_core.diffusion.windows import Windows
from actalker_core.errors import InputError
from actalker_core.models.actalker.denoiser import Denoiser
from actalker_core.models.actalker.guidance import Pass
from actalker_core.models.actalker.unet.unet import UNet


@pytest.fixture(scope="module")
def unet() -> UNet:
    return fill_weights(UNet(CONFIG), 7)


class DenoiserWithoutMerging(Denoiser):
    """The model's denoiser, without telling which passes are equal."""

    def merge_passes(self, frames: list[int]) -> list[Pass]:
        return list(Pass)


@pytest.mark.parametrize(
    ("audio", "expression"),
    [(OPEN, OPEN), (OPEN, SHUT), (SHUT, OPEN), (SHUT, SHUT), (HALFWAY, OPEN), (OPEN, HALFWAY)],
)
def test_planned_passes_equal_unplanned_ones(
    unet: UNet, audio: list[float], expression: list[float]
) -> None:
    c, exact = conditioning(audio, expression), deepcopy(unet).double()
    noise = 10 * draw(6, FRAMES, 4, *GRID).double()
    arguments = (noise, karras_sigmas(2, 0.1, 10.0, RHO), GUIDANCE, Windows(3, 0, 1))
    merging = sample(Denoiser(exact, c, passes_at_once=1), *arguments)
    separate = sample(DenoiserWithoutMerging(exact, c, passes_at_once=1), *arguments)
    assert torch.allclose(merging, separate, rtol=1e-6, atol=1e-6)


def test_passes_follow_the_gate_within_the_clip(unet: UNet) -> None:
    denoiser = Denoiser(unet, conditioning(HALFWAY, SHUT))
    assert denoiser.merge_passes([0, 1, 2]) == [0, 1, 2, 2]
    assert denoiser.merge_passes([3, 4, 5]) == [0, 1, 1, 1]
    assert denoiser.merge_passes([2, 3]) == [0, 1, 2, 2]


def test_padding_is_active_in_no_pass(unet: UNet) -> None:
    denoiser = Denoiser(unet, conditioning(OPEN, OPEN).pad(3))
    assert denoiser.merge_passes([6, 7, 8]) == [0, 1, 1, 1]
    assert denoiser.merge_passes([5, 6]) == [0, 1, 2, 3]


def test_a_shut_gate_turns_its_signal_off(unet: UNet) -> None:
    c = conditioning(OPEN, SHUT)
    variant = replace(c, expression=gated_condition(40, SHUT))
    frames = list(range(FRAMES))
    x = draw(7, FRAMES, 4, *GRID)
    for guidance_pass in Pass:
        prediction = Denoiser(unet, c)(x, 1.0, frames, [guidance_pass])
        assert torch.equal(prediction, Denoiser(unet, variant)(x, 1.0, frames, [guidance_pass]))


def test_the_gate_scales_the_tokens() -> None:
    b = gated_condition(3, HALFWAY)
    assert torch.equal(
        b.select([0, 2], conditional=True), b.tokens[[0, 2]] * torch.tensor([1, 0.5])[:, None, None]
    )
    assert torch.equal(b.select([2], conditional=False), b.null_embedding * 0.5)
    assert b.select([4, 5], conditional=True) is None


def test_padding_holds_the_gate_and_drops_the_signal() -> None:
    condition = gated_condition(3, [1.0, 0.25]).pad(2)
    assert condition.gate.tolist() == [1.0, 0.25, 0.25, 0.25]
    assert torch.equal(condition.tokens[2:], condition.null_embedding.expand(2, -1, -1))


def test_lengths_must_agree() -> None:
    with pytest.raises(InputError, match=r"expected 6, got \(5,\)"):
        replace(gated_condition(3, OPEN), gate=torch.ones(5))
    with pytest.raises(InputError, match="got 6 and 5"):
        replace(conditioning(OPEN, OPEN), expression=gated_condition(4, OPEN[:5]))


def test_cyclic_and_tight_differ_only_in_their_windows(unet: UNet) -> None:
    c = conditioning(OPEN, OPEN)
    cyclic = Windows(3, 0, 1, "cyclic")
    noise = 10 * draw(6, FRAMES + cyclic.padding, 4, *GRID)
    sigmas = karras_sigmas(2, 0.1, 10.0, RHO)
    padded_latent = sample(
        Denoiser(unet, c.pad(cyclic.padding)), noise, sigmas[:2], GUIDANCE, cyclic
    )
    tight = sample(Denoiser(unet, c), noise[:FRAMES], sigmas[:2], GUIDANCE, Windows(3, 0, 1))
    assert torch.allclose(padded_latent[:FRAMES], tight, rtol=1e-4, atol=1e-4)
