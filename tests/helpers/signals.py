"""Signals that tests are made of, and what is the same of two."""

import pytest
import torch
from torch import Tensor

from actalker_core.control.signals import (
    AudioSignal,
    DrivingSignal,
    ExpressionSignal,
    PoseSignal,
    Signals,
)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def audio(count: int = 40, rate_hz: float = 50.0, seed: int = 1) -> AudioSignal:
    return AudioSignal(rate_hz, "speech", noise(count, 2, 3, seed=seed))


def expression(count: int = 40, rate_hz: float = 25.0, seed: int = 2) -> ExpressionSignal:
    return ExpressionSignal(rate_hz, "face", noise(count, 5, seed=seed))


def pose(count: int = 40, rate_hz: float = 25.0, seed: int = 3) -> PoseSignal:
    random = torch.Generator().manual_seed(seed)
    rotation = 360 * torch.rand(count, 3, generator=random) - 180
    return PoseSignal(rate_hz, "head", rotation, noise(count, 3, seed=seed))


def counting(count: int, rate_hz: float = 25.0) -> ExpressionSignal:
    """Each value is its index."""
    return ExpressionSignal(rate_hz, "", torch.arange(float(count))[:, None])


def turning(degrees: list[float], rate_hz: float = 25.0) -> PoseSignal:
    rotation = torch.tensor(degrees)[:, None].expand(-1, 3)
    return PoseSignal(rate_hz, "", rotation, torch.zeros(len(degrees), 3))


def values(signal: ExpressionSignal) -> list[float]:
    return signal.features[:, 0].tolist()


def bits(tensor: Tensor) -> tuple[torch.dtype, torch.Size, bytes]:
    content = tensor.contiguous().view(torch.uint8).numpy().tobytes()
    return tensor.dtype, tensor.shape, content


def is_same(a: DrivingSignal, b: DrivingSignal) -> bool:
    """Equal to the last bit."""
    tracks = [{name: bits(track) for name, track in s.tracks.items()} for s in (a, b)]
    return type(a) is type(b) and (a.rate_hz, a.source, tracks[0]) == (
        b.rate_hz,
        b.source,
        tracks[1],
    )


def make_signals() -> Signals:
    return Signals(audio(), expression(), pose())


each_kind = pytest.mark.parametrize("make", [audio, expression, pose])
