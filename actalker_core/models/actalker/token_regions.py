"""Regions: from masks to the tokens that a signal acts on (`control.regions` draws the masks).

A mask is (f, 1, H, W) in 0…1 at image size; f is 1 where one mask serves the whole video.
Letters: f frames, l tokens of a grid in raster order, m those of a region, h w grid.
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
    """One signal's region on one token grid.

    Rows of different masks have different numbers of tokens. A short row of indices is padded with
    indices of tokens outside the mask, so that all of a row are different.

    Attributes:
        weight: (f, l, 1) share of the signal's cross attention at each token.
        token_idx: (f, m) tokens that the signal scans; None when they are all of every mask.
        pad_mask: (f, m) True at padding of `token_idx`, as in torch's `key_padding_mask`, which
            comes last in its row; None when there is none.
        support_idx: (f, m') tokens whose weight is not 0, padded with such whose weight is; None
            when they are all.
    """

    weight: Tensor
    token_idx: Tensor | None
    pad_mask: Tensor | None
    support_idx: Tensor | None = None

    @property
    def is_empty(self) -> bool:
        """Whether no mask has a token that is scanned."""
        return self.token_idx is not None and self.token_idx.shape[1] == 0

    def select(self, frames: Sequence[int]) -> "TokenRegion":
        """The rows of some frames, the last one for frames after the video's end.

        A region of one row is for all frames.
        """
        if self.weight.shape[0] == 1:
            return self
        rows = [min(i, len(self.weight) - 1) for i in frames]
        index = torch.tensor(rows, device=self.weight.device)
        return self._map(lambda field: field[index])

    def to(self, device: torch.device) -> "TokenRegion":
        """The same region on another device."""
        return self._map(lambda field: field.to(device))

    def _map(self, function: Callable[[Tensor], Tensor]) -> "TokenRegion":
        fields = {name: value for name, value in vars(self).items() if value is not None}
        return replace(self, **{name: function(value) for name, value in fields.items()})


@dataclass(frozen=True)
class Regions:
    """The audio and the expression region on every token grid of the model."""

    grids: dict[Grid, tuple[TokenRegion, TokenRegion]]

    @classmethod
    def from_masks(cls, audio: Tensor, expression: Tensor, latent: Grid, levels: int) -> "Regions":
        """Compute every grid's tokens once, so that no forward pass has to.

        Args:
            audio, expression: (f, 1, H, W) masks in 0…1; f may differ between the two.
            latent: (height, width) of the latent; level k of the model sees it halved k times.
        """
        for name, mask in (("audio", audio), ("expression", expression)):
            if mask.ndim != 4 or mask.shape[1] != 1:
                raise InputError(
                    f"The {name} mask: expected (frames, 1, height, width), got "
                    f"{tuple(mask.shape)}. Give one mask for the video, or one for each frame."
                )
        grids = [_halve(latent, level) for level in range(levels)]
        return cls({g: (find_tokens(audio, g), find_tokens(expression, g)) for g in grids})

    def at(self, grid: Grid) -> tuple[TokenRegion, TokenRegion]:
        """Audio and expression region of a token grid."""
        return self.grids[grid]

    def select(self, frames: Sequence[int]) -> "Regions":
        """The regions of some frames of the video."""
        return Regions(
            {g: (a.select(frames), e.select(frames)) for g, (a, e) in self.grids.items()}
        )

    def to(self, device: torch.device) -> "Regions":
        """The same regions on another device."""
        return Regions({g: (a.to(device), e.to(device)) for g, (a, e) in self.grids.items()})


def find_tokens(mask: Tensor, grid: Grid) -> TokenRegion:
    """Resize masks (f, 1, H, W) to a token grid as the release does and list their tokens.

    Bicubic without antialiasing. Attention weighs by the fractions; a scan cannot, so that it reads
    the tokens whose mask is 1.
    """
    small = F.interpolate(mask.float(), size=grid, mode="bicubic", align_corners=False)
    weight = small.flatten(1).unsqueeze(2)  # f 1 h w -> f l 1
    inside = weight.squeeze(2) >= 1 - ROUNDING
    token_idx, support_idx = _list_indices(inside), _list_indices(weight.squeeze(2) != 0)
    pad_mask = None if token_idx is None else ~inside.gather(1, token_idx)
    has_padding = pad_mask is not None and bool(pad_mask.any())
    return TokenRegion(weight, token_idx, pad_mask if has_padding else None, support_idx)


def _list_indices(inside: Tensor) -> Tensor | None:
    """Where rows (f, l) are True, then padding: (f, m); None if they are so everywhere.

    A stable sort moves what is inside to the front and keeps raster order, which is the order that
    the scan walks in; what follows it in a short row lies outside.
    """
    longest = int(inside.sum(1).max())
    if bool(inside.all()):
        return None
    return torch.argsort((~inside).byte(), dim=1, stable=True)[:, :longest].contiguous()


def _halve(grid: Grid, times: int) -> Grid:
    height, width = grid
    for _ in range(times):
        height, width = (height + 1) // 2, (width + 1) // 2
    return height, width
