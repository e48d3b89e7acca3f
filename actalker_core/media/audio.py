"""Sound in memory: samples of any layout, mixed, resampled, measured and trimmed."""

import logging
from dataclasses import dataclass
from math import ceil

import numpy as np
import soxr
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ..errors import MediaError
from . import downmix

log = logging.getLogger(__name__)

AAC_RATES_HZ = (96000, 88200, 64000, 48000, 44100)
"""AAC writes 1,024 samples at a time; at lower rates its last packet outlasts a video frame."""
FALLBACK_RATE_HZ = 48000
MAX_AMPLITUDE = 1e6
"""Nothing recorded is louder, as a multiple of full scale."""


@dataclass(frozen=True)
class Audio:
    """Sound.

    Attributes:
        samples: (c, t) float32, t samples of c channels; full scale is −1…1.
        rate_hz: samples per second.
        layout: where each channel stands, as FFmpeg names it ("FL", "FC", "LFE" …); None for the
            usual places of so many.

    Raises:
        MediaError: no channel, no sample, or no rate.
    """

    samples: NDArray[np.float32]
    rate_hz: int
    layout: tuple[str, ...] | None = None

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
        if not np.isfinite(_measure_peak(samples)):
            log.warning("The audio has samples that are not numbers; they become silence.")
            samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
        if _measure_peak(samples) > MAX_AMPLITUDE:
            log.warning("The audio exceeds %g times full scale; it is cut there.", MAX_AMPLITUDE)
            samples = samples.clip(-MAX_AMPLITUDE, MAX_AMPLITUDE)
        object.__setattr__(self, "samples", samples)

    def to_mono(self, rate_hz: int) -> Tensor:
        """All channels as one, at another rate: (t,) float32; see `downmix.mix_to_mono`."""
        mono = downmix.mix_to_mono(self.samples, self.layout)
        return torch.from_numpy(resample(mono, self.rate_hz, rate_hz))

    def loudness(self, frames: int, fps: float) -> NDArray[np.float64]:
        """(f,) root mean square of the sound during each video frame; 0 after its end."""
        # Every edge is rounded from the beginning, so that no error adds up over a long clip.
        edges = np.round(np.arange(frames + 1) * self.rate_hz / fps).astype(int)
        samples = self.samples[:, : edges[-1]]
        sides = samples if len(samples) <= 2 else downmix.mix_to_stereo(samples, self.layout)
        # Running sums: each frame's power is a difference of two, whatever its length.
        power = np.concatenate([[0.0], np.cumsum((sides.astype(np.float64) ** 2).mean(0))])
        total = np.diff(power[np.minimum(edges, len(power) - 1)])
        mean: NDArray[np.float64] = np.maximum(total, 0) / np.maximum(np.diff(edges), 1)
        return np.asarray(np.sqrt(mean))

    def trim(self, seconds: float) -> "Audio":
        """The beginning, of exactly so many seconds; silence is added to sound that is shorter."""
        length = round(seconds * self.rate_hz)
        beginning = self.samples[:, :length]
        samples = np.pad(beginning, ((0, 0), (0, length - beginning.shape[1])))
        return Audio(samples, self.rate_hz, self.layout)

    def to_playable(self) -> "Audio":
        """One or two channels at a rate that suits AAC."""
        samples = self.samples
        if len(samples) > 2:
            samples = downmix.mix_to_stereo(samples, self.layout)
            # Sums may exceed full scale, where they would be cut.
            samples = samples / max(1.0, _measure_peak(samples))
        if self.rate_hz in AAC_RATES_HZ:
            return Audio(samples, self.rate_hz)
        return Audio(resample(samples, self.rate_hz, FALLBACK_RATE_HZ), FALLBACK_RATE_HZ)


def as_float(samples: ArrayLike) -> NDArray[np.float32]:
    """PCM of any type, such as (c, t), as float32 of the same shape.

    Integers are divided by their full scale; unsigned ones have their silence in the middle.

    Raises:
        MediaError: they are neither integers nor floating-point numbers.
    """
    pcm = np.asarray(samples)
    if pcm.dtype.kind not in "uif":
        raise MediaError(f"Audio: expected numbers as samples, got {pcm.dtype}.")
    if pcm.dtype.kind == "f":
        return np.asarray(pcm, np.float32)
    full_scale = 2 ** (8 * pcm.dtype.itemsize - 1)
    fractions = pcm.astype(np.float32) / full_scale
    return np.asarray(fractions - 1 if pcm.dtype.kind == "u" else fractions, np.float32)


def _measure_peak(samples: NDArray[np.float32]) -> float:
    """The largest magnitude; not a number if any sample is none."""
    return float(np.maximum(samples.max(), -samples.min()))


def resample(samples: NDArray[np.float32], rate_hz: int, new_rate_hz: int) -> NDArray[np.float32]:
    """(…, t) at another rate, by the high quality filter of the SoX resampler."""
    length = ceil(samples.shape[-1] * (new_rate_hz / rate_hz))
    output = np.zeros((*samples.shape[:-1], length), np.float32)
    for place in np.ndindex(*samples.shape[:-1]):
        channel = soxr.resample(samples[place], rate_hz, new_rate_hz)[:length]
        output[place][: len(channel)] = channel
    return output
