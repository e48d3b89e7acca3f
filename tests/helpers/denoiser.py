"""A denoiser that computes nothing."""

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from actalker_core.models.actalker.guidance import Pass, equal_passes

SHAPE = (2, 3, 3)


class FakeDenoiser:
    """Answers with a fixed picture per frame and pass, and counts what it is asked."""

    def __init__(self, frames: int, audio: bool = True, expression: bool = True) -> None:
        self.equal = equal_passes(audio, expression)
        answers = torch.randn(4, frames, *SHAPE, generator=torch.Generator().manual_seed(1))
        self.answers = torch.stack([answers[p] for p in self.equal])
        self.calls: Counter[Pass] = Counter()

    def merge_passes(self, frames: Sequence[int]) -> list[Pass]:
        return self.equal

    def __call__(
        self, x: Tensor, sigma: float, frames: Sequence[int], passes: Sequence[Pass]
    ) -> Tensor:
        self.calls.update(passes)
        return self.answers[list(passes)][:, list(frames)] + 0.1 * torch.tanh(x)


def noise(frames: int, seed: int = 0) -> Tensor:
    return 10 * torch.randn(frames, *SHAPE, generator=torch.Generator().manual_seed(seed))
