"""Videos as people bring them: uneven, turned, damaged, with covers, of every colour and size."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import torch
from helpers.media_files import (
    CASES,
    audio_bytes,
    clicking,
    content,
    corner_colours,
    draw_corners,
    draw_numbers,
    number_of,
    seconds_shown,
    video_bytes,
    with_cover,
)

from actalker_core.errors import MediaError
from actalker_core.media import VideoFrames, read_frames, read_nominal_fps
from actalker_core.media.container import FileWarnings
from actalker_core.media.decoder import StreamDecoder
from actalker_core.media.timestamps import MAX_PENDING, Clock

UPRIGHT = ["red", "green", "blue", "grey"]


def numbers_in(source: Any, fps: float, **how: Any) -> list[int]:
    return [number_of(image) for image in read_frames(source, fps, **how)]


# Times --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fps", [12.5, 25, 30])
def test_an_uneven_film_is_shown_by_its_times(fps: float) -> None:
    """Its first frames last 0.04 s, its last ones 0.2 s."""
    seconds = list(map(seconds_shown, read_frames(CASES / "vfr.mp4", fps)))
    # FFmpeg before 8 does not know how long the last frame is shown.
    assert 1.83 * fps <= len(seconds) <= 2 * fps
    query_times = np.arange(len(seconds)) / fps
    early = query_times - np.array(seconds)
    assert early.min() > -0.02
    assert early.max() < 0.22
    assert np.abs(early[query_times < 0.3]).max() < 0.06


def test_the_case_without_times_has_all_its_frames() -> None:
    seconds = list(map(seconds_shown, read_frames(CASES / "raw.h264", 25)))
    assert seconds == pytest.approx([n / 25 for n in range(20)], abs=0.02)
    assert len(list(read_frames(CASES / "raw.h264", 12.5))) == 10


@pytest.mark.parametrize("rate", [Fraction(25, 2), Fraction(30), Fraction(30000, 1001)], ids=str)
@pytest.mark.parametrize("bframes", ["0", "3"])
def test_without_times_frames_last_as_the_film_says(rate: Fraction, bframes: str) -> None:
    raw = content("h264", "libx264", draw_numbers(20), rate=rate, options={"bf": bframes})
    assert read_nominal_fps(raw) == pytest.approx(float(rate))
    assert numbers_in(raw, float(rate)) == list(range(20))
    assert numbers_in(raw, 2 * float(rate)) == [n // 2 for n in range(40)]


@dataclass
class Fake:
    """A frame of a known time, or of none."""

    name: int
    time: float | None


def measure_ends(times: list[float | None], usual: float = 0.1) -> tuple[list[float], list[int]]:
    """When the frames disappear, and which they are."""
    frames = [Fake(i, time) for i, time in enumerate(times)]
    words = FileWarnings(Path("film"))
    frame_ends = list(Clock(usual, words).add_ends(frames, lambda frame: None))
    return [end for end, _ in frame_ends], [frame.name for _, frame in frame_ends]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([0, 0.3, 0.4], [0.3, 0.4, 0.5]),
        ([7, 7.3, 7.4], [0.3, 0.4, 0.5]),
        ([-2, -1.7, -1.6], [0.3, 0.4, 0.5]),
        ([None] * 3, [0.1, 0.2, 0.3]),
        ([0, None, None, 0.6, 0.7], [0.2, 0.4, 0.6, 0.7, 0.8]),
        ([None, None, 5.0, 5.5], [0.1, 0.2, 0.7, 0.8]),
        ([0, 0.1, 0.1, 0.3], [0.1, 0.2, 0.3, 0.4]),
        ([0, 0.2, 0.1, 0.4], [0.2, 0.3, 0.4, 0.5]),
        ([0] * 4, [0.1, 0.2, 0.3, 0.4]),
        ([0, 0.1, 0.2, None, None], [0.1, 0.2, 0.3, 0.4, 0.5]),
        ([3], [0.1]),
        ([], []),
    ],
)
def test_frames_without_a_time_lie_between_those_that_have_one(
    times: list[float | None], expected: list[float]
) -> None:
    ends, names = measure_ends(times)
    assert ends == pytest.approx(expected)
    assert names == list(range(len(times)))


@pytest.mark.parametrize("count", [MAX_PENDING - 1, MAX_PENDING, 5 * MAX_PENDING + 3])
@pytest.mark.parametrize("time", [None, 0.0])
def test_a_whole_film_without_times_is_never_held(count: int, time: float | None) -> None:
    pending = [0]

    def frames() -> Iterator[Fake]:
        for i in range(count):
            pending[0] += 1
            yield Fake(i, time)

    ends = []
    for end, _ in Clock(0.1, FileWarnings(Path("film"))).add_ends(frames(), lambda frame: None):
        pending[0] -= 1
        assert pending[0] <= MAX_PENDING + 1
        ends.append(end)
    assert ends == pytest.approx([0.1 * (i + 1) for i in range(count)])


@pytest.mark.parametrize("jump", [36_000.0, -8.0, 1e9])
def test_a_clock_that_jumps_is_continued_with_a_word(
    warnings: pytest.LogCaptureFixture, jump: float
) -> None:
    before = [0.1 * i for i in range(100)]
    ends, names = measure_ends(before + [10 + jump + 0.2 * i for i in range(10)])
    assert names == list(range(110))
    assert ends[:99] == pytest.approx([0.1 * (i + 1) for i in range(99)])
    assert np.diff(ends[100:]) == pytest.approx([0.2] * 8 + [0.1])
    assert ends[-1] == pytest.approx(11.9)
    assert warnings.text.count("its clock jumps") == 1


def test_times_only_grow_whatever_the_film_says() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        times = [None if rng.random() < 0.2 else float(rng.normal(0, 5)) for _ in range(60)]
        ends, names = measure_ends(times)
        assert names == list(range(60))
        assert min(b - a for a, b in pairwise([0.0, *ends])) > 0


@pytest.mark.parametrize("rate", [24, 30, 60])
def test_clocks_that_tick_in_milliseconds_skip_no_frame(rate: int) -> None:
    video = content("matroska", "libx264", draw_numbers(20), rate=rate)
    assert numbers_in(video, rate) == list(range(20))


# A part of a video --------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [0.0, 0.4, 0.78])
@pytest.mark.parametrize("seconds", [None, 0.2, 5.0])
def test_a_trim_counts_from_the_first_picture(start: float, seconds: float | None) -> None:
    video = content("mp4", "libx264", draw_numbers(20))
    end = 0.8 if seconds is None else min(start + seconds, 0.8)
    expected = [int((start + n / 50) * 25 + 1e-6) for n in range(round((end - start) * 50))]
    assert numbers_in(video, 50, start=start, seconds=seconds) == expected


def test_a_trim_beyond_the_end_is_said() -> None:
    with pytest.raises(MediaError, match=r"expected frames from 3 s on.*ends before"):
        list(read_frames(content("mp4", "libx264", draw_numbers(5)), 25, start=3))


@pytest.mark.parametrize("how", ["most", "seconds"])
def test_no_more_is_decoded_than_asked_for(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    video = content("mp4", "libx264", [draw_corners(100)] * 200, options={"g": "12", "bf": "0"})
    times: list[Any] = []
    original = StreamDecoder.__iter__

    def count_frames(self: StreamDecoder) -> Iterator[Any]:
        for frame in original(self):
            times.append(frame.pts)
            yield frame

    monkeypatch.setattr(StreamDecoder, "__iter__", count_frames)
    frames = (
        list(islice(read_frames(video, 25), 5))
        if how == "most"
        else list(read_frames(video, 25, seconds=0.2))
    )
    assert len(frames) == 5
    assert len(times) <= 7


# Which stream -------------------------------------------------------------------------------------


def test_the_film_is_read_and_not_its_cover() -> None:
    seconds = list(map(seconds_shown, read_frames(CASES / "coverfirst.mkv", 25)))
    assert seconds == pytest.approx([n / 25 for n in range(50)], abs=0.02)


def test_a_song_with_a_cover_is_no_film(tmp_path: Path) -> None:
    jpeg = cv2.imencode(".jpg", draw_corners(100))[1].tobytes()
    flac = audio_bytes("flac", "flac", clicking(1, 16000, ())[None], 16000, sample_format="s16")
    path = tmp_path / "song.flac"
    path.write_bytes(with_cover(flac, jpeg))
    with pytest.raises(MediaError, match=r"song\.flac: expected a video, got .*only a cover"):
        list(read_frames(path, 25))


@pytest.mark.parametrize("first", ["small", "film"])
def test_of_two_films_that_with_more_frames_or_the_flag_is_read(first: str, tmp_path: Path) -> None:
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as container:
        tracks = {"small": ("mjpeg", draw_numbers(1), "yuvj420p"), "film": None}
        for name in (first, *(tracks.keys() - {first})):
            if name == "small":
                still = container.add_stream("mjpeg", rate=25)
                still.width, still.height, still.pix_fmt = 96, 64, "yuvj420p"
            else:
                video = container.add_stream("libx264", rate=25)
                video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        packets = []
        for stream, count in ((still, 1), (video, 10)):
            for i, rgb in enumerate(draw_numbers(count)):
                frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
                frame = frame.reformat(format=stream.pix_fmt)
                frame.pts, frame.time_base = i, Fraction(1, 25)
                packets += stream.encode(frame)
            packets += stream.encode(None)
        for packet in packets:
            container.mux(packet)
    assert numbers_in(path, 25) == list(range(10))


# Damage -------------------------------------------------------------------------------------------


def test_a_cut_off_film_is_shown_as_far_as_it_goes(warnings: pytest.LogCaptureFixture) -> None:
    seconds = list(map(seconds_shown, read_frames(CASES / "trunc_fast.mp4", 12.5)))
    assert len(seconds) == 9
    assert seconds[:6] == pytest.approx([n / 12.5 for n in range(6)], abs=0.02)
    assert "trunc_fast.mp4: is cut off: expected 2.00 s, got 0.68 s" in warnings.text


def test_each_thing_is_said_once_however_often_a_film_is_read(
    warnings: pytest.LogCaptureFixture,
) -> None:
    frames = VideoFrames(CASES / "trunc_fast.mp4", 12.5)
    assert [len(list(frames)) for _ in range(3)] == [9, 9, 9]
    assert len(warnings.records) == 1


def test_nothing_is_missed_where_only_the_beginning_is_read(
    warnings: pytest.LogCaptureFixture,
) -> None:
    list(islice(read_frames(CASES / "trunc_fast.mp4", 12.5), 3))
    list(read_frames(CASES / "vfr.mp4", 12.5))
    assert not warnings.records


@pytest.mark.parametrize("codec", ["mjpeg", "libx264", "png"])
def test_damage_in_the_middle_costs_only_what_it_hits(
    tmp_path: Path, warnings: pytest.LogCaptureFixture, codec: str
) -> None:
    pix_fmt = {"mjpeg": "yuvj420p", "png": "rgb24"}.get(codec, "yuv420p")
    options = {"g": "1"} if codec == "libx264" else {}
    video = video_bytes("mov", codec, draw_numbers(20), pix_fmt=pix_fmt, options=options)
    with av.open(io.BytesIO(video)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    copy = bytearray(video)
    for at, size in packets[8:11]:
        copy[at : at + size] = bytes(size)
    path = tmp_path / "damaged.mov"
    path.write_bytes(copy)
    numbers = numbers_in(path, 25)
    assert len(numbers) == 20
    assert numbers[:8] == list(range(8))
    assert numbers[11:] == list(range(11, 20))
    assert "damaged.mov: 3 damaged or foreign packets, the first at 0.32 s" in warnings.text


def test_frames_that_a_decoder_has_patched_are_told(
    tmp_path: Path, warnings: pytest.LogCaptureFixture
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)
    moving = [np.roll(noise, 3 * number, 1) for number in range(20)]
    video = bytearray(video_bytes("mov", "libx264", moving, options={"bf": "0"}))
    with av.open(io.BytesIO(bytes(video))) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    for at, size in packets[8:10]:
        video[at + size // 2 : at + size] = bytes(size - size // 2)
    path = tmp_path / "patched.mov"
    path.write_bytes(video)
    assert len(list(read_frames(path, 25))) == 20
    assert "patched.mov: 2 of its frames are damaged in part" in warnings.text


def test_a_film_of_which_nothing_is_left_is_refused(tmp_path: Path) -> None:
    video = video_bytes("mov", "mjpeg", draw_numbers(5), pix_fmt="yuvj420p")
    with av.open(io.BytesIO(video)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    copy = bytearray(video)
    for at, size in packets:
        copy[at : at + size] = bytes(size)
    (tmp_path / "dead.mov").write_bytes(copy)
    with pytest.raises(MediaError, match=r"dead\.mov: .*none of its frames can be decoded"):
        list(read_frames(tmp_path / "dead.mov", 25))


# Moving images ------------------------------------------------------------------------------------


def test_the_animated_case_is_played() -> None:
    """Two images of a tenth of a second."""
    frames = list(read_frames(CASES / "anim.webp", 25))
    assert len(frames) == 5
    assert [torch.equal(frames[0], frame) for frame in frames] == [True] * 3 + [False] * 2
    assert read_nominal_fps(CASES / "anim.webp") == pytest.approx(10)


MOVING = {
    "webp": ("webp", "libwebp_anim", "bgra", {"lossless": "1", "loop": "0"}),
    "apng": ("apng", "apng", "rgb24", {}),
    "gif": ("gif", "gif", "rgb8", {}),
    "avif": ("avif", "libsvtav1", "yuv420p", {"crf": "10", "preset": "8"}),
}


@pytest.mark.parametrize("kind", MOVING)
def test_moving_pictures_are_played_by_their_own_times(kind: str) -> None:
    format, codec, pix_fmt, options = MOVING[kind]
    images = draw_numbers(6)
    if kind == "webp":
        images = [np.dstack([p, np.full(p.shape[:2], 255, np.uint8)]) for p in images]
    video = content(format, codec, images, rate=10, pix_fmt=pix_fmt, options=options)
    frames = list(read_frames(video, 20))
    assert [number_of(frame) for frame in frames] == [n // 2 for n in range(12)]
    assert corner_colours(frames[0]) == UPRIGHT


def test_pieces_of_an_animated_webp_are_laid_over_each_other() -> None:
    """The coder stores only what changes, with holes where nothing does."""
    rng = np.random.default_rng(0)
    images = [np.dstack([draw_corners(90), np.full((64, 96), 255, np.uint8)])]
    for _ in range(8):
        image = images[-1].copy()
        y, x = rng.integers(0, 48), rng.integers(0, 80)
        image[y : y + 16, x : x + 16, :3] = rng.integers(0, 255, (16, 16, 3))
        images.append(image)
    video = content(
        "webp", "libwebp_anim", images, rate=10, pix_fmt="bgra", options={"lossless": "1"}
    )
    assert video.getvalue().count(b"ANMF") == 9
    for frame, image in zip(read_frames(video, 10), images, strict=True):
        assert np.array_equal(frame.permute(1, 2, 0).numpy(), image[..., :3])


def test_a_damaged_animation_is_refused_by_name(tmp_path: Path) -> None:
    animation = bytearray((CASES / "anim.webp").read_bytes())
    at = animation.index(b"ANMF") + 8 + 16 + 8
    animation[at : at + 60] = bytes(60)
    path = tmp_path / "broken.webp"
    path.write_bytes(animation)
    with pytest.raises(MediaError, match=r"broken\.webp: .*animated WebP.*GIF or MP4"):
        list(read_frames(path, 25))


# Size and place -----------------------------------------------------------------------------------


def claim_size(kind: str) -> bytes:
    """A small video that claims to be of 32768² pixels or more."""
    if kind == "webp":
        video = bytearray((CASES / "anim.webp").read_bytes())
        video[24:30] = b"\xff\xff\x00\xff\xff\x00"
    elif kind == "gif":
        video = bytearray(video_bytes("gif", "gif", draw_numbers(3), pix_fmt="rgb8"))
        video[6:10] = b"\xff\xff\xff\xff"
    else:
        video = bytearray(video_bytes("avi", "mjpeg", draw_numbers(3), pix_fmt="yuvj420p"))
        at = video.find(b"\xff\xc0\x00\x11\x08")
        while at != -1:
            video[at + 5 : at + 9] = b"\xff\xdc\xff\xdc"
            at = video.find(b"\xff\xc0\x00\x11\x08", at + 2)
    return bytes(video)


@pytest.mark.parametrize("kind", ["gif", "webp", "mjpeg"])
def test_absurd_sizes_cost_no_memory(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"huge.{kind}"
    path.write_bytes(claim_size(kind))
    before = peak_mb()
    with pytest.raises(MediaError, match=rf"huge\.{kind}"):
        list(read_frames(path, 25))
    assert peak_mb() - before < 100


def peak_mb() -> float:
    resource = pytest.importorskip("resource")
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def test_a_claimed_size_is_named(tmp_path: Path) -> None:
    path = tmp_path / "huge.gif"
    path.write_bytes(claim_size("gif"))
    with pytest.raises(MediaError, match=r"up to 67 million pixels, got 65535 × 65535"):
        next(iter(read_frames(path, 25)))


def test_a_film_in_memory_is_read_as_often_as_one_likes() -> None:
    video = content("mp4", "libx264", draw_numbers(5))
    first, second = read_frames(video, 25), read_frames(video, 25)
    pairs = list(zip(first, second, strict=True))
    assert len(pairs) == 5
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("name", ["take:1.mp4", "http:x.mp4", "50 %d.mp4", "ä 図.mp4"])
def test_any_name_is_a_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(video_bytes("mp4", "libx264", draw_numbers(4)))
    assert numbers_in(path, 25) == list(range(4))
