"""A model's own values for sampling, and what it does not do well beyond them."""

from dataclasses import replace
from typing import Any, TypeVar

from ...diffusion.guidance import GuidanceInterval
from ...diffusion.windows import Windows
from .config import ModelConfig
from .guidance import Guidance

FAMILIAR_FACTOR = 1.25
"""Sizes and frame rates up to so many times more or less than its own suit a model."""
STRONG_FACTOR = 2.0
"""Guidance of more than so many times its own drives a model out of what it knows."""


def default_guidance(config: ModelConfig) -> Guidance:
    """The strengths that the model was made for."""
    s = config.sampling
    return Guidance(*((v, v) for v in (s.appearance_scale, s.audio_scale, s.expression_scale)))


def default_windows(config: ModelConfig) -> Windows:
    """Windows of the length that the model was trained on."""
    return Windows(config.unet.num_frames, 0, config.sampling.shift_frames)


Choice = TypeVar("Choice", Guidance, Windows, GuidanceInterval)


def override(default: Choice, **values: Any) -> Choice:
    """The default with the values that are chosen; None leaves one as it is."""
    return replace(default, **{name: v for name, v in values.items() if v is not None})


def list_warnings(
    config: ModelConfig,
    *,
    short_side_px: int | None = None,
    fps: float | None = None,
    windows: Windows | None = None,
    guidance: Guidance | None = None,
) -> list[str]:
    """What a model will not do well with values chosen by hand, a sentence for each.

    Args:
        short_side_px: of the portrait; like all of them None for the model's own.
        fps: frames per second.
    """
    sampling = config.sampling
    warnings = []
    if short_side_px is not None and not _is_familiar(short_side_px, sampling.short_side_px):
        warnings.append(
            f"Size: this model was trained at a short side of {sampling.short_side_px} px, got "
            f"{short_side_px}. Faces may come out distorted."
        )
    if fps is not None and not _is_familiar(fps, sampling.fps):
        warnings.append(
            f"Frame rate: this model was trained at {sampling.fps:g} fps, got {fps:g}. Lips and "
            "motion may come out too fast or too slow."
        )
    if windows is not None and windows.frames > config.unet.num_frames:
        warnings.append(
            f"Windows: this model was trained on {config.unet.num_frames} frames at a time, got "
            f"{windows.frames}. Frames may flicker or drift."
        )
    if guidance is not None:
        usual = default_guidance(config)
        for name in ("appearance", "audio", "expression"):
            strongest, own_scale = max(getattr(guidance, name)), max(getattr(usual, name))
            if strongest > STRONG_FACTOR * own_scale:
                warnings.append(
                    f"Guidance: the {name} scale of this model is {own_scale:g}, got "
                    f"{strongest:g}. Colours and shapes may burn out."
                )
    return warnings


def _is_familiar(value: float, reference: float) -> bool:
    return reference / FAMILIAR_FACTOR <= value <= reference * FAMILIAR_FACTOR
