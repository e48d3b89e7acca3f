"""What is measured of personal weights, and how a folder of clips is held out."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.drawn_clips import KnownLandmarker, draw_shots, to_frames
from helpers.recorded_faces import TASK, needs_model

from actalker_core.errors import InputError
from actalker_core.faces.landmarker import Landmarker
from actalker_core.geometry.mesh import FaceMesh
from actalker_core.media import write_video
from actalker_core.models.tgdm.footage import Footage, make_footage
from actalker_core.models.tgdm.personal import RECIPE, open_start
from actalker_core.models.tgdm.personal_objective import PersonalObjective
from actalker_core.training.tgdm.clip_folder import hold_out_clips, read_folder
from actalker_core.training.tgdm.personal_measures import (
    find_nearest,
    find_points,
    match_colour,
    measure_personal,
    measure_points,
)


@pytest.fixture(scope="module")
def footage(mesh: FaceMesh) -> Footage:
    return make_footage(draw_shots(mesh), mesh, hold_out=1 / 3)


def test_the_nearest_frame_was_learnt_from(footage: Footage) -> None:
    for frame in np.flatnonzero(footage.held_out):
        assert not footage.held_out[find_nearest(footage, int(frame))]
    assert find_nearest(footage, 3) == 3


def test_another_light_is_matched(footage: Footage) -> None:
    image = footage.shots[0].image
    dim = (0.7 * image.astype(float) + [5, 10, 20]).round().astype(np.uint8)
    assert np.abs(match_colour(dim, image).astype(int) - image).max() <= 2
    assert np.abs(dim.astype(int) - image).mean() > 10
    flat = np.full_like(image, 9)
    assert np.isfinite(match_colour(flat, image)).all()


def test_a_network_that_changes_nothing_scores_as_what_it_is_given(
    footage: Footage, mesh: FaceMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    objective = PersonalObjective(RECIPE, open_start("tiny"), [footage], mesh)
    monkeypatch.setattr(
        objective.network, "forward", lambda noisy, sigma, geometry, textures: geometry.photograph
    )
    columns, gains, sheet = measure_personal(objective, KnownLandmarker(()), 4)
    assert all(math.isnan(column.pop("landmarks, px")) for column in columns.values())
    assert columns["regression"] == columns["moved"]
    assert columns["moved, colour matched"]["PSNR, whole"] >= columns["moved"]["PSNR, whole"]
    assert len(gains) == len(footage.sources)
    assert all(gain["PSNR, whole"] <= 0 for gain in gains), "colours fit best over the whole"
    assert sheet.shape == (8 * 16, 3 * 16, 3)


def test_landmarks_are_as_far_as_those_of_the_middle_image(footage: Footage) -> None:
    shots = footage.shots[:5]
    images, finder = [shot.image for shot in shots], KnownLandmarker(shots)
    places = [find_points(image, finder) for image in images]
    assert measure_points(images, places, finder) == 0
    shifts = [np.array([shift, 0]) for shift in (0, 1, 2, 30, 40)]
    false_places = [shot.landmarks[:, :2] + s for shot, s in zip(shots, shifts, strict=True)]
    assert measure_points(images, false_places, finder) == pytest.approx(2, abs=1e-4)
    black_images = [np.zeros_like(images[0])] * 3
    assert measure_points(black_images + images[3:], places, finder) == math.inf
    assert find_points(black_images[0], finder) is None
    assert math.isnan(measure_points(images, [None] * 5, finder))


@pytest.mark.parametrize(("count", "held_out"), [(3, [2]), (5, [2]), (6, [2, 5])])
def test_of_three_clips_one_is_held_out_whole(
    footage: Footage, count: int, held_out: list[int]
) -> None:
    clips = hold_out_clips([replace(footage) for _ in range(count)])
    assert [i for i, clip in enumerate(clips) if clip.held_out.all()] == held_out
    assert all(clip.held_out.all() or not clip.held_out.any() for clip in clips)


@needs_model
def test_of_a_lone_clip_a_third_is_held_out(
    tmp_path: Path, mesh: FaceMesh, caplog: pytest.LogCaptureFixture
) -> None:
    frames = torch.stack(to_frames(draw_shots(mesh, frames=24))).float() / 255
    write_video(tmp_path / "me.mp4", [frames], 25)
    (tmp_path / "broken.mp4").write_text("no clip")
    (clip,) = read_folder(tmp_path, Landmarker(TASK), mesh, 16)
    assert len(clip) == 24
    assert clip.held_out.sum() == 12, "a block"
    assert "broken.mp4 is left out" in caplog.text


def test_a_folder_without_clips_is_refused(tmp_path: Path, mesh: FaceMesh) -> None:
    (tmp_path / "notes.txt").write_text("no clip")
    (tmp_path / "broken.mp4").write_text("no clip")
    with pytest.raises(InputError, match="expected clips that show a face, got none"):
        read_folder(tmp_path, KnownLandmarker(()), mesh, 16)  # type: ignore[arg-type]
