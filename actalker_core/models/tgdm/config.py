"""Every size of the family, as data. A variant is a row of `VARIANTS`."""

from dataclasses import dataclass

from ...faces.blendshapes import NAMES

ROTATION_DEGREES = 30.0
"""A turn that counts as 1 among the coefficients."""
COEFFICIENTS = len(NAMES) - 1 + 3 + 4
"""Blendshapes without `_neutral`, rotation, gaze. Where the face is in its image is left out: a
network that knows it looks up the room instead of the face."""


@dataclass(frozen=True)
class TGDMConfig:
    """A network of the family.

    Attributes:
        side_px: of the square image that it sees; others are cut and scaled to it.
        patch_px: side of the squares of pixels that are one token of the finest grid.
        channels: of each grid; each is half as fine as the one before.
        blocks: residual blocks on each grid, on the way down and on the way up.
        texture_levels: grids on which the target looks at the source's texture.
        heads: of that attention.
        embedding_channels: of the coefficients and of the noise level.
        max_sigma: the highest noise level, for images in −1…1.
    """

    side_px: int
    patch_px: int
    channels: tuple[int, ...]
    blocks: int
    texture_levels: tuple[int, ...]
    heads: int
    embedding_channels: int
    max_sigma: float = 2.0

    @property
    def levels(self) -> int:
        """Number of grids."""
        return len(self.channels)


VARIANTS = {
    "tiny": TGDMConfig(16, 2, (8, 12), 1, (1,), 2, 16),
    # Attention on a grid of 32 costs more than all else, and in equal time this learns more.
    "built-in": TGDMConfig(128, 2, (32, 64, 128), 1, (2,), 4, 128),
    "photo-256": TGDMConfig(256, 4, (96, 192, 288), 2, (1, 2), 8, 256),
}
