"""The network of lips, run by numpy alone: causal convolutions, a piece of rows at a time.

Each layer keeps the rows that its next convolution reaches back to, so that a stream costs the same
per second however long it is. The network is late by `LOOK_AHEAD_ROWS`: what it says at a row is
about so many rows before, which is how a causal network sees ahead.
"""

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from ....errors import CheckpointError
from .features import FEATURES, PIECE_ROWS, RATE_HZ, ROW_SECONDS, WINDOW

Array = NDArray[np.float32]

WEIGHTS = Path(__file__).with_name("lips.safetensors")
FORMAT = "actalker lips 1"
LOOK_AHEAD_ROWS = 5
LOOK_AHEAD_SECONDS = LOOK_AHEAD_ROWS * ROW_SECONDS + WINDOW / RATE_HZ / 2
"""From the middle of a row to the last sample that it depends on."""
OUTPUTS = 6
"""Openness, width, pucker, closure, teeth on lip and silence, before they are squashed."""
MAX_BYTES = 2_000_000


@dataclass(frozen=True)
class Convolution:
    """A causal convolution with a ReLU.

    Attributes:
        weight: (taps · c, c) float32, the earliest tap first. bias: (c,).
        dilation: rows between two taps. taps: how many.
    """

    weight: Array
    bias: Array
    dilation: int
    taps: int

    @property
    def reach(self) -> int:
        """Rows before the first that it reads."""
        return (self.taps - 1) * self.dilation


@dataclass(frozen=True)
class LipNetwork:
    """Weights: a first convolution, some that add to what they read, and a linear head.

    Attributes:
        convolutions: the first maps features to channels.
        head: (c, OUTPUTS). head_bias: (OUTPUTS,).
    """

    convolutions: tuple[Convolution, ...]
    head: Array
    head_bias: Array

    def start(self) -> "LipStream":
        """A stream at its beginning, which nothing came before."""
        return LipStream(self)


class LipStream:
    """The network on its way through a sound."""

    def __init__(self, network: LipNetwork) -> None:
        self._network = network
        # Of each layer the rows that it reads, the newest last; and the taps as a view of them, so
        # that a step gathers them all at once.
        self._pasts = [
            np.zeros((layer.reach + PIECE_ROWS, len(layer.weight) // layer.taps), np.float32)
            for layer in network.convolutions
        ]
        self._taps = [
            sliding_window_view(past, layer.reach + 1, axis=0)[..., :: layer.dilation].swapaxes(
                1, 2
            )
            for past, layer in zip(self._pasts, network.convolutions, strict=True)
        ]

    def step(self, features: Array) -> Array:
        """Outputs (4, 6) of the features (4, 80) that follow: one piece."""
        rows = features
        for i, layer in enumerate(self._network.convolutions):
            past = self._pasts[i]
            past[:-PIECE_ROWS] = past[PIECE_ROWS:]
            past[-PIECE_ROWS:] = rows
            result = self._taps[i].reshape(PIECE_ROWS, -1) @ layer.weight
            result += layer.bias
            np.maximum(result, 0, out=result)
            rows = result if i == 0 else rows + result
        return np.asarray(rows @ self._network.head + self._network.head_bias, np.float32)


@cache
def load_built_in() -> LipNetwork:
    """The network that the package brings.

    Raises:
        CheckpointError: its file is missing or damaged.
    """
    return load_network(WEIGHTS)


def load_network(path: Path) -> LipNetwork:
    """A network of lips from its `.safetensors`.

    Raises:
        CheckpointError: it is missing, damaged, of another kind, or has weights that do not fit.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _refuse(path, f"{path.stat().st_size} bytes")
        with safe_open(path, framework="numpy") as file:
            texts = file.metadata() or {}
            weights = {name: file.get_tensor(name).astype(np.float32) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError, TypeError) as error:
        raise _refuse(path, f"a file that cannot be read ({error})") from error
    if texts.get("format") != FORMAT:
        raise _refuse(path, f"format {texts.get('format')}")
    return _build(path, weights, texts.get("dilations", ""))


def _build(path: Path, weights: dict[str, Array], text: str) -> LipNetwork:
    try:
        dilations = [int(part) for part in text.split(",")]
        convolutions = tuple(
            _build_convolution(weights[f"{i}.weight"], weights[f"{i}.bias"], dilation)
            for i, dilation in enumerate(dilations)
        )
        network = LipNetwork(convolutions, weights["head.weight"], weights["head.bias"])
        channels = [FEATURES, *(len(layer.bias) for layer in convolutions)]
        fits = all(
            layer.weight.shape == (layer.taps * before, after) and layer.dilation > 0
            for layer, (before, after) in zip(convolutions, pairwise(channels), strict=True)
        )
        fits &= len(weights) == 2 * len(convolutions) + 2
        fits &= len(set(channels[1:])) == 1 and network.head.shape == (channels[-1], OUTPUTS)
        fits &= network.head_bias.shape == (OUTPUTS,)
        fits &= all(np.isfinite(values).all() for values in weights.values())
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise _refuse(path, f"weights that do not belong together ({error})") from error
    if not fits:
        raise _refuse(path, "weights of sizes that do not fit, or that are no numbers")
    return network


def _build_convolution(weight: Array, bias: Array, dilation: int) -> Convolution:
    """A layer out of what the file holds: weight (taps, c, c), bias (c,)."""
    taps, before, after = weight.shape
    return Convolution(weight.reshape(taps * before, after), bias, dilation, taps)


def _refuse(path: Path, got: str) -> CheckpointError:
    return CheckpointError(
        f"{path}: expected a network of lips of this version, got {got}. Install the pack anew."
    )
