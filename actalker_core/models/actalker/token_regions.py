"""Regions: from masks to the tokens that a branch owns (`masks` draws the masks).

A mask is (n, 1, height, width) in 0…1 at picture size, n = 1 for a whole clip or n = frames.
Letters: n masks, l tokens of a grid (raster order), m kept tokens.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import InputError

Grid = tuple[int, int]
"""Height and width in tokens."""

ROUNDING = 1e-5
"""Interpolating ones may give a little less than 1 in float32."""


@dataclass(frozen=True)
class TokenRegion:
    """One branch's region on one token grid.

    Attributes:
        weight: (n, l, 1) share of the branch's cross attention at each token.
        kept: (n, m) tokens that the branch scans; None when every token of every mask is kept.
        valid: (n, m) False where a mask keeps fewer tokens than m (its row is filled up with
            tokens outside the mask); None when all rows are full.
        reached: (n, r) tokens that have a weight, rows filled up with such that have none; None
            when all tokens have one.
    """

    weight: Tensor
    kept: Tensor | None
    valid: Tensor | None
    reached: Tensor | None = None

    @property
    def is_empty(self) -> bool:
        """No token is kept in any mask."""
        return self.kept is not None and self.kept.shape[1] == 0

    def select(self, frames: Sequence[int]) -> "TokenRegion":
        """The rows of some frames, the last one for frames after the clip's end.

        A clip-wide region is its own selection.
        """
        if self.weight.shape[0] == 1:
            return self
        rows = [min(i, len(self.weight) - 1) for i in frames]
        index = torch.tensor(rows, device=self.weight.device)
        return self._each(lambda field: field[index])

    def to(self, device: torch.device) -> "TokenRegion":
        """The same region on another device."""
        return self._each(lambda field: field.to(device))

    def _each(self, change: Callable[[Tensor], Tensor]) -> "TokenRegion":
        changed = {name: change(field) for name, field in vars(self).items() if field is not None}
        return replace(self, **changed)


@dataclass(frozen=True)
class Regions:
    """The audio and the expression region on every token grid of the model."""

    grids: dict[Grid, tuple[TokenRegion, TokenRegion]]

    @classmethod
    def from_masks(cls, audio: Tensor, expression: Tensor, latent: Grid, levels: int) -> "Regions":
        """Compute every grid's tokens once, so that no forward pass has to.

        Args:
            audio, expression: (n, 1, H, W) masks in 0…1; n may differ between the two.
            latent: (height, width) of the latent; level k of the model sees it halved k times.
        """
        for name, mask in (("audio", audio), ("expression", expression)):
            if mask.ndim != 4 or mask.shape[1] != 1:
                raise InputError(
                    f"The {name} mask: expected (n, 1, height, width), got {tuple(mask.shape)}."
                )
        grids = [_halved(latent, level) for level in range(levels)]
        return cls({g: (token_region(audio, g), token_region(expression, g)) for g in grids})

    def at(self, grid: Grid) -> tuple[TokenRegion, TokenRegion]:
        """Audio and expression region of a token grid."""
        return self.grids[grid]

    def select(self, frames: Sequence[int]) -> "Regions":
        """The regions of some frames of the clip."""
        return Regions(
            {g: (a.select(frames), e.select(frames)) for g, (a, e) in self.grids.items()}
        )

    def to(self, device: torch.device) -> "Regions":
        """The same regions on another device."""
        return Regions({g: (a.to(device), e.to(device)) for g, (a, e) in self.grids.items()})


def token_region(mask: Tensor, grid: Grid) -> TokenRegion:
    """Resize masks (n, 1, H, W) to a token grid as the release does and list the kept tokens.

    Bicubic without antialiasing; the scan keeps the tokens that reach 1, attention keeps the
    fractions.
    """
    small = F.interpolate(mask.float(), size=grid, mode="bicubic", align_corners=False)
    weight = small.flatten(1).unsqueeze(2)  # n 1 h w -> n l 1
    inside = weight.squeeze(2) >= 1 - ROUNDING
    kept, reached = _places(inside), _places(weight.squeeze(2) != 0)
    valid = None if kept is None else inside.gather(1, kept)
    return TokenRegion(weight, kept, None if valid is None or valid.all() else valid, reached)


def _places(inside: Tensor) -> Tensor | None:
    """(n, m) where rows (n, l) are true, short rows filled up; None if they are so everywhere."""
    most = int(inside.sum(1).max())
    if bool(inside.all()):
        return None
    return torch.argsort((~inside).byte(), dim=1, stable=True)[:, :most].contiguous()


def _halved(grid: Grid, times: int) -> Grid:
    height, width = grid
    for _ in range(times):
        height, width = (height + 1) // 2, (width + 1) // 2
    return height, width
