"""The last stage: the denoiser learns to follow the signals, each in its region."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..control.regions import box_mask
from ..faces.box import enlarge_box
from ..learning.trainer import Batch, TrainConfig
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

LOG_SIGMA_MEAN, LOG_SIGMA_STD = 0.9, 1.3
"""Of the log-normal noise levels. EDM centres them at −1.2 for images; those of latents lie
higher, where the shape of a face is decided: at low noise the latent shows it already.
Source: Karras et al., arXiv 2206.00364, table 1."""
PASS_PROBABILITIES = {
    Pass.UNCONDITIONAL: 0.06,
    Pass.IDENTITY: 0.06,
    Pass.AUDIO: 0.1,
    Pass.EXPRESSION: 0.78,
}
"""How often each guidance pass is trained; the last one has all signals."""
VALIDATION_SIGMAS = (20.0, 3.0, 0.7)
WINDOW_DIVISORS = (1, 2, 5)
"""A step learns from full samples, or from two or five times as many of shorter ones."""
RESPONSE_WEIGHT, INDEPENDENCE_WEIGHT = 3.0, 150.0
"""Weights of the error of a pair's difference: in the region of the signal that differs, and
outside of it, where the videos must be alike."""
PER_VIDEO = ("target", "weight", "windows", "features")
"""Fields that each video of a pair has for itself; see `dataset.encode_sample`."""
PER_FRAME = {name: 2 for name in PER_VIDEO} | {"rotation_degrees": 1, "gates": 1}
"""Fields that have a row for each frame, along this dimension."""


class DenoiserObjective:
    """The UNet with the projections and the pose guider in front of it.

    Args:
        samples: what `dataset.encode_sample` makes, stacked.
        validation_samples: the same, never trained on.
    """

    name = "denoiser"

    def __init__(
        self,
        model_config: ModelConfig,
        config: TrainConfig,
        samples: Batch,
        validation_samples: Batch,
    ) -> None:
        self.config, self.model_config = config, model_config
        self.samples, self.validation_samples = samples, validation_samples
        self.unet = UNet(model_config.unet)
        self.pose_guider = PoseGuider(model_config.pose_guider)
        self.audio_projection = AudioProjection(model_config.audio_projection)
        self.identity_projection = IdentityProjection(model_config.identity_projection)
        self.expression_projection = ExpressionProjection(model_config.expression_projection)
        zero_residual_outputs(self.unet)
        names = ("unet", "pose_guider", "audio_projection", "identity_projection")
        parts = {name: getattr(self, name) for name in (*names, "expression_projection")}
        self.network: nn.Module = nn.ModuleDict(parts)

    def make_batch(self, rng: np.random.Generator) -> Batch:
        """Samples of one mode, each with a noise level sigma (b,) and a guidance pass (b,).

        One mode at a time, so that regions that are empty in it cost nothing.
        """
        divisor = int(rng.choice(WINDOW_DIVISORS))
        count = self.config.batch_size * divisor
        sampling = self.model_config.sampling
        sigmas = np.exp(rng.normal(LOG_SIGMA_MEAN, LOG_SIGMA_STD, count))
        sigmas = np.clip(sigmas, sampling.sigma_min, sampling.sigma_max)
        passes = rng.choice(
            len(PASS_PROBABILITIES), size=count, p=list(PASS_PROBABILITIES.values())
        )
        noise = {"sigma": torch.from_numpy(sigmas).float(), "pass": torch.from_numpy(passes)}
        return self._select_windows(rng, count, divisor) | noise

    def _select_windows(self, rng: np.random.Generator, count: int, divisor: int) -> Batch:
        """One of the equal parts of each of some samples of one mode."""
        modes, frames = self.samples["mode"], self.samples["gates"].shape[1] // divisor
        rows = torch.nonzero(modes == modes[rng.integers(len(modes))])[:, 0]
        rows = rows[torch.from_numpy(rng.integers(len(rows), size=count))]
        first = int(rng.integers(divisor)) * frames
        return {
            name: field[rows].narrow(PER_FRAME[name], first, frames)
            if name in PER_FRAME
            else field[rows]
            for name, field in self.samples.items()
        }

    def compute_loss(self, batch: Batch) -> Tensor:
        """The weighted error () of v (2·b, f, 4, h, w), and that of the difference of each pair.

        A mouth that moves by a fraction of a pixel with the brows is a small error of v, and a
        large leak of one signal into the other's region: the difference tells it apart.
        """
        error, contrast_error = self._compute_errors(batch)
        return error + contrast_error

    def _compute_errors(self, batch: Batch) -> tuple[Tensor, Tensor]:
        clean = batch["target"].float() * self.model_config.vae.scaling_factor
        sigma = batch["sigma"].view(-1, *[1] * 5)
        scale = (sigma**2 + 1).sqrt()
        # One noise for both videos: whatever differs in the outputs then comes from the signal.
        noisy = clean + sigma * torch.randn_like(clean[:, :1])
        # The denoised latent is noisy / scale² − v · σ / scale. Solved for v, the target has about
        # unit variance at every σ, and an error of v weighs as EDM's (σ² + 1) / σ² does one of the
        # latent: no level drowns the others. Source: arXiv 2202.00512; 2206.00364, table 1.
        target = (noisy / scale**2 - clean) * scale / sigma
        videos = flatten_pairs(batch)
        v = self.predict_velocity(videos, (noisy / scale).flatten(0, 1), videos["sigma"].log() / 4)
        errors, weight = v.float().unflatten(0, (-1, 2)) - target, batch["weight"].float()
        contrast = (errors[:, 0] - errors[:, 1]) * contrast_weight(batch).sqrt()
        return _weighted_mean_square(errors, weight), _weighted_mean_square(
            contrast, weight.mean(1)
        )

    def validate(self) -> dict[str, float]:
        """Both errors at a few noise levels, with all signals."""
        device = self.unet.conv_in.weight.device
        samples = {name: field.to(device) for name, field in self.validation_samples.items()}
        passes = torch.full((len(samples["gates"]),), int(Pass.EXPRESSION), device=device)
        measures: dict[str, float] = {}
        for sigma in VALIDATION_SIGMAS:
            torch.manual_seed(0)
            sigmas = torch.full(passes.shape, sigma, device=device)
            error, contrast = self._compute_errors(samples | {"sigma": sigmas, "pass": passes})
            measures |= {f"sigma_{sigma:g}": float(error), f"contrast_{sigma:g}": float(contrast)}
        return measures

    def predict_velocity(self, batch: Batch, latents: Tensor, c_noise: Tensor) -> Tensor:
        """V of latents (b, f, 4, h, w), each in its guidance pass; c_noise (b,) is log(σ) / 4."""
        count, frames = latents.shape[:2]
        portrait = batch["portrait"] * (batch["pass"] >= Pass.IDENTITY)[:, None, None, None]
        sampling = self.model_config.sampling
        time_ids = torch.tensor(
            [sampling.fps, sampling.motion_bucket_id, sampling.motion_bucket_id_exp],
            device=latents.device,
        )
        out: Tensor = self.unet(
            torch.cat([latents, portrait[:, None].expand(-1, frames, -1, -1, -1)], dim=2),
            c_noise,
            time_ids.expand(count, -1),
            self._make_control(batch, (latents.shape[3], latents.shape[4])),
            self.pose_guider(self._draw_pose_images(batch["face_box"]))[:, None],
        )
        return out

    def _make_control(self, batch: Batch, grid: tuple[int, int]) -> Control:
        """Identity, gated tokens and regions; rows are (samples frames)."""
        frames, passes = batch["gates"].shape[1], batch["pass"]

        def mask_by_pass(x: Tensor, least: Pass) -> Tensor:
            """Zeros for the passes below one, which do not have this signal."""
            return x * (passes >= least).view(-1, *[1] * (x.ndim - 1))

        identity = mask_by_pass(self.identity_projection(batch["identity"]), Pass.IDENTITY)
        audio = self.audio_projection(mask_by_pass(batch["windows"].float(), Pass.AUDIO))
        features = self.expression_projection(mask_by_pass(batch["features"], Pass.EXPRESSION))
        rotation = mask_by_pass(batch["rotation_degrees"], Pass.EXPRESSION)
        expression = torch.cat([features, rotation, torch.zeros_like(rotation)], dim=2)[:, :, None]
        gates = batch["gates"][..., None, None]
        return Control(
            frames,
            identity.repeat_interleave(frames, 0)[:, None],
            (audio * gates[:, :, 0]).flatten(0, 1),
            (expression * gates[:, :, 1]).flatten(0, 1),
            self._make_regions(batch["masks"], grid, frames),
        )

    def _make_regions(self, masks: Tensor, grid: tuple[int, int], frames: int) -> Regions:
        audio, expression = masks.float().split(1, dim=1)
        regions = Regions.from_masks(audio, expression, grid, self.model_config.unet.levels)
        return regions.select([row for row in range(len(masks)) for _ in range(frames)])

    def _draw_pose_images(self, face_boxes: Tensor) -> Tensor:
        """(b, 3, 128, 128) as the pipeline draws them."""
        factor = self.model_config.sampling.face_enlarged
        boxes = [enlarge_box((a, b, c, d), factor) for a, b, c, d in face_boxes.tolist()]
        images = torch.cat([box_mask(box, SIDE_PX, SIDE_PX) for box in boxes])
        return images.expand(-1, 3, -1, -1).to(face_boxes.device)


def _weighted_mean_square(errors: Tensor, weight: Tensor) -> Tensor:
    """Of errors (…, 4, h, w) with a weight (…, 1, h, w) for each place."""
    mean: Tensor = (errors.square() * weight).mean() / weight.mean()
    return mean


def flatten_pairs(samples: Batch) -> Batch:
    """Fields (b, 2, …) of pairs as fields (2·b, …) of videos; common fields (b, …) are repeated."""
    return {
        name: field.flatten(0, 1) if name in PER_VIDEO else field.repeat_interleave(2, 0)
        for name, field in samples.items()
    }


def contrast_weight(samples: Batch) -> Tensor:
    """Weight (b, 1, 1, h, w) of the difference of a pair: highest where it ought to be 0."""
    masks = samples["masks"][torch.arange(len(samples["contrast"])), samples["contrast"]].float()
    masks = F.adaptive_max_pool2d(masks[:, None], samples["weight"].shape[-2:])[:, None]
    return INDEPENDENCE_WEIGHT + (RESPONSE_WEIGHT - INDEPENDENCE_WEIGHT) * masks


def zero_residual_outputs(unet: UNet) -> None:
    """Let every residual branch begin at zero, so that training starts from the identity.

    Source: Dhariwal and Nichol, arXiv 2105.05233, and others before them.
    """
    for name, module in unet.named_modules():
        if name.endswith((".proj_out", ".conv2", "conv_out")):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)
