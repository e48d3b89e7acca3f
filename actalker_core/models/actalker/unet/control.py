"""What every block of the UNet reads besides its input."""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from ..token_regions import Regions
from .attention import RegionCondition


@dataclass(frozen=True)
class Control:
    """What every block reads besides its input.

    Attributes:
        frames: frames per video; rows are batch-major (b f).
        identity: (n, s, c) context of the plain cross attention.
        audio, expression: (n, s, c) tokens, or None where the signal is silent.
        regions: where each signal applies; None for everywhere.
        begins: (v,) for each video, which row of the input it begins as; None for its own. Videos
            that see one picture are one until the first cross attention, where they part.
    """

    frames: int
    identity: Tensor
    audio: Tensor | None = None
    expression: Tensor | None = None
    regions: Regions | None = None
    begins: Tensor | None = None

    def part(self, x: Tensor) -> Tensor:
        """Rows (b f) of pictures for the rows (v f) of videos; itself once they have parted."""
        if self.begins is None or len(x) == len(self.identity):
            return x
        parted: Tensor = x.unflatten(0, (-1, self.frames))[self.begins].flatten(0, 1)
        return parted

    def spatial(self, grid: tuple[int, int]) -> tuple[RegionCondition, RegionCondition]:
        """Both signals with their regions on a token grid."""
        audio, expression = (None, None) if self.regions is None else self.regions.at(grid)
        return RegionCondition(self.audio, audio), RegionCondition(self.expression, expression)

    def temporal(self) -> "Control":
        """Every token set averaged over its video's frames: (n, s, c) -> (b, s, c)."""
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
    """A forward pass's control in its two forms, computed once."""

    spatial: Control
    temporal: Control
