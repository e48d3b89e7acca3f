"""The optimiser for hidden layers."""

import pytest
import torch
from helpers.tiny import TINY
from torch import nn

from actalker_core.learning.muon import Muon, is_hidden_weight, orthogonalize
from actalker_core.models.actalker.unet.unet import UNet


@pytest.mark.parametrize("shape", [(5, 5), (3, 40), (40, 3), (1, 7)])
def test_singular_values_come_near_one(shape: tuple[int, int]) -> None:
    random = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=random)
    before, after = torch.linalg.svd(x, full_matrices=False), orthogonalize(x[None])[0]
    values = torch.diagonal(before.U.T @ after @ before.Vh.T)
    assert values.min() > 0.3
    assert values.max() < 1.3
    torch.testing.assert_close(before.U @ values.diag() @ before.Vh, after, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_a_step_is_as_long_whatever_the_size_of_the_gradient(scale: float) -> None:
    weight = nn.Parameter(torch.zeros(8, 2, 3, 3))
    weight.grad = scale * torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))
    Muon([weight], lr=0.1).step()
    assert 0.05 < torch.linalg.matrix_norm(weight.flatten(1), 2) < 0.13


def test_what_has_no_gradient_stays() -> None:
    weight, idle = nn.Parameter(torch.ones(4, 6)), nn.Parameter(torch.ones(4, 6))
    weight.grad = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    weight.grad[1, 2:] = 0
    Muon([weight, idle], lr=0.1).step()
    change = weight != 1
    assert not change[1, 2:].any()
    assert change[0].all()
    assert torch.equal(idle, torch.ones(4, 6))


def test_it_finds_the_least_square() -> None:
    random = torch.Generator().manual_seed(0)
    target = torch.randn(6, 6, generator=random)
    weight = nn.Parameter(torch.zeros(6, 6))
    muon = Muon([weight], lr=0.3)
    for step in range(300):
        muon.param_groups[0]["lr"] = 0.3 * (1 - step / 300)
        muon.zero_grad()
        (weight - target).square().sum().backward()
        muon.step()
    assert (weight - target).norm() < 0.02 * target.norm()


def test_hidden_layers_are_matrices_between_the_outer_ones() -> None:
    parameters = dict(UNet(TINY.unet).named_parameters())
    names = {name for name, weight in parameters.items() if is_hidden_weight(name, weight)}
    assert "conv_in.weight" not in names
    assert "conv_out.weight" not in names
    assert not any(name.endswith(("bias", "A_logs", "Ds")) for name in names)
    size = sum(parameters[name].numel() for name in names)
    assert size > 0.9 * sum(weight.numel() for weight in parameters.values())
