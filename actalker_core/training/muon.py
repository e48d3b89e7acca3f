"""An optimiser for matrices and convolutions: every direction of an update counts the same.

A few hundred small steps are all that a CPU can afford, and this makes more of each than AdamW.
torch has it for matrices alone.
Source: K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.
"""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer

MOMENTUM = 0.9
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Of the polynomial that pulls singular values towards 1."""
NEWTON_SCHULZ_STEPS = 5


class Muon(Optimizer):
    """Steps of momentum whose singular values are all about the learning rate.

    Args:
        weights: of two or more dimensions; all but the first count as columns. Numbers without a
            gradient stay as they are.
    """

    def __init__(self, weights: Iterable[Parameter], lr: float) -> None:
        super().__init__(weights, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Take one."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._move(weight, group["lr"])

    def _move(self, weight: Parameter, rate: float) -> None:
        grad, state = weight.grad, self.state[weight]
        assert grad is not None  # `step` has looked
        momentum = state.setdefault("momentum", torch.zeros_like(grad))
        momentum.mul_(MOMENTUM).add_(grad)
        update = orthogonal((grad + MOMENTUM * momentum).flatten(1))
        scale = max(1.0, update.shape[0] / update.shape[1]) ** 0.5
        weight.sub_(rate * scale * update.view_as(weight) * (grad != 0))


def orthogonal(x: Tensor) -> Tensor:
    """The matrix (m, n) with its singular values brought near 1: to 0.7…1.2."""
    tall = x.shape[0] > x.shape[1]
    y: Tensor = x.T if tall else x
    y = y / (y.norm() + 1e-7)
    a, b, c = NEWTON_SCHULZ
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = y @ y.T
        y = a * y + (b * gram + c * gram @ gram) @ y
    return y.T if tall else y


def is_hidden(name: str, weight: Tensor) -> bool:
    """Whether a parameter is a matrix or a convolution between hidden layers.

    The first and the last layer speak of colours and latents, whose units mean something.
    """
    outer = any(end in name for end in ("conv_in", "conv_out", "quant_conv"))
    return name.endswith(".weight") and weight.ndim >= 2 and not outer
