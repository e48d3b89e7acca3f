"""Where the layers of a network come from, and what a fused operation may read of them."""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from torch import Tensor, nn

Weights = tuple[Tensor, Tensor | None]
"""Weight and bias of a layer, on the device and in the type that it computes in."""

WeightsOf = Callable[[nn.Module, Tensor], Weights | None]
"""(layer, input) -> its weights; None where calling it computes other things than torch's layer."""


class LayerOps(Protocol):
    """A namespace of layer classes; `layers.FUSED_LAYERS` is the default, `torch.nn` is one too.

    It may also have `attend(q, k, v, heads)`, else `attention.scaled_dot_product_attention` runs,
    and `weights_of(layer, input)`: see `WeightsOf`. Only what that gives back is ever fused;
    every other layer is called, so that a class with a forward of its own takes effect.
    """

    @property
    def Linear(self) -> type[nn.Linear]: ...  # noqa: N802, D102  (the name is torch's)

    @property
    def Conv1d(self) -> type[nn.Conv1d]: ...  # noqa: N802, D102

    @property
    def Conv2d(self) -> type[nn.Conv2d]: ...  # noqa: N802, D102

    @property
    def Conv3d(self) -> type[nn.Conv3d]: ...  # noqa: N802, D102

    @property
    def Embedding(self) -> type[nn.Embedding]: ...  # noqa: N802, D102

    @property
    def GroupNorm(self) -> type[nn.GroupNorm]: ...  # noqa: N802, D102

    @property
    def LayerNorm(self) -> type[nn.LayerNorm]: ...  # noqa: N802, D102


def weights_reader(ops: LayerOps) -> WeightsOf:
    """`weights_of` of a namespace, for layers without hooks or a forward of their own.

    Reads (weight, bias (c,)) of a layer, given its input (b, …).
    """
    return partial(_weights, getattr(ops, "weights_of", stored_weights))


def _weights(weights_of: WeightsOf, layer: nn.Module, like: Tensor) -> Weights | None:
    return weights_of(layer, like) if runs_its_class(layer) else None


def runs_its_class(layer: nn.Module) -> bool:
    """Whether calling a layer runs the forward of its class and nothing else: it has no hooks.

    Hooks of all modules at once do not count: counters of operations set them, and what they count
    is not to change by it.
    """
    return not (
        "forward" in layer.__dict__
        or layer._forward_hooks
        or layer._forward_pre_hooks
        or layer._backward_hooks
        or layer._backward_pre_hooks
    )


def stored_weights(layer: Any, like: Tensor) -> Weights | None:
    """Weight and bias (c,) of torch's own layers as they stand; see `WeightsOf`.

    Tensors of a class of their own, as quantised ones are, bring operations of their own.
    """
    if not has_forward_of(layer, nn.Linear, nn.Conv2d, nn.Conv3d):
        return None
    return (layer.weight, layer.bias) if type(layer.weight) in (nn.Parameter, Tensor) else None


def has_forward_of(layer: nn.Module, *kinds: type[nn.Module]) -> bool:
    """Whether the class of a layer computes as one of these does."""
    return any(type(layer).forward is kind.forward for kind in kinds)
