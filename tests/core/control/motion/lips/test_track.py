"""Lips over time: a stream is the whole, nothing hears the future, rest is rest."""

import numpy as np
import pytest

from actalker_core.control.motion.lips import LipReader, LipTrack, read_lips, to_frames
from actalker_core.control.motion.lips.features import HOP, RATE_HZ, ROW_SECONDS
from actalker_core.control.motion.lips.network import LOOK_AHEAD_SECONDS
from actalker_core.errors import InputError
from actalker_core.media.audio import Audio
from actalker_core.synthetic.speech import (
    CONSONANTS,
    SILENCE,
    TRACK_HZ,
    VOWELS,
    Speech,
    random_speech,
    random_voice,
    synthesize_speech,
)

SECONDS = 6.0


@pytest.fixture(scope="module")
def speech() -> Speech:
    return random_speech(np.random.default_rng(5), SECONDS)


@pytest.fixture(scope="module")
def track(speech: Speech) -> LipTrack:
    return read_lips(sound(speech.samples))


def sound(samples: np.ndarray, rate_hz: int = RATE_HZ) -> Audio:
    return Audio(np.atleast_2d(samples).astype(np.float32), rate_hz)


def shut_share(track: LipTrack) -> float:
    return float((track.openness < 0.1).mean())


def closures_per_minute(track: LipTrack) -> float:
    begins = np.diff(np.concatenate([[0], track.closure > 0]).astype(int)) > 0
    return begins.sum() / (len(track) * ROW_SECONDS / 60)


@pytest.mark.parametrize("lengths", [(1, 4000), (37, 38), (640, 641), (159, 161)])
def test_a_stream_gives_what_the_whole_gives(
    speech: Speech, track: LipTrack, lengths: tuple[int, int]
) -> None:
    rng, reader = np.random.default_rng(0), LipReader()
    pieces, first = [], 0
    while first < len(speech.samples):
        length = int(rng.integers(*lengths))
        pieces.append(reader.push(speech.samples[first : first + length]).columns)
        first += length
    pieces.append(reader.finish().columns)
    np.testing.assert_array_equal(np.concatenate(pieces)[: len(track)], track.columns)


def test_what_comes_later_than_the_look_ahead_changes_nothing(
    speech: Speech, track: LipTrack
) -> None:
    assert LOOK_AHEAD_SECONDS <= 0.06 + 1e-9
    middle = 3.0
    samples, first = speech.samples.copy(), round(middle * RATE_HZ)
    samples[first:] = np.random.default_rng(1).normal(size=len(samples) - first)
    rows = int((middle - LOOK_AHEAD_SECONDS) / ROW_SECONDS)
    noisy_track = read_lips(sound(samples))
    np.testing.assert_array_equal(noisy_track.columns[:rows], track.columns[:rows])
    assert (noisy_track.columns != track.columns)[rows + 1 :].any()


def test_a_row_comes_as_soon_as_its_look_ahead_is_there() -> None:
    reader = LipReader()
    rows = len(reader.push(np.zeros(RATE_HZ, np.float32)))
    assert 1.0 - LOOK_AHEAD_SECONDS - 4 * ROW_SECONDS <= rows * ROW_SECONDS <= 1.0


def test_numbers_are_within_their_bounds_and_agree(track: LipTrack) -> None:
    assert len(track) == SECONDS / ROW_SECONDS
    assert track.columns.dtype == np.float32
    assert (np.abs(track.columns) <= 1).all()
    assert (np.delete(track.columns, 1, axis=1) >= 0).all()
    assert (track.openness <= 1 - track.closure + 1e-6).all()


def test_babble_moves_the_lips_as_its_own_mouth(speech: Speech, track: LipTrack) -> None:
    mouth = speech.interpolate_mouth((np.arange(len(track)) + 0.5) / TRACK_HZ)
    assert np.corrcoef(track.openness, mouth[:, 0])[0, 1] > 0.6
    assert np.corrcoef(track.width, mouth[:, 1])[0, 1] > 0.3


def test_an_m_between_vowels_shuts_the_lips_and_an_n_does_not() -> None:
    rng = np.random.default_rng(2)
    counts = {}
    for name in ("m", "n"):
        count = 0
        for seed in range(4):
            voice = random_voice(np.random.default_rng(seed))
            vowel = (VOWELS["a"], 0.2)
            script = [(SILENCE, 0.4), vowel]
            for _ in range(4):
                script += [(CONSONANTS[name], 0.09), vowel]
            samples = synthesize_speech([*script, (SILENCE, 0.4)], 2.2, voice, rng).samples
            count += int(closures_per_minute(read_lips(sound(samples))) * 2.2 / 60 + 0.5)
        counts[name] = count
    assert counts["m"] >= 8
    assert counts["n"] == 0


@pytest.mark.parametrize("gain", [0.02, 0.1, 3.0])
def test_loudness_hardly_matters(speech: Speech, track: LipTrack, gain: float) -> None:
    quiet_or_loud = read_lips(sound(speech.samples * gain))
    late = slice(100, None)  # the first second is needed to know the speaker
    assert np.corrcoef(quiet_or_loud.openness[late], track.openness[late])[0, 1] > 0.95
    assert np.abs(quiet_or_loud.openness[late] - track.openness[late]).mean() < 0.05


def test_silence_is_rest() -> None:
    assert not read_lips(sound(np.zeros(3 * RATE_HZ))).columns.any()


@pytest.mark.parametrize("seed", range(3))
def test_steady_noise_is_rest(seed: int) -> None:
    rng = np.random.default_rng(seed)
    noise = np.convolve(rng.normal(size=20 * RATE_HZ), np.ones(1 + 3 * seed), "same")
    track = read_lips(sound(0.03 * noise))
    assert shut_share(track) >= 0.9
    assert closures_per_minute(track) <= 10


@pytest.mark.parametrize("seed", range(3))
def test_chords_are_rest(seed: int) -> None:
    rng, beat = np.random.default_rng(seed), RATE_HZ // 2
    t = np.arange(2 * beat) / RATE_HZ
    music = np.zeros(22 * beat)
    for first in range(0, 20 * beat, beat):
        for _ in range(3):
            hz = 110 * 2 ** (rng.integers(0, 24) / 12)
            tone = sum(np.sin(2 * np.pi * hz * k * t) / k for k in (1, 2, 3))
            music[first : first + 2 * beat] += tone * np.exp(-2 * t) * np.minimum(50 * t, 1)
    track = read_lips(sound(0.05 * music))
    assert shut_share(track) >= 0.9
    assert closures_per_minute(track) <= 10


def test_the_mouth_shuts_when_speech_ends(speech: Speech) -> None:
    silence = np.zeros(RATE_HZ)
    late = read_lips(sound(np.concatenate([speech.samples, silence]))).columns
    assert not late[-60:].any()


def test_any_sound_has_its_rows() -> None:
    for samples, rate_hz, rows in (
        (np.zeros(1), RATE_HZ, 1),
        (np.zeros(HOP + 1), RATE_HZ, 2),
        (np.full((2, 4000), np.nan), 8000, 50),
        (np.zeros((6, 9600)), 96000, 10),
    ):
        track = read_lips(sound(samples, rate_hz))
        assert len(track) == rows
        assert not track.columns.any()


def test_rate_and_channels_hardly_matter(speech: Speech, track: LipTrack) -> None:
    samples = np.repeat(speech.samples, 3)  # three times the rate, with images far above speech
    stereo = read_lips(sound(np.stack([samples, samples]), 48_000))
    assert np.corrcoef(stereo.openness, track.openness)[0, 1] > 0.95
    telephone = read_lips(sound(speech.samples[::2], 8000))
    assert np.corrcoef(telephone.openness, track.openness)[0, 1] > 0.7


def test_a_stream_refuses_channels_and_silences_what_is_no_number() -> None:
    reader = LipReader()
    with pytest.raises(InputError, match="one channel"):
        reader.push(np.zeros((2, 100), np.float32))
    assert len(reader.push(np.zeros(0, np.float32))) == 0
    assert not reader.push(np.full(RATE_HZ, np.nan, np.float32)).columns.any()


def test_an_offset_moves_the_lips_and_rests_where_nothing_is_known(
    speech: Speech, track: LipTrack
) -> None:
    audio = sound(speech.samples)
    later, earlier = read_lips(audio, 0.12).columns, read_lips(audio, -0.12).columns
    np.testing.assert_array_equal(later[12:], track.columns[:-12])
    np.testing.assert_array_equal(earlier[:-12], track.columns[12:])
    assert not later[:12].any()
    assert not earlier[-12:].any()
    assert not read_lips(audio, 9.0).columns.any()
    for offset_seconds in (np.nan, 11.0):
        with pytest.raises(InputError, match="offset"):
            read_lips(audio, offset_seconds)


def columns_of(rows: int) -> np.ndarray:
    return np.zeros((rows, 5), np.float32)


def test_a_frame_has_the_most_of_its_closures_and_the_mean_of_its_shape() -> None:
    columns = columns_of(12)
    columns[:, 0] = 0.8
    columns[5, 0], columns[5, 3] = 0.0, 1.0
    frames = to_frames(LipTrack.of_columns(columns), 4, 25)
    np.testing.assert_allclose(frames.closure, [0, 1, 0, 0])
    np.testing.assert_allclose(frames.openness, [0.8, 0.0, 0.8, 0.0], atol=1e-6)


@pytest.mark.parametrize("fps", [8.0, 24.0, 29.97, 60.0, 240.0])
def test_no_closure_gets_lost_at_any_frame_rate(fps: float) -> None:
    columns = columns_of(100)
    columns[[10, 47, 99], 3] = 1
    frames = to_frames(LipTrack.of_columns(columns), round(fps), fps)
    for row in (10, 47, 99):
        places = [int(row * ROW_SECONDS * fps + d) for d in (1e-9, 0.999 * ROW_SECONDS * fps)]
        assert frames.closure[np.minimum(places, len(frames) - 1)].max() == 1


def test_frames_beyond_the_sound_are_rest_and_nonsense_is_refused() -> None:
    track = LipTrack.of_columns(columns_of(10) + np.float32(0.5))
    assert not to_frames(track, 50, 25).columns[5:].any()
    assert len(to_frames(track, 0, 25)) == 0
    for frames, fps in ((-1, 25.0), (10, 0.0), (10, np.inf), (10, np.nan)):
        with pytest.raises(InputError, match="frames"):
            to_frames(track, frames, fps)
