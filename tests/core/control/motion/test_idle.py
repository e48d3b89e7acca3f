"""Idle life: the same for a seed, whatever length and frame rate, and like that of people."""

import numpy as np
import pytest
import torch
from helpers.edits import EXPECTED_GOT, quick
from helpers.signals import is_same
from hypothesis import given
from hypothesis import strategies as st

from actalker_core.control.motion import idle
from actalker_core.control.motion.groups import find_moving_groups
from actalker_core.control.motion.idle import IdleAmounts, move_idly
from actalker_core.control.motion.signal import MotionSignal
from actalker_core.control.motion.stress import find_stresses
from actalker_core.errors import InputError
from actalker_core.media import Audio

MINUTES = 20


@pytest.fixture(scope="module")
def long_life() -> MotionSignal:
    return move_idly(MINUTES * 60 * 50, 50.0, seed=3)


def blink_starts(signal: MotionSignal) -> np.ndarray:
    lids = signal.blendshapes[:, 9].numpy()
    return np.flatnonzero((lids[1:] > 0) & (lids[:-1] == 0)) / signal.rate_hz


def test_the_same_seed_is_the_same_life() -> None:
    assert is_same(move_idly(100, 25.0, seed=5), move_idly(100, 25.0, seed=5))
    assert not torch.equal(move_idly(100, 25.0, seed=5).gaze, move_idly(100, 25.0, seed=6).gaze)


@quick
@given(frames=st.integers(1, 300), more=st.integers(1, 300), seed=st.integers(0, 2**64 - 1))
def test_the_beginning_does_not_depend_on_the_length(frames: int, more: int, seed: int) -> None:
    short, long = move_idly(frames, 25.0, seed=seed), move_idly(frames + more, 25.0, seed=seed)
    for name, track in short.tracks.items():
        torch.testing.assert_close(long.tracks[name][:frames], track)


@pytest.mark.parametrize("fps", [12.5, 29.97, 100.0])
def test_any_frame_rate_samples_the_same_life(fps: float) -> None:
    fine, coarse = move_idly(3000, 100.0, seed=2), move_idly(round(30 * fps), fps, seed=2)
    times = np.arange(len(coarse)) / fps
    for name in ("rotation_degrees", "translation"):
        expected = np.stack(
            [np.interp(times, np.arange(3000) / 100, row) for row in fine.tracks[name].T.numpy()], 1
        )
        assert np.abs(coarse.tracks[name].numpy() - expected)[: 29 * int(fps)].max() < 0.02


def test_it_begins_at_rest() -> None:
    assert find_moving_groups(move_idly(1, 25.0)) in ((), ("head",), ("head", "gaze"))
    first = move_idly(1, 25.0)
    for name, track in first.tracks.items():
        assert track.sub(1 if name == "head_scale" else 0).abs().max() < 1e-6


def test_blinks_come_as_those_of_people(long_life: MotionSignal) -> None:
    intervals = np.diff(blink_starts(long_life))
    singles = intervals[intervals > 1]
    assert 3.3 < intervals.mean() < 4.5
    assert singles.min() >= 1.4
    assert singles.max() <= 8.05
    share = (intervals < 1).mean()
    assert 0.05 < share < 0.2
    assert np.median(singles) < singles.mean(), "skewed"


def test_a_blink_shuts_fast_and_opens_slowly() -> None:
    lids = move_idly(120 * 60, 120.0, seed=1).blendshapes[:, 9].numpy()
    start = int(np.flatnonzero(lids > 0)[0])
    shut = start + int(np.flatnonzero(lids[start:] == 1)[0])
    end = shut + int(np.flatnonzero(lids[shut:] < 1)[0])
    over = end + int(np.flatnonzero(lids[end:] == 0)[0])
    assert 0.06 <= (shut - start) / 120 <= 0.11
    assert 0.14 <= (over - end) / 120 <= 0.21


@pytest.mark.parametrize("fps", [24.0, 25.0, 30.0])
def test_every_blink_is_seen_shut(fps: float) -> None:
    lids = move_idly(round(120 * fps), fps, seed=4).blendshapes[:, 9].numpy()
    is_moving = np.concatenate([[0], lids > 0, [0]])
    starts, ends = np.flatnonzero(np.diff(is_moving) > 0), np.flatnonzero(np.diff(is_moving) < 0)
    assert len(starts) > 20
    peaks = [lids[a:b].max() for a, b in zip(starts, ends, strict=True) if b < len(lids)]
    assert min(peaks) > 0.95


def test_the_head_sways_a_little_and_does_not_drift(long_life: MotionSignal) -> None:
    rotation = long_life.rotation_degrees.numpy()
    assert (rotation.std(0) > 0.5).all()
    assert (rotation.std(0) < 2).all()
    assert np.abs(rotation).max() < 6
    halves = rotation.reshape(4, -1, 3).mean(1)
    assert np.abs(halves).max() < 0.15
    spectrum = np.abs(np.fft.rfft(rotation[:, 1])) ** 2
    hertz = np.fft.rfftfreq(len(rotation), 1 / 50)
    assert spectrum[hertz < 0.6].sum() > 0.99 * spectrum.sum()


def test_it_breathes_about_fifteen_times_a_minute() -> None:
    signal = move_idly(6000, 25.0, amounts=IdleAmounts(sway=0, gaze=0, blinks=0))
    down = signal.translation[:, 1].numpy()
    spectrum, hertz = np.abs(np.fft.rfft(down)), np.fft.rfftfreq(len(down), 1 / 25)
    assert 0.2 < hertz[1 + spectrum[1:].argmax()] < 0.3


def test_eyes_jump_together_and_stay_near(long_life: MotionSignal) -> None:
    gaze = long_life.gaze
    assert torch.equal(gaze[:, :2], gaze[:, 2:])
    assert gaze.abs().max() < 0.5
    steps = gaze.diff(dim=0).norm(dim=1)
    assert (steps > 0.02).float().mean() < 0.1, "most of the time they rest"


@pytest.mark.parametrize("part", ["blinks", "breath", "sway", "gaze"])
def test_a_part_that_is_off_changes_no_other(part: str) -> None:
    full = move_idly(300, 25.0, seed=1)
    less = move_idly(300, 25.0, seed=1, amounts=IdleAmounts(**{part: 0.0}))
    if part != "blinks":
        assert torch.equal(full.blendshapes, less.blendshapes)
    else:
        assert not less.blendshapes.any()
        assert torch.equal(full.gaze, less.gaze)
    everything_off = dict.fromkeys(("blinks", "breath", "sway", "gaze"), 0.0)
    still = move_idly(300, 25.0, seed=1, amounts=IdleAmounts(**everything_off))
    assert find_moving_groups(still) == ()


def test_nothing_beyond_head_eyes_gaze_and_brows_moves() -> None:
    assert set(find_moving_groups(move_idly(1500, 25.0))) == {"eyes", "head", "gaze"}


# Stress ------------------------------------------------------------------------------------------


def syllables(*levels: float, rate_hz: int = 16_000, hz: tuple[float, ...] = ()) -> Audio:
    """A quarter of a second each, with pauses between them, at 150 Hz if nothing else is said."""
    time = np.arange(rate_hz // 4) / rate_hz
    tones = [
        level * np.sin(2 * np.pi * pitch * time) * np.hanning(len(time))
        for level, pitch in zip(levels, hz or (150.0,) * len(levels), strict=True)
    ]
    return Audio(np.concatenate(tones)[None].astype(np.float32), rate_hz)


PLAIN = (0.2,) * 12


def test_a_loud_syllable_is_a_stress() -> None:
    stresses = find_stresses(syllables(*PLAIN, 0.5, *PLAIN))
    assert len(stresses) == 1
    assert stresses[0, 0] == pytest.approx(12.5 / 4, abs=0.05)
    assert stresses[0, 1] > 0.5


@pytest.mark.parametrize(("usual", "high"), [(100.0, 130.0), (200.0, 270.0)])
def test_a_higher_syllable_is_a_stress_and_a_lower_one_none(usual: float, high: float) -> None:
    levels = (*PLAIN, 0.2, *PLAIN)
    hz = (usual,) * len(PLAIN)
    stresses = find_stresses(syllables(*levels, hz=(*hz, high, *hz)))
    assert len(stresses) == 1
    assert stresses[0, 0] == pytest.approx(12.5 / 4, abs=0.05)
    assert stresses[0, 1] > 0.5
    assert len(find_stresses(syllables(*levels, hz=(*hz, usual / 1.3, *hz)))) == 0


def test_even_speech_silence_and_steady_noise_have_none() -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal((1, 64_000)).astype(np.float32)
    silence = Audio(np.zeros((1, 16_000), np.float32), 16_000)
    for audio in (syllables(*PLAIN), Audio(noise, 16_000), silence):
        assert len(find_stresses(audio)) == 0


def test_stresses_do_not_depend_on_what_follows() -> None:
    begin = (*PLAIN, 0.5, *PLAIN)
    assert np.array_equal(
        find_stresses(syllables(*begin)), find_stresses(syllables(*begin, 0.9, 0.9))[:1]
    )


def test_the_face_nods_and_raises_its_brows_with_stress() -> None:
    speech = syllables(*PLAIN, 0.6, *PLAIN)
    plain, lively = (move_idly(150, 25.0, speech=sound) for sound in (None, speech))
    nod = (lively.rotation_degrees - plain.rotation_degrees)[:, 0]
    assert nod.min() < -1
    assert int(nod.argmin()) == pytest.approx(12.5 / 4 * 25, abs=3)
    assert "brows" in find_moving_groups(lively)


def test_sound_of_one_sample_is_lived_through() -> None:
    move_idly(3, 25.0, speech=Audio(np.ones((1, 1), np.float32), 16_000))


@pytest.mark.parametrize("amount", [-0.1, 4.0, float("nan")])
def test_amounts_have_limits(amount: float) -> None:
    with pytest.raises(InputError, match=EXPECTED_GOT):
        IdleAmounts(sway=amount)


def test_a_seed_has_limits() -> None:
    with pytest.raises(InputError, match=EXPECTED_GOT):
        move_idly(3, 25.0, seed=-1)


def test_a_minute_of_a_long_life_costs_no_more_than_one_of_a_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts: list[int] = []
    step = idle._smooth_step

    def count(share: np.ndarray) -> np.ndarray:
        counts.append(len(share))
        return step(share)

    monkeypatch.setattr(idle, "_smooth_step", count)
    costs = []
    for frames in (3_000, 30_000):
        counts.clear()
        move_idly(frames, 25.0)
        costs.append(sum(counts))
    assert costs[1] < 15 * costs[0]
