"""ComfyUI's shapes <-> the core's, in one place."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..actalker_core.errors import InputError
from ..actalker_core.gates import Curve, DrawnCurve
from ..actalker_core.limits import FPS
from ..actalker_core.media import Audio
from ..actalker_core.signals import Signal


@dataclass(frozen=True)
class Frames:
    """A clip.

    Attributes:
        pictures: (f, 3, H, W) in 0…1.
        fps: frames per second.
    """

    pictures: Tensor
    fps: float

    def at(self, fps: float) -> "Frames":
        """The frames that are shown at the times of another rate."""
        FPS.check(fps)
        count = max(round(len(self.pictures) * fps / self.fps), 1)
        times = torch.arange(count, dtype=torch.float64) * (self.fps / fps)
        index = (times + 1e-6).floor().long().clamp(max=len(self.pictures) - 1)
        return Frames(self.pictures[index], fps)


def picture(image: Tensor) -> Tensor:
    """The first of a batch: B H W C -> 3 H W."""
    return pictures(image[:1])[0]


def pictures(images: Tensor) -> Tensor:
    """B H W C -> B 3 H W in 0…1; a fourth channel is dropped, grey becomes three."""
    if images.ndim != 4 or not images.numel():
        raise InputError(f"IMAGE: expected (frames, H, W, 3), got {tuple(images.shape)}.")
    found = images.float().movedim(-1, 1)[:, :3]
    return found.expand(-1, 3, -1, -1) if found.shape[1] == 1 else found


def to_image(frames: Tensor) -> Tensor:
    """B 3 H W -> B H W 3 on the CPU."""
    return frames.movedim(1, -1).float().cpu().contiguous()


def frames(clip: Any, fps: float) -> Frames:
    """An IMAGE batch at a frame rate, or a VIDEO at its own."""
    if hasattr(clip, "get_components"):
        parts = clip.get_components()
        return Frames(pictures(parts.images), float(parts.frame_rate))
    return Frames(pictures(clip), FPS.check(fps))


def masks(mask: Tensor | None) -> Tensor | None:
    """B H W (or H W) -> B 1 H W."""
    if mask is None:
        return None
    found = mask.float().nan_to_num().clamp(0, 1)
    return (found[None] if found.ndim == 2 else found)[:, None]


def to_mask(mask: Tensor) -> Tensor:
    """B 1 H W -> B H W."""
    return mask[:, 0].float().cpu()


def audio(sound: dict | None, where: str) -> Audio:
    """AUDIO (the first of a batch: B C T -> C T).

    Raises:
        InputError: there is none, as from a video without sound.
    """
    if sound is None or not sound["waveform"].numel():
        raise InputError(
            f"{where}: expected AUDIO with at least one sample, got none. A video without sound "
            "gives such an output: connect Load Audio."
        )
    return Audio(sound["waveform"][0].float().cpu().numpy(), int(sound["sample_rate"]))


def to_audio(sound: Audio) -> dict:
    """C T -> B C T."""
    return {"waveform": torch.from_numpy(sound.samples)[None], "sample_rate": sound.rate_hz}


def curve(given: Any, where: str) -> Curve | DrawnCurve | None:
    """A curve of this pack as it is; one of ComfyUI's Curve Editor (CURVE) as the core takes it.

    Raises:
        InputError: no points, or none that can be read.
    """
    if given is None or isinstance(given, Curve):
        return given
    from comfy_api.input import CurveInput  # older ComfyUI has neither this nor such an input

    try:
        drawn = CurveInput.from_raw(given)
        places = [number for point in drawn.points for number in point]
    except (TypeError, ValueError, KeyError) as error:
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


def signal(given: Signal | None, kind: type[Signal], where: str) -> Any:
    """A signal of the kind that an input reads, or None.

    Raises:
        InputError: another kind.
    """
    if given is None or isinstance(given, kind):
        return given
    raise InputError(
        f"{where}: expected {kind.__name__}, got {type(given).__name__} ({given.source}). "
        "Connect the output of the same name."
    )


def present(given: Signal | None, where: str) -> Signal:
    """A signal that must be there.

    Raises:
        InputError: it is empty, as an output of Load Signals whose file has none of the kind.
    """
    if given is None:
        raise InputError(
            f"{where}: expected a signal, got none. Load Signals gives an empty output for a kind "
            "that its file does not hold: connect another output or choose another file."
        )
    return given
