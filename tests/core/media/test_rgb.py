"""The frames of videos: upright, of square pixels, in true colours, of any depth."""

import io
import struct
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from helpers.media_files import CASES, content, corner_colours, draw_numbers, number_of, video_bytes

from actalker_core.media import read_frames
from actalker_core.media.rgb import _rotate

UPRIGHT = ["red", "green", "blue", "grey"]


def numbers_in(source: Any, fps: float, **how: Any) -> list[int]:
    return [number_of(image) for image in read_frames(source, fps, **how)]


# Orientation and shape ----------------------------------------------------------------------------


def test_the_phones_film_is_upright() -> None:
    with av.open(str(CASES / "phone270.mp4")) as container:
        lying = next(container.decode(video=0)).to_ndarray(format="rgb24")
    standing = next(iter(read_frames(CASES / "phone270.mp4", 25))).permute(1, 2, 0).numpy()
    difference = standing.astype(int) - np.rot90(lying, -1)
    assert np.abs(difference).mean() < 3


@pytest.mark.parametrize("rows", [(1, 0), (-1, 0), (0, 1), (0, -1)])
@pytest.mark.parametrize("columns", [(1, 0), (-1, 0), (0, 1), (0, -1)])
def test_every_display_matrix_is_followed(rows: tuple[int, int], columns: tuple[int, int]) -> None:
    """x' = a·x + c·y, y' = b·x + d·y: where each corner goes."""
    (a, c), (b, d) = rows, columns
    if a * d - b * c == 0:
        pytest.skip("No matrix.")
    image = _rotate(
        np.arange(6, dtype=np.uint8).reshape(2, 3, 1), (a << 16, b << 16, c << 16, d << 16)
    )
    places = {(x, y): (a * x + c * y, b * x + d * y) for x in range(3) for y in range(2)}
    left = min(x for x, _ in places.values())
    top = min(y for _, y in places.values())
    for (x, y), (right, down) in places.items():
        assert image[down - top, right - left, 0] == 3 * y + x


@pytest.mark.parametrize(
    ("matrix", "corners"),
    [
        ((1, 0, 0, 1), ["red", "green", "blue", "grey"]),
        ((-1, 0, 0, 1), ["green", "red", "grey", "blue"]),
        ((1, 0, 0, -1), ["blue", "grey", "red", "green"]),
        ((-1, 0, 0, -1), ["grey", "blue", "green", "red"]),
        ((0, 1, 1, 0), ["red", "blue", "green", "grey"]),
        ((0, 1, -1, 0), ["blue", "red", "grey", "green"]),
        ((0, -1, 1, 0), ["green", "grey", "red", "blue"]),
        ((0, -1, -1, 0), ["grey", "green", "blue", "red"]),
    ],
)
def test_films_are_turned_and_mirrored_as_they_ask(
    matrix: tuple[int, int, int, int], corners: list[str]
) -> None:
    video = bytearray(video_bytes("mp4", "libx264", draw_numbers(3), options={"crf": "4"}))
    a, b, c, d = (value << 16 for value in matrix)
    at = video.index(b"tkhd") + 4 + 40
    video[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    frame = next(iter(read_frames(io.BytesIO(bytes(video)), 25)))
    assert corner_colours(frame) == corners
    assert frame.shape == ((3, 64, 96) if a else (3, 96, 64))


def test_interlaced_films_are_shown() -> None:
    video = content("mp4", "libx264", draw_numbers(5), options={"flags": "+ildct+ilme"})
    assert numbers_in(video, 25) == list(range(5))


@pytest.mark.parametrize("ratio", ["2/1", "1/2", "16/15", "1/1", "100/1"])
def test_pixels_are_square(ratio: str) -> None:
    video = content("mp4", "libx264", draw_numbers(3), pixel_aspect=Fraction(ratio))
    frame = next(iter(read_frames(video, 25)))
    size = {"2/1": (192, 64), "1/2": (96, 128), "16/15": (102, 64)}.get(ratio, (96, 64))
    assert (frame.shape[2], frame.shape[1]) == size
    assert corner_colours(frame) == UPRIGHT


@pytest.mark.parametrize(("width", "height"), [(97, 65), (1, 1), (17, 200)])
def test_odd_sizes_are_kept(width: int, height: int) -> None:
    images = [np.full((height, width, 3), 100, np.uint8)] * 3
    video = content("mov", "png", images, pix_fmt="rgb24")
    assert next(iter(read_frames(video, 25))).shape == (3, height, width)


def test_frames_that_change_their_size_get_the_first(warnings: pytest.LogCaptureFixture) -> None:
    parts = [
        video_bytes("h264", "libx264", draw_numbers(5, width=width, height=height))
        for width, height in ((96, 64), (192, 128), (64, 96))
    ]
    frames = list(read_frames(io.BytesIO(b"".join(parts)), 25))
    assert len(frames) == 15
    assert {tuple(frame.shape) for frame in frames} == {(3, 64, 96)}
    assert [number_of(frame) for frame in frames] == 3 * list(range(5))
    assert "change from 96 × 64 to 192 × 128" in warnings.text


# Colours ------------------------------------------------------------------------------------------

TRUE_RGB = (230, 60, 60)
LUMA = {"601": (0.299, 0.114), "709": (0.2126, 0.0722), "2020": (0.2627, 0.0593)}


def yuv(rgb: tuple[int, ...], matrix: str, *, full: bool) -> list[int]:
    """By the definition of a colour matrix."""
    red, blue = LUMA[matrix]
    r, g, b = (value / 255 for value in rgb)
    y = red * r + (1 - red - blue) * g + blue * b
    u, v = (b - y) / (2 - 2 * blue), (r - y) / (2 - 2 * red)
    low, luma, chroma = (0, 255, 255) if full else (16, 219, 224)
    return [round(low + luma * y), round(128 + chroma * u), round(128 + chroma * v)]


def encode_colour(
    matrix: str, *, full: bool, space: int | None, range_: int | None, width: int = 64
) -> io.BytesIO:
    """A video of one colour, with or without tags."""
    video, height = io.BytesIO(), 64
    with av.open(video, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        if space is not None:
            stream.codec_context.colorspace = space
        if range_ is not None:
            stream.codec_context.color_range = range_
        frame = av.VideoFrame(width, height, "yuv420p")
        for plane, value in zip(frame.planes, yuv(TRUE_RGB, matrix, full=full), strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        for pts in range(3):
            frame.pts = pts
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return video


@pytest.mark.parametrize(
    ("matrix", "full", "space", "range_", "width"),
    [
        ("709", False, 1, 1, 64),
        ("709", False, 1, None, 64),
        ("709", True, 1, 2, 64),
        ("601", False, 5, 1, 64),
        ("601", False, 6, 1, 1280),
        ("601", True, 5, 2, 64),
        ("2020", False, 9, 1, 64),
        ("2020", True, 9, 2, 64),
        ("601", False, None, None, 64),
        ("709", False, None, None, 1280),
    ],
)
def test_colours_are_those_that_the_film_means(
    matrix: str, *, full: bool, space: int | None, range_: int | None, width: int
) -> None:
    video = encode_colour(matrix, full=full, space=space, range_=range_, width=width)
    middle = next(iter(read_frames(video, 25)))[:, 32, 32].tolist()
    assert middle == pytest.approx(TRUE_RGB, abs=3)


@pytest.mark.parametrize(
    ("format", "codec", "pix_fmt"),
    [
        ("mp4", "libx264", "yuv420p10le"),
        ("mp4", "libx264", "yuv444p"),
        ("mov", "prores_ks", "yuva444p10le"),
        ("mov", "png", "rgb48be"),
        ("mov", "png", "rgba"),
        ("mov", "png", "gray"),
        ("avi", "rawvideo", "bgr24"),
        ("matroska", "ffv1", "bgr0"),
        ("webm", "libvpx-vp9", "yuva420p"),
    ],
)
def test_films_of_any_depth_and_with_alpha_are_shown(format: str, codec: str, pix_fmt: str) -> None:
    frames = list(read_frames(content(format, codec, draw_numbers(4), pix_fmt=pix_fmt), 25))
    assert [number_of(frame) for frame in frames] == list(range(4))
    if not pix_fmt.startswith("gray"):
        assert corner_colours(frames[0]) == UPRIGHT


@pytest.mark.parametrize(("curve", "name"), [(16, "PQ"), (18, "HLG"), (1, None)])
def test_colours_beyond_the_screen_are_told(
    warnings: pytest.LogCaptureFixture, curve: int, name: str | None
) -> None:
    video = io.BytesIO()
    with av.open(video, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p10le"
        stream.codec_context.color_trc = curve
        frame = av.VideoFrame(64, 64, "yuv420p10le")
        for plane in frame.planes:
            plane.update(bytes([0, 2]) * (plane.buffer_size // 2))
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    list(read_frames(video, 25))
    assert (f"HDR ({name})" in warnings.text) == (name is not None)
