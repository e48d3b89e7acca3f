"""Signals: what drives the portrait, as features over time that can be cut, mixed and saved.

A signal is a few tracks (n, …) at one rate. All edits return a new signal; times are in seconds.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor

from ..errors import InputError, MediaError, quoted
from ..files.archive import MAX_BYTES, read_archive, write_archive
from ..text import parse_number

S = TypeVar("S", bound="DrivingSignal")

FULL_TURN_DEGREES = 360.0
LONGEST_SMOOTHING_SECONDS = 600.0
LONGEST_SAMPLES = 10_000_000
"""An edit that asks for more is a mistake."""
LONGEST_SECONDS = 86_400.0
HIGHEST_RATE_HZ = 1e6
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
"""What features may come as; they are kept in float32."""


def longest(numbers: int) -> int:
    """How many values of so many numbers each a signal may have: as many as a file may hold."""
    return min(LONGEST_SAMPLES, MAX_BYTES // (4 * max(numbers, 1)))


@dataclass(frozen=True)
class DrivingSignal:
    """Features over time.

    Attributes:
        rate_hz: values per second.
        source: where it comes from, for people.
    """

    TRACKS: ClassVar[tuple[str, ...]]
    DIMENSIONS: ClassVar[int] = 2
    ANGLES: ClassVar[tuple[str, ...]] = ()
    """Tracks in degrees, which go the short way around ±180."""

    rate_hz: float
    source: str

    def __post_init__(self) -> None:
        """Refuse tracks that no network could have made; those of other floats become float32."""
        object.__setattr__(self, "rate_hz", float(self.rate_hz))
        fault = self._track_fault() or self._rate_fault()
        if fault:
            raise InputError(f"{type(self).__name__}: {fault}. Encode it again, or edit it less.")

    def _track_fault(self) -> str | None:
        for name, track in self.tracks.items():
            if track.dtype not in FLOATS or track.layout != torch.strided:
                kind = track.dtype if track.layout == torch.strided else track.layout
                return f"expected {name} of float numbers, got {kind}"
            object.__setattr__(self, name, track.float())
        shapes = {name: tuple(track.shape) for name, track in self.tracks.items()}
        ranks = {len(shape) for shape in shapes.values()}
        if ranks != {self.DIMENSIONS} or not all(map(math.prod, shapes.values())):
            return f"expected tracks of {self.DIMENSIONS} dimensions with values, got {shapes}"
        if len({shape[0] for shape in shapes.values()}) != 1:
            return f"expected tracks of one length, got {shapes}"
        infinite = [name for name, track in self.tracks.items() if not _is_finite(track)]
        if infinite:
            return f"expected finite numbers, got NaN or infinity in {', '.join(infinite)}"
        return None

    def _rate_fault(self) -> str | None:
        if not 0 < self.rate_hz <= HIGHEST_RATE_HZ:
            return (
                f"expected a rate above 0 and up to {HIGHEST_RATE_HZ:,.0f} Hz, got {self.rate_hz:g}"
            )
        if len(self) > self.rate_hz * LONGEST_SECONDS:
            return (
                f"expected at most {LONGEST_SECONDS:,.0f} s, got {len(self):,} values at "
                f"{self.rate_hz:g} Hz"
            )
        return None

    @property
    def tracks(self) -> dict[str, Tensor]:
        """Its features by name."""
        return {name: getattr(self, name) for name in self.TRACKS}

    def __len__(self) -> int:
        return len(getattr(self, self.TRACKS[0]))

    @property
    def seconds(self) -> float:
        """Duration."""
        return len(self) / self.rate_hz

    # In time -------------------------------------------------------------------------------------

    def trim(self: S, start: float, end: float | None = None) -> S:
        """What lies between two times."""
        first = self._steps(start)
        last = len(self) if end is None else min(self._steps(end), len(self))
        if not 0 <= first < last:
            raise InputError(
                f"Trim: expected 0 <= start < end within {self.seconds:g} s, got {start:g} to "
                f"{self.seconds if end is None else end:g}."
            )
        return self._changed(lambda track, _: track[first:last])

    def resample(self: S, rate_hz: float) -> S:
        """The same course at another rate, linear between values."""
        count, most = self.seconds * rate_hz, longest(self._numbers)
        if not 0.5 <= count <= most:
            raise InputError(
                f"Resample: expected a rate that gives 1 to {most:,} values in "
                f"{self.seconds:g} s, got {rate_hz:g} Hz."
            )
        count = max(round(count), 1)
        at = torch.arange(count, dtype=torch.float64) * (self.rate_hz / rate_hz)
        return replace(self._at(at), rate_hz=float(rate_hz))

    def over(self: S, frames: int, fps: float) -> S:
        """One value per video frame; the last one holds if the signal is shorter."""
        at = torch.arange(frames, dtype=torch.float64) * (self.rate_hz / fps)
        return replace(self._at(at), rate_hz=float(fps))

    def loop(self: S, seconds: float) -> S:
        """Repeated, or cut, to a duration."""
        return self._taken(torch.arange(self._count(seconds)) % len(self))

    def ping_pong(self: S, seconds: float) -> S:
        """Forth and back, without showing the ends twice, to a duration."""
        period = max(2 * len(self) - 2, 1)
        at = torch.arange(self._count(seconds)) % period
        return self._taken(torch.minimum(at, period - at))

    def hold(self: S, seconds: float) -> S:
        """Its last value held, or the signal cut, to a duration."""
        return self._taken(torch.arange(self._count(seconds)).clamp(max=len(self) - 1))

    def offset(self: S, seconds: float) -> S:
        """Later by a time (earlier if negative); the length stays, the ends are held."""
        shift = self._steps(seconds)
        return self._taken((torch.arange(len(self)) - shift).clamp(0, len(self) - 1))

    # In strength ---------------------------------------------------------------------------------

    def scale(self: S, amount: float, neutral_seconds: float = 0.0) -> S:
        """Stronger or weaker than the value at a neutral time: 1 changes nothing, 0 is neutral."""
        index = self._index(neutral_seconds)
        return self._changed(
            lambda track, angle: _between(track[index : index + 1], track, amount, angle)
        )

    def smooth(self: S, seconds: float) -> S:
        """Averaged with a bell of this width (two standard deviations); 0 changes nothing."""
        if not 0 <= seconds <= LONGEST_SMOOTHING_SECONDS:
            raise InputError(
                f"Smooth: expected 0 to {LONGEST_SMOOTHING_SECONDS:g} s, got {seconds:g}."
            )
        spread = seconds * self.rate_hz / 2
        return self if spread < 1e-3 else self._changed(lambda t, angle: _smooth(t, spread, angle))

    def blend(self: S, other: S, curve: Tensor, curve_rate_hz: float) -> S:
        """Between this signal (curve 0) and another (curve 1), as long as the shorter of both.

        Args:
            curve: (k,) at its own rate; linear between its values, the last one holds.
        """
        if not len(curve) or not 0 < curve_rate_hz < math.inf:
            raise InputError(
                f"Blend: expected a curve with values at a rate above 0 Hz, got {len(curve)} at "
                f"{curve_rate_hz:g} Hz."
            )
        other = other if other.rate_hz == self.rate_hz else other.resample(self.rate_hz)
        self._check_alike(other)
        count = min(len(self), len(other))
        at = torch.arange(count, dtype=torch.float64) * (curve_rate_hz / self.rate_hz)
        share = _sampled(curve.double(), at, angle=False)
        mixed: dict[str, Any] = {}
        for name, track in self.tracks.items():
            amount = share.reshape(-1, *[1] * (track.ndim - 1)).to(track.dtype)
            theirs = other.tracks[name][:count]
            mixed[name] = _between(track[:count], theirs, amount, name in self.ANGLES)
        return replace(self, **mixed, source=f"{self.source} + {other.source}")

    # Inside --------------------------------------------------------------------------------------

    def _changed(self: S, change: Callable[[Tensor, bool], Tensor]) -> S:
        """Every track changed; the function is told whether a track holds angles."""
        changed: dict[str, Any] = {
            name: change(track, name in self.ANGLES) for name, track in self.tracks.items()
        }
        return replace(self, **changed)

    def _taken(self: S, index: Tensor) -> S:
        return self._changed(lambda track, _: track[index])

    def _at(self: S, positions: Tensor) -> S:
        return self._changed(lambda track, angle: _sampled(track, positions, angle))

    def _index(self, seconds: float) -> int:
        index = self._steps(seconds)
        if not 0 <= index < len(self):
            raise InputError(
                f"Neutral time: expected 0 to below {self.seconds:g} s, got {seconds:g}."
            )
        return index

    def _steps(self, seconds: float) -> int:
        """A time in values, refused where no signal can be so long."""
        if not abs(seconds * self.rate_hz) <= LONGEST_SAMPLES:
            raise InputError(
                f"Time: expected at most {LONGEST_SAMPLES / self.rate_hz:g} s, got {seconds:g} s."
            )
        return round(seconds * self.rate_hz)

    def _count(self, seconds: float) -> int:
        count, most = self._steps(seconds), longest(self._numbers)
        if not 1 <= count <= most:
            raise InputError(
                f"Duration: expected {1 / self.rate_hz:g} s (one value) to "
                f"{most / self.rate_hz:g} s, got {seconds:g} s."
            )
        return count

    @property
    def _numbers(self) -> int:
        """In one value."""
        return sum(track[0].numel() for track in self.tracks.values())

    def _check_alike(self, other: "DrivingSignal") -> None:
        shapes = [{n: tuple(t.shape[1:]) for n, t in s.tracks.items()} for s in (self, other)]
        if type(self) is not type(other) or shapes[0] != shapes[1]:
            raise InputError(
                f"Blend: expected two signals of one kind, got {type(self).__name__} {shapes[0]} "
                f"and {type(other).__name__} {shapes[1]}. Encode both with the same model."
            )


@dataclass(frozen=True)
class AudioSignal(DrivingSignal):
    """Speech as Whisper hears it.

    Attributes:
        states: (n, layers, channels) hidden states, 50 per second.
    """

    TRACKS = ("states",)
    DIMENSIONS = 3
    states: Tensor


@dataclass(frozen=True)
class ExpressionSignal(DrivingSignal):
    """What a face expresses.

    Attributes:
        features: (n, d).
    """

    TRACKS = ("features",)
    features: Tensor


@dataclass(frozen=True)
class PoseSignal(DrivingSignal):
    """How a head is held.

    Attributes:
        rotation_degrees: (n, 3) in ±180.
        translation: (n, 3); the released model does not use it.
    """

    TRACKS = ("rotation_degrees", "translation")
    ANGLES = ("rotation_degrees",)
    rotation_degrees: Tensor
    translation: Tensor

    def __post_init__(self) -> None:
        """Refuse tracks without three numbers each."""
        super().__post_init__()
        shapes = [tuple(track.shape[1:]) for track in self.tracks.values()]
        if shapes != [(3,), (3,)]:
            raise InputError(
                f"PoseSignal: expected rotation and translation of 3 numbers, got {shapes}. "
                "Encode it again."
            )


def _is_finite(track: Tensor) -> bool:
    """Without a mask of the track's own size."""
    return all(bool(edge.isfinite()) for edge in torch.aminmax(track))


def _between(a: Tensor, b: Tensor, share: float | Tensor, angle: bool) -> Tensor:
    """Linear between two values (and beyond them); angles go the short way and stay in ±180."""
    share = torch.as_tensor(share, dtype=a.dtype)
    mixed = _wrapped(a + _wrapped(b - a) * share) if angle else a + (b - a) * share
    return torch.where(share == 1, b, mixed)  # exactly, where rounding would not be


def _wrapped(degrees: Tensor) -> Tensor:
    half = FULL_TURN_DEGREES / 2
    turned = torch.remainder(degrees + half, FULL_TURN_DEGREES) - half
    return torch.where(degrees.abs() <= half, degrees, turned)


def _sampled(track: Tensor, positions: Tensor, angle: bool) -> Tensor:
    """A track at fractional positions, held outside; a value that is hit comes out unchanged."""
    nearest = positions.round()
    positions = torch.where((positions - nearest).abs() < 1e-6, nearest, positions)
    positions = positions.clamp(0, len(track) - 1)
    before = positions.floor().long()
    after = (before + 1).clamp(max=len(track) - 1)
    share = (positions - before).reshape(-1, *[1] * (track.ndim - 1)).to(track.dtype)
    return _between(track[before], track[after], share, angle)


def _smooth(track: Tensor, spread: float, angle: bool) -> Tensor:
    if angle:
        return _wrapped(_smooth(_unwrapped(track), spread, angle=False))
    reach = min(round(4 * spread) + 1, 4 * len(track))
    bell = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=track.dtype) / spread) ** 2)
    padded = torch.cat(
        [
            track[:1].expand(reach, *track.shape[1:]),
            track,
            track[-1:].expand(reach, *track.shape[1:]),
        ]
    )
    columns = padded.flatten(1).T[:, None]
    smoothed = torch.nn.functional.conv1d(columns, (bell / bell.sum())[None, None])
    return smoothed[:, 0].T.reshape(track.shape)


def _unwrapped(degrees: Tensor) -> Tensor:
    """Angles without jumps of a full turn."""
    steps = _wrapped(degrees.diff(dim=0))
    return torch.cat([degrees[:1], degrees[:1] + steps.cumsum(0)])


# Files -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Signals:
    """Up to one signal of each kind."""

    audio: AudioSignal | None = None
    expression: ExpressionSignal | None = None
    pose: PoseSignal | None = None

    @property
    def present(self) -> dict[str, DrivingSignal]:
        """Those that are there, by name."""
        named = {"audio": self.audio, "expression": self.expression, "pose": self.pose}
        return {name: signal for name, signal in named.items() if signal is not None}

    def changed(
        self, change: Callable[[DrivingSignal], DrivingSignal], name: str | None = None
    ) -> "Signals":
        """One edit on one signal, or on all."""
        names = [name] if name else list(self.present)
        if name and name not in self.present:
            raise InputError(f"There is no {name} signal; there is {', '.join(self.present)}.")
        edited: Mapping[str, Any] = {n: change(self.present[n]) for n in names}
        return replace(self, **edited)


KINDS: dict[str, type[DrivingSignal]] = {
    "audio": AudioSignal,
    "expression": ExpressionSignal,
    "pose": PoseSignal,
}


def save_signals(path: Path, signals: Signals) -> None:
    """Write signals to one `.safetensors`, with rates and sources in its metadata.

    Raises:
        InputError: there is none.
        MediaError: the file cannot be written.
    """
    if not signals.present:
        raise InputError("There is no signal to save. Encode some first.")
    texts: dict[str, str] = {}
    tensors: dict[str, Tensor] = {}
    for name, signal in signals.present.items():
        texts |= {f"{name}.rate_hz": repr(signal.rate_hz), f"{name}.source": signal.source}
        tensors |= {f"{name}.{track}": values for track, values in signal.tracks.items()}
    write_archive(path, "signals", tensors, texts)


def load_signals(path: Path) -> Signals:
    """Read what `save_signals` wrote, bit for bit.

    Raises:
        MediaError: missing, damaged, or another kind of file.
    """
    known = [f"{name}.{track}" for name, kind in KINDS.items() for track in kind.TRACKS]
    tensors, texts = read_archive(path, "signals", known)
    names = dict.fromkeys(key.partition(".")[0] for key in tensors)
    try:
        return Signals(**{name: _signal_in(name, texts, tensors) for name in names})
    except KeyError as error:
        raise MediaError(
            f"{path}: expected signals with {error}, got none. Save them again."
        ) from (error)
    except InputError as error:
        raise MediaError(f"{path}: {error}") from error


def _signal_in(name: str, texts: Mapping[str, str], tensors: Mapping[str, Tensor]) -> Any:
    kind = KINDS[name]
    tracks: Mapping[str, Any] = {track: tensors[f"{name}.{track}"] for track in kind.TRACKS}
    rate_hz = parse_number(texts[f"{name}.rate_hz"])
    if rate_hz is None:
        raise InputError(
            f"{kind.__name__}: expected a rate such as 12.5, got "
            f"{quoted(texts[f'{name}.rate_hz'])}. Save it again."
        )
    return kind(rate_hz=rate_hz, source=texts[f"{name}.source"], **tracks)
