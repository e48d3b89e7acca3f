"""The whole trip: portrait, speech and driving clips in, frames and sound out."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from ...control import regions
from ...control.signals import AudioSignal, ExpressionSignal
from ...diffusion.loop import Progress, sample
from ...diffusion.schedules import SCHEDULES
from ...diffusion.windows import Windows
from ...errors import InputError, check_choice
from ...faces.box import enlarge_box
from ...faces.portrait import Crop
from ...media import Audio
from .conditioning import Conditioning, GatedCondition, check_conditioning
from .config import ModelConfig
from .denoiser import Denoiser
from .encoders.audio import STATES_PER_SECOND, window_audio_states
from .encoders.identity import encode_identity
from .guidance import Guidance
from .memory import passes_that_fit
from .networks import ACTalker, Encoders
from .plan import Inputs, Plan, Report, Settings, make_plan, report_nothing
from .token_regions import Regions
from .vae import decode_frames, encode_image

__all__ = [
    "GeneratedVideo",
    "Inputs",
    "Settings",
    "condition",
    "default_guidance",
    "default_windows",
    "generate",
]


@dataclass(frozen=True)
class GeneratedVideo:
    """The result; its pictures are decoded while they are read.

    Attributes:
        chunks: (n, 3, H, W) in 0…1. frames: how many there are in all.
        audio: trimmed to the frames, or None.
        crop: where the portrait was cut out.
    """

    chunks: Iterator[Tensor]
    frames: int
    fps: float
    audio: Audio | None
    crop: Crop


def default_guidance(config: ModelConfig) -> Guidance:
    """The strengths that the model was made for."""
    s = config.sampling
    return Guidance(*((v, v) for v in (s.appearance_scale, s.audio_scale, s.expression_scale)))


def default_windows(config: ModelConfig) -> Windows:
    """Windows of the length that the model was trained on."""
    return Windows(config.unet.num_frames, 0, config.sampling.shift_frames)


def generate(
    model: ACTalker,
    inputs: Inputs,
    settings: Settings | None = None,
    report: Report = report_nothing,
) -> GeneratedVideo:
    """Animate a portrait.

    Raises:
        InputError: no signal at all, or values that do not fit each other.
    """
    settings = settings or Settings()
    sampling = model.config.sampling
    check_choice("schedule", settings.schedule, SCHEDULES)
    planned = make_plan(model, inputs, settings, report)
    portrait = planned.portrait
    image = portrait.image.to(model.device)
    conditioning = condition(
        model,
        planned,
        encode_image(model.vae, image[None]),
        encode_identity(model.identity_encoder, image, portrait.face.box),
    )
    windows = settings.windows or default_windows(model.config)
    latents = sample(
        Denoiser(
            model.unet,
            conditioning.padded(windows.padding),
            settings.passes_at_once or passes_that_fit(model.unet, conditioning, windows),
        ),
        _noise(conditioning, planned.frames + windows.padding, settings.seed, model),
        SCHEDULES[settings.schedule](
            settings.steps or sampling.steps, sampling.sigma_min, sampling.sigma_max, sampling.rho
        ),
        settings.guidance or default_guidance(model.config),
        windows,
        lambda progress: _report_step(report, progress),
        settings.shortcuts,
    )
    return GeneratedVideo(
        chunks=decode_frames(model.vae, latents[: planned.frames], sampling.decode_frames),
        frames=planned.frames,
        fps=planned.fps,
        audio=planned.sound,
        crop=planned.portrait.crop,
    )


def _report_step(report: Report, progress: Progress) -> None:
    report("Sampling", progress.step, progress.total)


def condition(
    model: Encoders, planned: Plan, image_latent: Tensor, identity: Tensor
) -> Conditioning:
    """Everything the denoiser reads, on the model's device.

    Args:
        image_latent: (1, 4, h, w) of the portrait, unscaled.
        identity: (1, features) see `encode_identity`.

    Raises:
        NotFiniteError: something of it is NaN or infinite; names what made it.
    """
    sampling, portrait = model.config.sampling, planned.portrait
    face = enlarge_box(portrait.face.box, sampling.face_enlarged)
    pose_image = regions.box_mask(face, portrait.height, portrait.width).expand(-1, 3, -1, -1)
    with torch.inference_mode():
        conditioning = Conditioning(
            image_latent=image_latent.to(model.device),
            identity=model.identity_projection(identity.to(model.device))[:, None],
            audio=_audio_branch(model, planned),
            expression=_expression_branch(model, planned),
            regions=Regions.from_masks(
                planned.masks["audio"],
                planned.masks["expression"],
                (image_latent.shape[2], image_latent.shape[3]),
                model.config.unet.levels,
            ).to(model.device),
            pose=model.pose_guider(pose_image.to(model.device))[:, None],
            time_ids=torch.tensor(
                [[planned.fps, sampling.motion_bucket_id, sampling.motion_bucket_id_exp]],
                device=model.device,
            ),
        )
    check_conditioning(conditioning)
    return conditioning


def _audio_branch(model: Encoders, planned: Plan) -> GatedCondition:
    sizes = model.config.audio_projection
    absent = model.audio_tokens(torch.zeros(1, sizes.seq_len, sizes.blocks, sizes.channels))
    signal = planned.signals.audio
    if signal is None:
        return _absent(absent, planned.frames)
    states = _checked(signal, (sizes.blocks, sizes.channels)).resample(STATES_PER_SECOND).states
    windows = window_audio_states(states, planned.frames, planned.fps, sizes.seq_len)
    return GatedCondition(
        model.audio_tokens(windows), absent, planned.gates["audio"].to(model.device)
    )


def _expression_branch(model: Encoders, planned: Plan) -> GatedCondition:
    width = model.config.expression_projection.input_dim
    absent = model.expression_tokens(torch.zeros(1, width), torch.zeros(1, 3))
    expression, pose = planned.signals.expression, planned.signals.pose
    if expression is None and pose is None:
        return _absent(absent, planned.frames)
    features = torch.zeros(planned.frames, width)
    rotation_degrees = torch.zeros(planned.frames, 3)
    if expression is not None:
        features = _checked(expression, (width,)).sample(planned.frames, planned.fps).features
    if pose is not None:
        rotation_degrees = pose.sample(planned.frames, planned.fps).rotation_degrees
    tokens = model.expression_tokens(features, rotation_degrees)
    return GatedCondition(tokens, absent, planned.gates["expression"].to(model.device))


FeatureSignal = TypeVar("FeatureSignal", AudioSignal, ExpressionSignal)


def _checked(signal: FeatureSignal, sizes: tuple[int, ...]) -> FeatureSignal:
    """The signal, if it has the sizes that this model reads."""
    (track,) = signal.tracks.values()
    if tuple(track.shape[1:]) != sizes:
        raise InputError(
            f"{type(signal).__name__}: this model reads {sizes} numbers at a time, got "
            f"{tuple(track.shape[1:])}. Encode the signal with this model."
        )
    return signal


def _absent(token: Tensor, frames: int) -> GatedCondition:
    return GatedCondition(token.expand(frames, -1, -1), token, token.new_zeros(frames))


def _noise(conditioning: Conditioning, frames: int, seed: int, model: ACTalker) -> Tensor:
    """The portrait's latent under the strongest noise, drawn on the CPU for all devices alike."""
    sampling, latent = model.config.sampling, conditioning.image_latent
    if not 0 <= seed < 2**64:
        raise InputError(f"The seed: expected a whole number from 0 to 2^64 - 1, got {seed}.")
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(frames, *latent.shape[1:], generator=generator).to(latent)
    return latent * model.config.vae.scaling_factor + sampling.sigma_max * noise
