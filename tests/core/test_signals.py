"""Signals over time: what encodes them, what edits them, how people write edits, and files."""

import contextlib
import copy
import itertools
import logging
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import tiny_model
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor

from actalker_core.archive import write_archive
from actalker_core.bundle import ACTalker
from actalker_core.edits import EDITS, Edit, parse_edit
from actalker_core.encoders.audio import (
    CUTS,
    FADE_END_SECONDS,
    FADE_START_SECONDS,
    PIECE_SAMPLES,
    SAMPLE_RATE_HZ,
    STATES_PER_SECOND,
    WhisperEncoder,
    audio_windows,
    encode_audio,
    hidden_states,
)
from actalker_core.encoders.motion import encode_expression, encode_pose
from actalker_core.errors import ACTalkerError, InputError, MediaError
from actalker_core.expressions.bank import Bank, save_bank
from actalker_core.media import Audio, VideoFrames, read_frames, write_video
from actalker_core.signals import (
    AudioSignal,
    ExpressionSignal,
    PoseSignal,
    Signal,
    Signals,
    load_signals,
    save_signals,
)
from actalker_core.text import Piece

RATES_HZ = [7.3, 12.5, 25.0, 29.97, 50.0]
EXPECTED_GOT = r"(?s)expected.*got"

quick = settings(max_examples=60, deadline=None, database=None)

# Making signals ----------------------------------------------------------------------------------


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def audio(count: int = 40, rate_hz: float = 50.0, seed: int = 1) -> AudioSignal:
    return AudioSignal(rate_hz, "speech", noise(count, 2, 3, seed=seed))


def expression(count: int = 40, rate_hz: float = 25.0, seed: int = 2) -> ExpressionSignal:
    return ExpressionSignal(rate_hz, "face", noise(count, 5, seed=seed))


def pose(count: int = 40, rate_hz: float = 25.0, seed: int = 3) -> PoseSignal:
    random = torch.Generator().manual_seed(seed)
    rotation = 360 * torch.rand(count, 3, generator=random) - 180
    return PoseSignal(rate_hz, "head", rotation, noise(count, 3, seed=seed))


def counting(count: int, rate_hz: float = 25.0) -> ExpressionSignal:
    """Each value is its index."""
    return ExpressionSignal(rate_hz, "", torch.arange(float(count))[:, None])


def turning(degrees: list[float], rate_hz: float = 25.0) -> PoseSignal:
    rotation = torch.tensor(degrees)[:, None].expand(-1, 3)
    return PoseSignal(rate_hz, "", rotation, torch.zeros(len(degrees), 3))


def values(signal: ExpressionSignal) -> list[float]:
    return signal.features[:, 0].tolist()


def bits(tensor: Tensor) -> tuple[torch.dtype, torch.Size, bytes]:
    content = tensor.contiguous().view(torch.uint8).numpy().tobytes()
    return tensor.dtype, tensor.shape, content


def same(a: Signal, b: Signal) -> bool:
    """Equal to the last bit."""
    tracks = [{name: bits(track) for name, track in s.tracks.items()} for s in (a, b)]
    return type(a) is type(b) and (a.rate_hz, a.source, tracks[0]) == (
        b.rate_hz,
        b.source,
        tracks[1],
    )


def everything() -> Signals:
    return Signals(audio(), expression(), pose())


each_kind = pytest.mark.parametrize("make", [audio, expression, pose])

# Files -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file to be overwritten by every example."""
    return tmp_path_factory.mktemp("scratch") / "scratch.safetensors"


def stored(path: Path, signals: Signals) -> Signals:
    save_signals(path, signals)
    return load_signals(path)


@settings(quick, max_examples=30)
@given(
    rate_hz=st.floats(min_value=0, exclude_min=True, allow_infinity=False),
    source=st.text(),
    numbers=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1),
)
def test_any_signal_comes_back_bit_for_bit(
    scratch: Path, rate_hz: float, source: str, numbers: list[float]
) -> None:
    track = torch.tensor(numbers, dtype=torch.float32)
    saved = Signals(
        AudioSignal(rate_hz, source, track[:, None, None].expand(-1, 2, 3)),
        ExpressionSignal(rate_hz, source + "é", track[:, None].half().nan_to_num()),
        PoseSignal(rate_hz, "", noise(len(track), 3), noise(len(track), 3, seed=1)),
    )
    loaded = stored(scratch, saved)
    assert all(same(loaded.present[name], signal) for name, signal in saved.present.items())


@pytest.mark.parametrize("kinds", [("audio",), ("expression", "pose"), ("pose",)])
def test_what_was_not_saved_is_not_there(tmp_path: Path, kinds: tuple[str, ...]) -> None:
    some = Signals(**{kind: everything().present[kind] for kind in kinds})
    loaded = stored(tmp_path / "some.safetensors", some)
    assert list(loaded.present) == list(kinds)
    assert all(same(loaded.present[kind], some.present[kind]) for kind in kinds)


@pytest.mark.parametrize("name", ["знак 図.safetensors", "a b", "new/folder ä/x.safetensors"])
def test_any_path_can_be_saved_to(tmp_path: Path, name: str) -> None:
    assert same(stored(tmp_path / name, Signals(pose=pose())).present["pose"], pose())


@pytest.mark.parametrize("rate_hz", [25, np.float64(29.97), np.float32(12.5)])
def test_rates_from_other_libraries_are_saved(tmp_path: Path, rate_hz: float) -> None:
    loaded = stored(tmp_path / "rate.safetensors", Signals(pose=pose(rate_hz=rate_hz)))
    assert loaded.present["pose"].rate_hz == rate_hz


def tracks_in_one_memory() -> PoseSignal:
    zeros = torch.zeros(4, 3)
    return PoseSignal(25.0, "still", zeros, zeros)


def tracks_of_one_network() -> PoseSignal:
    rotation, translation = noise(4, 6).split(3, dim=1)
    return PoseSignal(25.0, "split", rotation, translation)


def track_of_inference() -> ExpressionSignal:
    with torch.inference_mode():
        return ExpressionSignal(25.0, "inference", noise(4, 3) + 1)


@pytest.mark.parametrize("make", [tracks_in_one_memory, tracks_of_one_network, track_of_inference])
def test_it_does_not_matter_where_tracks_lie(tmp_path: Path, make: Callable[[], Any]) -> None:
    name = "pose" if make is not track_of_inference else "expression"
    loaded = stored(tmp_path / "tracks.safetensors", Signals(**{name: make()}))
    assert same(loaded.present[name], make())


def test_an_edited_signal_is_saved_as_edited(tmp_path: Path) -> None:
    edited = pose().trim(0.2, 0.8).loop(3).smooth(0.1)
    assert same(stored(tmp_path / "x.safetensors", Signals(pose=edited)).present["pose"], edited)


SHOWN = {"expression.features": noise(5, 3)}
TEXTS = {"expression.rate_hz": "25.0", "expression.source": "clip"}
HELD = {"pose.rate_hz": "25.0", "pose.source": "head"}
TURNED = {"pose.rotation_degrees": torch.zeros(4, 3), "pose.translation": torch.zeros(4, 3)}


@pytest.mark.parametrize(
    ("tensors", "texts"),
    [
        pytest.param({"expression.features": torch.tensor([[1.0], [math.nan]])}, TEXTS, id="NaN"),
        pytest.param({"expression.features": torch.tensor([[1.0], [math.inf]])}, TEXTS, id="inf"),
        pytest.param({"expression.features": torch.zeros(0, 3)}, TEXTS, id="empty track"),
        pytest.param({"expression.features": torch.tensor(1.0)}, TEXTS, id="a single number"),
        pytest.param({"expression.other": torch.ones(2, 3)}, TEXTS, id="other track"),
        pytest.param({"expression": torch.ones(2, 3)}, TEXTS, id="no track name"),
        pytest.param({"gaze.features": torch.ones(2, 3)}, TEXTS, id="unknown kind"),
        pytest.param({"pose.rotation_degrees": torch.zeros(4, 3)}, HELD, id="missing track"),
        pytest.param(TURNED | {"pose.translation": torch.zeros(3, 3)}, HELD, id="lengths differ"),
        pytest.param(SHOWN, {"expression.source": "clip"}, id="no rate"),
        pytest.param(SHOWN, {"expression.rate_hz": "25.0"}, id="no source"),
        *(
            pytest.param(SHOWN, TEXTS | {"expression.rate_hz": rate}, id=f"rate '{rate}'")
            for rate in ("", "fast", "0", "-25", "nan", "inf")
        ),
    ],
)
def test_signals_that_no_one_could_save_name_the_file(
    tmp_path: Path, tensors: dict[str, Tensor], texts: dict[str, str]
) -> None:
    path = tmp_path / "broken.safetensors"
    write_archive(path, "signals", tensors, texts)
    with pytest.raises(MediaError, match=r"broken\.safetensors"):
        load_signals(path)


def foreign(path: Path) -> None:
    save_file({"weight": torch.ones(3)}, path)


def bank(path: Path) -> None:
    save_bank(path, Bank(("neutral",), torch.ones(1, 3)))


def of_version(version: str) -> Callable[[Path], None]:
    metadata = {"format": "actalker-signals", "version": version, **TEXTS}
    return lambda path: save_file(SHOWN, path, metadata)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda path: None, id="missing"),
        pytest.param(lambda path: path.mkdir(), id="folder"),
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: path.write_bytes(b"not a file of tensors"), id="text"),
        pytest.param(lambda path: path.write_bytes(b"\xff" * 4096), id="huge header"),
        pytest.param(foreign, id="foreign"),
        pytest.param(bank, id="bank"),
        pytest.param(of_version("2"), id="version 2"),
        pytest.param(of_version(""), id="no version"),
    ],
)
def test_another_file_is_named(tmp_path: Path, make: Callable[[Path], Any]) -> None:
    path = tmp_path / "chosen.safetensors"
    make(path)
    with pytest.raises(MediaError, match=r"chosen\.safetensors: .*[Ee]xpected"):
        load_signals(path)


@pytest.fixture(scope="module")
def good_file(scratch: Path) -> bytes:
    save_signals(scratch, Signals(expression=expression(3), pose=pose(3)))
    return scratch.read_bytes()


@quick
@given(data=st.data())
def test_a_file_cut_anywhere_is_named(scratch: Path, good_file: bytes, data: st.DataObject) -> None:
    scratch.write_bytes(good_file[: data.draw(st.integers(0, len(good_file) - 1))])
    with pytest.raises(MediaError, match=r"scratch\.safetensors"):
        load_signals(scratch)


@settings(quick, max_examples=150)
@given(data=st.data())
def test_a_damaged_byte_is_noticed_or_harmless(
    scratch: Path, good_file: bytes, data: st.DataObject
) -> None:
    at, byte = data.draw(st.integers(0, len(good_file) - 1)), data.draw(st.integers(0, 255))
    scratch.write_bytes(good_file[:at] + bytes([byte]) + good_file[at + 1 :])
    with contextlib.suppress(MediaError):
        for signal in load_signals(scratch).present.values():
            assert all(track.isfinite().all() for track in signal.tracks.values())


def test_nothing_is_saved_as_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no signal to save"):
        save_signals(tmp_path / "new" / "none.safetensors", Signals())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["folder", "file/signals.safetensors"])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(MediaError, match=re.escape(str(tmp_path / place))):
        save_signals(tmp_path / place, everything())
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]
    assert (tmp_path / "file").read_bytes() == b"old"


@pytest.mark.parametrize("old", [None, b"old"])
def test_a_full_disk_leaves_what_was_there(tmp_path: Path, old: bytes | None) -> None:
    resource = pytest.importorskip("resource")
    path = tmp_path / "large.safetensors"
    if old is not None:
        path.write_bytes(old)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(MediaError, match=r"large\.safetensors"):
            save_signals(path, Signals(expression=expression(20_000)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == ([] if old is None else [old])


# Signals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate_hz", [0.0, -25.0, math.nan, math.inf])
def test_a_rate_is_a_number_above_0(rate_hz: float) -> None:
    with pytest.raises(InputError, match=EXPECTED_GOT):
        expression(rate_hz=rate_hz)


@pytest.mark.parametrize(
    "rotation",
    [
        pytest.param(torch.full((4, 3), math.nan), id="NaN"),
        pytest.param(torch.full((4, 3), -math.inf), id="inf"),
        pytest.param(torch.zeros(0, 3), id="empty"),
        pytest.param(torch.zeros(3, 3), id="shorter"),
        pytest.param(torch.zeros(4), id="flat"),
        pytest.param(torch.zeros(4, 2), id="two angles"),
    ],
)
def test_tracks_that_no_network_makes_are_refused(rotation: Tensor) -> None:
    with pytest.raises(InputError, match=EXPECTED_GOT):
        PoseSignal(25.0, "", rotation, torch.zeros(4, 3))


# Identities --------------------------------------------------------------------------------------

Change = Callable[[Any], Any]

IDENTITIES: dict[str, Change] = {
    "trim from 0": lambda s: s.trim(0),
    "trim all": lambda s: s.trim(0, s.seconds),
    "trim more": lambda s: s.trim(0, s.seconds + 1),
    "resample": lambda s: s.resample(s.rate_hz),
    "over": lambda s: s.over(len(s), s.rate_hz),
    "loop": lambda s: s.loop(s.seconds),
    "ping-pong": lambda s: s.ping_pong(s.seconds),
    "hold": lambda s: s.hold(s.seconds),
    "offset": lambda s: s.offset(0),
    "scale": lambda s: s.scale(1),
    "scale from the middle": lambda s: s.scale(1, s.seconds / 2),
    "smooth": lambda s: s.smooth(0),
}


@each_kind
@pytest.mark.parametrize("edit", IDENTITIES)
def test_edits_that_change_nothing(make: Callable[..., Signal], edit: str) -> None:
    for count, rate_hz in itertools.product([1, 2, 41], RATES_HZ):
        signal = make(count, rate_hz)
        assert same(IDENTITIES[edit](signal), signal)


CHANGES: dict[str, Change] = {
    "trim": lambda s: s.trim(0.1, 0.9),
    "resample": lambda s: s.resample(29.97),
    "over": lambda s: s.over(70, 30),
    "loop": lambda s: s.loop(2.5),
    "ping-pong": lambda s: s.ping_pong(2.5),
    "hold": lambda s: s.hold(2.5),
    "offset": lambda s: s.offset(-0.3),
    "scale": lambda s: s.scale(1.7, 0.5),
    "scale to 0": lambda s: s.scale(0, 0.5),
    "smooth": lambda s: s.smooth(0.2),
    "smooth widely": lambda s: s.smooth(30),
    "blend": lambda s: s.blend(s, torch.tensor([0.0, 1.0, 0.3]), 2.0),
}


def apart(a: Tensor, b: Tensor) -> float:
    """The greatest distance of two angles, the short way."""
    return float((torch.remainder(a.double() - b.double() + 180, 360) - 180).abs().max())


@pytest.mark.parametrize("value", [0.0, 7.3, -1e-3, 1e4])
@pytest.mark.parametrize("edit", CHANGES)
def test_what_is_constant_stays_so(edit: str, value: float) -> None:
    constant = AudioSignal(25.0, "", torch.full((50, 2, 3), value))
    changed = CHANGES[edit](constant).states
    assert torch.allclose(changed, torch.tensor(value), rtol=2e-6, atol=0)


@pytest.mark.parametrize("degrees", [0.0, 90.5, 170.0, 180.0, -180.0])
@pytest.mark.parametrize("edit", CHANGES)
def test_a_still_head_stays_still(edit: str, degrees: float) -> None:
    changed = CHANGES[edit](turning([degrees] * 50)).rotation_degrees
    assert apart(changed, torch.tensor(degrees)) < 1e-3


@each_kind
@pytest.mark.parametrize("edit", CHANGES)
def test_edits_leave_the_signal_itself_alone(make: Callable[..., Signal], edit: str) -> None:
    signal = make(60)
    changed = CHANGES[edit](signal)
    assert same(signal, make(60))
    assert type(changed) is type(signal)
    assert len({len(track) for track in changed.tracks.values()}) == 1


# In time -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "kept"),
    [(0, 0.2, [0, 1, 2, 3, 4]), (0.2, 0.32, [5, 6, 7]), (0.32, None, [8, 9]), (0.36, 9.0, [9])],
)
def test_trimming_keeps_what_lies_between(
    start: float, end: float | None, kept: list[float]
) -> None:
    assert values(counting(10).trim(start, end)) == kept


durations = {
    "count": st.integers(1, 12),
    "wanted": st.integers(1, 60),
    "rate_hz": st.sampled_from(RATES_HZ),
}


@quick
@given(**durations)
def test_a_loop_begins_anew(count: int, wanted: int, rate_hz: float) -> None:
    looped = counting(count, rate_hz).loop(wanted / rate_hz)
    assert values(looped) == list(itertools.islice(itertools.cycle(range(count)), wanted))


@quick
@given(**durations)
def test_ping_pong_turns_round_at_its_ends(count: int, wanted: int, rate_hz: float) -> None:
    there_and_back = [*range(count), *range(count - 2, 0, -1)]
    swung = counting(count, rate_hz).ping_pong(wanted / rate_hz)
    assert values(swung) == list(itertools.islice(itertools.cycle(there_and_back), wanted))


@quick
@given(**durations)
def test_holding_repeats_the_last_value(count: int, wanted: int, rate_hz: float) -> None:
    held = counting(count, rate_hz).hold(wanted / rate_hz)
    assert values(held) == [min(i, count - 1) for i in range(wanted)]


@quick
@given(count=st.integers(1, 20), shift=st.integers(-30, 30), rate_hz=st.sampled_from(RATES_HZ))
def test_a_positive_offset_is_later(count: int, shift: int, rate_hz: float) -> None:
    moved = counting(count, rate_hz).offset(shift / rate_hz)
    assert values(moved) == [min(max(i - shift, 0), count - 1) for i in range(count)]


def test_an_offset_moves_an_event_later() -> None:
    blink = ExpressionSignal(25.0, "", torch.eye(50)[10][:, None])
    assert values(blink.offset(0.4)).index(1) == 20
    assert values(blink.offset(-0.2)).index(1) == 5


@each_kind
@pytest.mark.parametrize("times", [2, 3, 8])
def test_resampling_to_a_multiple_and_back_is_exact(
    make: Callable[..., Signal], times: int
) -> None:
    signal = make()
    finer = signal.resample(times * signal.rate_hz)
    assert len(finer) == times * len(signal)
    assert same(finer.resample(signal.rate_hz), signal)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("wanted_hz", RATES_HZ)
def test_resampling_keeps_course_and_duration(rate_hz: float, wanted_hz: float) -> None:
    signal = counting(100, rate_hz)
    resampled = signal.resample(wanted_hz)
    assert resampled.rate_hz == wanted_hz
    assert abs(resampled.seconds - signal.seconds) <= 0.5 / wanted_hz + 1e-9
    at = torch.arange(len(resampled)) / wanted_hz
    assert torch.allclose(resampled.features[:, 0], (at * rate_hz).clamp(max=99), atol=1e-3)


@each_kind
def test_50_hz_over_25_fps_is_every_second_value(make: Callable[..., Signal]) -> None:
    signal = make(80, 50.0)
    frames = signal.over(40, 25)
    assert frames.rate_hz == 25
    for name, track in frames.tracks.items():
        assert bits(track) == bits(signal.tracks[name][::2])


@pytest.mark.parametrize("frames", [1, 5, 10, 17])
def test_frames_beyond_the_signal_hold_its_last_value(frames: int) -> None:
    assert values(counting(10).over(frames, 25)) == [min(i, 9) for i in range(frames)]


# In strength -------------------------------------------------------------------------------------


@each_kind
@pytest.mark.parametrize("neutral", [0, 7, 39])
def test_scaled_to_0_is_the_neutral_value_everywhere(
    make: Callable[..., Signal], neutral: int
) -> None:
    signal = make()
    scaled = signal.scale(0, neutral / signal.rate_hz)
    for name, track in scaled.tracks.items():
        assert torch.equal(track, signal.tracks[name][neutral].expand_as(track))


@pytest.mark.parametrize("amount", [-1.0, 0.25, 1.0, 3.0])
def test_scaling_multiplies_the_distance_from_neutral(amount: float) -> None:
    signal = expression()
    distance = signal.features - signal.features[10]
    scaled = signal.scale(amount, 10 / 25).features
    assert torch.allclose(scaled - signal.features[10], amount * distance, atol=1e-5)
    assert torch.equal(scaled[10], signal.features[10])


def test_smoothing_calms_noise_and_keeps_its_mean() -> None:
    signal = expression(2000)
    before = signal.features
    spreads = [signal.smooth(width).features.var(0).mean() for width in (0, 0.1, 0.3, 1)]
    assert spreads == sorted(spreads, reverse=True)
    assert spreads[1] < 0.5 * spreads[0]
    assert spreads[-1] < 0.05 * spreads[0]
    assert (signal.smooth(0.3).features.mean(0) - before.mean(0)).abs().max() < 0.01


@pytest.mark.parametrize("seconds", [0.1, 0.5, 1.0])
def test_a_pulse_becomes_a_bell_of_the_width_where_it_was(seconds: float) -> None:
    at = (torch.arange(400) - 200) / 50.0
    bell = ExpressionSignal(50.0, "", (at == 0).float()[:, None]).smooth(seconds).features[:, 0]
    assert bell.sum() == pytest.approx(1, abs=1e-5)
    assert float(bell @ at) == pytest.approx(0, abs=1e-5)
    assert float((bell @ at**2).sqrt()) == pytest.approx(seconds / 2, rel=0.02)


@each_kind
@pytest.mark.parametrize("share", [0, 1])
def test_a_blend_of_0_or_1_is_either_signal_exactly(
    make: Callable[..., Signal], share: int
) -> None:
    pair = make(seed=5), make(seed=6)
    for rate_hz in (1.0, 12.5, 400.0):
        mixed = pair[0].blend(pair[1], torch.full((3,), float(share)), rate_hz)
        assert all(torch.equal(mixed.tracks[n], track) for n, track in pair[share].tracks.items())


def test_a_blend_follows_its_curve_which_holds_at_its_end() -> None:
    low, high = (
        ExpressionSignal(25.0, name, torch.full((75, 2), v))
        for name, v in (("a", -1.0), ("b", 9.0))
    )
    mixed = low.blend(high, torch.tensor([0.0, 1.0]), 1.0)
    want = 10 * (torch.arange(75) / 25).clamp(max=1) - 1
    assert torch.allclose(mixed.features, want[:, None].expand(-1, 2), atol=1e-5)
    assert "a" in mixed.source
    assert "b" in mixed.source


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_blending_different_rates_compares_the_same_moments(rate_hz: float) -> None:
    mine = counting(50)
    theirs = ExpressionSignal(rate_hz, "", counting(200).features * 25 / rate_hz)
    mixed = mine.blend(theirs, torch.tensor([0.5]), 1.0)
    assert (len(mixed), mixed.rate_hz) == (50, 25)
    assert torch.allclose(mixed.features, mine.features, atol=1e-3)


@pytest.mark.parametrize(("mine", "theirs"), [(10, 30), (30, 10)])
def test_a_blend_is_as_long_as_the_shorter(mine: int, theirs: int) -> None:
    assert len(expression(mine).blend(expression(theirs), torch.tensor([0.5]), 1.0)) == 10


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(pose(), id="kind"),
        pytest.param(ExpressionSignal(25.0, "", noise(40, 6)), id="width"),
        pytest.param(ExpressionSignal(50.0, "", noise(40, 5, 1)), id="dimensions"),
    ],
)
def test_unlike_signals_are_not_blended(other: Signal) -> None:
    with pytest.raises(InputError, match=EXPECTED_GOT):
        expression().blend(other, torch.tensor([0.5]), 1.0)


# Out of range ------------------------------------------------------------------------------------

NO_NUMBERS = (math.nan, math.inf, -math.inf)
REFUSED: dict[str, tuple[Change, tuple[float, ...]]] = {
    "trim start": (lambda v: expression().trim(v, 1), (-0.1, 1, 1.2, *NO_NUMBERS)),
    "trim end": (lambda v: expression().trim(0.4, v), (-1, 0.3, 0.4, math.nan)),
    "resample": (lambda v: expression().resample(v), (0, -25, 1e15, *NO_NUMBERS)),
    "loop": (lambda v: expression().loop(v), (0, -1, 1e9, *NO_NUMBERS)),
    "ping-pong": (lambda v: expression().ping_pong(v), (0, -1, 1e9, *NO_NUMBERS)),
    "hold": (lambda v: expression().hold(v), (0, -1, 1e9, *NO_NUMBERS)),
    "offset": (lambda v: expression().offset(v), NO_NUMBERS),
    "scale": (lambda v: expression().scale(v), NO_NUMBERS),
    "neutral": (lambda v: expression().scale(0.5, v), (-0.1, 1.6, 1e308, *NO_NUMBERS)),
    "smooth": (lambda v: expression().smooth(v), (-0.1, *NO_NUMBERS)),
    "curve rate": (
        lambda v: expression().blend(expression(), torch.rand(3), v),
        (0, -1, *NO_NUMBERS),
    ),
    "curve": (lambda v: expression().blend(expression(), torch.tensor([0, v]), 25.0), NO_NUMBERS),
}


@pytest.mark.parametrize(
    ("change", "value"),
    [
        pytest.param(change, value, id=f"{name} {value:g}")
        for name, (change, refused) in REFUSED.items()
        for value in refused
    ],
)
def test_values_out_of_range_are_refused(change: Change, value: float) -> None:
    with pytest.raises(InputError, match=EXPECTED_GOT):
        change(value)


def test_a_curve_has_values() -> None:
    with pytest.raises(InputError, match=EXPECTED_GOT):
        expression().blend(expression(), torch.zeros(0), 25.0)


@pytest.mark.parametrize("edit", ["loop", "ping_pong", "hold"])
def test_too_long_is_not_called_too_short(edit: str) -> None:
    with pytest.raises(InputError) as caught:
        getattr(expression(), edit)(1e9)
    assert "or more, got" not in str(caught.value)


# Angles ------------------------------------------------------------------------------------------

ACROSS = [170.0, -170.0]
CURVE = torch.tensor([0, 0.5, 1])


@pytest.mark.parametrize(
    ("change", "want"),
    [
        pytest.param(lambda s: s.resample(100), [170, 175, 180, -175, -170], id="resample"),
        pytest.param(lambda s: s.over(4, 50), [170, 180, -170, -170], id="over"),
        pytest.param(lambda s: s.scale(0.5), [170, 180], id="half"),
        pytest.param(lambda s: s.scale(2), [170, -150], id="twice"),
        pytest.param(lambda s: s.scale(-1), [170, 150], id="mirrored"),
        pytest.param(lambda s: s.hold(2).smooth(0.2).trim(1), [-170] * 25, id="smooth end"),
    ],
)
def test_rotation_passes_180_and_never_0(change: Change, want: list[float]) -> None:
    rotation = change(turning(ACROSS)).rotation_degrees[: len(want), 0]
    assert apart(rotation, torch.tensor(want, dtype=torch.float32)) < 1e-3
    assert rotation.abs().max() <= 180


@pytest.mark.parametrize(("start", "end"), [(170.0, -170.0), (-170.0, 170.0)])
def test_a_blend_of_rotations_goes_the_short_way(start: float, end: float) -> None:
    mixed = turning([start] * 3).blend(turning([end] * 3), CURVE, 25).rotation_degrees[:, 0]
    assert apart(mixed, torch.tensor([start, 180, end])) < 1e-3
    assert mixed.abs().max() <= 180


def test_a_head_that_trembles_around_180_is_smoothed_there() -> None:
    smoothed = turning([175.0, -175.0] * 50).smooth(0.5).rotation_degrees
    assert apart(smoothed[25:-25], torch.tensor(180.0)) < 0.5


degrees = st.lists(st.floats(-180, 180, width=32), min_size=2, max_size=20)


@pytest.mark.parametrize("edit", CHANGES)
@settings(quick, max_examples=10)
@given(degrees, degrees, st.floats(0, 1))
def test_rotation_stays_within_180(
    edit: str, mine: list[float], theirs: list[float], share: float
) -> None:
    signal = turning(mine).hold(2)
    blended = signal.blend(turning(theirs), torch.tensor([share]), 1.0)
    for changed in (CHANGES[edit](signal), blended):
        assert changed.rotation_degrees.abs().max() <= 180


@pytest.mark.parametrize("edit", CHANGES)
@pytest.mark.parametrize("turn", [-180.0, -130.0, 90.0, 150.0, 200.0])
def test_it_does_not_matter_which_way_is_0(edit: str, turn: float) -> None:
    """Angles of a narrow range, turned anywhere, are edited as plain numbers are."""
    random = torch.Generator().manual_seed(round(turn))
    plain = ExpressionSignal(25.0, "", 160 * torch.rand(60, 1, generator=random) - 80 + turn)
    rotation = turning((torch.remainder(plain.features[:, 0] + 180, 360) - 180).tolist())
    changed = CHANGES[edit](rotation).rotation_degrees[:, :1]
    assert apart(changed, CHANGES[edit](plain).features) < 0.01


# Edits as people write them ----------------------------------------------------------------------

WRITTEN = {
    "trim": ("0.2:0.6", lambda s: s.trim(0.2, 0.6)),
    "resample": ("30", lambda s: s.resample(30)),
    "loop": ("2.5", lambda s: s.loop(2.5)),
    "ping-pong": ("2.5", lambda s: s.ping_pong(2.5)),
    "hold": ("2.5", lambda s: s.hold(2.5)),
    "offset": ("-0.2", lambda s: s.offset(-0.2)),
    "scale": ("0.5:0.2", lambda s: s.scale(0.5, 0.2)),
    "smooth": ("0.3", lambda s: s.smooth(0.3)),
}


@pytest.mark.parametrize("name", EDITS)
@pytest.mark.parametrize("kind", [None, "audio", "expression", "pose"])
@pytest.mark.parametrize("form", ["{}{}={}", " {} {} = {} "])
def test_every_written_edit_changes_what_it_names(name: str, kind: str | None, form: str) -> None:
    value, change = WRITTEN[name]
    before = everything()
    after = parse_edit(form.format(f"{kind}." if kind else "", name, value))(before)
    for other, signal in before.present.items():
        if kind in (None, other):
            assert same(after.present[other], change(signal))
        else:
            assert after.present[other] is signal


def test_smoothing_the_pose_leaves_the_rest() -> None:
    before = everything()
    after = parse_edit("pose.smooth=0.2")(before)
    assert after.audio is before.audio
    assert after.expression is before.expression
    assert not torch.equal(after.present["pose"].tracks["translation"], pose().translation)


@pytest.mark.parametrize("kind", ["audio", "expression", "pose"])
def test_a_signal_that_is_not_there_cannot_be_edited(kind: str) -> None:
    others = {name: s for name, s in everything().present.items() if name != kind}
    with pytest.raises(
        InputError, match=f"no {kind} signal.*{' '.join(others).replace(' ', '.*')}"
    ):
        parse_edit(f"{kind}.smooth=0.2")(Signals(**others))


@pytest.mark.parametrize(
    ("text", "character"),
    [
        ("", 1),
        ("smooth", 1),
        ("  smooth:1", 3),
        ("smooth=", 8),
        ("smooth=a", 8),
        ("smooth = a", 10),
        ("  smooth=nan", 10),
        ("smooth=1e999", 8),
        ("smooth=1:2", 8),
        ("soften=1", 1),
        ("pose.soften=1", 6),
        ("pose . soften = 1", 8),
        ("pose.=1", 6),
        ("nose.smooth=1", 1),
        (" .smooth=1", 2),
        ("pose.audio.smooth=1", 6),
        ("trim=1", 6),
        ("trim=1:b", 8),
        ("trim=1: b c", 9),
        ("trim=1:2:3", 6),
        ("pose.trim=1:2x", 13),
        ("scale=0.5", 7),
    ],
)
def test_an_edit_that_cannot_be_read_says_where(text: str, character: int) -> None:
    with pytest.raises(InputError, match=rf"(?s)Edit .*expected .* at character {character}, got"):
        parse_edit(text)


@pytest.mark.parametrize(
    "text", ["trim=1::2", "trim=:1:2", "trim=1:2:", "smooth=:1", "smooth=1:", "scale=::1:0"]
)
def test_an_edit_with_a_number_left_out_is_not_read(text: str) -> None:
    with pytest.raises(InputError, match=r"expected .* at character \d+, got"):
        parse_edit(text)


@quick
@given(
    st.text(max_size=12)
    | st.lists(st.sampled_from([*EDITS, *"=.:- ", "pose", "audio", "1", "0.5", "é"])).map("".join)
)
def test_any_text_is_an_edit_or_an_input_error(text: str) -> None:
    try:
        result: Edit | str = parse_edit(text)
    except InputError as error:
        result = str(error)
    assert isinstance(result, Edit) or "at character" in result


@pytest.mark.parametrize(
    "text",
    [
        "offset=1e30",
        "resample=1e15",
        "resample=1e308",
        "resample=1e-320",
        "loop=1e308",
        "hold=1e308",
        "ping-pong=-1e308",
        "trim=1e308:2",
        "trim=-1e308:2",
        "scale=1e308:0",
        "scale=1:1e308",
    ],
)
def test_an_absurd_number_ends_in_one_clear_line(text: str) -> None:
    with pytest.raises(InputError, match=EXPECTED_GOT):
        parse_edit(text)(everything())


def test_the_widest_smoothing_is_refused_or_done() -> None:
    for seconds in ("1e9", "1e300", "1e308"):
        with contextlib.suppress(InputError):
            assert parse_edit(f"smooth={seconds}")(everything()).present


# Text --------------------------------------------------------------------------------------------

messy = st.text(alphabet=st.sampled_from("ab;; \t\n=:.é図😀1\u3000"), max_size=30) | st.text()


def named_part(error: InputError, kind: str, whole: str) -> tuple[int, str]:
    """Position and text of the part that an error names."""
    rest = str(error).removeprefix(f"{kind} '{whole}': ")
    found = re.fullmatch(
        r"(?s)expected .* at character (\d+), got '(.*)'\. Correct it there\.", rest
    )
    assert found is not None
    return int(found[1]) - 1, found[2]


@quick
@given(messy)
def test_pieces_know_where_they_stand(whole: str) -> None:
    piece = Piece.of("Prompt", whole)
    assert (piece.kind, piece.whole, piece.text) == ("Prompt", whole, whole.strip())
    parts = piece.split(";")
    assert [p.text for p in parts] == [p.strip() for p in whole.split(";") if p.strip()]
    for part in parts:
        assert whole[part.start : part.end] == part.text == part.text.strip()
        at, text = named_part(part.error("more"), "Prompt", whole)
        assert whole[at:].startswith(text)
        assert text == part.text
    starts = [part.start for part in parts]
    assert starts == sorted(set(starts))


@quick
@given(messy)
def test_pieces_lie_within_their_text(whole: str) -> None:
    piece = Piece.of("Prompt", whole)
    for part in (piece, *piece.split(";")):
        assert 0 <= part.start <= part.end <= len(whole)


@quick
@given(messy)
def test_a_piece_is_divided_at_the_first_separator(whole: str) -> None:
    piece = Piece.of("Edit", whole)
    before, separator, after = whole.strip().partition("=")
    if not separator:
        with pytest.raises(InputError, match="expected a=b at character"):
            piece.divided("=", "a=b")
        return
    name, value = piece.divided("=", "a=b")
    assert (name.text, value.text) == (before.strip(), after.strip())
    assert name.end <= whole.index("=") < value.start or not value.text


@quick
@given(st.lists(messy, min_size=1, max_size=4), st.integers(0, 3))
def test_a_number_that_is_none_is_named_where_it_stands(parts: list[str], which: int) -> None:
    whole = ";".join([*parts[:which], "  one ", *parts[which:]])
    (wrong,) = [p for p in Piece.of("Gate", whole).split(";") if p.text == "one"]
    with pytest.raises(InputError) as caught:
        wrong.number()
    at, text = named_part(caught.value, "Gate", whole)
    assert whole[at : at + 3] == text == "one"


@pytest.mark.parametrize(
    ("text", "fps", "seconds"),
    [("2.5", None, 2.5), ("2.5s", None, 2.5), (" 2 s ", 25, 2), ("40f", 25, 1.6), ("0", 25, 0)],
)
def test_times_are_written_in_seconds_or_frames(
    text: str, fps: float | None, seconds: float
) -> None:
    assert Piece.of("Gate", text).seconds(fps) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "f", "-1", "-1s", "-4f", "1x", "nan", "infs", "1ss"])
@pytest.mark.parametrize("fps", [None, 25.0])
def test_times_that_are_none_are_refused(text: str, fps: float | None) -> None:
    with pytest.raises(InputError, match=r"expected a (number|time).* at character 1, got"):
        Piece.of("Gate", text).seconds(fps)


def test_frames_need_a_rate() -> None:
    with pytest.raises(InputError, match="a number"):
        Piece.of("Prompt", "40f").seconds(None)


@pytest.mark.parametrize(
    ("text", "rest"), [("at 2", "2"), ("at", ""), ("attic", None), ("x at", None), ("at:3", ":3")]
)
def test_what_follows_a_word(text: str, rest: str | None) -> None:
    found = Piece.of("Gate", text).after("at")
    assert (found and found.text) == rest


# Motion ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model() -> ACTalker:
    return tiny_model()


def pictures(count: int) -> Tensor:
    random = torch.Generator().manual_seed(3)
    return torch.randint(0, 256, (count, 3, 40, 60), generator=random, dtype=torch.uint8)


def whole_frames() -> Iterator[None]:
    return itertools.repeat(None)


def shown(model: ACTalker, frames: Any, boxes: Any = None, **options: Any) -> ExpressionSignal:
    boxes = whole_frames() if boxes is None else boxes
    return encode_expression(model.expression_encoder, frames, boxes, rate_hz=25.0, **options)


def held(model: ACTalker, frames: Any, box: Any = None, **options: Any) -> PoseSignal:
    return encode_pose(model.head_pose_encoder, frames, box, rate_hz=25.0, **options)


def close(a: Signal, b: Signal) -> bool:
    """Of two encodings of the same pictures."""
    alike = {"rtol": 1e-4, "atol": 1e-4}
    return all(torch.allclose(track, b.tracks[name], **alike) for name, track in a.tracks.items())


@pytest.mark.parametrize("encode", [shown, held])
@pytest.mark.parametrize("batch", [1, 3, 7, 8, 100])
def test_motion_does_not_depend_on_the_batch(
    model: ACTalker, encode: Callable[..., Signal], batch: int
) -> None:
    seen: list[int] = []
    signal = encode(model, iter(pictures(7)), batch=batch, on_batch=seen.append)
    assert close(signal, encode(model, pictures(7)))
    assert seen == [min(n, 7) for n in range(batch, 7 + batch, batch)]
    assert (len(signal), signal.rate_hz) == (7, 25)


@pytest.mark.parametrize("encode", [shown, held])
@pytest.mark.parametrize("batch", [1, 4])
def test_frames_are_read_when_they_are_needed(
    model: ACTalker, encode: Callable[..., Signal], batch: int
) -> None:
    encoded, ahead = [0], []

    def film() -> Iterator[Tensor]:
        for number, picture in enumerate(pictures(11), start=1):
            ahead.append(number - encoded[0])
            yield picture

    def count(network: Any, inputs: tuple[Tensor], outputs: Any) -> None:
        encoded[0] += len(inputs[0])

    networks = (model.expression_encoder, model.head_pose_encoder)
    hooks = [network.register_forward_hook(count) for network in networks]
    try:
        encode(model, film(), batch=batch)
    finally:
        for hook in hooks:
            hook.remove()
    assert encoded == [11]
    assert max(ahead) <= batch + 1


@pytest.mark.parametrize("encode", [shown, held])
def test_who_watches_may_stop_the_reading(model: ACTalker, encode: Callable[..., Signal]) -> None:
    film = iter(pictures(9))

    def stop(done: int) -> None:
        raise InputError(f"stopped at {done}")

    with pytest.raises(InputError, match="stopped at 2"):
        encode(model, film, batch=2, on_batch=stop)
    assert len(list(film)) >= 6


@pytest.mark.parametrize("encode", [shown, held])
def test_bytes_and_fractions_are_the_same_picture(
    model: ACTalker, encode: Callable[..., Signal]
) -> None:
    assert close(encode(model, pictures(3)), encode(model, pictures(3) / 255))


@pytest.mark.parametrize("encode", [shown, held])
@pytest.mark.parametrize("frames", [[], iter(())])
def test_a_clip_without_frames_is_refused(
    model: ACTalker, encode: Callable[..., Signal], frames: Any
) -> None:
    with pytest.raises(InputError, match="no frames"):
        encode(model, frames)


@pytest.mark.parametrize(
    "box", [(60, 0, 90, 30), (0, 40, 30, 60), (-20, -20, 0, 0), (9, 9, 9, 20), (0, math.nan, 9, 9)]
)
def test_a_box_outside_the_frames_is_refused(
    model: ACTalker, box: tuple[float, float, float, float]
) -> None:
    with pytest.raises(InputError, match=r"driving clip.*60x40"):
        shown(model, pictures(2), [(0, 0, 30, 30), box])
    with pytest.raises(InputError, match=r"driving clip.*60x40"):
        held(model, pictures(2), box)


def test_the_expression_is_seen_in_the_box_of_each_frame(model: ACTalker) -> None:
    boxes = [(10, 5, 40, 35), None, (-5, 0, 20, 25), (30, 10, 60, 40)]
    frame = pictures(1)
    signal = shown(model, frame.expand(4, -1, -1, -1), iter(boxes), batch=3)
    for i, box in enumerate(boxes):
        alone = shown(model, frame, [box])
        assert torch.allclose(signal.features[i], alone.features[0], atol=1e-4)
    assert torch.cdist(signal.features, signal.features).add(torch.eye(4)).min() > 1e-3


def test_the_expression_is_that_of_the_box_alone(model: ACTalker) -> None:
    frames, box = pictures(2), (20.0, 10.0, 40.0, 30.0)
    other = frames.clone()
    other[..., :20], other[:, :, :10], other[:, :, 30:] = 7, 7, 7
    assert same(shown(model, frames, [box] * 2), shown(model, other, [box] * 2))


def test_the_head_is_seen_in_the_same_wide_square_of_every_frame(model: ACTalker) -> None:
    frames, box = pictures(2), (25.0, 15.0, 33.0, 23.0)  # thrice as large: 17…41, 7…31
    other = frames.clone()
    other[..., :17], other[..., 41:], other[:, :, :7], other[:, :, 31:] = 7, 7, 7, 7
    assert same(held(model, frames, box), held(model, other, box))
    other[1, :, 7:10, 17:20] = 255 - other[1, :, 7:10, 17:20]
    changed = held(model, other, box).rotation_degrees != held(model, frames, box).rotation_degrees
    assert changed.any(1).tolist() == [False, True]


def test_a_pose_is_in_range(model: ACTalker) -> None:
    signal = held(model, pictures(5))
    assert signal.rotation_degrees.abs().max() <= 180
    assert signal.translation.abs().max() <= 2


# The same clip at other frame rates --------------------------------------------------------------

CLIP_SECONDS = 1.2
CLIP_RATES = (25, 30, 50)


def scene(seconds: float) -> Tensor:
    """Soft edges that move smoothly: (1, 3, 128, 128)."""
    y, x = torch.meshgrid(*2 * [torch.linspace(-1, 1, 128)], indexing="ij")
    right = torch.sigmoid(8 * (x - 0.9 * math.cos(2 * seconds)))
    low = torch.sigmoid(8 * (y - 0.9 * math.sin(2 * seconds - 1.5)))
    return torch.stack([right, right * low, low])[None]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    folder = tmp_path_factory.mktemp("clips")
    paths = {fps: folder / f"{fps}.mp4" for fps in CLIP_RATES}
    for fps, path in paths.items():
        write_video(path, (scene(i / fps) for i in range(round(CLIP_SECONDS * fps))), fps)
    return paths


@pytest.fixture(scope="module")
def encoded(model: ACTalker, clips: dict[int, Path]) -> dict[tuple[int, int], Signals]:
    """The signals of each clip, by its rate and the rate at which it is read."""
    found = {}
    for rate, fps in ((25, 25), (30, 25), (50, 25), (50, 50)):
        frames = list(VideoFrames(clips[rate], fps))
        face = encode_expression(
            model.expression_encoder, frames, whole_frames(), rate_hz=float(fps)
        )
        head = encode_pose(model.head_pose_encoder, frames, None, rate_hz=float(fps))
        found[rate, fps] = Signals(expression=face, pose=head)
    return found


def relative_error(a: Tensor, b: Tensor) -> float:
    """Measured by how much the signal moves."""
    return float((a - b).norm() / (b - b.mean(0)).norm())


def correlation(a: Tensor, b: Tensor) -> float:
    centred = [(t - t.mean(0)).flatten() for t in (a, b)]
    return float(torch.corrcoef(torch.stack(centred))[0, 1])


@pytest.mark.parametrize(("rate", "fps"), [(30, 25), (50, 25), (50, 50)])
@pytest.mark.parametrize("kind", ["expression", "pose"])
def test_the_frame_rate_of_a_clip_does_not_change_its_signal(
    encoded: dict[tuple[int, int], Signals], rate: int, fps: int, kind: str
) -> None:
    want = encoded[25, 25].present[kind]
    found = encoded[rate, fps].present[kind].resample(25)
    assert len(found) == len(want) == round(25 * CLIP_SECONDS)
    for name, track in want.tracks.items():
        error = relative_error(found.tracks[name], track)
        assert error < 0.15
        assert correlation(found.tracks[name], track) > 0.99
        for shift in (-2, 2):  # it must be the same moment, too
            moved = want.offset(shift / 25).tracks[name]
            assert error < 0.7 * relative_error(found.tracks[name], moved)


@pytest.mark.parametrize("kind", ["expression", "pose"])
def test_each_second_frame_of_50_is_what_25_shows(
    encoded: dict[tuple[int, int], Signals], kind: str
) -> None:
    read = encoded[50, 25].present[kind]
    assert close(encoded[50, 50].present[kind].over(len(read), 25), read)


def test_a_video_can_be_watched_again(clips: dict[int, Path]) -> None:
    frames = VideoFrames(clips[30], 12.5)
    first, again = list(frames), list(frames)
    assert len(first) == round(12.5 * CLIP_SECONDS)
    assert all(map(torch.equal, first, again))
    assert all(map(torch.equal, first, read_frames(clips[30], 12.5)))


def test_a_video_that_is_missing_is_named(tmp_path: Path, model: ACTalker) -> None:
    with pytest.raises(MediaError, match=r"gone\.mp4"):
        shown(model, VideoFrames(tmp_path / "gone.mp4", 25))


# Hearing -----------------------------------------------------------------------------------------

LONG_SECONDS = 70
BORDERS = (30, 60)


@pytest.fixture(scope="module")
def ear(model: ACTalker) -> WhisperEncoder:
    return model.audio_encoder


def speech(seconds: float, seed: int = 0) -> Tensor:
    """A voice that moves, over noise."""
    t = torch.arange(round(seconds * SAMPLE_RATE_HZ), dtype=torch.float64) / SAMPLE_RATE_HZ
    voice = 0.3 * torch.sin(2 * torch.pi * 150 * t + 30 * torch.sin(2 * torch.pi * 0.8 * t))
    loudness = 0.6 + 0.4 * torch.sin(2 * torch.pi * 1.3 * t)
    return (loudness * voice).float() + 0.05 * noise(len(t), seed=seed)


@pytest.fixture(scope="module")
def samples() -> Tensor:
    return speech(LONG_SECONDS)


@pytest.fixture(scope="module")
def heard(ear: WhisperEncoder, samples: Tensor) -> dict[str, Tensor]:
    return {cut: hidden_states(ear, samples, cut) for cut in CUTS}


def seconds_from_border(states: int) -> Tensor:
    """Of each state's beginning, to the nearest border."""
    at = torch.arange(states, dtype=torch.float64) / STATES_PER_SECOND
    return torch.stack([(at - border).abs() for border in BORDERS]).amin(0)


def sound(samples: Tensor | NDArray[Any], rate_hz: int = SAMPLE_RATE_HZ) -> Audio:
    return Audio(np.atleast_2d(np.asarray(samples, np.float32)), rate_hz)


def test_far_from_the_borders_both_cuts_are_the_same(heard: dict[str, Tensor]) -> None:
    far = seconds_from_border(3500) > FADE_END_SECONDS + 0.03
    assert far.sum() == 3500 - 2 * 503
    assert torch.equal(heard["seamless"][far], heard["released"][far])


@pytest.mark.parametrize("border", BORDERS)
def test_near_a_border_speech_is_heard_across_it(
    ear: WhisperEncoder, samples: Tensor, heard: dict[str, Tensor], border: int
) -> None:
    start, end = ((border + side) * SAMPLE_RATE_HZ for side in (-15, 15))
    alone = hidden_states(ear, samples[start:end], "released")
    stretch = heard["seamless"][(border - 15) * 50 :][: len(alone)]
    reach = round((FADE_START_SECONDS - 0.02) * 50)
    near = slice(15 * 50 - reach, 15 * 50 + reach)
    assert torch.allclose(stretch[near], alone[near], atol=1e-5)
    assert not torch.allclose(heard["released"][(border - 15) * 50 :][near], alone[near], atol=0.1)


def test_between_near_and_far_one_fades_into_the_other(
    ear: WhisperEncoder, samples: Tensor, heard: dict[str, Tensor]
) -> None:
    alone = hidden_states(ear, samples[15 * SAMPLE_RATE_HZ : 45 * SAMPLE_RATE_HZ])
    a, b, mixed = heard["released"][750:2250], alone, heard["seamless"][750:2250]
    share = ((mixed - a) * (b - a)).sum((1, 2)) / (b - a).square().sum((1, 2))
    steps = share.diff()
    rising, falling = steps[495:605], steps[895:1005]  # 5 to 3 s before, 3 to 5 s after
    assert rising.min() > -1e-3
    assert falling.max() < 1e-3
    assert steps.abs().max() < 0.02


def sinusoidal(ear: WhisperEncoder) -> WhisperEncoder:
    """The encoder with Whisper's own positions, which move evenly along a piece."""
    ear = copy.deepcopy(ear)
    count, width = ear.embed_positions.weight.shape
    speeds = torch.exp(-math.log(10_000) * torch.arange(width // 2) / (width // 2 - 1))
    phases = torch.arange(count)[:, None] * speeds
    ear.embed_positions.weight.data = torch.cat([phases.sin(), phases.cos()], 1)
    return ear


def test_a_steady_tone_does_not_jump_at_a_border(ear: WhisperEncoder) -> None:
    t = torch.arange(LONG_SECONDS * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    tone = 0.3 * torch.sin(2 * torch.pi * 500 * t.double()).float()
    smooth = sinusoidal(ear)
    for cut, jumps in (("seamless", False), ("released", True)):
        steps = hidden_states(smooth, tone, cut).diff(dim=0).flatten(1).norm(dim=1)
        away = seconds_from_border(len(steps))
        usual = steps[(away > 6) & (torch.arange(len(steps)) > 50)].max()
        assert (steps[away < 6].max() > 1.2 * usual) == jumps


def test_speech_does_not_jump_at_a_border(heard: dict[str, Tensor]) -> None:
    steps = heard["seamless"].diff(dim=0).flatten(1).norm(dim=1)
    away = seconds_from_border(len(steps))
    assert steps[away < 6].max() < 1.1 * steps[away > 6].max()


@pytest.mark.parametrize("seconds", [0.04, 1, 29.99, 30])
def test_up_to_30_seconds_there_is_nothing_to_cut(ear: WhisperEncoder, seconds: float) -> None:
    states = [hidden_states(ear, speech(seconds), cut) for cut in CUTS]
    assert torch.equal(*states)


COUNTS = [640, 1279, 1280, 16_001, *(PIECE_SAMPLES + n for n in (-1, 0, 1, 639, 640, 16_000))]


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("count", [*COUNTS, 2 * PIECE_SAMPLES + 1])
def test_two_states_for_40_ms(ear: WhisperEncoder, samples: Tensor, cut: str, count: int) -> None:
    states = hidden_states(ear, samples[:count], cut)
    assert states.shape == (2 * (count // 640), 3, 32)
    assert states.isfinite().all()


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("seconds", [0.1, 20, 24.9, 29.87, 29.89, 34.9, 40, 59.9])
def test_the_beginning_is_heard_as_in_the_whole(
    ear: WhisperEncoder, samples: Tensor, heard: dict[str, Tensor], cut: str, seconds: float
) -> None:
    part = encode_audio(ear, sound(samples), seconds=seconds, cut=cut).states
    count = math.ceil(seconds * STATES_PER_SECOND)
    assert len(part) >= count
    assert torch.allclose(part[:count], heard[cut][:count], atol=1e-5)


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("fps", [12.5, 25, 60])
def test_the_last_frame_hears_what_follows_it(
    ear: WhisperEncoder, samples: Tensor, heard: dict[str, Tensor], cut: str, fps: float
) -> None:
    frames = math.floor(29.99 * fps)
    part = encode_audio(ear, sound(samples), seconds=frames / fps, cut=cut).states
    windows = [audio_windows(states, frames, fps) for states in (part, heard[cut])]
    assert torch.allclose(*windows, atol=1e-5)


@pytest.mark.parametrize("seconds", [1e9, 1e300, 1e308])
def test_to_hear_more_than_there_is_is_refused_or_all(ear: WhisperEncoder, seconds: float) -> None:
    with contextlib.suppress(InputError):
        assert len(encode_audio(ear, sound(speech(1)), seconds=seconds)) == 50


def test_what_is_not_needed_is_not_heard(ear: WhisperEncoder, samples: Tensor) -> None:
    pieces: dict[float | None, int] = {}
    for seconds in (10.0, None):
        encode_audio(
            ear,
            sound(samples),
            seconds=seconds,
            on_piece=lambda _, total, seconds=seconds: pieces.update({seconds: total}),
        )
    assert pieces[10.0] < pieces[None]


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("batch", [1, 2, 3, 100])
def test_hearing_does_not_depend_on_the_batch(
    ear: WhisperEncoder, samples: Tensor, heard: dict[str, Tensor], cut: str, batch: int
) -> None:
    seen: list[tuple[int, int]] = []
    states = hidden_states(ear, samples, cut, batch, lambda *progress: seen.append(progress))
    assert torch.allclose(states, heard[cut], atol=1e-5)
    total = 3 if cut == "released" else 5
    assert seen == [(min(n, total), total) for n in range(batch, total + batch, batch)]


@pytest.mark.parametrize("cut", ["", "Seamless", "none"])
def test_an_unknown_cut_is_refused(ear: WhisperEncoder, cut: str) -> None:
    with pytest.raises(InputError, match=f"seamless or released, got '{cut}'"):
        encode_audio(ear, sound(speech(1)), cut=cut)


@pytest.mark.parametrize("count", [1, 639])
@pytest.mark.parametrize("cut", CUTS)
def test_less_than_40_ms_is_refused(ear: WhisperEncoder, count: int, cut: str) -> None:
    with pytest.raises(InputError, match=f"40 ms.*got {count}"):
        encode_audio(ear, sound(speech(1)[:count]), cut=cut)


@pytest.mark.parametrize("seconds", [-1.0, -100.0, math.nan])
def test_seconds_to_hear_are_a_time(ear: WhisperEncoder, seconds: float) -> None:
    with pytest.raises(InputError, match=EXPECTED_GOT):
        encode_audio(ear, sound(speech(1)), seconds=seconds)


# Bad sound ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "rate_hz", "channels", "amplitude"),
    [
        pytest.param(1, 16_000, 1, 0.0, id="silent"),
        pytest.param(1, 8_000, 1, 1.0, id="8 kHz"),
        pytest.param(1, 48_000, 6, 1.0, id="6 channels"),
        pytest.param(1, 22_050, 2, 0.0, id="silent stereo"),
        pytest.param(1, 16_000, 1, 1e-30, id="nearly silent"),
        pytest.param(31, 16_000, 1, 0.0, id="long silence"),
        pytest.param(1, 16_000, 1, 32_768.0, id="not scaled"),
    ],
)
def test_usable_sound_has_finite_states(
    ear: WhisperEncoder, seconds: int, rate_hz: int, channels: int, amplitude: float
) -> None:
    samples = amplitude * 0.1 * noise(channels, seconds * rate_hz).numpy()
    signal = encode_audio(ear, Audio(samples, rate_hz), source="запись")
    assert len(signal) == 50 * seconds
    assert signal.states.isfinite().all()
    assert (signal.rate_hz, signal.source) == (50, "запись")


def test_six_equal_channels_are_one(ear: WhisperEncoder) -> None:
    mono = speech(2)
    one, six = (encode_audio(ear, sound(mono.expand(n, -1))).states for n in (1, 6))
    assert torch.allclose(one, six, atol=1e-3)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_samples_that_are_no_numbers_become_silence(
    ear: WhisperEncoder, caplog: pytest.LogCaptureFixture, bad: float
) -> None:
    broken, silenced = speech(1), speech(1)
    broken[4000:5000], silenced[4000:5000] = bad, 0
    with caplog.at_level(logging.WARNING, "actalker_core.media"):
        audio = sound(broken)
    assert "silence" in caplog.text
    assert np.array_equal(audio.samples, sound(silenced).samples)
    states = encode_audio(ear, audio).states
    assert torch.equal(states, encode_audio(ear, sound(silenced)).states)


def test_good_samples_are_kept_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    samples = speech(1)[None].numpy()
    assert np.array_equal(Audio(samples, 16_000).samples, samples)
    assert not caplog.records


@pytest.mark.parametrize(
    ("shape", "rate_hz"),
    [((1, 0), 16_000), ((0, 9), 16_000), ((9,), 8_000), ((1, 9), 0), ((1, 9), -1)],
)
def test_what_is_no_sound_is_refused_at_once(shape: tuple[int, ...], rate_hz: int) -> None:
    with pytest.raises(MediaError, match=EXPECTED_GOT):
        Audio(np.zeros(shape, np.float32), rate_hz)


@pytest.mark.parametrize("amplitude", [1e30, 3e38])
@pytest.mark.parametrize("channels", [1, 6])
def test_absurdly_loud_sound_ends_in_states_or_one_clear_line(
    ear: WhisperEncoder, amplitude: float, channels: int
) -> None:
    try:
        audio = Audio(np.full((channels, 16_000), amplitude, np.float32), 16_000)
        result = "finite"
        assert encode_audio(ear, audio).states.isfinite().all()
    except ACTalkerError as error:
        result = str(error)
    assert result == "finite" or "Encode it again" not in result
