"""The whole trip: portrait, speech and driving clip in, frames and sound out."""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from actalker_core import faces, gates, regions
from actalker_core.bundle import ACTalker
from actalker_core.conditioning import Branch, Conditioning
from actalker_core.encoders.audio import (
    SAMPLE_RATE_HZ,
    audio_windows,
    encode_audio,
    frames_in,
    samples_for,
)
from actalker_core.encoders.identity import encode_identity
from actalker_core.encoders.motion import Motion, encode_motion
from actalker_core.errors import InputError
from actalker_core.faces import Box
from actalker_core.media import Audio
from actalker_core.portrait import Portrait, fit, fit_mask
from actalker_core.sampler.denoise import Denoiser, Progress, sample
from actalker_core.sampler.guidance import Guidance
from actalker_core.sampler.schedule import karras_sigmas
from actalker_core.sampler.windows import Windows
from actalker_core.vae import decode_frames, encode_image

log = logging.getLogger(__name__)

Report = Callable[[str, int, int | None], None]
"""Called with a stage, how much of it is done, and how much there is if that is known."""


@dataclass(frozen=True)
class Inputs:
    """What the artist brings.

    Attributes:
        portrait: (3, H, W) in 0…1.
        audio: speech, or None.
        driving: (3, H, W) uint8 pictures at the video's frame rate, or None.
        face, driving_face: boxes in pixels of the two; None for the whole picture.
        audio_mask, expression_mask: (1, 1, H, W) in 0…1 over the portrait, instead of those of
            `Settings.masks`.
    """

    portrait: Tensor
    audio: Audio | None = None
    driving: Iterable[Tensor] | None = None
    face: Box | None = None
    driving_face: Box | None = None
    audio_mask: Tensor | None = None
    expression_mask: Tensor | None = None


@dataclass(frozen=True)
class Settings:
    """How the clip is made; None takes the model's own value.

    Attributes:
        frames: at most so many; None for as long as the signals last.
        fps: frames per second.
        short_side_px: multiple of 64.
        audio_gate, expression_gate: see `gates.parse`.
        masks: one of `regions.STYLES`.
    """

    frames: int | None = None
    fps: float | None = None
    short_side_px: int | None = None
    steps: int | None = None
    seed: int = 0
    audio_gate: str = "1"
    expression_gate: str = "1"
    masks: str = "released"
    guidance: Guidance | None = None
    windows: Windows | None = None


@dataclass(frozen=True)
class Clip:
    """The result; its pictures are decoded while they are read.

    Attributes:
        chunks: (n, 3, H, W) in 0…1. frames: how many there are in all.
        audio: trimmed to the frames, or None.
    """

    chunks: Iterator[Tensor]
    frames: int
    fps: float
    audio: Audio | None


def default_guidance(model: ACTalker) -> Guidance:
    """The strengths that the model was made for."""
    s = model.config.sampling
    return Guidance(*((v, v) for v in (s.appearance_scale, s.audio_scale, s.expression_scale)))


def default_windows(model: ACTalker) -> Windows:
    """Windows of the length that the model was trained on."""
    return Windows(model.config.unet.num_frames, 0, model.config.sampling.shift_frames)


def _silent(stage: str, done: int, total: int | None) -> None:
    """Report nothing."""


def generate(
    model: ACTalker, inputs: Inputs, settings: Settings | None = None, report: Report = _silent
) -> Clip:
    """Animate a portrait.

    Raises:
        InputError: no signal at all, or values that do not fit each other.
    """
    settings = settings or Settings()
    sampling = model.config.sampling
    fps = settings.fps or sampling.fps
    portrait = _portrait(inputs, settings.short_side_px or sampling.short_side_px)
    states = _hear(model, inputs.audio, settings.frames, fps, report)
    motion = _watch(model, inputs, settings.frames, report)
    frames = _length(settings.frames, states, motion, fps)
    conditioning = condition(model, inputs, settings, portrait, states, motion, frames)
    windows = settings.windows or default_windows(model)
    latents = sample(
        Denoiser(model.unet, conditioning.padded(windows.padding)),
        _noise(conditioning, frames + windows.padding, settings.seed, model),
        karras_sigmas(
            settings.steps or sampling.steps, sampling.sigma_min, sampling.sigma_max, sampling.rho
        ),
        settings.guidance or default_guidance(model),
        windows,
        lambda progress: _report_step(report, progress),
    )
    return Clip(
        chunks=decode_frames(model.vae, latents[:frames], sampling.decode_frames),
        frames=frames,
        fps=fps,
        audio=None if inputs.audio is None else inputs.audio.trimmed(frames / fps),
    )


def _report_step(report: Report, progress: Progress) -> None:
    report("Sampling", progress.step, progress.total)


def _portrait(inputs: Inputs, short_side_px: int) -> Portrait:
    height, width = inputs.portrait.shape[1:]
    face = inputs.face or faces.whole(width, height)
    return fit(inputs.portrait, faces.check(face, width, height, "portrait"), short_side_px)


def _hear(
    model: ACTalker, audio: Audio | None, most: int | None, fps: float, report: Report
) -> Tensor | None:
    if audio is None:
        return None
    samples = audio.mono_at(SAMPLE_RATE_HZ)
    if most is not None:
        samples = samples[: samples_for(most, fps)]
    return encode_audio(
        model.audio_encoder, samples, lambda done, total: report("Hearing", done, total)
    )


def _watch(model: ACTalker, inputs: Inputs, most: int | None, report: Report) -> Motion | None:
    if inputs.driving is None:
        return None
    return encode_motion(
        model.expression_encoder,
        model.head_pose_encoder,
        islice(inputs.driving, most),
        inputs.driving_face,
        on_batch=lambda done: report("Watching", done, most),
    )


def _length(wanted: int | None, states: Tensor | None, motion: Motion | None, fps: float) -> int:
    """Frames of the clip: the shortest signal ends it."""
    lengths = {
        "audio": None if states is None else frames_in(states.shape[0], fps),
        "driving clip": None if motion is None else len(motion.expression),
    }
    known = {name: n for name, n in lengths.items() if n is not None}
    if not known:
        raise InputError("Nothing drives the portrait: give audio, a driving clip or both.")
    shortest = min(known, key=lambda name: known[name])
    if wanted is not None and wanted <= known[shortest]:
        return wanted
    if known[shortest] < 1:
        raise InputError(f"The {shortest} is shorter than one frame at {fps:g} fps.")
    log.info("The clip has %d frames: the %s ends there.", known[shortest], shortest)
    return known[shortest]


def condition(
    model: ACTalker,
    inputs: Inputs,
    settings: Settings,
    portrait: Portrait,
    states: Tensor | None,
    motion: Motion | None,
    frames: int,
) -> Conditioning:
    """Everything the denoiser reads, on the model's device."""
    sampling = model.config.sampling
    fps = settings.fps or sampling.fps
    image = portrait.image[None].to(model.device)
    face = faces.enlarged(portrait.face, sampling.face_enlarged)
    pose_image = regions.box_mask(face, portrait.height, portrait.width).expand(-1, 3, -1, -1)
    with torch.inference_mode():
        return Conditioning(
            image_latent=encode_image(model.vae, image),
            identity=model.identity_projection(
                encode_identity(model.identity_encoder, image[0], portrait.face)
            )[:, None],
            audio=_audio_branch(model, states, settings.audio_gate, frames, fps),
            expression=_expression_branch(model, motion, settings.expression_gate, frames, fps),
            regions=_regions(model, inputs, settings.masks, portrait, face),
            pose=model.pose_guider(pose_image.to(model.device))[:, None],
            time_ids=torch.tensor(
                [[fps, sampling.motion_bucket_id, sampling.motion_bucket_id_exp]],
                device=model.device,
            ),
        )


def _audio_branch(
    model: ACTalker, states: Tensor | None, gate: str, frames: int, fps: float
) -> Branch:
    sizes = model.config.audio_projection
    absent = model.audio_tokens(torch.zeros(1, sizes.seq_len, sizes.blocks, sizes.channels))
    if states is None:
        return _absent(absent, frames)
    windows = audio_windows(states, frames, fps, sizes.seq_len)
    strength = gates.parse(gate, frames, fps).to(model.device)
    return Branch(model.audio_tokens(windows), absent, strength)


def _expression_branch(
    model: ACTalker, motion: Motion | None, gate: str, frames: int, fps: float
) -> Branch:
    features = model.config.expression_projection.input_dim
    absent = model.expression_tokens(torch.zeros(1, features), torch.zeros(1, 3))
    if motion is None:
        return _absent(absent, frames)
    tokens = model.expression_tokens(motion.expression[:frames], motion.rotation_degrees[:frames])
    return Branch(tokens, absent, gates.parse(gate, frames, fps).to(model.device))


def _absent(token: Tensor, frames: int) -> Branch:
    return Branch(token.expand(frames, -1, -1), token, token.new_zeros(frames))


def _regions(
    model: ACTalker, inputs: Inputs, style: str, portrait: Portrait, face: Box
) -> regions.Regions:
    height, width = portrait.height, portrait.width
    audio, expression = regions.style_masks(
        style,
        face,
        height,
        width,
        with_audio=inputs.audio is not None,
        with_expression=inputs.driving is not None,
    )
    if inputs.audio_mask is not None:
        audio = fit_mask(inputs.audio_mask, portrait)
    if inputs.expression_mask is not None:
        expression = fit_mask(inputs.expression_mask, portrait)
    return regions.Regions.from_masks(
        audio,
        expression,
        (height // 8, width // 8),
        model.config.unet.levels,
    ).to(model.device)


def _noise(conditioning: Conditioning, frames: int, seed: int, model: ACTalker) -> Tensor:
    """The portrait's latent under the strongest noise, drawn on the CPU for all devices alike."""
    sampling, latent = model.config.sampling, conditioning.image_latent
    if not 0 <= seed < 2**64:
        raise InputError(f"The seed: expected a whole number from 0 to 2^64 - 1, got {seed}.")
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(frames, *latent.shape[1:], generator=generator).to(latent)
    return latent * model.config.vae.scaling_factor + sampling.sigma_max * noise
