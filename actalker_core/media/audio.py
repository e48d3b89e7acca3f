"""Sound in, and what is done with it."""

import logging
from dataclasses import dataclass
from pathlib import Path

import av
import librosa
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import MediaError
from .opening import opened

log = logging.getLogger(__name__)

AAC_RATES_HZ = (96000, 88200, 64000, 48000, 44100)
"""AAC writes 1,024 samples at a time; at lower rates its last packet outlasts a video frame."""
FALLBACK_RATE_HZ = 48000
LOUDEST = 1e6
"""Nothing recorded is louder, as a multiple of full scale."""


@dataclass(frozen=True)
class Audio:
    """Sound.

    Attributes:
        samples: (channels, t) float32 in −1…1.
        rate_hz: samples per second.
    """

    samples: NDArray[np.float32]
    rate_hz: int

    @property
    def seconds(self) -> float:
        """Duration."""
        return float(self.samples.shape[1] / self.rate_hz)

    def __post_init__(self) -> None:
        """Refuse what is no sound; silence what is no number."""
        samples = np.asarray(self.samples, np.float32)
        if samples.ndim != 2 or not samples.size or self.rate_hz <= 0:
            raise MediaError(
                "Audio: expected (channels, samples) with at least one of each and a rate above 0, "
                f"got {samples.shape} at {self.rate_hz} Hz. Choose a file with sound in it."
            )
        if not np.isfinite(samples).all():
            log.warning("The audio has samples that are not numbers; they become silence.")
            samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
        if np.abs(samples).max() > LOUDEST:
            log.warning("The audio goes beyond %g times full scale; it is cut there.", LOUDEST)
            samples = samples.clip(-LOUDEST, LOUDEST)
        object.__setattr__(self, "samples", samples)

    def mono_at(self, rate_hz: int) -> Tensor:
        """All channels averaged, at another rate: (t,)."""
        return torch.from_numpy(_resampled(self.samples.mean(0), self.rate_hz, rate_hz))

    def loudness(self, frames: int, fps: float) -> NDArray[np.float64]:
        """(frames,) root mean square of the sound during each video frame; 0 after its end."""
        edges = np.round(np.arange(frames + 1) * self.rate_hz / fps).astype(int)
        power = np.concatenate([[0.0], np.cumsum((self.samples.astype(np.float64) ** 2).mean(0))])
        total = np.diff(power[np.minimum(edges, len(power) - 1)])
        mean: NDArray[np.float64] = np.maximum(total, 0) / np.maximum(np.diff(edges), 1)
        return np.asarray(np.sqrt(mean))

    def trimmed(self, seconds: float) -> "Audio":
        """The beginning, silence added where there is not enough."""
        wanted = round(seconds * self.rate_hz)
        kept = self.samples[:, :wanted]
        return Audio(np.pad(kept, ((0, 0), (0, wanted - kept.shape[1]))), self.rate_hz)

    def playable(self) -> "Audio":
        """One or two channels at a rate that suits AAC."""
        samples = self.samples if len(self.samples) <= 2 else self.samples.mean(0, keepdims=True)
        if self.rate_hz in AAC_RATES_HZ:
            return Audio(samples, self.rate_hz)
        return Audio(_resampled(samples, self.rate_hz, FALLBACK_RATE_HZ), FALLBACK_RATE_HZ)


def _resampled(samples: NDArray[np.float32], rate_hz: int, wanted_hz: int) -> NDArray[np.float32]:
    resampled = librosa.resample(samples, orig_sr=rate_hz, target_sr=wanted_hz)
    return np.ascontiguousarray(resampled, dtype=np.float32)


def load_audio(path: Path) -> Audio:
    """The first sound track of an audio or video file, at its own rate.

    Raises:
        MediaError: missing, unreadable or without sound.
    """
    with opened(path, "sound file") as container:
        if not container.streams.audio:
            raise MediaError(f"{path}: has no sound. Choose a file with an audio track.")
        convert = av.AudioResampler(format="fltp")
        parts, rate_hz = [], 0
        for frame in container.decode(audio=0):
            rate_hz = frame.sample_rate
            parts += [part.to_ndarray() for part in convert.resample(frame)]
    if not parts:
        raise MediaError(f"{path}: its audio track is empty. Choose a file with sound in it.")
    return Audio(np.concatenate(parts, axis=1), rate_hz)
