"""A clip predicted in one call: passes together, windows averaged, nothing computed twice."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from helpers.conditioning import CONFIG, FRAMES, GRID, HALFWAY, OPEN, SHUT, conditioning, draw
from helpers.formula import filled
from torch import Tensor, nn

from actalker_core.diffusion.guidance_cache import GuidanceInterval
from actalker_core.diffusion.loop import sample
from actalker_core.diffusion.schedules import karras_sigmas
from actalker_core.diffusion.windows import Windows
from actalker_core.models.actalker.cost import estimate_cost
from actalker_core.models.actalker.denoiser import Denoiser, clip_velocity, passes_on, velocity
from actalker_core.models.actalker.guidance import Guidance, Pass
from actalker_core.models.actalker.unet.unet import UNet

ALL = list(Pass)
WHOLE = [list(range(FRAMES))]


class Counting(nn.Module):
    """A UNet, counting the windows that it is asked for."""

    def __init__(self, unet: nn.Module) -> None:
        super().__init__()
        self.unet, self.seen = unet, 0

    def forward(self, *given: Any) -> Tensor:
        found: Tensor = self.unet(*given)
        self.seen += len(found)
        return found


@pytest.fixture(scope="module")
def filled_unet() -> UNet:
    return filled(UNet(CONFIG), 7).double()


@pytest.fixture
def unet(filled_unet: UNet) -> Counting:
    return Counting(filled_unet)


class Zeros(nn.Module):
    """Stands for a UNet where only how often it runs matters."""

    conv_in = nn.Conv2d(8, 4, 1)

    def forward(self, sample: Tensor, timestep: Tensor, *unused: Any) -> Tensor:
        return sample.new_zeros(len(timestep), *sample[0, :, :4].shape)


NOISY = draw(6, FRAMES, 4, *GRID).double()  # so that what is the same is seen to be
C_NOISE = torch.tensor([0.7])


def predicted(
    unet: nn.Module, gates: tuple, passes: list[Pass], windows: Sequence[Sequence[int]]
) -> Tensor:
    return clip_velocity(unet, conditioning(*gates), NOISY, C_NOISE, passes, windows)


@pytest.mark.parametrize("gates", [(OPEN, OPEN), (HALFWAY, OPEN), (OPEN, SHUT), (SHUT, HALFWAY)])
def test_passes_together_are_passes_one_by_one(unet: Counting, gates: tuple) -> None:
    together = predicted(unet, gates, ALL, WHOLE)
    single = torch.cat([predicted(unet, gates, [which], WHOLE) for which in ALL])
    assert torch.allclose(together, single, atol=1e-10, rtol=1e-10)


def test_passes_may_come_in_any_order(unet: Counting) -> None:
    order = [Pass.EXPRESSION, Pass.NOTHING, Pass.AUDIO]
    mixed = predicted(unet, (OPEN, OPEN), order, WHOLE)
    straight = predicted(unet, (OPEN, OPEN), ALL, WHOLE)
    assert torch.allclose(mixed, straight[order], atol=1e-10, rtol=1e-10)


def test_equal_passes_of_a_window_are_computed_once(unet: Counting) -> None:
    windows = [[0, 1, 2], [3, 4, 5]]
    found = predicted(unet, (HALFWAY, SHUT), ALL, windows)
    assert unet.seen == 3 + 2
    assert torch.equal(found[2], found[3])
    assert torch.equal(found[1, 3:], found[2, 3:])


def test_windows_are_averaged_where_they_meet(unet: Counting) -> None:
    c, windows = conditioning(OPEN, OPEN), [[0, 1, 2, 3], [2, 3, 4, 5]]
    parts = [velocity(unet, c, NOISY[frames], C_NOISE, frames, [Pass.AUDIO]) for frames in windows]
    found = predicted(unet, (OPEN, OPEN), [Pass.AUDIO], windows)
    assert torch.allclose(found[:, :2], parts[0][:, :2], atol=1e-5)
    assert torch.allclose(found[:, 2:4], (parts[0][:, 2:] + parts[1][:, :2]) / 2, atol=1e-5)


def test_each_window_may_be_cancelled(unet: Counting) -> None:
    def stop() -> None:
        if unet.seen:
            raise KeyboardInterrupt

    c = conditioning(OPEN, OPEN)
    windows = [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(KeyboardInterrupt):
        clip_velocity(unet, c, NOISY, C_NOISE, [Pass.AUDIO], windows, stop)
    assert unet.seen == 1


def test_moving_to_where_it_is_moves_nothing() -> None:
    c = conditioning(OPEN, OPEN)
    assert c.to(torch.device("cpu")) is c
    moved = c.to(torch.device("meta"))
    assert {moved.pose.device.type, moved.audio.tokens.device.type} == {"meta"}
    assert moved.regions is not None
    assert replace(c, regions=None).to(torch.device("meta")).regions is None


@pytest.mark.parametrize("at_once", [1, 2, 3, 4])
def test_passes_may_share_a_batch(unet: Counting, at_once: int) -> None:
    unet.conv_in = unet.unet.conv_in
    c = conditioning(OPEN, OPEN)
    wanted, found = (
        Denoiser(unet, c, passes_at_once)(NOISY, 2.0, WHOLE[0], ALL)
        for passes_at_once in (4, at_once)
    )
    assert found.shape == (4, *NOISY.shape)
    assert (found - wanted).norm() < 1e-3 * wanted.norm()


# Preflight ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("gates", [(OPEN, OPEN), (HALFWAY, SHUT), (SHUT, OPEN)])
@pytest.mark.parametrize("windows", [Windows(3), Windows(4, 2, 1), Windows(3, 0, 2, "cyclic")])
@pytest.mark.parametrize(
    "guidance", [Guidance(), Guidance((1, 1), (1, 1), (1, 1)), Guidance((2, 0.5), (3, 3), (0, 0))]
)
@pytest.mark.parametrize(
    "shortcuts", [None, GuidanceInterval(guide_to=1.0), GuidanceInterval(5.0, 0.0, 2)]
)
def test_preflight_counts_what_will_run(
    gates: tuple,
    windows: Windows,
    guidance: Guidance,
    shortcuts: GuidanceInterval | None,
) -> None:
    c, sigmas, unet = conditioning(*gates), karras_sigmas(3, 0.1, 10.0), Counting(Zeros())
    unet.conv_in = unet.unet.conv_in
    padded = c.padded(windows.padding)
    noise = draw(8, padded.frames, 4, *GRID)
    sample(Denoiser(unet, padded), noise, sigmas, guidance, windows, shortcuts=shortcuts)
    cost = estimate_cost(c, windows, guidance, sigmas, shortcuts)
    assert cost.evaluations == unet.seen
    assert cost.unplanned == 4 * cost.windows
    assert cost.passes <= len(set(passes_on(c, range(FRAMES))))
