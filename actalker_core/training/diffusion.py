"""The third stage: the denoiser learns to follow the signals, each in its own region."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..control.regions import box_mask
from ..faces.box import enlarge_box
from ..models.actalker.config import ModelConfig
from ..models.actalker.encoders.pose_guider import PoseGuider
from ..models.actalker.encoders.projections import (
    AudioProjection,
    ExpressionProjection,
    IdentityProjection,
)
from ..models.actalker.guidance import Pass
from ..models.actalker.token_regions import Regions
from ..models.actalker.unet.control import Control
from ..models.actalker.unet.unet import UNet
from ..synthetic.rendering import SIDE_PX
from .stage import Batch, Recipe
from .takes import time_ids

LOG_SIGMA_MEAN, LOG_SIGMA_SPREAD = 0.9, 1.3
"""Noise levels that are trained: most of them where a face's shape is decided."""
PASS_SHARES = {Pass.NOTHING: 0.06, Pass.IDENTITY: 0.06, Pass.AUDIO: 0.1, Pass.EXPRESSION: 0.78}
"""How often each guidance pass is trained; the last one sees everything."""
HELD_OUT_SIGMAS = (20.0, 3.0, 0.7)
WINDOW_PARTS = (1, 2, 5)
"""A step learns from whole takes, or from twice or five times as many shorter ones."""
RESPONSE, INDEPENDENCE = 3.0, 150.0
"""How much the difference of a pair counts beside the error itself: in the region of the signal
that differs, and outside of it."""
PER_FILM = ("target", "weight", "windows", "features")
"""Fields of takes that each film of a pair has of its own; see `library.DrawnTakes`."""
PER_FRAME = {name: 2 for name in PER_FILM} | {"rotation": 1, "gates": 1}
"""Fields that have a row for each frame, along this dimension."""


class Diffusion:
    """The UNet with the projections and the pose guider in front of it.

    Args:
        takes: what `library.encode_take` makes, stacked. held_out: the same, never trained on.
    """

    name = "diffusion"

    def __init__(self, config: ModelConfig, recipe: Recipe, takes: Batch, held_out: Batch) -> None:
        self.recipe, self.config = recipe, config
        self.takes, self.unseen = takes, held_out
        self.unet = UNet(config.unet)
        self.pose_guider = PoseGuider(config.pose_guider)
        self.audio_projection = AudioProjection(config.audio_projection)
        self.identity_projection = IdentityProjection(config.identity_projection)
        self.expression_projection = ExpressionProjection(config.expression_projection)
        start_quietly(self.unet)
        names = ("unet", "pose_guider", "audio_projection", "identity_projection")
        parts = {name: getattr(self, name) for name in (*names, "expression_projection")}
        self.network: nn.Module = nn.ModuleDict(parts)

    def batch(self, rng: np.random.Generator) -> Batch:
        """Some takes of one setup, each with a noise level and a guidance pass.

        One setup at a time, so that regions that are empty in it cost nothing.
        """
        parts = int(rng.choice(WINDOW_PARTS))
        count = self.recipe.batch * parts
        sampling = self.config.sampling
        levels = np.exp(rng.normal(LOG_SIGMA_MEAN, LOG_SIGMA_SPREAD, count))
        levels = np.clip(levels, sampling.sigma_min, sampling.sigma_max)
        passes = rng.choice(len(PASS_SHARES), size=count, p=list(PASS_SHARES.values()))
        noise = {"sigma": torch.from_numpy(levels).float(), "pass": torch.from_numpy(passes)}
        return self._windows(rng, count, parts) | noise

    def _windows(self, rng: np.random.Generator, count: int, parts: int) -> Batch:
        """One of the equal parts of each of some takes that are alike."""
        setups, frames = self.takes["setup"], self.takes["gates"].shape[1] // parts
        alike = torch.nonzero(setups == setups[rng.integers(len(setups))])[:, 0]
        chosen = alike[torch.from_numpy(rng.integers(len(alike), size=count))]
        first = int(rng.integers(parts)) * frames
        return {
            name: field[chosen].narrow(PER_FRAME[name], first, frames)
            if name in PER_FRAME
            else field[chosen]
            for name, field in self.takes.items()
        }

    def loss(self, batch: Batch) -> Tensor:
        """EDM's weighted error of v; beside it, that of the difference between films of a pair."""
        error, apart = self._errors(batch)
        return error + apart

    def _errors(self, batch: Batch) -> tuple[Tensor, Tensor]:
        clean = batch["target"].float() * self.config.vae.scaling_factor
        sigma = batch["sigma"].view(-1, *[1] * 5)
        spread = (sigma**2 + 1).sqrt()
        noisy = clean + sigma * torch.randn_like(clean[:, :1])  # one noise for both films
        wanted = (noisy / spread**2 - clean) * spread / sigma
        films = as_films(batch)
        v = self.velocity(films, (noisy / spread).flatten(0, 1), films["sigma"].log() / 4)
        off, weight = v.float().unflatten(0, (-1, 2)) - wanted, batch["weight"].float()
        apart = (off[:, 0] - off[:, 1]) * emphasis(batch).sqrt()
        return _mean_square(off, weight), _mean_square(apart, weight.mean(1))

    def held_out(self) -> dict[str, float]:
        """Both errors at a few noise levels, everything seen."""
        device = self.unet.conv_in.weight.device
        unseen = {name: field.to(device) for name, field in self.unseen.items()}
        everything = torch.full((len(unseen["gates"]),), int(Pass.EXPRESSION), device=device)
        found: dict[str, float] = {}
        for sigma in HELD_OUT_SIGMAS:
            torch.manual_seed(0)
            levels = torch.full(everything.shape, sigma, device=device)
            error, apart = self._errors(unseen | {"sigma": levels, "pass": everything})
            found |= {f"sigma_{sigma:g}": float(error), f"apart_{sigma:g}": float(apart)}
        return found

    def velocity(self, batch: Batch, x: Tensor, c_noise: Tensor) -> Tensor:
        """V of takes (b, n, 4, h, w), each in its own guidance pass."""
        count, frames = x.shape[:2]
        image = batch["portrait"] * (batch["pass"] >= Pass.IDENTITY)[:, None, None, None]
        ids = torch.tensor(time_ids(self.config.sampling), device=x.device)
        out: Tensor = self.unet(
            torch.cat([x, image[:, None].expand(-1, frames, -1, -1, -1)], dim=2),
            c_noise,
            ids.expand(count, -1),
            self._control(batch, (x.shape[3], x.shape[4])),
            self.pose_guider(self._pose_images(batch["face"]))[:, None],
        )
        return out

    def _control(self, batch: Batch, grid: tuple[int, int]) -> Control:
        """Identity, gated tokens and regions; rows are (takes frames)."""
        frames, seen = batch["gates"].shape[1], batch["pass"]

        def shown(x: Tensor, least: Pass) -> Tensor:
            """Zeros where a pass does not see it."""
            return x * (seen >= least).view(-1, *[1] * (x.ndim - 1))

        identity = shown(self.identity_projection(batch["identity"]), Pass.IDENTITY)
        audio = self.audio_projection(shown(batch["windows"].float(), Pass.AUDIO))
        features = self.expression_projection(shown(batch["features"], Pass.EXPRESSION))
        rotation = shown(batch["rotation"], Pass.EXPRESSION)
        expression = torch.cat([features, rotation, torch.zeros_like(rotation)], dim=2)[:, :, None]
        gates = batch["gates"][..., None, None]
        return Control(
            frames,
            identity.repeat_interleave(frames, 0)[:, None],
            (audio * gates[:, :, 0]).flatten(0, 1),
            (expression * gates[:, :, 1]).flatten(0, 1),
            self._regions(batch["masks"], grid, frames),
        )

    def _regions(self, masks: Tensor, grid: tuple[int, int], frames: int) -> Regions:
        audio, expression = masks.float().split(1, dim=1)
        regions = Regions.from_masks(audio, expression, grid, self.config.unet.levels)
        return regions.select([take for take in range(len(masks)) for _ in range(frames)])

    def _pose_images(self, faces: Tensor) -> Tensor:
        """(b, 3, 128, 128) as the pipeline draws them."""
        factor = self.config.sampling.face_enlarged
        boxes = [enlarge_box((a, b, c, d), factor) for a, b, c, d in faces.tolist()]
        drawn = torch.cat([box_mask(box, SIDE_PX, SIDE_PX) for box in boxes])
        return drawn.expand(-1, 3, -1, -1).to(faces.device)


def _mean_square(difference: Tensor, weight: Tensor) -> Tensor:
    """Of a difference (…, 4, h, w), each place as its weight (…, 1, h, w) says."""
    mean: Tensor = (difference.square() * weight).mean() / weight.mean()
    return mean


def as_films(takes: Batch) -> Batch:
    """The two films of each pair below each other, each with all that it shares with the other."""
    return {
        name: field.flatten(0, 1) if name in PER_FILM else field.repeat_interleave(2, 0)
        for name, field in takes.items()
    }


def emphasis(takes: Batch) -> Tensor:
    """(b, 1, 1, h, w) what the difference between films counts: most where it ought to be none."""
    owned = takes["masks"][torch.arange(len(takes["differs"])), takes["differs"]].float()
    owned = F.adaptive_max_pool2d(owned[:, None], takes["weight"].shape[-2:])[:, None]
    return INDEPENDENCE + (RESPONSE - INDEPENDENCE) * owned


def start_quietly(unet: UNet) -> None:
    """Let every residual branch begin as nothing, so that training starts from the identity.

    Source: Dhariwal and Nichol, arXiv 2105.05233, and others before them.
    """
    for name, module in unet.named_modules():
        if name.endswith((".proj_out", ".conv2", "conv_out")):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)
