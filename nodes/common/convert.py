"""ComfyUI's shapes <-> the core's, in one place."""

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...actalker_core.control.curves import Curve, DrawnCurve
from ...actalker_core.control.signals import DrivingSignal
from ...actalker_core.errors import InputError
from ...actalker_core.limits import FPS
from ...actalker_core.media import (
    Audio,
    VideoFrames,
    as_float,
    read_nominal_fps,
    read_nominal_seconds,
)
from .video import VideoFile, file_behind

log = logging.getLogger(__name__)

MAX_CHANNELS = 64
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

    def resample(self, fps: float, max_frames: int | None = None) -> "Frames":
        """The frames that are shown at the times of another rate, at most so many."""
        return Frames(self.images[self.find_frames(fps, max_frames)], fps)

    def find_frames(self, fps: float, max_frames: int | None = None) -> Tensor:
        """Which frames (n,) are shown at the times of another rate, at most so many."""
        FPS.check(fps)
        count = max(round(len(self.images) * fps / self.fps), 1)
        times = torch.arange(min(count, max_frames or count), dtype=torch.float64) * (
            self.fps / fps
        )
        return (times + 1e-6).floor().long().clamp(max=len(self.images) - 1)


@dataclass(frozen=True)
class FrameStream:
    """A clip whose frames are read one at a time, anew by each loop over it.

    Attributes:
        read: gives (3, H, W) each, uint8 or in 0…1.
        fps: frames per second.
        count: of frames, for a bar of progress: of a file as far as it says.
    """

    read: Callable[[], Iterator[Tensor]]
    fps: float
    count: int

    def __iter__(self) -> Iterator[Tensor]:
        return self.read()


def first_image(image: Tensor) -> Tensor:
    """The first of a batch: (b, h, w, c) -> (3, h, w)."""
    return from_image(image[:1] if isinstance(image, Tensor) and image.ndim else image)[0]


def from_image(images: Tensor) -> Tensor:
    """(b, h, w, c) -> (b, 3, h, w) in 0…1; a fourth channel is dropped, grey becomes three.

    Raises:
        InputError: another shape or type, or no image.
    """
    pixels = _numbers(images, "IMAGE", "(frames, H, W, 3)")
    if pixels.ndim != 4 or pixels.shape[-1] not in (1, 3, 4) or not pixels.numel():
        raise InputError(
            f"IMAGE: expected (frames, H, W, channels) with 1, 3 or 4 channels and at least one "
            f"frame, got {tuple(pixels.shape)}. Connect the output of a loader, or convert to RGB."
        )
    pixels = pixels.movedim(-1, 1)[:, :3]
    return pixels.expand(-1, 3, -1, -1) if pixels.shape[1] == 1 else pixels


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
    numbers = values.float()
    if numbers.numel() and not torch.isfinite(numbers.sum(dtype=torch.float64)):
        log.warning("%s: has values that are not finite; they become 0 or 1.", what)
        return numbers.nan_to_num(nan=0.0, posinf=1.0, neginf=0.0)
    return numbers


def to_image(frames: Tensor) -> Tensor:
    """(b, 3, h, w) -> (b, h, w, 3) on the CPU."""
    return frames.movedim(1, -1).float().cpu().contiguous()


def to_bytes(image: Tensor) -> NDArray[np.uint8]:
    """(3, h, w), uint8 or in 0…1 -> (h, w, 3) in 0…255, as geometry and files have it."""
    pixels = image if image.dtype == torch.uint8 else image.mul(255).round().clamp(0, 255).byte()
    pixels = pixels.movedim(0, -1)
    return np.ascontiguousarray(pixels.cpu().numpy())


def collect_images(
    rows: Iterable[Sequence[NDArray[np.uint8]]],
    count: int,
    show: Callable[[NDArray[np.uint8], int], None],
) -> list[Tensor]:
    """Images and masks frame by frame -> IMAGE (f, h, w, 3) and MASK (f, h, w), one of each column.

    Each frame is written where it stays, so that a long clip is never in memory twice.

    Args:
        rows: (h, w, 3) and (h, w) in 0…255, of one size each.
        count: of rows.
        show: called with the first image of a row and the number of rows done.
    """
    results: list[Tensor] = []
    for i, row in enumerate(rows):
        results = results or [torch.empty(count, *image.shape) for image in row]
        for result, image in zip(results, row, strict=True):
            result[i].copy_(torch.from_numpy(image)).div_(255)
        show(row[0], i + 1)
    return results


def read_frames(
    clip: Any, fps: float, new_fps: float | None = None, max_frames: int | None = None
) -> Frames:
    """An IMAGE batch at a frame rate, or a VIDEO at its own.

    Of a VIDEO with a file behind it, the file is read: by the times of its frames, upright, within
    the VIDEO's trim, and no further than needed.

    Args:
        new_fps: frames per second of the result; None for the clip's own.
        max_frames: at most so many frames at that rate; None for all.

    Raises:
        InputError: it is neither, or without frames. MediaError: its file cannot be read.
    """
    file = file_behind(clip)
    if file is not None:
        stream = _stream_file(file, new_fps, max_frames)
        return Frames(torch.stack(list(stream)).float().div_(255), stream.fps)
    frames = _unpack_frames(clip, fps)
    return frames if new_fps is None else frames.resample(new_fps, max_frames)


def stream_frames(
    clip: Any, fps: float, new_fps: float | None = None, max_frames: int | None = None
) -> FrameStream:
    """The same frames as by `read_frames`, of which a file's are never all in memory.

    Args, Raises: as of `read_frames`; a file that cannot be read may end the loop.
    """
    file = file_behind(clip)
    if file is not None:
        return _stream_file(file, new_fps, max_frames)
    frames = _unpack_frames(clip, fps)
    rate = frames.fps if new_fps is None else new_fps
    indices = frames.find_frames(rate, max_frames).tolist()
    return FrameStream(lambda: (frames.images[i] for i in indices), rate, len(indices))


def _stream_file(file: VideoFile, new_fps: float | None, max_frames: int | None) -> FrameStream:
    rate = read_nominal_fps(file.source) if new_fps is None else FPS.check(new_fps)
    frames = VideoFrames(file.source, rate, file.start, file.seconds)
    seconds = file.seconds or (read_nominal_seconds(file.source) or 0.0) - file.start
    count = max(round(seconds * rate), 1)
    return FrameStream(lambda: islice(frames, max_frames), rate, min(count, max_frames or count))


def _unpack_frames(clip: Any, fps: float) -> Frames:
    """An IMAGE batch at a frame rate, or a VIDEO without a file."""
    if hasattr(clip, "get_components"):
        parts = clip.get_components()
        return Frames(from_image(parts.images), float(parts.frame_rate))
    return Frames(from_image(clip), FPS.check(fps))


def from_mask(mask: Tensor | None) -> Tensor | None:
    """(b, h, w) or (h, w) -> (b, 1, h, w).

    Raises:
        InputError: another shape, or none.
    """
    if mask is None:
        return None
    masks = _numbers(mask, "MASK", "(masks, H, W)").clamp(0, 1)
    masks = masks[None] if masks.ndim == 2 else masks
    if masks.ndim != 3 or not masks.numel():
        raise InputError(
            f"MASK: expected (masks, H, W) with at least one mask, got {tuple(masks.shape)}. "
            "Convert an IMAGE by Image to Mask."
        )
    return masks[:, None]


def to_mask(mask: Tensor) -> Tensor:
    """(b, 1, h, w) -> (b, h, w)."""
    return mask[:, 0].float().cpu()


def from_audio(sound: Any, name: str) -> Audio:
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
            f"{name}: expected AUDIO with at least one sample, got none. A video without sound "
            "gives such an output: connect Load Audio."
        )
    return Audio(_samples(samples, name), _rate_hz(sound.get("sample_rate"), name))


def _samples(waveform: Tensor, name: str) -> np.ndarray:
    """(c, t) of the first of a batch."""
    samples = waveform[0] if waveform.ndim == 3 else waveform
    samples = samples[None] if samples.ndim == 1 else samples
    if samples.ndim != 2 or samples.shape[0] > MAX_CHANNELS:
        raise InputError(
            f"{name}: expected AUDIO of (batch, channels, samples) with up to {MAX_CHANNELS} "
            f"channels, got {tuple(waveform.shape)}. Connect Load Audio."
        )
    if samples.is_floating_point():
        return samples.float().numpy()
    if samples.shape[0] == 1 or samples.dtype == torch.bool or samples.is_complex():
        # Core's Get Video Components gives PCM so: all channels in one, which nothing tells apart.
        raise InputError(
            f"{name}: expected AUDIO of floating-point samples in −1…1, got {samples.dtype} in "
            "one channel, as ComfyUI gives the sound of a video with plain PCM, perhaps with all "
            "channels in one. Load the same file with Load Audio."
        )
    return as_float(samples.numpy())


def _rate_hz(value: Any, name: str) -> int:
    try:
        rate_hz = round(float(value))
    except (TypeError, ValueError, OverflowError):
        rate_hz = 0
    if rate_hz <= 0:
        raise InputError(
            f"{name}: expected AUDIO with a sample rate above 0, got {value!s:.80}. Connect Load "
            "Audio."
        )
    return rate_hz


def to_audio(sound: Audio) -> dict[str, Any]:
    """AUDIO (1, c, t)."""
    return {"waveform": torch.from_numpy(sound.samples)[None], "sample_rate": sound.rate_hz}


def from_curve(source: Any, name: str) -> Curve | DrawnCurve | None:
    """A curve of this pack as it is; one of ComfyUI's Curve Editor (CURVE) as the core takes it.

    Raises:
        InputError: no points, or none that can be read.
    """
    if source is None or isinstance(source, Curve):
        return source
    try:
        from comfy_api.input import CurveInput  # older ComfyUI has neither this nor such an input

        curve = CurveInput.from_raw(source)
        coordinates = [number for point in curve.points for number in point]
    except (ImportError, TypeError, ValueError, KeyError) as error:
        raise InputError(
            f"{name}: expected a CURVE of Curve Editor, got {type(source).__name__} that cannot be "
            "read as points. Connect Curve Editor, or Curve (ACTalker)."
        ) from error
    if not coordinates or not all(map(math.isfinite, coordinates)):
        raise InputError(
            f"{name}: expected a CURVE with at least one point, each of finite numbers, got "
            f"{len(coordinates) // 2} points. Draw the curve anew."
        )
    return DrawnCurve(curve.interp_array)


def check_signal(signal: DrivingSignal | None, kind: type[DrivingSignal], name: str) -> Any:
    """A signal of the kind that an input reads, or None.

    Raises:
        InputError: another kind.
    """
    if signal is None or isinstance(signal, kind):
        return signal
    source = f" ({signal.source})" if isinstance(signal, DrivingSignal) else ""
    raise InputError(
        f"{name}: expected {kind.__name__}, got {type(signal).__name__}{source}. "
        "Connect the output of the same name."
    )
