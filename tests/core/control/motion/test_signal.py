"""Motion is a signal like the others: every edit works on it, and its file gives it back."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.edits import CHANGES, EXPECTED_GOT, quick
from helpers.motions import detail_weights, motion
from helpers.signals import expression, is_same, noise
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from actalker_core.control.motion.signal import (
    WIDTHS,
    MotionSignal,
    load_motion,
    save_motion,
)
from actalker_core.errors import InputError, MediaError
from actalker_core.files.archive import write_archive

each_detail = pytest.mark.parametrize("with_detail", [False, True])


@each_detail
@pytest.mark.parametrize("name", CHANGES)
def test_every_edit_gives_motion_of_the_same_tracks(name: str, with_detail: bool) -> None:
    before = motion(with_detail=with_detail)
    after = CHANGES[name](before)
    assert isinstance(after, MotionSignal)
    assert list(after.tracks) == list(before.tracks)
    assert (after.detail is not None) == with_detail


def with_scale(*ratios: float) -> MotionSignal:
    return replace(MotionSignal.rest(len(ratios), 1.0), head_scale=torch.tensor(ratios)[:, None])


def ratios(signal: MotionSignal) -> list[float]:
    return signal.head_scale[:, 0].tolist()


def test_the_middle_of_half_and_twice_is_once() -> None:
    signal = with_scale(0.5, 2.0)
    assert ratios(signal.resample(2.0))[1] == pytest.approx(1)
    assert ratios(signal.blend(signal.ping_pong(2), torch.tensor([0.5]), 1.0)) == pytest.approx(
        ratios(signal)
    )
    swap = with_scale(2.0, 0.5)
    assert ratios(signal.blend(swap, torch.tensor([0.5]), 1.0)) == pytest.approx([1, 1])
    assert ratios(signal.smooth(60)) == pytest.approx([1, 1], rel=0.05)


@quick
@given(amount=st.floats(-10, 10), ratio=st.floats(0.1, 10))
def test_no_strength_makes_a_head_vanish(amount: float, ratio: float) -> None:
    assert ratios(with_scale(1.0, ratio).scale(amount))[1] == pytest.approx(ratio**amount, rel=1e-4)


def test_angles_go_the_short_way() -> None:
    rotation = torch.tensor([[0.0, 0.0, 170.0], [0.0, 0.0, -170.0]])
    signal = replace(MotionSignal.rest(2, 1.0), rotation_degrees=rotation)
    assert abs(float(signal.resample(2.0).rotation_degrees[1, 2])) == pytest.approx(180)


def test_rest_is_the_identity_of_every_number() -> None:
    rest = MotionSignal.rest(3, 25.0)
    moving = motion(3)
    assert is_same(replace(moving.to_rest(), source="rest"), rest)
    frame = rest.frame(1)
    assert not frame.blendshapes.any()
    assert frame.scale == 1
    assert frame.detail is None


@each_detail
def test_a_frame_has_the_numbers_of_its_time(with_detail: bool) -> None:
    signal = motion(5, with_detail=with_detail)
    frame = signal.frame(3)
    assert np.array_equal(frame.rotation_degrees, signal.rotation_degrees[3].double().numpy())
    assert np.array_equal(frame.gaze, signal.gaze[3].double().numpy())
    assert frame.scale == pytest.approx(float(signal.head_scale[3]))
    if with_detail:
        assert frame.detail is not None
        assert frame.detail.shape == (468, 3)


def test_an_exaggerated_frame_stays_within_the_limits() -> None:
    frame = motion(5).scale(20).frame(4)
    assert abs(frame.blendshapes).max() == 1


@pytest.mark.parametrize("index", [-1, 5])
def test_a_frame_outside_is_refused(index: int) -> None:
    with pytest.raises(InputError, match=EXPECTED_GOT):
        motion(5).frame(index)


def test_detail_of_one_motion_fades_in_a_blend() -> None:
    first, second = motion(4), motion(4, seed=3, with_detail=True)
    assert second.detail is not None
    for a, b, share in ((first, second, 0.25), (second, first, 0.75)):
        blend = a.blend(b, torch.tensor([share]), 25.0)
        assert blend.detail is not None
        torch.testing.assert_close(blend.detail, 0.25 * second.detail)


def test_motion_blends_with_motion_alone() -> None:
    with pytest.raises(InputError, match=EXPECTED_GOT):
        motion().blend(expression(), torch.ones(1), 25.0)


CHANGED_TRACKS: list[tuple[str, dict[str, Any]]] = [
    ("51 blendshapes", {"blendshapes": torch.zeros(40, 51)}),
    ("other length", {"gaze": torch.zeros(39, 4)}),
    ("NaN", {"gaze": torch.full((40, 4), math.nan)}),
    ("infinite angle", {"rotation_degrees": torch.full((40, 3), math.inf)}),
    ("scale 0", {"head_scale": torch.zeros(40, 1)}),
    ("one dimension", {"head_scale": torch.ones(40)}),
    ("whole numbers", {"gaze": torch.zeros(40, 4, dtype=torch.int64)}),
    ("detail without weights", {"detail": torch.zeros(40, WIDTHS["detail"])}),
    ("weights without detail", {"detail_weights": detail_weights()}),
    (
        "weights of another mesh",
        {"detail": torch.zeros(40, WIDTHS["detail"]), "detail_weights": torch.zeros(6, 478)},
    ),
]


@pytest.mark.parametrize(
    "tracks", [tracks for _, tracks in CHANGED_TRACKS], ids=[name for name, _ in CHANGED_TRACKS]
)
def test_what_is_no_motion_is_refused(tracks: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=EXPECTED_GOT):
        replace(motion(), **tracks)


# Files -------------------------------------------------------------------------------------------


@each_detail
def test_a_file_gives_it_back_bit_for_bit(tmp_path: Path, with_detail: bool) -> None:
    signal = motion(rate_hz=29.97, with_detail=with_detail)
    save_motion(tmp_path / "m.safetensors", signal)
    result = load_motion(tmp_path / "m.safetensors")
    assert is_same(result, signal)
    if with_detail:
        assert signal.detail_weights is not None
        assert result.detail_weights is not None
        assert torch.equal(result.detail_weights, signal.detail_weights)


TEXTS = {"rate_hz": "25.0", "source": "clip"}
TRACKS = motion(4).tracks


def without(name: str) -> dict[str, Tensor]:
    return {key: track for key, track in TRACKS.items() if key != name}


@pytest.mark.parametrize(
    ("tensors", "texts"),
    [
        *(pytest.param(without(name), TEXTS, id=f"no {name}") for name in TRACKS),
        pytest.param(TRACKS, {"source": "clip"}, id="no rate"),
        pytest.param(TRACKS, {"rate_hz": "25.0"}, id="no source"),
        pytest.param(TRACKS, TEXTS | {"rate_hz": "nan"}, id="rate that is no number"),
        pytest.param(TRACKS | {"gaze": noise(3, 4)}, TEXTS, id="lengths differ"),
        pytest.param(TRACKS | {"gaze": noise(4, 5)}, TEXTS, id="another width"),
        pytest.param(TRACKS | {"gaze": noise(4, 4) * math.nan}, TEXTS, id="NaN"),
        pytest.param(TRACKS | {"teeth": noise(4, 4)}, TEXTS, id="another track"),
        pytest.param(TRACKS | {"detail": noise(4, 1404)}, TEXTS, id="detail without weights"),
    ],
)
def test_a_file_that_no_one_could_save_is_named(
    tmp_path: Path, tensors: dict[str, Tensor], texts: dict[str, str]
) -> None:
    path = tmp_path / "broken.safetensors"
    write_archive(path, "motion", tensors, texts)
    with pytest.raises(MediaError, match=r"broken\.safetensors: .*[Ee]xpected"):
        load_motion(path)


def test_another_kind_of_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "signals.safetensors"
    write_archive(path, "signals", TRACKS, TEXTS)
    with pytest.raises(MediaError, match=r"signals\.safetensors: .*actalker-motion"):
        load_motion(path)
