"""Clips of a person: which frames are learnt from, and what is left out and told."""

import numpy as np
import pytest
import torch
from helpers.drawn_clips import FRAMES, KnownLandmarker, draw_shots, to_frames

from actalker_core.errors import FaceError, InputError
from actalker_core.geometry.mesh import FaceMesh
from actalker_core.models.tgdm.footage import (
    BLOCK_FRAMES,
    MIN_FRAMES,
    Footage,
    choose_held_out,
    choose_sources,
    make_footage,
    read_footage,
)
from actalker_core.models.tgdm.pairs import Shot

Shots = tuple[Shot, ...]
SIDE_PX = 128


@pytest.fixture(scope="module")
def shots(mesh: FaceMesh) -> Shots:
    return draw_shots(mesh)


def read(frames: Shots, faces: Shots, mesh: FaceMesh, side_px: int = SIDE_PX) -> Footage:
    return read_footage(to_frames(frames), KnownLandmarker(faces), mesh, side_px)  # type: ignore[arg-type]


def numbers_of(clip: Footage, shots: Shots) -> list[int]:
    """Which of the shots a clip has."""
    images = [shot.image.tobytes() for shot in shots]
    return [images.index(shot.image.tobytes()) for shot in clip.shots]


def test_a_clip_is_read_whole(shots: Shots, mesh: FaceMesh) -> None:
    clip = read(shots, shots, mesh)
    assert numbers_of(clip, shots) == list(range(FRAMES))
    for read_shot, shot in zip(clip.shots, shots, strict=True):
        assert np.abs(read_shot.landmarks - shot.landmarks).max() < 1e-3
        assert np.allclose(read_shot.blendshapes, shot.blendshapes)
    assert not clip.held_out.any()


def test_frames_are_kept_no_finer_than_the_network_needs(shots: Shots, mesh: FaceMesh) -> None:
    clip = read(shots, shots, mesh, side_px=16)
    assert clip.shots[0].image.shape == (32, 32, 3)
    assert np.abs(clip.shots[0].landmarks - shots[0].landmarks / 4).max() < 1e-3


def test_frames_without_the_face_are_left_out_and_counted(
    shots: Shots, mesh: FaceMesh, caplog: pytest.LogCaptureFixture
) -> None:
    visible_shots = shots[:3] + shots[7:]
    clip = read(shots, visible_shots, mesh)
    assert numbers_of(clip, shots) == [*range(3), *range(7, FRAMES)]
    assert "4 frames without the face are left out" in caplog.text


def test_of_another_person_in_the_middle_nothing_is_learnt(
    shots: Shots, mesh: FaceMesh, caplog: pytest.LogCaptureFixture
) -> None:
    strangers = draw_shots(mesh, seed=8, frames=12)
    clip = read(shots[:10] + strangers + shots[10:], shots + strangers, mesh)
    assert numbers_of(clip, shots) == list(range(10, FRAMES))
    assert "22 frames of another person or place are left out" in caplog.text
    assert f"frames 22 to {FRAMES + 11} are learnt from" in caplog.text


@pytest.mark.parametrize("count", [1, MIN_FRAMES - 1])
def test_a_clip_of_few_frames_is_refused(shots: Shots, mesh: FaceMesh, count: int) -> None:
    message = f"expected at least {MIN_FRAMES} frames that show one face, got {count}"
    with pytest.raises(InputError, match=message):
        read(shots[:count], shots, mesh)


def test_a_clip_of_nobody_is_refused(shots: Shots, mesh: FaceMesh) -> None:
    with pytest.raises(FaceError, match="No face is found in the clip"):
        read(shots, (), mesh)


def test_reading_may_be_cancelled(shots: Shots, mesh: FaceMesh) -> None:
    def stop(done: int) -> None:
        raise KeyboardInterrupt

    landmarker = KnownLandmarker(shots)
    with pytest.raises(KeyboardInterrupt):
        read_footage(to_frames(shots), landmarker, mesh, SIDE_PX, on_frame=stop)  # type: ignore[arg-type]


def test_blocks_that_move_are_held_out(shots: Shots, mesh: FaceMesh) -> None:
    clip = make_footage(shots, mesh, hold_out=1 / 3)
    assert np.array_equal(np.flatnonzero(clip.held_out), np.arange(FRAMES // 3, 2 * FRAMES // 3))
    assert not clip.held_out[list(clip.sources)].any()


@pytest.mark.parametrize("share", [0.0, 0.2, 0.34, 0.8])
def test_as_many_frames_are_held_out_as_asked_for(share: float) -> None:
    motion = np.random.default_rng(0).normal(size=(100, 5))
    held_out = choose_held_out(motion, share)
    assert share * 100 <= held_out.sum() < share * 100 + BLOCK_FRAMES
    assert held_out.any() == (share > 0)


def test_sources_are_far_from_each_other() -> None:
    motion = np.random.default_rng(0).normal(size=(200, 5))
    sources = choose_sources(motion, np.zeros(200, bool))
    assert len(set(sources)) == len(sources) == 12

    def spread(frames: tuple[int, ...]) -> float:
        steps = torch.cdist(torch.from_numpy(motion[list(frames)]), torch.from_numpy(motion))
        return float(steps.min(0).values.max())

    assert spread(sources) < spread(tuple(range(12))), "none is far from all of them"


def test_a_face_that_never_moves_has_one_source() -> None:
    assert choose_sources(np.ones((20, 5)), np.zeros(20, bool)) == (0,)
