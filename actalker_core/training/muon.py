"""An optimiser for matrices and convolutions: every direction of an update counts the same.

A CPU can afford few steps, and this made more of each than AdamW did. torch has it for matrices
alone.
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
        """Take one; weights of one shape together, as there are many small ones."""
        for group in self.param_groups:
            alike: dict[torch.Size, list[Parameter]] = {}
            for weight in group["params"]:
                if weight.grad is not None:
                    alike.setdefault(weight.flatten(1).shape, []).append(weight)
            for weights in alike.values():
                self._move(weights, group["lr"])

    def _move(self, weights: list[Parameter], rate: float) -> None:
        updates = orthogonal(torch.stack([self._momentum(weight) for weight in weights]))
        scale = max(1.0, updates.shape[1] / updates.shape[2]) ** 0.5
        for weight, update in zip(weights, updates, strict=True):
            weight.sub_(rate * scale * update.view_as(weight) * (weight.grad != 0))

    def _momentum(self, weight: Parameter) -> Tensor:
        """With this step's gradient, and looked ahead (Nesterov): (m, n)."""
        grad, state = weight.grad, self.state[weight]
        assert grad is not None  # `step` has looked
        momentum = state.setdefault("momentum", torch.zeros_like(grad))
        momentum.mul_(MOMENTUM).add_(grad)
        ahead: Tensor = (grad + MOMENTUM * momentum).flatten(1)
        return ahead


def orthogonal(x: Tensor) -> Tensor:
    """Matrices (…, m, n) with their singular values brought near 1: to 0.7…1.2."""
    tall = x.shape[-2] > x.shape[-1]
    y: Tensor = x.mT if tall else x
    y = y / (torch.linalg.matrix_norm(y, keepdim=True) + 1e-7)
    a, b, c = NEWTON_SCHULZ
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = y @ y.mT
        y = a * y + (b * gram + c * gram @ gram) @ y
    return y.mT if tall else y


def is_hidden(name: str, weight: Tensor) -> bool:
    """Whether a parameter is a matrix or a convolution between hidden layers.

    The first and the last layer speak of colours and latents, whose units mean something.
    """
    outer = any(end in name for end in ("conv_in", "conv_out", "quant_conv"))
    return name.endswith(".weight") and weight.ndim >= 2 and not outer
