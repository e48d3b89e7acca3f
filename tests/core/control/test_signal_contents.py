"""Signals whose contents no one could have saved are refused in one line."""

from pathlib import Path

import pytest
import torch
from helpers.refusals import refusal
from helpers.signals import noise
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from actalker_core.control.signals import (
    MAX_RATE_HZ,
    MAX_SECONDS,
    AudioSignal,
    ExpressionSignal,
    load_signals,
)
from actalker_core.errors import InputError, MediaError

CASES = Path(__file__).parents[2] / "data" / "cases"
KINDS = ("audio", "expression", "pose")
TRACKS = {
    "audio": {"states": (4, 2, 3)},
    "expression": {"features": (4, 5)},
    "pose": {"rotation_degrees": (4, 3), "translation": (4, 3)},
}


def write_signals(path: Path, tensors: dict[str, Tensor] | None = None, **texts: str) -> Path:
    """All three signals with something changed."""
    kinds = {f"{k}.{t}": torch.zeros(s) for k in KINDS for t, s in TRACKS[k].items()}
    metadata = {"format": "actalker-signals", "version": "1"}
    for kind in KINDS:
        metadata |= {f"{kind}.rate_hz": "25.0", f"{kind}.source": "clip"}
    save_file(kinds | (tensors or {}), path, metadata | texts)
    return path


def test_signals_of_bool_are_refused_before_any_edit() -> None:
    assert "bool" in refusal(load_signals, CASES / "sig_bool.safetensors")


OTHER_TYPES = (
    *(torch.int8, torch.int32, torch.int64, torch.uint8, torch.bool, torch.complex64),
    *(torch.float8_e4m3fn, torch.float8_e5m2),
)


@pytest.mark.parametrize("dtype", OTHER_TYPES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_tracks_are_float_numbers(tmp_path: Path, kind: str, dtype: torch.dtype) -> None:
    track, shape = next(iter(TRACKS[kind].items()))
    odd = {f"{kind}.{track}": torch.zeros(shape).to(dtype)}
    path = write_signals(tmp_path / "x.safetensors", odd)
    assert str(dtype).split(".")[1] in refusal(load_signals, path)


@pytest.mark.parametrize(
    "shape", [(), (4,), (4, 5, 6, 7), (0, 5), (4, 0), (4, 0, 3), (4, 5, 0)], ids=str
)
@pytest.mark.parametrize("kind", KINDS)
def test_tracks_have_their_shape(tmp_path: Path, kind: str, shape: tuple[int, ...]) -> None:
    track = next(iter(TRACKS[kind]))
    path = write_signals(tmp_path / "x.safetensors", {f"{kind}.{track}": torch.zeros(shape)})
    refusal(load_signals, path)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_other_floats_become_float32(tmp_path: Path, kind: torch.dtype) -> None:
    track = noise(4, 5).to(kind)
    path = write_signals(tmp_path / "x.safetensors", {"expression.features": track})
    signal = load_signals(path).expression
    assert signal.features.dtype == torch.float32
    assert torch.equal(signal.features, track.float())
    assert signal.smooth(0.1).scale(0.5).resample(10.0).features.dtype == torch.float32


def test_numbers_beyond_float32_are_refused(tmp_path: Path) -> None:
    large = torch.full((4, 5), 1e300, dtype=torch.float64)
    path = write_signals(tmp_path / "x.safetensors", {"expression.features": large})
    refusal(load_signals, path)


@pytest.mark.parametrize(
    "rate",
    [
        *("0", "-1", "nan", "inf", "1e300", "1e999", "1e-9", "5e-324", "1_0", "१०", "0x19", " 25"),
        *("25 ", "25.0\n", "2" * 10_000, "25,0", "٢٥", "", "True", "\x00"),
    ],
)
def test_a_rate_is_a_plain_number(tmp_path: Path, rate: str) -> None:
    path = write_signals(tmp_path / "x.safetensors", **{"expression.rate_hz": rate})
    refusal(load_signals, path)


@pytest.mark.parametrize("rate", [0.1, 12.5, 25.0, 29.97, 1e-3, 1e5])
def test_rates_that_are_saved_are_read(tmp_path: Path, rate: float) -> None:
    path = write_signals(tmp_path / "x.safetensors", **{"expression.rate_hz": repr(rate)})
    assert load_signals(path).expression.rate_hz == rate


def test_no_signal_is_faster_or_longer_than_any_medium() -> None:
    with pytest.raises(InputError, match="a rate above 0"):
        ExpressionSignal(MAX_RATE_HZ * 2, "", torch.zeros(4, 5))
    with pytest.raises(InputError, match="expected at most"):
        ExpressionSignal(3 / MAX_SECONDS, "", torch.zeros(4, 5))
    assert ExpressionSignal(4 / MAX_SECONDS, "", torch.zeros(4, 5)).seconds <= MAX_SECONDS


@pytest.mark.parametrize("source", ["", "x" * 100_000, "\x1b[31m\n\x00", "🎬" * 1000])
def test_a_source_is_whatever_it_is(tmp_path: Path, source: str) -> None:
    path = write_signals(tmp_path / "x.safetensors", **{"audio.source": source})
    assert load_signals(path).audio.source == source


@pytest.mark.parametrize("name", ["gaze.features", "expression.other", "", "\n" * 1000, "audio"])
def test_tensors_of_other_names_are_refused(tmp_path: Path, name: str) -> None:
    path = write_signals(tmp_path / "x.safetensors", {name: torch.zeros(4, 5)})
    refusal(load_signals, path)


def test_a_file_of_endless_size_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    count = 2**34
    header = (
        '{"__metadata__":{"format":"actalker-signals","version":"1","expression.rate_hz":"25.0",'
        '"expression.source":""},"expression.features":{"dtype":"F32","shape":'
        f'[{count // 4},1],"data_offsets":[0,{count}]}}}}'
    ).encode()
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + count)  # takes no room on most disks
    assert "at most" in refusal(load_signals, path)


def test_a_mistaken_type_is_named_where_signals_are_made() -> None:
    with pytest.raises(InputError, match="int64"):
        AudioSignal(50.0, "", torch.zeros(4, 2, 3, dtype=torch.int64))
    with pytest.raises(InputError, match="sparse"):
        ExpressionSignal(50.0, "", torch.eye(4).to_sparse())


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file to be overwritten by every example."""
    return tmp_path_factory.mktemp("scratch") / "scratch.safetensors"


@settings(max_examples=80, deadline=None, database=None)
@given(
    kind=st.sampled_from(KINDS),
    shape=st.lists(st.integers(0, 4), max_size=4),
    dtype=st.sampled_from((*OTHER_TYPES, torch.float16, torch.float32, torch.float64)),
    rate=st.floats().map(repr) | st.text(max_size=4),
    source=st.text(max_size=4),
)
def test_any_contents_are_signals_that_can_be_edited_or_named(
    scratch: Path, kind: str, shape: list[int], dtype: torch.dtype, rate: str, source: str
) -> None:
    track = next(iter(TRACKS[kind]))
    texts = {f"{kind}.rate_hz": rate, f"{kind}.source": source}
    write_signals(scratch, {f"{kind}.{track}": torch.ones(shape).to(dtype)}, **texts)
    try:
        signals = load_signals(scratch)
    except MediaError:
        return
    result = signals.present[kind].scale(0.5).offset(0.0).smooth(0.01)
    assert all(track.isfinite().all() for track in result.tracks.values())
