"""The denoiser as a real MODEL: streamed weights, any sampler, windows inside."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import comfy.conds
import comfy.latent_formats
import comfy.ldm.modules.attention
import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.ops
import comfy.supported_models_base
import torch
from torch import Tensor, nn

from ....actalker_core.diffusion.guidance import GuidanceInterval
from ....actalker_core.diffusion.windows import Windows, average_windows
from ....actalker_core.errors import InputError
from ....actalker_core.models.actalker.conditioning import Conditioning
from ....actalker_core.models.actalker.config import ModelConfig
from ....actalker_core.models.actalker.defaults import default_windows
from ....actalker_core.models.actalker.denoiser import velocity
from ....actalker_core.models.actalker.guidance import Pass
from ....actalker_core.models.actalker.memory import estimate_activation_bytes, scanned_shares
from ....actalker_core.models.actalker.unet.unet import UNet
from ....actalker_core.ops import norms
from ....actalker_core.ops.finite import check_step
from ....actalker_core.ops.layers import lay_channels_last
from ....actalker_core.ops.protocol import Weights, has_forward_of
from ...common.progress import stop_if_cancelled

CONDITIONING_KEY, PASS_KEY = "actalker", "actalker_pass"
WINDOWS_KEY, INTERVAL_KEY = "actalker_windows", "actalker_guidance_interval"
FRAMES_KEY = "actalker_frames"
"""Frame numbers of the window that is asked for, as a tuple; without it the whole clip is."""


def attend(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """Attention (b, l, h·d) of h heads, by whichever backend ComfyUI was started with."""
    return comfy.ldm.modules.attention.optimized_attention(q, k, v, heads)


GIVES_BACK = "offloadable" in inspect.signature(comfy.ops.cast_bias_weight).parameters
"""Whether ComfyUI wants to know when a streamed weight is no longer used (0.3.64 does not)."""


def cast_weights(layer: nn.Module, like: Tensor) -> Weights:
    """Weight (d, …) and bias (d,) of a layer where an input is, in its type, with patches.

    Streamed weights lie in a buffer that the next layer's are written into, or in pages that stay
    pinned until they are given back: these are copied and given back at once.
    """
    if not GIVES_BACK:
        return comfy.ops.cast_bias_weight(layer, like)
    weight, bias, stream = comfy.ops.cast_bias_weight(layer, like, offloadable=True)
    if stream[0] is None and not hasattr(layer, "_v"):
        return weight, bias
    copies = weight.clone(), None if bias is None else bias.clone()
    comfy.ops.uncast_bias_weight(layer, weight, bias, stream)
    return copies


def cast_norm(layer: nn.Module, input: Tensor) -> tuple[Tensor, Tensor]:
    """Scale and offset (c,) of a norm, which has both here; see `cast_weights`."""
    weight, bias = cast_weights(layer, input)
    assert bias is not None
    return weight, bias


def weights_of(layer: nn.Module, like: Tensor) -> Weights | None:
    """Weight (d, …) and bias (d,) of ComfyUI's own layers; see `WeightsOf`."""
    kinds = comfy.ops.manual_cast
    is_own = has_forward_of(layer, kinds.Linear, kinds.Conv2d, kinds.Conv3d)
    return cast_weights(layer, like) if is_own else None


class GroupNorm(norms.GroupNorm, comfy.ops.manual_cast.GroupNorm):
    """ComfyUI's, in few kernels."""

    weights_for = cast_norm


class LayerNorm(norms.LayerNorm, comfy.ops.manual_cast.LayerNorm):
    """ComfyUI's, in few kernels."""

    weights_for = cast_norm


class Layers(comfy.ops.manual_cast):
    """ComfyUI's layers, whose weights may lie elsewhere and in another type than they compute."""

    GroupNorm, LayerNorm = GroupNorm, LayerNorm
    attend, weights_of = staticmethod(attend), staticmethod(weights_of)


@dataclass(frozen=True)
class PassInput:
    """What some passes over a clip or a window of it read.

    Attributes:
        conditioning: of the whole clip.
        passes: one for each part of the batch.
        copies: the conditioning on other devices.
    """

    conditioning: Conditioning
    passes: tuple[Pass, ...]
    copies: dict[torch.device, Conditioning] = field(default_factory=dict)

    def to(self, device: torch.device) -> "PassInput":
        """The same on the device of one of several GPUs, between which ComfyUI deals passes.

        ComfyUI asks for it at each window; the whole clip's conditioning goes there once.
        """
        if device not in self.copies:
            self.copies[device] = self.conditioning.to(device)
        return replace(self, conditioning=self.copies[device])


def sizes(conditioning: Conditioning, windows: Windows) -> list[float]:
    """What memory depends on: frames of the padded clip, frames of a window, shares scanned."""
    frames = conditioning.frames + windows.padding
    return [frames, min(frames, windows.frames), *scanned_shares(conditioning.regions)]


class CondPassInput(comfy.conds.CONDConstant):
    """Joins the passes that ComfyUI runs in one batch.

    Args:
        cond: what is read. sizes: what memory depends on; see `sizes`.
    """

    cond: PassInput

    def __init__(self, cond: PassInput, sizes: list[float]) -> None:
        super().__init__(cond)
        self.sizes = sizes

    def process_cond(self, batch_size: int, **options: object) -> "CondPassInput":
        """The same for so many frames: all of the clip, or those of a window."""
        _, window, *shares = self.sizes
        return CondPassInput(self.cond, [batch_size, min(batch_size, window), *shares])

    def can_concat(self, neighbour: "CondPassInput") -> bool:
        """Passes over the same clip may share a batch."""
        return self.cond.conditioning is neighbour.cond.conditioning

    def concat(self, neighbours: Sequence["CondPassInput"]) -> PassInput:
        """In the order of the batch."""
        passes = sum((neighbour.cond.passes for neighbour in neighbours), self.cond.passes)
        return replace(self.cond, passes=passes)

    def size(self) -> list[float]:
        """For the estimate of memory."""
        return self.sizes


class WindowedUNet(nn.Module):
    """The UNet over a window that a guider asks for, or over a whole clip, window by window."""

    def __init__(self, unet: UNet, dtype: torch.dtype, windows: Windows) -> None:
        super().__init__()
        self.unet, self.dtype, self.windows = unet, dtype, windows

    def forward(
        self,
        x: Tensor,
        timesteps: Tensor,
        context: Tensor | None = None,
        control: object = None,
        transformer_options: dict[str, Any] | None = None,
        pass_input: PassInput | None = None,
        **_: object,
    ) -> Tensor:
        """(p f) 4 h w latents, the same for each pass -> v of the same shape.

        Raises:
            NotFiniteError: v of a clip is NaN or infinite; says since when.
        """
        if pass_input is None:
            raise InputError(
                "This model reads the CONDITIONING of the node Conditioning (ACTalker); it got "
                "another one. Connect that node to the guider or sampler."
            )
        options, passes = transformer_options or {}, pass_input.passes
        x, c_noise = x.unflatten(0, (len(passes), -1))[0], timesteps[:1]
        conditioning, frames = pass_input.conditioning, options.get(FRAMES_KEY)
        if frames is not None:
            check_latent(x, conditioning, len(frames))
            return velocity(self.unet, conditioning, x, c_noise, frames, passes).flatten(0, 1)
        # A sampler without NestedGuider knows one pass only, which reads all conditions.
        v = self._predict_clip(conditioning, x, c_noise, passes[:1], options)
        return v.repeat(len(passes), 1, 1, 1)

    def _predict_clip(
        self,
        conditioning: Conditioning,
        x: Tensor,
        c_noise: Tensor,
        passes: Sequence[Pass],
        options: dict[str, Any],
    ) -> Tensor:
        """(f, 4, h, w) -> v of the same shape."""
        check_latent(x, conditioning, conditioning.frames)
        step, steps = find_step(options.get("sample_sigmas"), options.get("sigmas"))
        windows = options.get(WINDOWS_KEY, self.windows).at(step, len(x))

        def predict(x: Tensor, frames: Sequence[int]) -> Tensor:
            stop_if_cancelled()
            return velocity(self.unet, conditioning, x, c_noise, frames, passes)[0]

        v = average_windows(x, windows, predict)
        check_step(x, v, step + 1, steps, windows)
        return v


def check_latent(latent: Tensor, conditioning: Conditioning, frames: int) -> None:
    """Refuse a latent of other sizes than (frames, 4, h, w), those of the conditioning.

    Raises:
        InputError: another length, size or number of channels.
    """
    shape = frames, *conditioning.image_latent.shape[1:]
    if tuple(latent.shape) != shape:
        raise InputError(
            f"LATENT: expected {shape} (frames, channels, height, width) as the conditioning, got "
            f"{tuple(latent.shape)}. Connect the latent of the same Conditioning (ACTalker)."
        )


def find_step(levels: Tensor | None, sigma: Tensor | None) -> tuple[int, int]:
    """Which step of how many a noise level (b,) belongs to; samplers may evaluate between two."""
    if levels is None or sigma is None:
        return 0, 1
    step = int((levels > sigma.flatten()[0] * (1 + 1e-5)).sum())
    return step, max(len(levels) - 1, 1)


class ACTalkerModel(comfy.model_base.BaseModel):
    """EDM v-prediction over the latents of a clip.

    Args:
        config: of the released or another variant.
        unet: built from `Layers`.
        dtype: of the stored weights. cast: what they compute in, None for the same.
    """

    def __init__(
        self, config: ModelConfig, unet: UNet, dtype: torch.dtype, cast: torch.dtype | None
    ) -> None:
        settings = _settings(config)
        settings.set_inference_dtype(dtype, cast)
        super().__init__(settings, comfy.model_base.ModelType.V_PREDICTION_EDM)
        self.diffusion_model = WindowedUNet(unet, dtype, default_windows(config))
        self.config = config

    def extra_conds(self, **options: Any) -> dict[str, CondPassInput]:
        """What each pass reads, on the device that computes."""
        conditioning = options.get(CONDITIONING_KEY)
        if conditioning is None:
            return {}
        pass_ = options.get(PASS_KEY, Pass.EXPRESSION)
        read = PassInput(conditioning.to(options["device"]), (pass_,))
        return {"pass_input": CondPassInput(read, sizes(conditioning, self._windows(options)))}

    def extra_conds_shapes(self, **options: Any) -> dict[str, list[float]]:
        """The same before it is encoded."""
        conditioning = options.get(CONDITIONING_KEY)
        if conditioning is None:
            return {}
        return {"pass_input": sizes(conditioning, self._windows(options))}

    def _windows(self, options: dict[str, Any]) -> Windows:
        return options.get(WINDOWS_KEY, self.diffusion_model.windows)

    def memory_required(
        self, input_shape: Sequence[int], cond_shapes: dict[str, Any] | None = None
    ) -> float:
        """Bytes for the passes of one window; the length of the clip does not count."""
        usual = self.config.unet.num_frames
        clips = (cond_shapes or {}).get("pass_input") or [[usual, usual, *scanned_shares(None)]]
        frames, window, *shares = max(clips)
        passes = max(round(input_shape[0] / frames), 1)
        grid = (input_shape[-2], input_shape[-1])
        number_bytes = (self.manual_cast_dtype or self.get_dtype()).itemsize
        return estimate_activation_bytes(
            self.config.unet, grid, int(window), passes, shares, number_bytes
        )

    def estimate_activations(
        self, conditioning: Conditioning, windows: Windows, passes: int
    ) -> float:
        """Bytes for some passes over one window of a clip."""
        clip = sizes(conditioning, windows)
        shape = [passes * int(clip[0]), *conditioning.image_latent.shape[1:]]
        return self.memory_required(shape, {"pass_input": [clip]})


def _settings(config: ModelConfig) -> comfy.supported_models_base.BASE:
    class Settings(comfy.supported_models_base.BASE):
        latent_format = comfy.latent_formats.SD15
        sampling_settings = {  # noqa: RUF012  (ComfyUI copies it)
            "sigma_min": config.sampling.sigma_min,
            "sigma_max": config.sampling.sigma_max,
        }

    settings = Settings({"disable_unet_model_creation": True})
    settings.latent_format.scale_factor = config.vae.scaling_factor
    return settings


def make_patcher(
    config: ModelConfig,
    unet: UNet,
    dtype: torch.dtype,
    cast: torch.dtype | None,
    *,
    dynamic: bool = True,
) -> comfy.model_patcher.ModelPatcher:
    """A MODEL, whose weights ComfyUI streams as it does those of its own models.

    Args:
        dynamic: False keeps it out of dynamic VRAM, where ComfyUI has that.
    """
    model = ACTalkerModel(config, unet, dtype, cast)
    if comfy.model_management.force_channels_last():
        lay_channels_last(unet)
    plain = comfy.model_patcher.ModelPatcher
    kind = getattr(comfy.model_patcher, "CoreModelPatcher", plain) if dynamic else plain
    return kind(
        model,
        load_device=comfy.model_management.get_torch_device(),
        offload_device=comfy.model_management.unet_offload_device(),
    )


def check_model(patcher: comfy.model_patcher.ModelPatcher) -> ACTalkerModel:
    """The model, if it is one of this pack.

    Raises:
        InputError: another MODEL.
    """
    model = getattr(patcher, "model", patcher)
    if not isinstance(model, ACTalkerModel):
        raise InputError(
            f"MODEL: expected that of Load Model (ACTalker), got {type(model).__name__}. Connect "
            "that node."
        )
    return model


def get_windows(patcher: comfy.model_patcher.ModelPatcher) -> Windows:
    """How a clip is cut."""
    options = patcher.model_options.get("transformer_options", {})
    return options.get(WINDOWS_KEY, patcher.model.diffusion_model.windows)


def with_windows(
    patcher: comfy.model_patcher.ModelPatcher, windows: Windows
) -> comfy.model_patcher.ModelPatcher:
    """The same model that cuts clips in another way."""
    return _with_option(patcher, WINDOWS_KEY, windows)


def get_interval(patcher: comfy.model_patcher.ModelPatcher) -> GuidanceInterval:
    """Where guidance is computed."""
    options = patcher.model_options.get("transformer_options", {})
    return options.get(INTERVAL_KEY, GuidanceInterval())


def with_interval(
    patcher: comfy.model_patcher.ModelPatcher, interval: GuidanceInterval
) -> comfy.model_patcher.ModelPatcher:
    """The same model whose guidance is computed more rarely."""
    return _with_option(patcher, INTERVAL_KEY, interval)


def _with_option(
    patcher: comfy.model_patcher.ModelPatcher, key: str, value: object
) -> comfy.model_patcher.ModelPatcher:
    patcher = patcher.clone()
    patcher.model_options.setdefault("transformer_options", {})[key] = value
    return patcher
