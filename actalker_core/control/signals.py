"""Signals: what drives the portrait, as features over time that can be cut, mixed and saved.

A signal is a few tracks (samples, …) at one rate. All edits return a new signal; times are in
seconds, and all edits raise `InputError` for times and strengths that they cannot use.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

import torch
from torch import Tensor

from ..errors import InputError, MediaError, quote
from ..files.archive import MAX_BYTES, read_archive, write_archive
from ..text import parse_number

S = TypeVar("S", bound="DrivingSignal")
Space = Literal["line", "circle", "ratio"]
"""How values lie to each other: evenly, around ±180 degrees, or as multiples above 0."""

FULL_TURN_DEGREES = 360.0
MAX_SMOOTHING_SECONDS = 600.0
MAX_SAMPLES = 10_000_000
"""An edit that makes more is a mistake."""
MAX_SECONDS = 86_400.0
MAX_RATE_HZ = 1e6
FLOAT_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
"""Of features as they come; they are kept in float32."""
ROUNDING_STEPS = 1e-6
"""A position nearer to a sample than this share of a step is that sample."""


def max_samples(size: int, rate_hz: float = math.inf) -> int:
    """How many samples of so many float32 numbers a signal may have: what a file may hold.

    Args:
        rate_hz: at which they last `MAX_SECONDS` at most.
    """
    return int(min(MAX_SAMPLES, MAX_BYTES // (4 * max(size, 1)), rate_hz * MAX_SECONDS))


@dataclass(frozen=True)
class DrivingSignal:
    """Features over time.

    Attributes:
        rate_hz: samples per second.
        source: where it comes from, for people.

    Raises:
        InputError: tracks or a rate that no network could have made.
    """

    TRACKS: ClassVar[tuple[str, ...]]
    DIMENSIONS: ClassVar[int] = 2
    ANGLES: ClassVar[tuple[str, ...]] = ()
    """Tracks in degrees, which go the short way around ±180."""
    RATIOS: ClassVar[tuple[str, ...]] = ()
    """Tracks of multiples above 0: the middle between a half and twice is once."""

    rate_hz: float
    source: str

    def __post_init__(self) -> None:
        """Refuse tracks that cannot be used; those of other float types become float32."""
        object.__setattr__(self, "rate_hz", float(self.rate_hz))
        fault = self._track_fault() or self._rate_fault()
        if fault:
            raise InputError(f"{type(self).__name__}: {fault}. Encode it again, or edit it less.")

    def _track_fault(self) -> str | None:
        for name, track in self.tracks.items():
            if track.dtype not in FLOAT_DTYPES or track.layout != torch.strided:
                kind = track.dtype if track.layout == torch.strided else track.layout
                return f"expected {name} of float numbers, got {kind}"
            object.__setattr__(self, name, track.float())
        shapes = {name: tuple(track.shape) for name, track in self.tracks.items()}
        ranks = {len(shape) for shape in shapes.values()}
        if ranks != {self.DIMENSIONS} or not all(map(math.prod, shapes.values())):
            return f"expected tracks of {self.DIMENSIONS} dimensions with values, got {shapes}"
        if len({shape[0] for shape in shapes.values()}) != 1:
            return f"expected tracks of one length, got {shapes}"
        faults = [name for name, track in self.tracks.items() if not _is_finite(track)]
        if faults:
            return f"expected finite numbers, got NaN or infinity in {', '.join(faults)}"
        return None

    def _rate_fault(self) -> str | None:
        if not 0 < self.rate_hz <= MAX_RATE_HZ:
            return f"expected a rate above 0 and up to {MAX_RATE_HZ:,.0f} Hz, got {self.rate_hz:g}"
        if len(self) > self.rate_hz * MAX_SECONDS:
            return (
                f"expected at most {MAX_SECONDS:,.0f} s, got {len(self):,} values at "
                f"{self.rate_hz:g} Hz"
            )
        return None

    @property
    def tracks(self) -> dict[str, Tensor]:
        """Its features by name, (samples, …) each."""
        return {name: getattr(self, name) for name in self.TRACKS}

    def __len__(self) -> int:
        return len(getattr(self, self.TRACKS[0]))

    @property
    def seconds(self) -> float:
        """Duration of the n samples."""
        return len(self) / self.rate_hz

    # In time -------------------------------------------------------------------------------------

    def trim(self: S, start: float, end: float | None = None) -> S:
        """The part between two times."""
        first = self._to_steps(start)
        stop = len(self) if end is None else min(self._to_steps(end), len(self))
        if not 0 <= first < stop:
            raise InputError(
                f"Trim: expected 0 <= start < end within {self.seconds:g} s, got {start:g} to "
                f"{self.seconds if end is None else end:g}. Choose times within the signal."
            )
        return self._map_tracks(lambda track, _: track[first:stop])

    def resample(self: S, rate_hz: float) -> S:
        """The same course at another rate, linear between samples."""
        count, max_count = self.seconds * rate_hz, max_samples(self._sample_size)
        if not 0.5 <= count <= max_count:
            raise InputError(
                f"Resample: expected a rate that gives 1 to {max_count:,} values in "
                f"{self.seconds:g} s, got {rate_hz:g} Hz. Choose another rate."
            )
        return self.sample(max(round(count), 1), rate_hz)

    def sample(self: S, frames: int, fps: float) -> S:
        """One sample per video frame; the last one holds if the signal is shorter."""
        positions = torch.arange(frames, dtype=torch.float64) * (self.rate_hz / fps)
        signal = self._map_tracks(lambda track, space: _interpolate(track, positions, space))
        return replace(signal, rate_hz=float(fps))

    def count_frames(self, fps: float) -> int:
        """How many whole video frames it lasts."""
        # A signal of 0.9999999 frames is one frame: times are sums of rounded numbers.
        return int(self.seconds * fps + 1e-6)

    def loop(self: S, seconds: float) -> S:
        """The signal repeated, or cut, to a duration."""
        return self._take(torch.arange(self._to_count(seconds)) % len(self))

    def ping_pong(self: S, seconds: float) -> S:
        """Forth and back, without showing the ends twice, to a duration."""
        period = max(2 * len(self) - 2, 1)
        index = torch.arange(self._to_count(seconds)) % period
        return self._take(torch.minimum(index, period - index))

    def hold(self: S, seconds: float) -> S:
        """The signal with its last sample held, or cut, to a duration."""
        return self._take(torch.arange(self._to_count(seconds)).clamp(max=len(self) - 1))

    def offset(self: S, seconds: float) -> S:
        """The signal later by a time (earlier if negative), as long as before; its ends hold."""
        shift = self._to_steps(seconds)
        return self._take((torch.arange(len(self)) - shift).clamp(0, len(self) - 1))

    # In strength ---------------------------------------------------------------------------------

    def scale(self: S, amount: float, neutral_seconds: float = 0.0) -> S:
        """Stronger or weaker than the sample at a neutral time: 1 changes nothing, 0 is neutral."""
        index = self._to_steps(neutral_seconds)
        if not 0 <= index < len(self):
            raise InputError(
                f"Neutral time: expected 0 to below {self.seconds:g} s, got {neutral_seconds:g}. "
                "Choose a time within the signal."
            )
        return self._map_tracks(
            lambda track, space: mix_values(track[index : index + 1], track, amount, space)
        )

    def smooth(self: S, seconds: float) -> S:
        """The signal averaged with a Gaussian two standard deviations wide; 0 changes nothing."""
        if not 0 <= seconds <= MAX_SMOOTHING_SECONDS:
            raise InputError(
                f"Smooth: expected 0 to {MAX_SMOOTHING_SECONDS:g} s, got {seconds:g}. "
                "Choose a time in this range."
            )
        sigma = seconds * self.rate_hz / 2  # in samples; so narrow a bell is one sample wide
        if sigma < 1e-3:
            return self
        return self._map_tracks(lambda track, space: _smooth(track, sigma, space))

    def blend(self: S, target: S, curve: Tensor, curve_rate_hz: float) -> S:
        """A mix of this signal (curve 0) and a target (curve 1), as long as the shorter one.

        Args:
            curve: (k,) at a rate of its own; linear between its values, the last one holds.
        """
        if not len(curve) or not 0 < curve_rate_hz < math.inf:
            raise InputError(
                f"Blend: expected a curve with values at a rate above 0 Hz, got {len(curve)} at "
                f"{curve_rate_hz:g} Hz. Give another curve."
            )
        target = target if target.rate_hz == self.rate_hz else target.resample(self.rate_hz)
        self._check_kind(target)
        count = min(len(self), len(target))
        positions = torch.arange(count, dtype=torch.float64) * (curve_rate_hz / self.rate_hz)
        share = _interpolate(curve.double(), positions, "line")
        tracks: dict[str, Any] = {}
        for name, track in self.tracks.items():
            amount = share.reshape(-1, *[1] * (track.ndim - 1)).to(track.dtype)
            end = target.tracks[name][:count]
            tracks[name] = mix_values(track[:count], end, amount, self.space_of(name))
        return replace(self, **tracks, source=f"{self.source} + {target.source}")

    # Helpers -------------------------------------------------------------------------------------

    @classmethod
    def space_of(cls, name: str) -> Space:
        """How the values of a track lie to each other."""
        return "circle" if name in cls.ANGLES else "ratio" if name in cls.RATIOS else "line"

    def _map_tracks(self: S, edit: Callable[[Tensor, Space], Tensor]) -> S:
        """The signal with each track edited by a function of it and of its space."""
        tracks: dict[str, Any] = {
            name: edit(track, self.space_of(name)) for name, track in self.tracks.items()
        }
        return replace(self, **tracks)

    def _take(self: S, index: Tensor) -> S:
        return self._map_tracks(lambda track, _: track[index])

    def _to_steps(self, seconds: float) -> int:
        """A time in samples, refused where no signal can be so long."""
        if not abs(seconds * self.rate_hz) <= MAX_SAMPLES:
            raise InputError(
                f"Time: expected at most {MAX_SAMPLES / self.rate_hz:g} s, got {seconds:g} s. "
                "Choose a shorter one."
            )
        return round(seconds * self.rate_hz)

    def _to_count(self, seconds: float) -> int:
        """A duration in samples, at least one."""
        count = seconds * self.rate_hz
        max_count = max_samples(self._sample_size, self.rate_hz)
        if not 0.5 < count <= max_count:
            raise InputError(
                f"Duration: expected {1 / self.rate_hz:g} s (one value) to "
                f"{max_count / self.rate_hz:g} s, got {seconds:g} s. Choose another duration."
            )
        return round(count)

    @property
    def _sample_size(self) -> int:
        """Numbers in one sample of all tracks."""
        return sum(track[0].numel() for track in self.tracks.values())

    def _check_kind(self, target: "DrivingSignal") -> None:
        shapes = [{n: tuple(t.shape[1:]) for n, t in s.tracks.items()} for s in (self, target)]
        if type(self) is not type(target) or shapes[0] != shapes[1]:
            raise InputError(
                f"Blend: expected two signals of one kind, got {type(self).__name__} {shapes[0]} "
                f"and {type(target).__name__} {shapes[1]}. Encode both with the same model."
            )


@dataclass(frozen=True)
class AudioSignal(DrivingSignal):
    """Speech as Whisper encodes it.

    Attributes:
        states: (samples, layers, c) hidden states, 50 per second.
    """

    TRACKS = ("states",)
    DIMENSIONS = 3
    states: Tensor


@dataclass(frozen=True)
class ExpressionSignal(DrivingSignal):
    """The expression of a face.

    Attributes:
        features: (samples, c).
    """

    TRACKS = ("features",)
    features: Tensor


@dataclass(frozen=True)
class PoseSignal(DrivingSignal):
    """The pose of a head.

    Attributes:
        rotation_degrees: (samples, 3) in ±180.
        translation: (samples, 3); the released model does not use it.
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
    # The extremes tell: NaN and infinity reach them, and no mask of the track's size is needed.
    return all(bool(extreme.isfinite()) for extreme in torch.aminmax(track))


def mix_values(a: Tensor, b: Tensor, share: float | Tensor, space: Space) -> Tensor:
    """From values a (…) at share 0 to b (…) at share 1, and beyond them.

    Angles in degrees go the short way and stay within ±180; ratios change by equal factors.
    """
    share = torch.as_tensor(share, dtype=a.dtype)
    if space == "ratio":
        mix = a * (b / a) ** share
    elif space == "circle":
        # From 170° to −170° is a step of 20°, not of −340°: the difference is wrapped before it is
        # scaled, and the sum, which may pass 180°, afterwards.
        mix = _wrap(a + _wrap(b - a) * share)
    else:
        mix = a + (b - a) * share
    return torch.where(share == 1, b, mix)  # a + (b − a) differs from b by rounding


def _wrap(degrees: Tensor) -> Tensor:
    """Angles brought into ±180; those within are kept to the last bit, −180 and 180 among them."""
    half = FULL_TURN_DEGREES / 2
    remainder = torch.remainder(degrees + half, FULL_TURN_DEGREES) - half
    return torch.where(degrees.abs() <= half, degrees, remainder)


def _interpolate(track: Tensor, positions: Tensor, space: Space) -> Tensor:
    """A track (samples, …) at fractional positions (f,) -> (f, …); its ends hold.

    A position that is a sample's own gives that sample unchanged.
    """
    nearest = positions.round()
    # Multiples of a ratio of two rates miss whole numbers by rounding.
    is_sample = (positions - nearest).abs() < ROUNDING_STEPS
    positions = torch.where(is_sample, nearest, positions)
    positions = positions.clamp(0, len(track) - 1)
    before = positions.floor().long()
    after = (before + 1).clamp(max=len(track) - 1)
    share = (positions - before).reshape(-1, *[1] * (track.ndim - 1)).to(track.dtype)
    return mix_values(track[before], track[after], share, space)


def _smooth(track: Tensor, sigma: float, space: Space) -> Tensor:
    """A track (samples, …) convolved with a Gaussian of sigma samples; its ends hold."""
    if space == "circle":  # the mean of 179° and −179° is 180°: averaged on an endless line
        return _wrap(_smooth(_unwrap(track), sigma, "line"))
    if space == "ratio":
        return _smooth(track.log(), sigma, "line").exp()
    # Beyond four deviations the bell adds nothing to float32. On a short track a wide bell is
    # nearly flat: four lengths of held ends on each side are as good as more, and bound the work.
    reach = min(round(4 * sigma) + 1, 4 * len(track))
    bell = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=track.dtype) / sigma) ** 2)
    start, end = (edge.expand(reach, *track.shape[1:]) for edge in (track[:1], track[-1:]))
    columns = torch.cat([start, track, end]).flatten(1).T[:, None]
    means = torch.nn.functional.conv1d(columns, (bell / bell.sum())[None, None])
    return means[:, 0].T.reshape(track.shape)


def _unwrap(degrees: Tensor) -> Tensor:
    """Angles (samples, …) without jumps of a full turn: each step is the short way round."""
    steps = _wrap(degrees.diff(dim=0))
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
        """The signals that are not None, by the name of their kind."""
        signals = {"audio": self.audio, "expression": self.expression, "pose": self.pose}
        return {name: signal for name, signal in signals.items() if signal is not None}

    def edit(
        self, function: Callable[[DrivingSignal], DrivingSignal], name: str | None = None
    ) -> "Signals":
        """One edit of one signal, or of all.

        Raises:
            InputError: there is no signal of that name.
        """
        if name and name not in self.present:
            raise InputError(
                f"Edit of {name}: expected one of the signals {', '.join(self.present)}. Encode "
                f"{name} too, or edit another."
            )
        names = [name] if name else list(self.present)
        results: Mapping[str, Any] = {n: function(self.present[n]) for n in names}
        return replace(self, **results)


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
    keys = [f"{name}.{track}" for name, kind in KINDS.items() for track in kind.TRACKS]
    tensors, texts = read_archive(path, "signals", keys)
    names = dict.fromkeys(key.partition(".")[0] for key in tensors)
    try:
        return Signals(**{name: _build_signal(name, texts, tensors) for name in names})
    except KeyError as error:
        raise MediaError(
            f"{path}: expected signals with {error}, got none. Save them again."
        ) from error
    except InputError as error:
        raise MediaError(f"{path}: {error}") from error


def _build_signal(name: str, texts: Mapping[str, str], tensors: Mapping[str, Tensor]) -> Any:
    kind = KINDS[name]
    tracks: Mapping[str, Any] = {track: tensors[f"{name}.{track}"] for track in kind.TRACKS}
    rate_hz = parse_rate(kind.__name__, texts[f"{name}.rate_hz"])
    return kind(rate_hz=rate_hz, source=texts[f"{name}.source"], **tracks)


def parse_rate(kind: str, text: str) -> float:
    """The rate that a file names for a kind of signal, in Hz.

    Raises:
        InputError: it is no number.
    """
    rate_hz = parse_number(text)
    if rate_hz is None:
        raise InputError(f"{kind}: expected a rate such as 12.5, got {quote(text)}. Save it again.")
    return rate_hz
