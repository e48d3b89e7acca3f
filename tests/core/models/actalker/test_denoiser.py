"""A window predicted: passes together, equal ones once, as many as the cost estimate counts."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from helpers.conditioning import CONFIG, FRAMES, GRID, HALFWAY, OPEN, SHUT, conditioning, draw
from helpers.defaults import GUIDANCE, RHO
from helpers.formula import fill_weights
from torch import Tensor, nn

from actalker_core.diffusion.guidance import GuidanceInterval
from actalker_core.diffusion.loop import sample
from actalker_core.diffusion.schedules import karras_sigmas
from actalker_core.diffusion.windows import Windows
from actalker_core.models.actalker.cost import estimate_cost
from actalker_core.models.actalker.denoiser import Denoiser, merge_passes, velocity
from actalker_core.models.actalker.guidance import Guidance, Pass
from actalker_core.models.actalker.unet.unet import UNet

PASSES = list(Pass)


class Counting(nn.Module):
    """A UNet, counting the windows that it is asked for."""

    def __init__(self, unet: nn.Module) -> None:
        super().__init__()
        self.unet, self.num_samples = unet, 0

    def forward(self, *inputs: Any) -> Tensor:
        output: Tensor = self.unet(*inputs)
        self.num_samples += len(output)
        return output


@pytest.fixture(scope="module")
def filled_unet() -> UNet:
    return fill_weights(UNet(CONFIG), 7).double()


@pytest.fixture
def unet(filled_unet: UNet) -> Counting:
    return Counting(filled_unet)


class Zeros(nn.Module):
    """Stands for a UNet where only how often it runs matters."""

    conv_in = nn.Conv2d(8, 4, 1)

    def forward(self, sample: Tensor, timestep: Tensor, *inputs: Any) -> Tensor:
        return sample.new_zeros(len(timestep), *sample[0, :, :4].shape)


NOISY = draw(6, FRAMES, 4, *GRID).double()  # so that what is the same is seen to be
C_NOISE = torch.tensor([0.7])


def predict(unet: nn.Module, gates: tuple, passes: list[Pass]) -> Tensor:
    return velocity(unet, conditioning(*gates), NOISY, C_NOISE, range(FRAMES), passes)


@pytest.mark.parametrize("gates", [(OPEN, OPEN), (HALFWAY, OPEN), (OPEN, SHUT), (SHUT, HALFWAY)])
def test_passes_together_are_passes_one_by_one(unet: Counting, gates: tuple) -> None:
    batch = predict(unet, gates, PASSES)
    single = torch.cat([predict(unet, gates, [guidance_pass]) for guidance_pass in PASSES])
    assert torch.allclose(batch, single, atol=1e-10, rtol=1e-10)


def test_passes_may_come_in_any_order(unet: Counting) -> None:
    order = [Pass.EXPRESSION, Pass.UNCONDITIONAL, Pass.AUDIO]
    permutation = predict(unet, (OPEN, OPEN), order)
    straight = predict(unet, (OPEN, OPEN), PASSES)
    assert torch.allclose(permutation, straight[order], atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("gates", [(HALFWAY, SHUT), (SHUT, HALFWAY), (SHUT, SHUT)])
@pytest.mark.parametrize("frames", [[0, 1, 2], [3, 4, 5], [2, 3]])
def test_passes_that_are_called_equal_compute_the_same(
    unet: Counting, gates: tuple, frames: list[int]
) -> None:
    c = conditioning(*gates)
    v = velocity(unet, c, NOISY[frames], C_NOISE, frames, PASSES)
    firsts = [int(first) for first in merge_passes(c, frames)]
    assert len(set(firsts)) < len(PASSES)
    assert torch.allclose(v, v[firsts], atol=1e-10, rtol=1e-10)


def test_moving_to_where_it_is_moves_nothing() -> None:
    c = conditioning(OPEN, OPEN)
    assert c.to(torch.device("cpu")) is c
    copy = c.to(torch.device("meta"))
    assert {copy.pose.device.type, copy.audio.tokens.device.type} == {"meta"}
    assert copy.regions is not None
    assert replace(c, regions=None).to(torch.device("meta")).regions is None


@pytest.mark.parametrize("at_once", [1, 2, 3, 4])
def test_passes_may_share_a_batch(unet: Counting, at_once: int) -> None:
    unet.conv_in = unet.unet.conv_in
    c = conditioning(OPEN, OPEN)
    expected, prediction = (
        Denoiser(unet, c, passes_at_once)(NOISY, 2.0, range(FRAMES), PASSES)
        for passes_at_once in (4, at_once)
    )
    assert prediction.shape == (4, *NOISY.shape)
    assert (prediction - expected).norm() < 1e-3 * expected.norm()


# Preflight ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("gates", [(OPEN, OPEN), (HALFWAY, SHUT), (SHUT, OPEN)])
@pytest.mark.parametrize("windows", [Windows(3), Windows(4, 2, 1), Windows(3, 0, 2, "cyclic")])
@pytest.mark.parametrize(
    "guidance", [GUIDANCE, Guidance((1, 1), (1, 1), (1, 1)), Guidance((2, 0.5), (3, 3), (0, 0))]
)
@pytest.mark.parametrize(
    "interval", [None, GuidanceInterval(guide_to=1.0), GuidanceInterval(5.0, 0.0, 2)]
)
def test_preflight_counts_what_will_run(
    gates: tuple,
    windows: Windows,
    guidance: Guidance,
    interval: GuidanceInterval | None,
) -> None:
    c, sigmas, unet = conditioning(*gates), karras_sigmas(3, 0.1, 10.0, RHO), Counting(Zeros())
    unet.conv_in = unet.unet.conv_in
    c_with_padding = c.pad(windows.padding)
    noise = draw(8, c_with_padding.frames, 4, *GRID)
    sample(Denoiser(unet, c_with_padding), noise, sigmas, guidance, windows, interval=interval)
    cost = estimate_cost(c, windows, guidance, sigmas, interval)
    assert cost.evaluations == unet.num_samples
    assert cost.most_evaluations == 4 * cost.windows
    assert cost.passes <= len(set(merge_passes(c, range(FRAMES))))
