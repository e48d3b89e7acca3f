"""The trip from a plan to frames: encode → condition → sample → decode."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ...diffusion.guidance import GuidanceInterval
from ...diffusion.loop import sample
from ...diffusion.schedules import DEFAULT_SCHEDULE, SCHEDULES
from ...diffusion.windows import Windows
from ...errors import check_choice
from ...faces.portrait import Crop
from ...limits import PASSES, SEED, STEPS
from ...media import Audio
from ...progress import Report, report_nothing
from .conditioning import Conditioning, condition
from .defaults import default_guidance, default_windows
from .denoiser import Denoiser
from .encode import encode_portrait
from .guidance import Guidance
from .memory import passes_that_fit
from .networks import ACTalker
from .plan import VideoPlan
from .portrait import check_portrait
from .vae import decode_frames


@dataclass(frozen=True)
class GeneratedVideo:
    """The result; its frames are decoded while they are read.

    Attributes:
        chunks: (f, 3, H, W) in 0…1 on the CPU. frames: how many there are in all.
        fps: frames per second.
        audio: as long as the frames, or None.
        crop: where the portrait was cut out.
    """

    chunks: Iterator[Tensor]
    frames: int
    fps: float
    audio: Audio | None
    crop: Crop


def generate(
    model: ACTalker,
    plan: VideoPlan,
    *,
    steps: int | None = None,
    seed: int = 0,
    guidance: Guidance | None = None,
    windows: Windows | None = None,
    schedule: str = DEFAULT_SCHEDULE,
    interval: GuidanceInterval | None = None,
    passes_at_once: int | None = None,
    report: Report = report_nothing,
    allow_photograph: bool = False,
) -> GeneratedVideo:
    """Animate a portrait as planned by `plan_video`; arguments and errors of `sample_latents`.

    Args:
        allow_photograph: let the built-in model make noise of a photograph.

    Raises:
        InputError: the built-in model is given a photograph; see `check_portrait`.
    """
    if not allow_photograph:
        way_around = "To see the noise, pass allow_photograph=True."
        check_portrait(model.config, plan.portrait, way_around)
    image_latent, identity = encode_portrait(model, plan.portrait)
    conditioning = condition(model, plan, image_latent, identity)
    latents = sample_latents(
        model,
        conditioning,
        steps=steps,
        seed=seed,
        guidance=guidance,
        windows=windows,
        schedule=schedule,
        interval=interval,
        passes_at_once=passes_at_once,
        report=report,
    )
    return GeneratedVideo(
        chunks=decode_frames(model.vae, latents, model.config.sampling.decode_frames),
        frames=plan.frames,
        fps=plan.fps,
        audio=plan.sound,
        crop=plan.portrait.crop,
    )


def sample_latents(
    model: ACTalker,
    conditioning: Conditioning,
    *,
    steps: int | None = None,
    seed: int = 0,
    guidance: Guidance | None = None,
    windows: Windows | None = None,
    schedule: str = DEFAULT_SCHEDULE,
    interval: GuidanceInterval | None = None,
    passes_at_once: int | None = None,
    report: Report = report_nothing,
) -> Tensor:
    """Latents (frames, 4, h, w) of a video, scaled, from noise; None is the model's own value.

    Args:
        conditioning: on the model's device.
        seed: of the noise, which is drawn on the CPU, so that all devices get the same.
        guidance: how strongly identity and signals act.
        windows: how a long video is cut.
        schedule: one of `schedules.SCHEDULES`.
        interval: where guidance may be left out or used again; None computes it everywhere.
        passes_at_once: how many guidance passes share a batch; None for as many as fit into the
            memory that is free.
        report: called after each step; may raise to cancel.

    Raises:
        InputError: numbers outside their limits, or an unknown schedule.
        NotFiniteError: the denoiser gives NaN or infinity; says since when.
    """
    check_choice("schedule", schedule, SCHEDULES)
    sampling = model.config.sampling
    windows = windows or default_windows(model.config)
    steps = STEPS.check(sampling.steps if steps is None else steps)
    if passes_at_once is None:
        passes_at_once = passes_that_fit(model.unet, conditioning, windows)
    padded_conditioning = conditioning.pad(windows.padding)
    latents = sample(
        Denoiser(model.unet, padded_conditioning, PASSES.check(passes_at_once)),
        _draw_start(conditioning.image_latent, padded_conditioning.frames, seed, model),
        SCHEDULES[schedule](steps, sampling.sigma_min, sampling.sigma_max, sampling.rho),
        guidance or default_guidance(model.config),
        windows,
        lambda progress: report("Sampling", progress.step, progress.total),
        interval,
    )
    return latents[: conditioning.frames]


def _draw_start(image_latent: Tensor, frames: int, seed: int, model: ACTalker) -> Tensor:
    """The portrait's latent (1, 4, h, w) under the strongest noise: (frames, 4, h, w)."""
    generator = torch.Generator().manual_seed(SEED.check(seed))
    noise = torch.randn(frames, *image_latent.shape[1:], generator=generator).to(image_latent)
    start = image_latent * model.config.vae.scaling_factor
    return start + model.config.sampling.sigma_max * noise
