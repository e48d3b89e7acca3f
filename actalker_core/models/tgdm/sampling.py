"""From the moved photograph to the finished image: one pass, then a few steps of diffusion."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import pairwise

import torch
from torch import Tensor

from ...diffusion.guidance import PassPlan, sum_passes
from ...diffusion.schedules import karras_sigmas
from ...limits import GUIDANCE, REFINE_NOISE, REFINE_STEPS
from .network import TGDM, Geometry

LAST_SIGMA = 0.03
RHO = 3.0
"""Of Karras' schedule, between few levels that are near each other."""


class Pass(IntEnum):
    """What one evaluation of the network reads."""

    FULL = 0
    WITHOUT_TEXTURE = 1
    WITHOUT_GEOMETRY = 2


@dataclass(frozen=True)
class Sampling:
    """How images are finished.

    Attributes:
        steps: of diffusion, after the regression; 0 for the regression alone.
        noise: level that the regression's answer is given before them, for images in −1…1.
        texture_scale, geometry_scale: guidance of either condition; 1 is unguided.

    Raises:
        InputError: a number outside its limits.
    """

    steps: int = 0
    noise: float = 0.2
    texture_scale: float = 1.0
    geometry_scale: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what gives no images."""
        REFINE_STEPS.check(self.steps)
        REFINE_NOISE.check(self.noise)
        GUIDANCE.check(self.texture_scale)
        GUIDANCE.check(self.geometry_scale)

    @property
    def passes(self) -> PassPlan[Pass]:
        """The passes that run, and their weights, which add up to 1.

        out = full + (s₁ − 1) (full − without texture) + (s₂ − 1) (full − without geometry)
        """
        texture, geometry = self.texture_scale - 1, self.geometry_scale - 1
        weights = {
            Pass.FULL: 1 + texture + geometry,
            Pass.WITHOUT_TEXTURE: -texture,
            Pass.WITHOUT_GEOMETRY: -geometry,
        }
        return {key: weight for key, weight in weights.items() if weight}

    @property
    def sigmas(self) -> list[float]:
        """Falling noise levels, and a final 0; [] without steps."""
        if not self.steps:
            return []
        return karras_sigmas(self.steps, min(LAST_SIGMA, self.noise), self.noise, RHO)


def finish_images(
    network: TGDM,
    geometry: Geometry,
    textures: Mapping[int, Tensor],
    sampling: Sampling,
    noise: Tensor,
) -> Tensor:
    """Finished images (b, 3, h, w) of moved photographs, in −1…1.

    Args:
        textures: of the source.
        noise: (1, 3, h, w) the same for every frame of a clip, as new noise in each would boil.
    """
    plan = sampling.passes
    parts = {
        Pass.FULL: (geometry, dict(textures)),
        Pass.WITHOUT_TEXTURE: (geometry, {}),
        Pass.WITHOUT_GEOMETRY: (leave_out(geometry), dict(textures)),
    }
    sigma_max = torch.full((len(geometry.photograph),), network.config.max_sigma)
    sigma_max = sigma_max.to(geometry.photograph)

    def denoise(noisy: Tensor, sigma: Tensor) -> Tensor:
        images = {key: network(noisy, sigma, *parts[key]) for key in plan}
        return sum_passes(images, plan)

    image = denoise(torch.zeros_like(geometry.photograph), sigma_max)
    sigmas = sampling.sigmas
    if sigmas:
        image = image + sigmas[0] * noise
    for sigma, next_sigma in pairwise(sigmas):
        clean = denoise(image, torch.full_like(sigma_max, sigma))
        image = clean + (image - clean) * (next_sigma / sigma)
    return image.clamp(-1, 1)


def leave_out(geometry: Geometry, keep: Tensor | float = 0.0) -> Geometry:
    """Without face and coefficients; the moved photograph (b, 3, h, w) stays.

    Args:
        keep: (b, 1, 1, 1) 1 for those of which nothing is left out.
    """
    keep = torch.as_tensor(keep).to(geometry.face)
    return replace(
        geometry,
        face=(geometry.face + 1) * keep - 1,
        coefficients=geometry.coefficients * keep.reshape(-1, 1),
    )
