"""Images of every kind, and those that claim more than they are."""

import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from helpers.media_files import CASES, video_bytes
from numpy.typing import NDArray

from actalker_core.errors import MediaError
from actalker_core.media import images, load_image
from actalker_core.media.image_headers import is_truncated, read_image_size

WIDTH, HEIGHT = 61, 37
HUGE = 60_000


def gradient(height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.uint8]:
    """BGR."""
    bgr = np.full((height, width, 3), 77, np.uint8)
    bgr[..., 2] = np.linspace(0, 255, width).astype(np.uint8)
    bgr[..., 1] = np.linspace(0, 255, height).astype(np.uint8)[:, None]
    return bgr


def encode(suffix: str, pixels: NDArray[Any] | None = None) -> bytes:
    done, content = cv2.imencode(suffix, gradient() if pixels is None else pixels)
    assert done
    return bytes(content.tobytes())


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, bits: int, kind: int, rows: bytes, *more: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    body = b"".join(more) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body


def rgb_of(path: Path) -> NDArray[np.float64]:
    return load_image(path).permute(1, 2, 0).double().numpy() * 255


KINDS = [".png", ".jpg", ".webp", ".bmp", ".tiff", ".jp2", ".ppm", ".pam", ".ras"]


@pytest.mark.parametrize("suffix", KINDS)
def test_the_size_is_known_from_the_head(tmp_path: Path, suffix: str) -> None:
    content = encode(suffix)
    assert read_image_size(content) == (WIDTH, HEIGHT)
    path = tmp_path / f"picture{suffix}"
    path.write_bytes(content)
    assert np.abs(rgb_of(path) - gradient()[..., ::-1]).mean() < 4


@pytest.mark.parametrize("suffix", [".hdr", ".pfm"])
def test_the_size_of_floating_point_pictures_too(suffix: str) -> None:
    assert read_image_size(encode(suffix, gradient().astype(np.float32) / 255)) == (WIDTH, HEIGHT)


@pytest.mark.parametrize("quality", [50, 101])
def test_the_size_of_both_kinds_of_webp(quality: int) -> None:
    content = cv2.imencode(".webp", gradient(), [cv2.IMWRITE_WEBP_QUALITY, quality])[1].tobytes()
    assert read_image_size(content) == (WIDTH, HEIGHT)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [3, 4])
def test_the_size_of_tiff_in_both_orders_and_widths(order: str, kind: int) -> None:
    value = "HH" if kind == 3 else "I"
    pad = (lambda n: (n, 0)) if kind == 3 else (lambda n: (n,))
    content = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HIH", 42, 8, 2)
    for tag, number in ((256, WIDTH), (257, HEIGHT)):
        content += struct.pack(f"{order}HHI{value}", tag, kind, 1, *pad(number))
    assert read_image_size(content) == (WIDTH, HEIGHT)


def test_the_size_of_openexr() -> None:
    window = b"dataWindow\0box2i\0" + struct.pack("<Iiiii", 16, -10, -5, WIDTH - 11, HEIGHT - 6)
    assert read_image_size(b"\x76\x2f\x31\x01\x02\0\0\0channels\0" + window) == (WIDTH, HEIGHT)


def test_what_is_no_picture_has_no_size() -> None:
    rng = np.random.default_rng(0)
    assert read_image_size(b"") is None
    assert read_image_size(b"#!/bin/sh\n") is None
    for suffix in KINDS:
        head = encode(suffix)
        for length in range(60):
            read_image_size(head[:length])
        for _ in range(50):
            copy = bytearray(head)
            for at in rng.integers(0, min(len(head), 200), 8):
                copy[at] = rng.integers(0, 256)
            read_image_size(bytes(copy))


def claim_size(kind: str) -> bytes:
    """A small file that claims 60000 × 60000 pixels or more."""
    if kind == "png":
        return png(HUGE, HUGE, 1, 0, bytes(100))
    if kind == "jpg":
        content = bytearray(encode(".jpg"))
        at = content.index(b"\xff\xc0")
        content[at + 5 : at + 9] = struct.pack(">HH", HUGE, HUGE)
    elif kind == "bmp":
        content = bytearray(encode(".bmp"))
        content[18:26] = struct.pack("<ii", HUGE, -HUGE)
    elif kind == "webp":
        body = b"VP8X" + struct.pack("<II", 10, 0x10) + 2 * b"\xff\xff\x00" + bytes(20)
        return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body
    elif kind == "gif":
        content = bytearray(video_bytes("gif", "gif", [gradient()], pix_fmt="rgb8"))
        content[6:10] = struct.pack("<HH", HUGE, HUGE)
    elif kind == "tiff":
        content = bytearray(b"II" + struct.pack("<HIH", 42, 8, 2))
        for tag in (256, 257):
            content += struct.pack("<HHII", tag, 4, 1, HUGE)
    elif kind == "hdr":
        return b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 60000 +X 60000\n" + bytes(50)
    elif kind == "exr":
        window = struct.pack("<Iiiii", 16, 0, 0, HUGE - 1, HUGE - 1)
        return b"\x76\x2f\x31\x01\x02\0\0\0dataWindow\0box2i\0" + window
    elif kind == "ppm":
        return b"P6\n# a comment\n60000 60000\n255\n" + bytes(50)
    elif kind == "avif":
        box = struct.pack(">I", 20) + b"ispe" + struct.pack(">III", 0, HUGE, HUGE)
        return struct.pack(">I", 16) + b"ftypavif\0\0\0\0" + box
    else:
        content = bytearray(encode(".jp2"))
        at = content.index(b"\xff\x4f\xff\x51")
        content[at + 8 : at + 16] = struct.pack(">II", HUGE, HUGE)
    return bytes(content)


@pytest.mark.parametrize(
    "kind",
    ["png", "jpg", "bmp", "webp", "gif", "tiff", "hdr", "exr", "ppm", "avif", "jp2"],
)
def test_absurd_sizes_are_refused_from_the_head(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"huge.{kind}"
    path.write_bytes(claim_size(kind))
    tracemalloc.start()
    with pytest.raises(
        MediaError, match=rf"huge\.{kind}: .*134 million pixels.*6\d{{4}} × 6\d{{4}}"
    ):
        load_image(path)
    assert tracemalloc.get_traced_memory()[1] < 1e7
    tracemalloc.stop()


def test_a_picture_that_really_is_so_large_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "poster.png"
    packer = zlib.compressobj(1)
    row = bytes(1 + 30_000 // 8)
    rows = b"".join(packer.compress(row) for _ in range(30_000)) + packer.flush()
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 1, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )
    assert path.stat().st_size < 1_000_000
    with pytest.raises(MediaError, match=r"poster\.png: .*got one that claims 30000 × 30000"):
        load_image(path)


def test_the_smallest_file_with_the_largest_claim() -> None:
    with pytest.raises(MediaError, match=r"png_65535\.png: .*65535 × 65535.*Scale it down"):
        load_image(CASES / "png_65535.png")


def test_the_limit_lets_large_cameras_through() -> None:
    for width, height in ((8192, 8192), (11648, 8736), (12000, 9000)):
        assert width * height <= images.MAX_IMAGE_PIXELS


def test_a_large_picture_is_held_once(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(encode(".png", np.zeros((1500, 2000), np.uint8)))
    tracemalloc.start()
    image = load_image(path)
    assert tracemalloc.get_traced_memory()[1] < 20e6  # 12 bytes for each
    tracemalloc.stop()
    assert image.shape == (3, 1500, 2000)


# Kinds of pixels ----------------------------------------------------------------------------------


def test_palettes_one_bit_and_grey_with_alpha(tmp_path: Path) -> None:
    path = tmp_path / "kind.png"
    colours = chunk(b"PLTE", bytes([10, 20, 30, 200, 100, 50]))
    path.write_bytes(png(2, 1, 8, 3, b"\0\0\1", colours))
    assert rgb_of(path).round().tolist() == [[[10, 20, 30], [200, 100, 50]]]
    path.write_bytes(png(8, 1, 1, 0, b"\0\x0f"))
    assert rgb_of(path)[0, :, 0].tolist() == [0] * 4 + [255] * 4
    path.write_bytes(png(2, 1, 8, 4, b"\0" + bytes([60, 0, 90, 255])))
    assert rgb_of(path)[0].round().tolist() == [[60] * 3, [90] * 3]
    path.write_bytes(png(1, 1, 16, 2, b"\0" + struct.pack(">HHH", 0, 32768, 65535)))
    assert rgb_of(path)[0, 0].tolist() == pytest.approx([0, 128, 255], abs=1)


def test_gif_and_avif_are_pictures_too(tmp_path: Path) -> None:
    grey = np.full((64, 64, 3), 120, np.uint8)
    for name, codec, pix_fmt in (("gif", "gif", "rgb8"), ("avif", "libsvtav1", "yuv420p")):
        path = tmp_path / f"picture.{name}"
        path.write_bytes(video_bytes(name, codec, [grey] * 2, pix_fmt=pix_fmt))
        assert rgb_of(path).mean() == pytest.approx(120, abs=16)


def test_the_first_frame_of_an_animation_is_a_picture() -> None:
    assert load_image(CASES / "anim.webp").shape == (3, 256, 256)


# Damage -------------------------------------------------------------------------------------------


def outcome(path: Path) -> str:
    """That it is an image, or what is said of it."""
    try:
        assert load_image(path).shape[0] == 3
    except MediaError as error:
        return str(error)
    return "a picture"


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_cut_off_picture_is_told_or_refused(
    tmp_path: Path, warnings: pytest.LogCaptureFixture, suffix: str
) -> None:
    content = encode(suffix, np.random.default_rng(0).integers(0, 255, (99, 99, 3), np.uint8))
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(content)
    load_image(path)
    assert not warnings.records
    assert not is_truncated(content)
    path.write_bytes(content[: len(content) * 2 // 3])
    assert f"cut{suffix}: " in outcome(path) + warnings.text


def test_damaged_pictures_end_in_a_picture_or_a_clear_word(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for suffix in (".png", ".jpg", ".webp", ".bmp", ".tiff", ".ppm"):
        content = encode(suffix)
        for number in range(15):
            copy = bytearray(content)
            for at in rng.integers(0, len(content), 1 + number):
                copy[at] = rng.integers(0, 256)
            path = tmp_path / f"damaged{number}{suffix}"
            path.write_bytes(copy)
            assert outcome(path) == "a picture" or path.name in outcome(path)
