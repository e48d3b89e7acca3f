"""An optimiser for matrices and convolutions: every direction of an update counts the same.

A gradient is mostly a few large directions; with AdamW the small ones, which tell rare things
apart, hardly move. A CPU can afford few steps, and this made more of each. torch has it for
matrices alone.
Source: K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.
"""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer

MOMENTUM = 0.9
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of the polynomial that pulls singular values towards 1."""
NEWTON_SCHULZ_STEPS = 5


class Muon(Optimizer):
    """Steps of momentum whose singular values are all about the learning rate.

    Args:
        weights: (m, …) of two or more dimensions; all but the first count as columns. Numbers whose
            gradient is 0 stay as they are.
    """

    def __init__(self, weights: Iterable[Parameter], lr: float) -> None:
        super().__init__(weights, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update all weights, those of one shape together, as there are many small ones."""
        for group in self.param_groups:
            shapes: dict[torch.Size, list[Parameter]] = {}
            for weight in group["params"]:
                if weight.grad is not None:
                    shapes.setdefault(weight.shape, []).append(weight)
            for weights in shapes.values():
                self._update(weights, group["lr"])

    def _update(self, weights: list[Parameter], rate: float) -> None:
        grads = torch.stack([_grad(weight) for weight in weights])
        # Nesterov: look at the gradient as it will be after the momentum's step.
        updates = orthogonalize((grads + MOMENTUM * self._momenta(weights)).flatten(2))
        # A tall matrix (m > n) has only n directions for m outputs: √(m / n) keeps the root mean
        # square of an output's change as large as in a square one.
        scale = max(1.0, updates.shape[1] / updates.shape[2]) ** 0.5
        # Orthogonalisation fills in what had no gradient, such as the masked rows of a layer.
        deltas = rate * scale * updates.view_as(grads) * (grads != 0)
        torch._foreach_sub_(tuple(weights), deltas.unbind())

    def _momenta(self, weights: list[Parameter]) -> Tensor:
        """Momenta (k, m, …) of weights of one shape, with this step's gradients."""
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
    assert grad is not None  # `step` leaves out weights without one
    return grad


def orthogonalize(x: Tensor) -> Tensor:
    """Matrices (k, m, n) with their singular values brought near 1: to 0.7…1.2.

    Newton and Schulz: an odd polynomial of a matrix acts on its singular values alone, so that
    products suffice where a decomposition would be slow. The coefficients raise small values fast
    and let the large ones wander about 1, which does as well as 1 itself.
    """
    is_tall = x.shape[-2] > x.shape[-1]
    y: Tensor = x.mT if is_tall else x  # the smaller of the two Gram matrices
    # The Frobenius norm bounds the largest singular value: the polynomial converges below 1.
    y = y / (torch.linalg.matrix_norm(y, keepdim=True) + 1e-7)
    a, b, c = NEWTON_SCHULZ
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = y @ y.mT
        y = torch.baddbmm(y, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), y, beta=a)
    return y.mT if is_tall else y


def is_hidden_weight(name: str, weight: Tensor) -> bool:
    """Whether a parameter (m, …) is a matrix or a convolution between hidden layers.

    The first and the last layer handle colours and latents, whose units mean something.
    """
    is_outer = any(end in name for end in ("conv_in", "conv_out", "quant_conv"))
    return name.endswith(".weight") and weight.ndim >= 2 and not is_outer
