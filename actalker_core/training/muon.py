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
                    alike.setdefault(weight.shape, []).append(weight)
            for weights in alike.values():
                self._move(weights, group["lr"])

    def _move(self, weights: list[Parameter], rate: float) -> None:
        grads = torch.stack([_grad(weight) for weight in weights])
        updates = orthogonal((grads + MOMENTUM * self._momenta(weights)).flatten(2))  # Nesterov
        scale = max(1.0, updates.shape[1] / updates.shape[2]) ** 0.5
        moves = rate * scale * updates.view_as(grads) * (grads != 0)
        torch._foreach_sub_(tuple(weights), moves.unbind())

    def _momenta(self, weights: list[Parameter]) -> Tensor:
        """Those of weights of one shape, with this step's gradients."""
        momenta = [self._momentum(weight) for weight in weights]
        torch._foreach_mul_(momenta, MOMENTUM)
        torch._foreach_add_(momenta, [_grad(weight) for weight in weights])
        return torch.stack(momenta)

    def _momentum(self, weight: Parameter) -> Tensor:
        state = self.state[weight]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(weight)
        momentum: Tensor = state["momentum"]
        return momentum


def _grad(weight: Parameter) -> Tensor:
    grad = weight.grad
    assert grad is not None  # `step` has looked
    return grad


def orthogonal(x: Tensor) -> Tensor:
    """Matrices (k, m, n) with their singular values brought near 1: to 0.7…1.2."""
    tall = x.shape[-2] > x.shape[-1]
    y: Tensor = x.mT if tall else x
    y = y / (torch.linalg.matrix_norm(y, keepdim=True) + 1e-7)
    a, b, c = NEWTON_SCHULZ
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = y @ y.mT
        y = torch.baddbmm(y, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), y, beta=a)
    return y.mT if tall else y


def is_hidden(name: str, weight: Tensor) -> bool:
    """Whether a parameter is a matrix or a convolution between hidden layers.

    The first and the last layer speak of colours and latents, whose units mean something.
    """
    outer = any(end in name for end in ("conv_in", "conv_out", "quant_conv"))
    return name.endswith(".weight") and weight.ndim >= 2 and not outer
