"""ComfyUI's shapes <-> the core's, in one place."""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...actalker_core.control.curves import Curve, DrawnCurve
from ...actalker_core.control.signals import DrivingSignal
from ...actalker_core.errors import InputError
from ...actalker_core.limits import FPS
from ...actalker_core.media import Audio, VideoFrames, as_float, read_nominal_fps
from .video import file_behind

log = logging.getLogger(__name__)

MOST_CHANNELS = 64
"""Of a sound; more are samples in the place of channels."""


@dataclass(frozen=True)
class Frames:
    """A clip.

    Attributes:
        images: (f, 3, H, W) in 0…1.
        fps: frames per second.
    """

    images: Tensor
    fps: float

    def resample(self, fps: float, most: int | None = None) -> "Frames":
        """The frames that are shown at the times of another rate, at most so many."""
        FPS.check(fps)
        count = max(round(len(self.images) * fps / self.fps), 1)
        times = torch.arange(min(count, most or count), dtype=torch.float64) * (self.fps / fps)
        index = (times + 1e-6).floor().long().clamp(max=len(self.images) - 1)
        return Frames(self.images[index], fps)


def first_image(image: Tensor) -> Tensor:
    """The first of a batch: (b, h, w, c) -> (3, h, w)."""
    return from_image(image[:1] if isinstance(image, Tensor) and image.ndim else image)[0]


def from_image(images: Tensor) -> Tensor:
    """(b, h, w, c) -> (b, 3, h, w) in 0…1; a fourth channel is dropped, grey becomes three.

    Raises:
        InputError: another shape or type, or no picture.
    """
    found = _numbers(images, "IMAGE", "(frames, H, W, 3)")
    if found.ndim != 4 or found.shape[-1] not in (1, 3, 4) or not found.numel():
        raise InputError(
            f"IMAGE: expected (frames, H, W, channels) with 1, 3 or 4 channels and at least one "
            f"frame, got {tuple(found.shape)}. Connect the output of a loader, or convert to RGB."
        )
    found = found.movedim(-1, 1)[:, :3]
    return found.expand(-1, 3, -1, -1) if found.shape[1] == 1 else found


def _numbers(values: Any, what: str, expected: str) -> Tensor:
    """As float32; bytes count from 0 to 255.

    Raises:
        InputError: it is no tensor, or of numbers that cannot be pixels.
    """
    if not isinstance(values, Tensor):
        raise InputError(
            f"{what}: expected a tensor {expected}, got {type(values).__name__}. Connect an output "
            f"of that type."
        )
    if values.dtype == torch.uint8:
        return values.float() / 255
    if not values.is_floating_point() and values.dtype != torch.bool:
        raise InputError(
            f"{what}: expected numbers in 0…1, got {values.dtype}. Divide by the largest value."
        )
    found = values.float()
    if found.numel() and not torch.isfinite(found.sum(dtype=torch.float64)):
        log.warning("%s: has values that are not finite; they become 0 or 1.", what)
        return found.nan_to_num(nan=0.0, posinf=1.0, neginf=0.0)
    return found


def to_image(frames: Tensor) -> Tensor:
    """(b, 3, h, w) -> (b, h, w, 3) on the CPU."""
    return frames.movedim(1, -1).float().cpu().contiguous()


def read_frames(
    clip: Any, fps: float, wanted: float | None = None, most: int | None = None
) -> Frames:
    """An IMAGE batch at a frame rate, or a VIDEO at its own.

    Of a VIDEO with a file behind it, the file is read: by the times of its frames, upright, within
    the VIDEO's trim, and no further than needed.

    Args:
        wanted: frames per second of the result; None for the clip's own.
        most: at most so many frames at that rate; None for all.

    Raises:
        InputError: it is neither, or without frames. MediaError: its file cannot be read.
    """
    file = file_behind(clip)
    if file is not None:
        rate = read_nominal_fps(file.source) if wanted is None else FPS.check(wanted)
        shown = islice(VideoFrames(file.source, rate, file.start, file.seconds), most)
        return Frames(torch.stack(list(shown)).float().div_(255), rate)
    if hasattr(clip, "get_components"):
        parts = clip.get_components()
        given = Frames(from_image(parts.images), float(parts.frame_rate))
    else:
        given = Frames(from_image(clip), FPS.check(fps))
    return given if wanted is None else given.resample(wanted, most)


def from_mask(mask: Tensor | None) -> Tensor | None:
    """(b, h, w) or (h, w) -> (b, 1, h, w).

    Raises:
        InputError: another shape, or none.
    """
    if mask is None:
        return None
    found = _numbers(mask, "MASK", "(masks, H, W)").clamp(0, 1)
    found = found[None] if found.ndim == 2 else found
    if found.ndim != 3 or not found.numel():
        raise InputError(
            f"MASK: expected (masks, H, W) with at least one mask, got {tuple(found.shape)}. "
            "Convert an IMAGE by Image to Mask."
        )
    return found[:, None]


def to_mask(mask: Tensor) -> Tensor:
    """(b, 1, h, w) -> (b, h, w)."""
    return mask[:, 0].float().cpu()


def from_audio(sound: Any, where: str) -> Audio:
    """AUDIO, the first of a batch (b, c, t); (c, t) and (t,) are taken too.

    Raises:
        InputError: there is none, as from a video without sound, or it cannot be understood.
    """
    waveform = sound.get("waveform") if isinstance(sound, Mapping) else None
    try:
        samples = None if waveform is None else torch.as_tensor(waveform).detach().cpu()
    except (TypeError, ValueError, RuntimeError):
        samples = None
    if samples is None or not samples.numel():
        raise InputError(
            f"{where}: expected AUDIO with at least one sample, got none. A video without sound "
            "gives such an output: connect Load Audio."
        )
    return Audio(_samples(samples, where), _rate_hz(sound.get("sample_rate"), where))


def _samples(given: Tensor, where: str) -> np.ndarray:
    """(c, t) of the first of a batch."""
    found = given[0] if given.ndim == 3 else given
    found = found[None] if found.ndim == 1 else found
    if found.ndim != 2 or found.shape[0] > MOST_CHANNELS:
        raise InputError(
            f"{where}: expected AUDIO of (batch, channels, samples) with up to {MOST_CHANNELS} "
            f"channels, got {tuple(given.shape)}. Connect Load Audio."
        )
    if found.is_floating_point():
        return found.float().numpy()
    if found.shape[0] == 1 or found.dtype == torch.bool or found.is_complex():
        # Core's Get Video Components gives PCM so: all channels in one, which nothing tells apart.
        raise InputError(
            f"{where}: expected AUDIO of floating-point samples in −1…1, got {found.dtype} in "
            "one channel, as ComfyUI gives the sound of a video with plain PCM, perhaps with all "
            "channels in one. Load the same file with Load Audio."
        )
    return as_float(found.numpy())


def _rate_hz(given: Any, where: str) -> int:
    try:
        rate_hz = round(float(given))
    except (TypeError, ValueError, OverflowError):
        rate_hz = 0
    if rate_hz <= 0:
        raise InputError(
            f"{where}: expected AUDIO with a sample rate above 0, got {given!s:.80}. Connect Load "
            "Audio."
        )
    return rate_hz


def to_audio(sound: Audio) -> dict[str, Any]:
    """AUDIO (1, c, t)."""
    return {"waveform": torch.from_numpy(sound.samples)[None], "sample_rate": sound.rate_hz}


def from_curve(given: Any, where: str) -> Curve | DrawnCurve | None:
    """A curve of this pack as it is; one of ComfyUI's Curve Editor (CURVE) as the core takes it.

    Raises:
        InputError: no points, or none that can be read.
    """
    if given is None or isinstance(given, Curve):
        return given
    try:
        from comfy_api.input import CurveInput  # older ComfyUI has neither this nor such an input

        drawn = CurveInput.from_raw(given)
        places = [number for point in drawn.points for number in point]
    except (ImportError, TypeError, ValueError, KeyError) as error:
        raise InputError(
            f"{where}: expected a CURVE of Curve Editor, got {type(given).__name__} that cannot be "
            "read as points. Connect Curve Editor, or Curve (ACTalker)."
        ) from error
    if not places or not all(map(math.isfinite, places)):
        raise InputError(
            f"{where}: expected a CURVE with at least one point, each of finite numbers, got "
            f"{len(places) // 2} points. Draw the curve anew."
        )
    return DrawnCurve(drawn.interp_array)


def check_signal(given: DrivingSignal | None, kind: type[DrivingSignal], where: str) -> Any:
    """A signal of the kind that an input reads, or None.

    Raises:
        InputError: another kind.
    """
    if given is None or isinstance(given, kind):
        return given
    source = f" ({given.source})" if isinstance(given, DrivingSignal) else ""
    raise InputError(
        f"{where}: expected {kind.__name__}, got {type(given).__name__}{source}. "
        "Connect the output of the same name."
    )
