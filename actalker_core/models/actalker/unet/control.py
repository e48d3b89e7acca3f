"""What every block of the UNet reads besides its input."""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from ..token_regions import Regions
from .attention import RegionCondition


@dataclass(frozen=True)
class Control:
    """What every block reads besides its input.

    Letters: v videos that come out, b ≤ v that go in, f frames, s context tokens, c channels.

    Attributes:
        frames: f.
        identity: (v·f, s, c) context of the plain cross attention.
        audio, expression: (v·f, s, c) tokens, or None where the signal's gate is shut.
        regions: where each signal applies; None for everywhere.
        batch_idx: (v,) for each video that comes out, the one that it is on the way in, such as
            the portrait or no portrait in four guidance passes; None where b = v. Until the first
            cross attention reads what tells them apart, those that share one are computed once.
    """

    frames: int
    identity: Tensor
    audio: Tensor | None = None
    expression: Tensor | None = None
    regions: Regions | None = None
    batch_idx: Tensor | None = None

    def expand_batch(self, x: Tensor) -> Tensor:
        """Rows (b·f, …) of videos that go in -> (v·f, …); what has as many rows stays itself."""
        if self.batch_idx is None or len(x) == len(self.identity):
            return x
        rows: Tensor = x.unflatten(0, (-1, self.frames))[self.batch_idx].flatten(0, 1)
        return rows

    def conditions(self, grid: tuple[int, int]) -> tuple[RegionCondition, RegionCondition]:
        """Audio and expression with their regions on a token grid (h, w)."""
        audio, expression = (None, None) if self.regions is None else self.regions.at(grid)
        return RegionCondition(self.audio, audio), RegionCondition(self.expression, expression)

    def average(self) -> "Control":
        """Every token set averaged over its video's frames: (v·f, s, c) -> (v, s, c)."""
        return Control(
            self.frames,
            self._mean(self.identity),
            None if self.audio is None else self._mean(self.audio),
            None if self.expression is None else self._mean(self.expression),
        )

    def _mean(self, tokens: Tensor) -> Tensor:
        mean: Tensor = tokens.unflatten(0, (-1, self.frames)).mean(1)
        return mean


class Context(NamedTuple):
    """A forward pass's control for each frame, and averaged for the temporal blocks."""

    spatial: Control
    temporal: Control
