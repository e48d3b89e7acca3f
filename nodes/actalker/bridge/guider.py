"""Nested guidance for any sampler of ComfyUI."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import comfy.sample
import comfy.samplers
import comfy.utils
import torch
from comfy.model_base import BaseModel
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ....actalker_core.diffusion.loop import Guided
from ....actalker_core.diffusion.schedules import DEFAULT_SCHEDULE
from ....actalker_core.errors import InputError, check_choice
from ....actalker_core.limits import DENOISE, STEPS
from ....actalker_core.models.actalker.conditioning import Conditioning
from ....actalker_core.models.actalker.denoiser import merge_passes
from ....actalker_core.models.actalker.guidance import Guidance, Pass
from ....actalker_core.ops.finite import check_latents
from ....actalker_core.progress import report_nothing
from ...common.progress import Bar, stop_if_cancelled
from .cost import predict_seconds
from .model import (
    CONDITIONING_KEY,
    FRAMES_KEY,
    PASS_KEY,
    WINDOWS_KEY,
    check_latent,
    check_model,
    find_step,
    get_interval,
    get_windows,
)
from .preview import FramePreview

SAMPLING = "Sampling"
"""The stage's name."""
ReportStep = Callable[[str, float, int], None]
"""Called with that, how many steps are done, and how many there are."""


@dataclass(frozen=True)
class ComfyDenoiser:
    """Asks ComfyUI for passes over a window, which it batches, streams and deals to GPUs.

    Attributes:
        model: as ComfyUI has loaded it.
        conds: what each pass reads, by its name.
        conditioning: of the whole clip, padding included.
        options: of the model, at this step.
    """

    model: BaseModel
    conds: dict[str, list[dict[str, Any]]]
    conditioning: Conditioning
    options: dict[str, Any]

    def merge_passes(self, frames: Sequence[int]) -> list[Pass]:
        """See `Denoises`."""
        return merge_passes(self.conditioning, frames)

    def __call__(
        self, x: Tensor, sigma: float, frames: Sequence[int], passes: Sequence[Pass]
    ) -> list[Tensor]:
        """See `Denoises`; raises ComfyUI's own exception if the user pressed cancel."""
        stop_if_cancelled()
        window = tuple(frames)
        more = {**self.options.get("transformer_options", {}), FRAMES_KEY: window}
        # What remembers predictions between steps by these ids must not mix up windows.
        conds = [
            [{**cond, "uuid": (cond["uuid"], window)} for cond in self.conds[pass_.name]]
            for pass_ in passes
        ]
        return comfy.samplers.calc_cond_batch(
            self.model,
            conds,
            x,
            x.new_full((len(x),), sigma),
            {**self.options, "transformer_options": more},
        )


class NestedGuider(comfy.samplers.CFGGuider):
    """Runs the guidance passes that differ and weigh something, and adds them up."""

    def __init__(self, patcher: ModelPatcher, conditioning: list[Any], guidance: Guidance) -> None:
        check_model(patcher)
        super().__init__(patcher)
        self.conditioning, self.guidance = get_conditioning(conditioning), guidance
        self.windows = get_windows(patcher)
        self.report: ReportStep = report_nothing
        self.inner_set_conds({pass_.name: self._read_by(conditioning, pass_) for pass_ in Pass})

    def _read_by(self, conditioning: list[Any], pass_: Pass) -> list[Any]:
        more = {PASS_KEY: pass_, WINDOWS_KEY: self.windows}
        return [[tokens, {**values, **more}] for tokens, values in conditioning]

    def sample(
        self,
        noise: Tensor,
        latent_image: Tensor,
        sampler: object,
        sigmas: Tensor,
        denoise_mask: Tensor | None = None,
        callback: Callable[..., Any] | None = None,
        disable_pbar: bool = False,
        seed: int | None = None,
    ) -> Tensor:
        """Noise and latents (f, 4, h, w) -> denoised ones, by ComfyUI's sampler.

        Windows that wrap around get the frames of padding that they need.
        """
        padding = self.windows.padding
        check_latent(latent_image, self.conditioning, self.conditioning.frames)
        check_latents(latent_image, "LATENT")
        preview = self.preview = self._make_preview()
        callback = _with_preview(callback, preview)
        if padding:
            callback = _without_padding(callback, len(latent_image))
            noise = _padded_noise(noise, padding, seed or 0)
            latent_image = torch.cat([latent_image, latent_image[-1:].expand(padding, -1, -1, -1)])
        rest = (denoise_mask, callback, disable_pbar, seed)
        try:
            latents = super().sample(noise, latent_image, sampler, sigmas, *rest)
        finally:
            del self.preview
        return check_latents(latents[: len(latents) - padding], "Sampler")

    def inner_sample(
        self,
        noise: Tensor,
        latent_image: Tensor,
        device: torch.device,
        sampler: object,
        sigmas: Tensor,
        *rest: object,
        **newer: object,
    ) -> Tensor:
        """Noise and latents (f, 4, h, w), padding included; all passes read one copy there."""
        steps, interval = max(len(sigmas) - 1, 1), get_interval(self.model_patcher)
        self.guided = Guided(self.guidance, interval, steps, on_window=self._follow)
        self.padded_conditioning = self.conditioning.to(device).pad(self.windows.padding)
        for conds in self.conds.values():
            for cond in conds:
                cond[CONDITIONING_KEY] = self.padded_conditioning
        arguments = (noise, latent_image, device, sampler, sigmas, *rest)
        try:
            return super().inner_sample(*arguments, **newer)
        finally:
            del self.guided, self.padded_conditioning

    def predict_noise(
        self,
        x: Tensor,
        timestep: Tensor,
        model_options: dict[str, Any] | None = None,
        seed: int | None = None,
    ) -> Tensor:
        """Clean latents (f, 4, h, w), guided, of noisy ones at a noise level (b,)."""
        options = model_options or {}
        levels = options.get("transformer_options", {}).get("sample_sigmas")
        step, _ = find_step(levels, timestep)
        denoiser = ComfyDenoiser(self.inner_model, self.conds, self.padded_conditioning, options)
        sigma, windows = float(timestep.flatten()[0]), self.windows.at(step, len(x))
        return self.guided(denoiser, x, step, sigma, windows)

    def _make_preview(self) -> FramePreview:
        fps = float(self.conditioning.time_ids[0, 0])
        return FramePreview(self.model_patcher.model.config, self.conditioning.frames, fps)

    def _follow(
        self, step: int, done: int, windows: int, frames: Sequence[int], x0: Tensor
    ) -> None:
        """A long clip moves on the node within a step too, and its bar with it."""
        if done < windows:
            self.preview.add(frames, x0)
            self.report(SAMPLING, step + done / windows, self.guided.steps)


def _with_preview(callback: Callable[..., Any] | None, preview: FramePreview) -> Callable[..., Any]:
    """Steps are shown whatever the sampler, also where another node reports them."""

    def show_step(step: int, x0: Tensor, x: Tensor, steps: int) -> None:
        preview.add(range(len(x0)), x0, is_last=step + 1 == steps)
        if callback is not None:
            callback(step, x0, x, steps)

    return show_step


def _without_padding(callback: Callable[..., Any], frames: int) -> Callable[..., Any]:
    """Previews and the denoised output show the clip alone."""
    return lambda step, x0, x, steps: callback(step, x0[:frames], x[:frames], steps)


def get_conditioning(conditioning: list[Any]) -> Conditioning:
    """What the node Conditioning put into a CONDITIONING.

    Raises:
        InputError: it comes from another node.
    """
    entries = conditioning if isinstance(conditioning, list) else []
    parts = [values.get(CONDITIONING_KEY) for _, values in entries]
    if len(parts) != 1 or parts[0] is None:
        raise InputError(
            "CONDITIONING: expected that of one node Conditioning (ACTalker), got "
            f"{len(parts)} entries, {len(parts) - parts.count(None)} of that kind. Connect that "
            "node directly."
        )
    return parts[0]


def _padded_noise(noise: Tensor, padding: int, seed: int) -> Tensor:
    """Noise followed by more of the same seed; no noise stays none."""
    shape = (len(noise) + padding, *noise.shape[1:])
    if not noise.any():
        return noise.new_zeros(shape)
    padding_noise = comfy.sample.prepare_noise(noise.new_empty(shape, device="cpu"), seed)
    return torch.cat([noise, padding_noise[len(noise) :].to(noise)])


@dataclass(frozen=True)
class Schedule:
    """How a clip is sampled.

    Attributes:
        sampler, scheduler: names that ComfyUI lists.
        denoise: 1 starts from pure noise, less keeps that much less of the latent.
    """

    steps: int
    sampler: str = "euler"
    scheduler: str = DEFAULT_SCHEDULE
    denoise: float = 1.0

    def __post_init__(self) -> None:
        """Refuse numbers outside their limits."""
        STEPS.check(self.steps)
        DENOISE.check(self.denoise)

    def sigmas(self, patcher: ModelPatcher) -> Tensor:
        """Falling noise levels (steps + 1,), the last one 0."""
        check_choice("scheduler", self.scheduler, scheduler_names())
        check_choice("sampler_name", self.sampler, sampler_names())
        sampling = patcher.get_model_object("model_sampling")
        steps = self.steps if self.denoise > 0.9999 else int(self.steps / self.denoise)
        levels = comfy.samplers.calculate_sigmas(sampling, self.scheduler, steps)
        return levels[-(self.steps + 1) :].cpu()


def sample(
    guider: NestedGuider, latent: dict[str, Any], seed: int, schedule: Schedule
) -> dict[str, Any]:
    """Sample a LATENT as SamplerCustomAdvanced does, with preview and cancel.

    What takes longer than a minute is said before.
    """
    samples, patcher = latent["samples"], guider.model_patcher
    sigmas = schedule.sigmas(patcher)
    bar = Bar(schedule.steps, SAMPLING)
    levels = sigmas.tolist()
    seconds = predict_seconds(patcher, guider.conditioning, guider.guidance, levels)
    if seconds is not None:
        bar.expect(seconds)
    guider.report = bar.report
    bar.report(SAMPLING, 0, schedule.steps)
    latents = guider.sample(
        comfy.sample.prepare_noise(samples, seed),
        samples,
        comfy.samplers.sampler_object(schedule.sampler),
        sigmas,
        denoise_mask=latent.get("noise_mask"),
        callback=lambda step, x0, x, steps: bar.report(SAMPLING, step + 1, steps),
        disable_pbar=not comfy.utils.PROGRESS_BAR_ENABLED,
        seed=seed,
    )
    return {**latent, "samples": latents.to(comfy.model_management.intermediate_device())}


def sampler_names() -> Sequence[str]:
    """What ComfyUI offers."""
    return comfy.samplers.SAMPLER_NAMES


def scheduler_names() -> Sequence[str]:
    """What ComfyUI offers."""
    return comfy.samplers.SCHEDULER_NAMES
