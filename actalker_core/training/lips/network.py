"""The network of lips as it learns, and as a file that `control.motion.lips.network` runs."""

from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...control.motion.lips.features import FEATURES
from ...control.motion.lips.network import FORMAT, LOOK_AHEAD_ROWS, OUTPUTS
from ...errors import CheckpointError
from ...files.writing import save_tensors

CHANNELS = 128
TAPS = 3
DILATIONS = (1, 1, 1, 2, 2, 4, 8, 16, 32, 64)
"""Of each layer; together they reach back for 2.6 s, enough to tell music from speech."""
EPSILON = 1e-3


class CausalLayer(nn.Module):
    """A causal convolution, a norm over the batch, which folds into its weights, and a ReLU."""

    def __init__(self, before: int, channels: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.convolution = nn.Conv1d(before, channels, TAPS, dilation=dilation, bias=False)
        self.norm = nn.BatchNorm1d(channels, EPSILON, momentum=0.02)

    def forward(self, rows: Tensor) -> Tensor:
        """From (b, c, rows) to (b, c, rows)."""
        late = F.pad(rows, ((TAPS - 1) * self.dilation, 0))
        return F.relu(self.norm(self.convolution(late)))

    def fold(self) -> tuple[Tensor, Tensor]:
        """Weight (taps, c, c) and bias (c,) of the layer as it infers."""
        variance, mean = cast(Tensor, self.norm.running_var), cast(Tensor, self.norm.running_mean)
        scale = self.norm.weight / torch.sqrt(variance + EPSILON)
        weight = self.convolution.weight * scale[:, None, None]
        return weight.permute(2, 1, 0).contiguous(), self.norm.bias - mean * scale


class LipTrainee(nn.Module):
    """The network with norms and gradients."""

    def __init__(self, channels: int = CHANNELS) -> None:
        super().__init__()
        sizes = [FEATURES] + [channels] * len(DILATIONS)
        self.layers = nn.ModuleList(
            CausalLayer(before, channels, dilation)
            for before, dilation in zip(sizes, DILATIONS, strict=False)
        )
        self.head = nn.Conv1d(channels, OUTPUTS, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Outputs (b, 6, rows − 5) of features (b, 80, rows).

        Each stands at the row that it is about, which the network says `LOOK_AHEAD_ROWS` late.
        """
        rows = self.layers[0](features)
        for layer in list(self.layers)[1:]:
            rows = rows + layer(rows)
        return cast(Tensor, self.head(rows)[..., LOOK_AHEAD_ROWS:])

    def export(self, path: Path) -> None:
        """Write the network in half precision, with its norms folded in.

        Raises:
            CheckpointError: it cannot be written.
        """
        tensors: dict[str, Tensor] = {}
        for i, layer in enumerate(self.layers):
            weight, bias = cast(CausalLayer, layer).fold()
            tensors |= {f"{i}.weight": weight, f"{i}.bias": bias}
        tensors["head.weight"] = self.head.weight[..., 0].T
        tensors["head.bias"] = cast(Tensor, self.head.bias)
        halves = {name: values.detach().half().contiguous() for name, values in tensors.items()}
        texts = {"format": FORMAT, "dilations": ",".join(map(str, DILATIONS))}
        save_tensors(path, halves, texts, CheckpointError)
