"""A landmarker from elsewhere: whatever is in it, one clear line, at once."""

import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.recorded_faces import TASK, needs_model
from helpers.refusals import refusal
from helpers.task_files import read_zip, write_zip

from actalker_core.errors import CheckpointError
from actalker_core.faces.landmarker import Landmarker
from actalker_core.faces.task_file import MAX_BYTES, MEMBERS, read_networks

NAMES = [member.name for member in MEMBERS]
DETECTOR, MESH, BLENDSHAPES = NAMES
Files = dict[str, bytes]


@pytest.fixture(scope="module")
def files() -> Files:
    return read_zip(TASK)


def task_refusal(path: Path) -> str:
    """What the landmarker refuses a file with: always the same sentence, and what was wrong."""
    message = refusal(Landmarker, path, CheckpointError)
    assert message.startswith(f"{path}: expected ")
    assert ", got " in message
    assert message.endswith("python -m actalker_core download.")
    assert len(message) < len(str(path)) + 250
    return message


@needs_model
def test_a_repacked_file_with_more_in_it_is_the_same_landmarker(
    files: Files, tmp_path: Path
) -> None:
    """What matters is the networks."""
    more = {"readme.txt": b"x" * 1000, **dict(reversed(files.items()))}
    path = write_zip(tmp_path / "mine.task", more, zipfile.ZIP_DEFLATED)
    assert read_networks(path) == tuple(files[name] for name in NAMES)


@needs_model
@pytest.mark.parametrize(
    ("first", "second"), [(DETECTOR, MESH), (DETECTOR, BLENDSHAPES), (MESH, BLENDSHAPES)]
)
def test_exchanged_networks_are_named(
    files: Files, tmp_path: Path, first: str, second: str
) -> None:
    swap = files | {first: files[second], second: files[first]}
    assert first in task_refusal(write_zip(tmp_path / "face_landmarker.task", swap))


@needs_model
@pytest.mark.parametrize("name", NAMES)
def test_a_network_in_the_place_of_another_is_named(
    files: Files, tmp_path: Path, name: str
) -> None:
    """One of them is missing or stands in for another."""
    path = tmp_path / "face_landmarker.task"
    assert f"no {name}" in task_refusal(
        write_zip(path, {k: v for k, v in files.items() if k != name})
    )
    for source in set(NAMES) - {name}:
        assert name in task_refusal(write_zip(path, files | {name: files[source]}))


def overwrite_weights(network: bytes, value: float) -> bytes:
    """The last quarter of a network overwritten in half precision, which its weights are in."""
    begin = len(network) * 3 // 4 // 2 * 2
    count = (len(network) - begin) // 2
    return network[:begin] + np.full(count, value, "<f2").tobytes() + network[begin + 2 * count :]


@needs_model
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0], ids=str)
def test_other_weights_are_named(files: Files, tmp_path: Path, name: str, value: float) -> None:
    damaged_files = files | {name: overwrite_weights(files[name], value)}
    assert f"another {name}" in task_refusal(
        write_zip(tmp_path / "face_landmarker.task", damaged_files)
    )


def flip_bits(network: bytes) -> bytes:
    rng = random.Random(1)
    content = bytearray(network)
    for _ in range(200):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    return bytes(content)


@needs_model
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "damage",
    [
        lambda network: b"",
        lambda network: network[: len(network) // 2],
        lambda network: b"TFL3" * (len(network) // 4),
        lambda network: bytes(len(network)),
        flip_bits,
        lambda network: network + b"more",
    ],
    ids=["empty", "half", "nonsense", "zeros", "flipped bits", "longer"],
)
def test_damaged_networks_are_named(
    files: Files, tmp_path: Path, name: str, damage: Callable[[bytes], bytes]
) -> None:
    damaged_files = files | {name: damage(files[name])}
    assert name in task_refusal(write_zip(tmp_path / "face_landmarker.task", damaged_files))


def test_a_bomb_is_refused_by_its_claim(tmp_path: Path) -> None:
    """300 MB of zeros in 300 kB."""
    path = tmp_path / "face_landmarker.task"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file,
        file.open(DETECTOR, "w") as member,
    ):
        for _ in range(300):
            member.write(bytes(1_000_000))
    assert path.stat().st_size < 1_000_000
    assert "300,000,000" in task_refusal(path)


@needs_model
def test_a_bomb_that_claims_to_be_small_is_not_unpacked(files: Files, tmp_path: Path) -> None:
    """Its header gives the size of the network; only so much is taken from what comes out."""
    path = tmp_path / "face_landmarker.task"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in NAMES:
            file.writestr(name, bytes(50_000_000) if name == DETECTOR else files[name])
    content = path.read_bytes()
    true_size, false_size = struct.pack("<I", 50_000_000), struct.pack("<I", MEMBERS[0].size)
    path.write_bytes(content.replace(true_size, false_size))
    task_refusal(path)


@needs_model
@pytest.mark.parametrize("how", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_ways_of_packing_are_refused(files: Files, tmp_path: Path, how: int) -> None:
    """Those unpackers take the memory that a file asks for."""
    small = {name: bytes(10) for name in NAMES}
    assert "packed" in task_refusal(write_zip(tmp_path / "face_landmarker.task", small, how))


def test_a_huge_file_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "face_landmarker.task"
    with path.open("wb") as file:
        file.truncate(200 * MAX_BYTES)
    assert f"{200 * MAX_BYTES:,} bytes" in task_refusal(path)


def test_a_zip_of_very_many_files_is_refused_in_time(tmp_path: Path) -> None:
    files = {f"{i}": b"" for i in range(20_000)}
    assert f"no {DETECTOR}" in task_refusal(write_zip(tmp_path / "face_landmarker.task", files))


@pytest.mark.parametrize("kind", ["missing", "folder", "device", "empty", "text"])
def test_what_is_no_zip_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "face_landmarker.task"
    if kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind != "missing":
        path.write_bytes(b"" if kind == "empty" else b"PK, but a text")
    task_refusal(path)


@needs_model
def test_damaged_headers_are_refused_or_change_nothing(files: Files, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "face_landmarker.task", files)
    content, rng = path.read_bytes(), random.Random(2)
    directory = content.index(b"PK\1\2")
    expected = tuple(files[name] for name in NAMES)
    for _ in range(150):
        damaged_content = bytearray(content)
        for _ in range(rng.randint(1, 6)):
            damaged_content[rng.randrange(directory, len(damaged_content))] = rng.randrange(256)
        path.write_bytes(damaged_content)
        try:
            assert read_networks(path) == expected
        except CheckpointError as error:
            assert str(error).isprintable()  # noqa: PT017 (both ends are right)
