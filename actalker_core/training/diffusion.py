"""The third stage: the denoiser learns to follow the signals, each in its own region."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..config import ModelConfig
from ..faces.box import enlarged
from ..masks import box_mask
from ..model.control import Control
from ..model.pose_guider import PoseGuider
from ..model.projections import AudioProjection, ExpressionProjection, IdentityProjection
from ..model.unet import UNet
from ..regions import Regions
from ..sampler.guidance import Pass
from .stage import Batch, Recipe
from .takes import SETUPS, time_ids
from .world import SIDE_PX

LOG_SIGMA_MEAN, LOG_SIGMA_SPREAD = 0.9, 1.3
"""Noise levels that are trained: most of them where a face's shape is decided."""
PASS_SHARES = {Pass.NOTHING: 0.06, Pass.IDENTITY: 0.06, Pass.AUDIO: 0.1, Pass.EXPRESSION: 0.78}
"""How often each guidance pass is trained; the last one sees everything."""
HELD_OUT_SIGMAS = (20.0, 3.0, 0.7)
WINDOW_PARTS = (1, 2, 5)
"""A step learns from whole takes, or from twice or five times as many shorter ones."""
TWINS = 0.8
"""Of the steps with the paper's masks compare takes that differ in one signal."""
INDEPENDENCE = 200.0
"""How much that comparison counts beside the error itself."""
PER_FRAME = ("target", "weight", "windows", "features", "rotation", "gates")
"""Fields of takes that have a row for each frame."""


class Diffusion:
    """The UNet with the projections and the pose guider in front of it.

    Args:
        takes: fields of `library.Encoded`, stacked. held_out: the same, never trained on.
        scale: of the latents.
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
        return with_twins(rng, self._windows(rng, count, parts) | noise)

    def _windows(self, rng: np.random.Generator, count: int, parts: int) -> Batch:
        """One of the equal parts of each of some takes that are alike."""
        setups, frames = self.takes["setup"], self.takes["gates"].shape[1] // parts
        alike = torch.nonzero(setups == setups[rng.integers(len(setups))])[:, 0]
        chosen = alike[torch.from_numpy(rng.integers(len(alike), size=count))]
        first = int(rng.integers(parts)) * frames
        return {
            name: field[chosen, first : first + frames] if name in PER_FRAME else field[chosen]
            for name, field in self.takes.items()
        }

    def loss(self, batch: Batch) -> Tensor:
        """EDM's weighted error of v; beside it, how far the v of twins lie apart."""
        clean = batch["target"].float() * self.config.vae.scaling_factor
        sigma = batch["sigma"][:, None, None, None, None]
        spread = (sigma**2 + 1).sqrt()
        count = int(batch["twins"]) if "twins" in batch else len(clean)
        noise = torch.randn_like(clean[:count]).repeat(len(clean) // count, 1, 1, 1, 1)
        noisy = clean + sigma * noise
        wanted = (noisy / spread**2 - clean) * spread / sigma
        v = self.velocity(batch, noisy / spread, batch["sigma"].log() / 4)
        error = _mean_square(v.float() - wanted, batch["weight"])
        if count < len(clean):
            apart = _mean_square(v[:count].float() - v[count:].float(), batch["weight"][count:])
            error = error + INDEPENDENCE * apart
        return error

    def held_out(self) -> dict[str, float]:
        """The error at a few noise levels, everything seen."""
        device = self.unet.conv_in.weight.device
        unseen = {name: field.to(device) for name, field in self.unseen.items()}
        everything = torch.full((len(unseen["gates"]),), int(Pass.EXPRESSION), device=device)
        found = {}
        for sigma in HELD_OUT_SIGMAS:
            torch.manual_seed(0)
            levels = torch.full(everything.shape, sigma, device=device)
            found[f"sigma_{sigma:g}"] = float(
                self.loss(unseen | {"sigma": levels, "pass": everything})
            )
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
        boxes = [enlarged((a, b, c, d), factor) for a, b, c, d in faces.tolist()]
        drawn = torch.cat([box_mask(box, SIDE_PX, SIDE_PX) for box in boxes])
        return drawn.expand(-1, 3, -1, -1).to(faces.device)


def _mean_square(difference: Tensor, weight: Tensor) -> Tensor:
    """Of a difference, weighted."""
    mean: Tensor = (difference.square() * weight.float()).mean() / weight.float().mean()
    return mean


def with_twins(rng: np.random.Generator, takes: Batch) -> Batch:
    """The first half of the takes, then a twin of each that has one signal of another take.

    What a signal does not own must come out the same whatever it says: so `loss` compares a take
    with its twin there, and the twin is not judged in the signal's own region.

    Args:
        takes: as `Diffusion.batch` chooses them, all of one setup; without the paper's masks, where
            no signal has a region of its own, they stay as they are.
    """
    if takes["setup"][0] != SETUPS.index("paper") or rng.random() >= TWINS:
        return takes
    region, count = int(rng.integers(2)), (len(takes["setup"]) + 1) // 2
    signal = ("windows", "features")[region]
    first = {name: field[:count] for name, field in takes.items()}
    owned = first["masks"][:, region, None, None].float()
    owned = F.adaptive_max_pool3d(owned, (1, *first["weight"].shape[-2:]))[:, None, :, 0]
    twins = first | {
        signal: takes[signal].roll(1, 0)[:count],
        "weight": first["weight"] * (1 - owned).to(first["weight"].dtype),
    }
    return {name: torch.cat([first[name], twins[name]]) for name in first} | {
        "twins": torch.tensor(count)
    }


def start_quietly(unet: UNet) -> None:
    """Let every residual branch begin as nothing, so that training starts from the identity.

    Source: Dhariwal and Nichol, arXiv 2105.05233, and others before them.
    """
    for name, module in unet.named_modules():
        if name.endswith((".proj_out", ".conv2", "conv_out")):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)
