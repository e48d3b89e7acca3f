"""Signals over time, and their files."""

import contextlib
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.signals import expression, is_same, make_signals, noise, pose
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from actalker_core.control.signals import (
    AudioSignal,
    ExpressionSignal,
    PoseSignal,
    Signals,
    load_signals,
    save_signals,
)
from actalker_core.control.words.bank import Bank, save_bank
from actalker_core.errors import InputError, MediaError
from actalker_core.files.archive import write_archive

EXPECTED_GOT = r"(?s)expected.*got"
quick = settings(max_examples=60, deadline=None, database=None)


# Files -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file to be overwritten by every example."""
    return tmp_path_factory.mktemp("scratch") / "scratch.safetensors"


def store(path: Path, signals: Signals) -> Signals:
    save_signals(path, signals)
    return load_signals(path)


@settings(quick, max_examples=30)
@given(
    rate_hz=st.floats(min_value=0.01, max_value=1e6),
    source=st.text(),
    numbers=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1),
)
def test_any_signal_comes_back_bit_for_bit(
    scratch: Path, rate_hz: float, source: str, numbers: list[float]
) -> None:
    track = torch.tensor(numbers, dtype=torch.float32)
    signals = Signals(
        AudioSignal(rate_hz, source, track[:, None, None].expand(-1, 2, 3)),
        ExpressionSignal(rate_hz, source + "é", track[:, None].half().nan_to_num()),
        PoseSignal(rate_hz, "", noise(len(track), 3), noise(len(track), 3, seed=1)),
    )
    result = store(scratch, signals)
    assert all(is_same(result.present[name], signal) for name, signal in signals.present.items())


@pytest.mark.parametrize("kinds", [("audio",), ("expression", "pose"), ("pose",)])
def test_what_was_not_saved_is_not_there(tmp_path: Path, kinds: tuple[str, ...]) -> None:
    signals = Signals(**{kind: make_signals().present[kind] for kind in kinds})
    result = store(tmp_path / "some.safetensors", signals)
    assert list(result.present) == list(kinds)
    assert all(is_same(result.present[kind], signals.present[kind]) for kind in kinds)


@pytest.mark.parametrize("name", ["знак 図.safetensors", "a b", "new/folder ä/x.safetensors"])
def test_any_path_can_be_saved_to(tmp_path: Path, name: str) -> None:
    assert is_same(store(tmp_path / name, Signals(pose=pose())).present["pose"], pose())


@pytest.mark.parametrize("rate_hz", [25, np.float64(29.97), np.float32(12.5)])
def test_rates_from_other_libraries_are_saved(tmp_path: Path, rate_hz: float) -> None:
    result = store(tmp_path / "rate.safetensors", Signals(pose=pose(rate_hz=rate_hz)))
    assert result.present["pose"].rate_hz == rate_hz


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
    result = store(tmp_path / "tracks.safetensors", Signals(**{name: make()}))
    assert is_same(result.present[name], make())


def test_an_edited_signal_is_saved_as_edited(tmp_path: Path) -> None:
    signal = pose().trim(0.2, 0.8).loop(3).smooth(0.1)
    assert is_same(store(tmp_path / "x.safetensors", Signals(pose=signal)).present["pose"], signal)


EXPRESSION = {"expression.features": noise(5, 3)}
TEXTS = {"expression.rate_hz": "25.0", "expression.source": "clip"}
POSE_TEXTS = {"pose.rate_hz": "25.0", "pose.source": "head"}
POSE = {"pose.rotation_degrees": torch.zeros(4, 3), "pose.translation": torch.zeros(4, 3)}


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
        pytest.param({"pose.rotation_degrees": torch.zeros(4, 3)}, POSE_TEXTS, id="missing track"),
        pytest.param(
            POSE | {"pose.translation": torch.zeros(3, 3)}, POSE_TEXTS, id="lengths differ"
        ),
        pytest.param(EXPRESSION, {"expression.source": "clip"}, id="no rate"),
        pytest.param(EXPRESSION, {"expression.rate_hz": "25.0"}, id="no source"),
        *(
            pytest.param(EXPRESSION, TEXTS | {"expression.rate_hz": rate}, id=f"rate '{rate}'")
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
    return lambda path: save_file(EXPRESSION, path, metadata)


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
        save_signals(tmp_path / place, make_signals())
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


# Time --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("samples", "fps", "frames"), [(164, 12.5, 41), (100, 25, 50), (3, 12.5, 0), (7, 7.14, 0)]
)
def test_whole_frames_are_counted(samples: int, fps: float, frames: int) -> None:
    assert AudioSignal(50.0, "", torch.zeros(samples, 1, 1)).count_frames(fps) == frames


def test_rounding_loses_no_frame() -> None:
    assert AudioSignal(50.0, "", torch.zeros(3, 1, 1)).count_frames(1 / 0.06000000001) == 1
