"""Sound files as people bring them: late, cut off, damaged, of many channels, very long."""

import argparse
import tracemalloc
import wave
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from helpers.media_files import (
    CASES,
    CLICKS,
    audio_bytes,
    clicking,
    clicks_in,
    draw_corners,
    encode_audio,
    encode_video,
    with_cover,
    write_media,
)
from numpy.typing import NDArray

from actalker_core.cli.inputs import Reader
from actalker_core.cli.progress import Bars
from actalker_core.errors import MediaError
from actalker_core.media import Audio, as_float, audio_reader, load_audio
from actalker_core.models.actalker.encoders.audio import count_samples, required_seconds

Samples = NDArray[np.float32]

LAME_DELAY_SECONDS = 1105 / 44100
"""What MP3 puts before the first sample, where no head says so."""


def clicks(audio: Audio) -> list[float]:
    return clicks_in(audio.samples, audio.rate_hz)


# The file's clock ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "late"),
    [("vfr.mp4", 0.0), ("audio_late.mp4", 0.6), ("coverfirst.mkv", 0.0), ("twoaudio.mkv", 0.0)],
)
def test_sound_lies_where_the_picture_wants_it(name: str, late: float) -> None:
    assert clicks(load_audio(CASES / name)) == pytest.approx(
        [time + late for time in CLICKS], abs=0.005
    )


@pytest.mark.parametrize("format", ["mp4", "matroska", "mpegts", "mov"])
@pytest.mark.parametrize("start", [0.0, 0.3, 2.0])
def test_offsets_against_the_picture_are_kept(tmp_path: Path, format: str, start: float) -> None:
    path = tmp_path / "both"
    times = [0.9 + n / 25 for n in range(50)]
    video = partial(
        encode_video,
        codec="libx264",
        images=[draw_corners(100)] * 50,
        times=times,
        options={"bf": "0"},
    )
    pieces = [(start, clicking(2.2, 48000)[None])]
    sound = partial(encode_audio, codec="aac", pieces=pieces, rate_hz=48000)
    write_media(path, video, sound, format=format)
    click_times = [time + start - 0.9 for time in CLICKS if time + start > 0.9]
    assert clicks(load_audio(path)) == pytest.approx(click_times, abs=0.03)


def test_gaps_are_silent(tmp_path: Path) -> None:
    path = tmp_path / "gap.mkv"
    tone = 0.5 * np.ones((1, 24000), np.float32)
    write_media(
        path,
        partial(
            encode_audio,
            codec="pcm_s16le",
            pieces=[(0, tone), (1.25, tone)],
            rate_hz=48000,
            sample_format="s16",
        ),
    )
    samples = load_audio(path).samples[0]
    assert len(samples) == pytest.approx(1.75 * 48000, abs=100)
    assert np.abs(samples[:23900]).min() > 0.4
    assert not samples[24200 : round(1.25 * 48000) - 200].any()
    assert np.abs(samples[round(1.25 * 48000) + 200 :]).min() > 0.4


def test_overlaps_are_heard_once(tmp_path: Path) -> None:
    path = tmp_path / "overlap.mkv"
    ramp = np.linspace(0, 0.9, 48000, dtype=np.float32)[None]
    pieces = [(0, ramp[:, :24000]), (0.25, ramp[:, 12000:])]
    write_media(
        path,
        partial(encode_audio, codec="pcm_s16le", pieces=pieces, rate_hz=48000, sample_format="s16"),
    )
    samples = load_audio(path).samples
    assert samples.shape == (1, 48000)
    assert np.abs(samples - ramp).max() < 0.002


def test_rounded_times_leave_no_gaps(tmp_path: Path) -> None:
    """Matroska knows milliseconds; a packet of 1024 samples at 44.1 kHz lasts 23.22."""
    path = tmp_path / "rounded.mkv"
    t = np.arange(88200, dtype=np.float32) / 44100
    sine = (0.5 * np.sin(2 * np.pi * 441 * t)).astype(np.float32)[None]
    write_media(
        path,
        partial(encode_audio, codec="flac", pieces=[(0, sine)], rate_hz=44100, sample_format="s16"),
    )
    assert np.abs(load_audio(path).samples - sine).max() < 1e-3


def test_a_clock_that_jumps_by_hours_makes_no_hours_of_silence(
    tmp_path: Path, warnings: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "jump.mkv"
    tone = 0.5 * np.ones((1, 8000), np.float32)
    write_media(
        path,
        partial(
            encode_audio,
            codec="pcm_s16le",
            pieces=[(0, tone), (20_000, tone)],
            rate_hz=8000,
            sample_format="s16",
        ),
    )
    assert load_audio(path).seconds == pytest.approx(2, abs=0.05)
    assert "jump.mkv: its clock jumps by +19999 s" in warnings.text


def test_the_default_track_is_heard() -> None:
    assert np.abs(load_audio(CASES / "twoaudio.mkv").samples).max() > 0.5


# Damage -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "word"),
    [("mp3_garbage.mp3", "2 damaged or foreign packets"), ("mp3_lyrics.mp3", "Lyrics3 tag")],
)
def test_what_follows_the_last_frame_is_skipped(
    warnings: pytest.LogCaptureFixture, name: str, word: str
) -> None:
    audio = load_audio(CASES / name)
    assert audio.seconds == pytest.approx(2, abs=0.03)
    assert clicks(audio) == pytest.approx(CLICKS, abs=0.005)
    assert name in warnings.text
    assert word in warnings.text
    assert "at 2.04 s" in warnings.text


def mp3(seconds: float = 2.0) -> bytes:
    return audio_bytes("mp3", "libmp3lame", clicking(seconds, 48000)[None], 48000)


@pytest.mark.parametrize(
    "foreign",
    [b"TAG" + bytes(125), b"APETAGEX" + bytes(500), b"LYRICSBEGIN" + b"la " * 300 + b"LYRICS200"],
    ids=["ID3v1", "APE", "Lyrics3"],
)
def test_tags_at_the_end_of_an_mp3_are_no_sound(tmp_path: Path, foreign: bytes) -> None:
    path = tmp_path / "tagged.mp3"
    path.write_bytes(mp3() + foreign)
    audio = load_audio(path)
    assert audio.seconds == pytest.approx(2, abs=0.06)
    assert clicks(audio) == pytest.approx(CLICKS, abs=0.005)


def lasting(warnings: pytest.LogCaptureFixture, path: Path, content: bytes) -> str:
    """What is said of an MP3 that is read."""
    path.write_bytes(content)
    load_audio(path)
    return warnings.text


@pytest.mark.parametrize("place", ["front", "middle", "end"])
@pytest.mark.parametrize("foreign", [bytes(20_000), b"APETAGEX" + bytes(15_000)])
def test_a_whole_mp3_with_foreign_bytes_is_not_called_cut_off(
    tmp_path: Path, warnings: pytest.LogCaptureFixture, place: str, foreign: bytes
) -> None:
    content = mp3()
    assert b"Xing" in content or b"Info" in content
    at = {"front": 0, "middle": len(content) // 2, "end": len(content)}[place]
    warning = lasting(warnings, tmp_path / "foreign.mp3", content[:at] + foreign + content[at:])
    assert "cut off" not in warning


def test_half_an_mp3_is_called_cut_off(tmp_path: Path, warnings: pytest.LogCaptureFixture) -> None:
    content = mp3()
    warning = lasting(warnings, tmp_path / "half.mp3", content[: len(content) // 2])
    assert "is cut off: expected 2.0" in warning


@pytest.mark.parametrize("length", [300, 5_000, 200_000])
@pytest.mark.parametrize("kind", ["noise", "zeros"])
def test_bytes_in_front_of_an_mp3_are_skipped(tmp_path: Path, length: int, kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, length, np.uint8).tobytes()
    path = tmp_path / "front.mp3"
    path.write_bytes((noise if kind == "noise" else bytes(length)) + mp3())
    click_times = clicks(load_audio(path))
    assert np.diff(click_times) == pytest.approx(np.diff(CLICKS), abs=0.005)
    assert click_times[0] == pytest.approx(0.5, abs=LAME_DELAY_SECONDS + 0.03)


def test_noise_in_the_middle_costs_little_more_than_itself(
    tmp_path: Path, warnings: pytest.LogCaptureFixture
) -> None:
    content, path = mp3(), tmp_path / "middle.mp3"
    noise = np.random.default_rng(0).integers(0, 255, 3_000, np.uint8).tobytes()
    cut = len(content) * 3 // 8
    path.write_bytes(content[:cut] + noise + content[cut:])
    assert clicks(load_audio(path)) == pytest.approx(CLICKS, abs=0.1)
    assert "middle.mp3: " in warnings.text
    assert "skipped" in warnings.text


def test_tags_in_an_old_encoding_are_no_obstacle(tmp_path: Path) -> None:
    path = tmp_path / "latin.mp3"
    path.write_bytes(mp3() + b"TAG" + "Mädchen Ü".encode("latin-1").ljust(125, b"\0"))
    assert clicks(load_audio(path)) == pytest.approx(CLICKS, abs=0.005)


@pytest.mark.parametrize(
    ("name", "expected_seconds", "warning"),
    [("mp3_truncated.mp3", 1.31, "52.0"), ("trunc_fast.mp4", 0.469, "2.00 s, got 0.68")],
)
def test_what_is_there_of_a_cut_off_file_is_heard(
    warnings: pytest.LogCaptureFixture, name: str, expected_seconds: float, warning: str
) -> None:
    assert load_audio(CASES / name).seconds == pytest.approx(expected_seconds, abs=0.01)
    assert f"{name}: is cut off: expected" in warnings.text
    assert warning in warnings.text


@pytest.mark.parametrize(
    ("format", "codec", "sample_format"),
    [
        ("flac", "flac", "s16"),
        ("wav", "pcm_s16le", "s16"),
        ("aiff", "pcm_s16be", "s16"),
        ("matroska", "aac", "fltp"),
        ("flv", "aac", "fltp"),
    ],
)
def test_cut_off_files_of_other_kinds_are_heard_too(
    tmp_path: Path,
    warnings: pytest.LogCaptureFixture,
    format: str,
    codec: str,
    sample_format: str,
) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, (1, 4 * 48000)).astype(np.float32)
    content = audio_bytes(format, codec, noise, 48000, sample_format=sample_format)
    path = tmp_path / "cut"
    path.write_bytes(content)
    assert load_audio(path).seconds == pytest.approx(4, abs=0.05)
    assert not warnings.records
    path.write_bytes(content[: len(content) // 2])
    assert load_audio(path).seconds == pytest.approx(2, abs=0.2)
    assert "is cut off" in warnings.text or "damaged" in warnings.text


@pytest.mark.parametrize("length", [-4, 20, 120])
def test_a_file_without_its_index_is_named(tmp_path: Path, length: int) -> None:
    content = audio_bytes("mp4", "aac", clicking(2, 48000)[None], 48000)
    (tmp_path / "lost.mp4").write_bytes(content[: content.index(b"moov") + length])
    with pytest.raises(MediaError, match=r"lost\.mp4: expected a sound file; .*Get the whole file"):
        load_audio(tmp_path / "lost.mp4")


def test_a_change_of_rate_is_resampled(warnings: pytest.LogCaptureFixture) -> None:
    audio = load_audio(CASES / "ratechange.mp2")
    # 13 frames at 48 kHz and 7 at 24 kHz, of 1152 samples each.
    assert audio.rate_hz == 48000
    assert audio.seconds == pytest.approx(13 * 0.024 + 7 * 0.048, abs=0.001)
    assert "24000, 48000 Hz" in warnings.text


@pytest.mark.parametrize("rates", [(24000, 48000), (44100, 32000), (48000, 48000)])
@pytest.mark.parametrize("layouts", [("mono", "mono"), ("mono", "stereo"), ("stereo", "mono")])
def test_changes_keep_time_pitch_and_level(
    tmp_path: Path, rates: tuple[int, int], layouts: tuple[str, str]
) -> None:
    parts = []
    for rate_hz, layout in zip(rates, layouts, strict=True):
        t = np.arange(rate_hz) / rate_hz
        sine = np.tile(0.5 * np.sin(2 * np.pi * 500 * t), (1 if layout == "mono" else 2, 1))
        parts.append(
            audio_bytes(
                "mp2",
                "mp2",
                sine.astype(np.float32),
                rate_hz,
                layout=layout,
                sample_format="s16",
            )
        )
    path = tmp_path / "change.mp2"
    path.write_bytes(b"".join(parts))
    audio = load_audio(path)
    assert audio.rate_hz == max(rates)
    assert audio.seconds == pytest.approx(2, abs=0.1)
    for part in (audio.samples[:, : audio.rate_hz], audio.samples[:, -audio.rate_hz :]):
        inner = part[:, audio.rate_hz // 5 : -audio.rate_hz // 5]
        spectrum = np.abs(np.fft.rfft(inner[0] * np.hanning(inner.shape[1])))
        assert spectrum.argmax() * audio.rate_hz / inner.shape[1] == pytest.approx(500, abs=4)
        assert np.abs(inner).max(1) == pytest.approx(0.5, abs=0.03)


def test_a_cover_is_no_sound_and_no_clock(tmp_path: Path) -> None:
    jpeg = cv2.imencode(".jpg", draw_corners(100))[1].tobytes()
    flac = audio_bytes("flac", "flac", clicking(2, 16000)[None], 16000, sample_format="s16")
    path = tmp_path / "covered.flac"
    path.write_bytes(with_cover(flac, jpeg))
    assert clicks(load_audio(path)) == pytest.approx(CLICKS, abs=0.001)


def test_a_colon_in_a_name_is_no_protocol(tmp_path: Path) -> None:
    path = tmp_path / "take:2.mp3"
    path.write_bytes(mp3())
    assert clicks(load_audio(path)) == pytest.approx(CLICKS, abs=0.005)


def test_what_is_no_sound_at_all_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "noise.mp3"
    path.write_bytes(np.random.default_rng(1).integers(0, 128, 20_000, np.uint8).tobytes())
    with pytest.raises(MediaError, match=r"noise\.mp3"):
        load_audio(path)


# Samples of other types ---------------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["aac", "flac", "pcm_s16le"])
@pytest.mark.parametrize(("layout", "count"), [("7.1", 8), ("hexadecagonal", 16)])
def test_eight_channels_and_more_are_read(
    tmp_path: Path, codec: str, layout: str, count: int
) -> None:
    if (codec, count) in (("aac", 16), ("flac", 16)):
        pytest.skip("Holds eight at most.")
    samples = np.zeros((2 * 48000, count), np.float32)
    samples[:, 2] = clicking(2, 48000)
    path = tmp_path / "many.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=48000, layout=layout)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="flt", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = 48000, 0, Fraction(1, 48000)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    audio = load_audio(path)
    assert len(audio.samples) == count
    assert [c for c in range(count) if np.abs(audio.samples[c]).max() > 0.1] == [2]
    assert np.abs(audio.to_mono(48000).numpy()).max() == pytest.approx(0.6, abs=0.03)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.int64, np.float32, np.float64])
def test_read_samples_any_type_have_the_same_scale(dtype: Any) -> None:
    expected = np.array([-1, -0.5, 0, 0.5], np.float32)
    if np.dtype(dtype).kind == "f":
        samples = expected.astype(dtype)
    else:
        full = 2.0 ** (8 * np.dtype(dtype).itemsize - 1)
        samples = (expected.astype(float) * full + (full if dtype == np.uint8 else 0)).astype(dtype)
    assert as_float(samples).dtype == np.float32
    assert np.allclose(as_float(samples), expected, atol=1e-6)


def test_pcm_of_a_film_is_scaled_and_its_channels_are_apart() -> None:
    audio = load_audio(CASES / "pcm.mov")
    assert audio.samples.shape == (2, 20480)
    assert audio.rate_hz == 16000
    assert np.abs(audio.samples).max() < 1


@pytest.mark.parametrize("codec", ["pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_f32le", "pcm_f64le"])
def test_waves_of_any_kind_are_read_alike(tmp_path: Path, codec: str) -> None:
    samples = np.stack([clicking(0.8, 16000, (0.25,)), clicking(0.8, 16000, (0.5,))])
    kinds = {"pcm_u8": "u8", "pcm_s16le": "s16", "pcm_s24le": "s32", "pcm_f32le": "flt"}
    path = tmp_path / "sound.wav"
    path.write_bytes(
        audio_bytes(
            "wav",
            codec,
            samples,
            16000,
            layout="stereo",
            sample_format=kinds.get(codec, "dbl"),
        )
    )
    assert np.abs(load_audio(path).samples - samples).max() < 0.01


# Long recordings ----------------------------------------------------------------------------------


LONG_SECONDS = 600


@pytest.fixture(scope="module")
def long_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("long") / "long.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(48000)
        second = (3000 * np.sin(np.arange(2 * 48000) / 40)).astype("<i2").tobytes()
        for _ in range(LONG_SECONDS):
            file.writeframesraw(second)
    return path


@pytest.mark.parametrize("frames", [5, 100, 400, 1000])
def test_what_frames_need_is_read_and_no_more(long_file: Path, frames: int) -> None:
    seconds = frames / 12.5
    audio = load_audio(long_file, required_seconds(seconds))
    assert audio.seconds == pytest.approx(required_seconds(seconds))
    assert count_samples(seconds) / 16000 < audio.seconds < seconds + 47


@pytest.mark.parametrize("frames", [5, None])
def test_the_command_line_reads_what_its_frames_need(long_file: Path, frames: int | None) -> None:
    with Bars() as bars:
        reader = Reader(argparse.Namespace(frames=frames), 12.5, bars)
        audio = reader.read_sound(long_file)
    assert audio is not None
    assert audio.seconds == (LONG_SECONDS if frames is None else 46)


def test_the_beginning_is_heard_as_in_the_whole(tmp_path: Path) -> None:
    path, seconds = tmp_path / "speech.wav", 0.4
    rng = np.random.default_rng(0)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(22050)
        file.writeframes(rng.integers(-9999, 9999, 2 * 60 * 22050).astype("<i2").tobytes())
    length = count_samples(seconds)
    samples = load_audio(path).to_mono(16000)[:length]
    part = load_audio(path, required_seconds(seconds)).to_mono(16000)[:length]
    assert len(part) == length
    assert np.allclose(samples, part, atol=1e-6)


@pytest.mark.parametrize("limit_seconds", [46, None])
def test_memory_is_that_of_the_sound(long_file: Path, limit_seconds: int | None) -> None:
    """Nothing holds it twice."""
    tracemalloc.start()
    audio = load_audio(long_file, limit_seconds)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert audio.seconds == (limit_seconds or LONG_SECONDS)
    assert audio.samples.nbytes < peak < 1.3 * audio.samples.nbytes


def test_a_limit_stops_the_decoder(long_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []
    read_samples = audio_reader._read_samples

    def count(frame: Any) -> Samples:
        counts.append(frame.samples)
        return read_samples(frame)

    monkeypatch.setattr(audio_reader, "_read_samples", count)
    load_audio(long_file, 2.0)
    assert sum(counts) / 48000 == pytest.approx(2, abs=0.1)
