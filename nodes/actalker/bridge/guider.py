"""Nested guidance for any sampler of ComfyUI."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import comfy.sample
import comfy.samplers
import comfy.utils
import latent_preview
import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ....actalker_core.diffusion.guidance_cache import GuidanceCache
from ....actalker_core.diffusion.windows import Windows
from ....actalker_core.errors import InputError, check_choice
from ....actalker_core.limits import DENOISE, STEPS
from ....actalker_core.models.actalker.conditioning import Conditioning
from ....actalker_core.models.actalker.denoiser import Memo, passes_on
from ....actalker_core.models.actalker.guidance import Guidance, Pass
from ....actalker_core.ops.finite import check_latents
from .model import (
    CONDITIONING_KEY,
    MEMO_KEY,
    PASS_KEY,
    WINDOWS_KEY,
    check_latent,
    check_model,
    shortcuts_of,
    step_of,
    windows_of,
)


class NestedGuider(comfy.samplers.CFGGuider):
    """Runs the guidance passes that differ and weigh something, and adds them up."""

    def __init__(self, patcher: ModelPatcher, conditioning: list, guidance: Guidance) -> None:
        check_model(patcher)
        super().__init__(patcher)
        self.clip = conditioning_of(conditioning)
        self.guidance = guidance
        windows = windows_of(patcher)
        self.inner_set_conds(
            {which.name: _for_pass(conditioning, which, windows) for which in Pass}
        )

    def sample(
        self,
        noise: Tensor,
        latent_image: Tensor,
        sampler: object,
        sigmas: Tensor,
        denoise_mask: Tensor | None = None,
        callback: object = None,
        disable_pbar: bool = False,
        seed: int | None = None,
    ) -> Tensor:
        """See ComfyUI; windows that wrap around get the frames of padding that they need."""
        padding = windows_of(self.model_patcher).padding
        check_latent(latent_image, self.clip, padding=0)
        check_latents(latent_image, "LATENT")
        if padding:
            callback = callback and _without_padding(callback, len(latent_image))
            noise = _padded_noise(noise, padding, seed or 0)
            latent_image = torch.cat([latent_image, latent_image[-1:].expand(padding, -1, -1, -1)])
        rest = (denoise_mask, callback, disable_pbar, seed)
        found = super().sample(noise, latent_image, sampler, sigmas, *rest)
        return check_latents(found[: len(found) - padding], "Sampler")

    def inner_sample(
        self,
        noise: Tensor,
        latent_image: Tensor,
        device: torch.device,
        *rest: object,
        **newer: object,
    ) -> Tensor:
        """See ComfyUI; all passes read one copy on the device."""
        self.frugal, self.added = GuidanceCache(shortcuts_of(self.model_patcher)), torch.zeros(())
        entries = [cond for conds in self.conds.values() for cond in conds]
        moved = entries[0][CONDITIONING_KEY].to(device)
        for cond in entries:
            cond[CONDITIONING_KEY] = moved
        return super().inner_sample(noise, latent_image, device, *rest, **newer)

    def predict_noise(
        self,
        x: Tensor,
        timestep: Tensor,
        model_options: dict | None = None,
        seed: int | None = None,
    ) -> Tensor:
        """The guided clean latents."""
        options = model_options or {}
        levels = options.get("transformer_options", {}).get("sample_sigmas")
        step, steps = step_of({"sample_sigmas": levels, "sigmas": timestep})
        frames = range(self.clip.frames)
        options = {
            **options,
            "transformer_options": {**options.get("transformer_options", {}), MEMO_KEY: Memo()},
        }

        def expect(passes: list[Pass]) -> list[Tensor]:
            conds = [self.conds[which.name] for which in passes]
            return comfy.samplers.calc_cond_batch(self.inner_model, conds, x, timestep, options)

        x0, self.added = self.frugal.guided(
            expect,
            self.guidance.plans(step, steps, passes_on(self.clip, frames)),
            step,
            float(timestep.flatten()[0]),
            frames,
            self.added,
        )
        return x0


def _without_padding(callback: Callable, frames: int) -> Callable:
    """Previews and the denoised output show the clip alone."""
    return lambda step, x0, x, steps: callback(step, x0[:frames], x[:frames], steps)


def _for_pass(conditioning: list, which: Pass, windows: Windows) -> list:
    more = {PASS_KEY: which, WINDOWS_KEY: windows}
    return [[tokens, {**values, **more}] for tokens, values in conditioning]


def conditioning_of(conditioning: list) -> Conditioning:
    """What the node Conditioning put into a CONDITIONING.

    Raises:
        InputError: it comes from another node.
    """
    entries = conditioning if isinstance(conditioning, list) else []
    found = [values.get(CONDITIONING_KEY) for _, values in entries]
    if len(found) != 1 or found[0] is None:
        raise InputError(
            "CONDITIONING: expected that of the node Conditioning (ACTalker), alone, got "
            f"{len(found)}, not of this kind. Connect that node."
        )
    return found[0]


def _padded_noise(noise: Tensor, padding: int, seed: int) -> Tensor:
    """Noise followed by more of the same seed; no noise stays none."""
    shape = (len(noise) + padding, *noise.shape[1:])
    if not noise.any():
        return noise.new_zeros(shape)
    drawn = comfy.sample.prepare_noise(noise.new_empty(shape, device="cpu"), seed)
    return torch.cat([noise, drawn[len(noise) :].to(noise)])


@dataclass(frozen=True)
class Schedule:
    """How a clip is sampled.

    Attributes:
        sampler, scheduler: names that ComfyUI lists.
        denoise: 1 starts from pure noise, less keeps that much less of the latent.
    """

    steps: int
    sampler: str = "euler"
    scheduler: str = "karras"
    denoise: float = 1.0

    def __post_init__(self) -> None:
        """Refuse numbers outside their limits."""
        STEPS.check(self.steps)
        DENOISE.check(self.denoise)

    def sigmas(self, patcher: ModelPatcher) -> Tensor:
        """Falling noise levels, the last one 0."""
        check_choice("scheduler", self.scheduler, scheduler_names())
        check_choice("sampler_name", self.sampler, sampler_names())
        sampling = patcher.get_model_object("model_sampling")
        whole = self.steps if self.denoise > 0.9999 else int(self.steps / self.denoise)
        levels = comfy.samplers.calculate_sigmas(sampling, self.scheduler, whole)
        return levels[-(self.steps + 1) :].cpu()


def sample(guider: NestedGuider, latent: dict, seed: int, schedule: Schedule) -> dict:
    """Sample a LATENT as SamplerCustomAdvanced does, with preview and cancel."""
    samples, patcher = latent["samples"], guider.model_patcher
    sigmas = schedule.sigmas(patcher)
    found = guider.sample(
        comfy.sample.prepare_noise(samples, seed),
        samples,
        comfy.samplers.sampler_object(schedule.sampler),
        sigmas,
        denoise_mask=latent.get("noise_mask"),
        callback=latent_preview.prepare_callback(patcher, schedule.steps),
        disable_pbar=not comfy.utils.PROGRESS_BAR_ENABLED,
        seed=seed,
    )
    return {**latent, "samples": found.to(comfy.model_management.intermediate_device())}


def sampler_names() -> Sequence[str]:
    """What ComfyUI offers."""
    return comfy.samplers.SAMPLER_NAMES


def scheduler_names() -> Sequence[str]:
    """What ComfyUI offers."""
    return comfy.samplers.SCHEDULER_NAMES
