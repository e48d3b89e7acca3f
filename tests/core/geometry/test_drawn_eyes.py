"""Eyes that are drawn larger than the landmarker says shut, look and rest as wholes."""

from functools import cache

import cv2
import numpy as np
import pytest
from helpers.photographs import landmarks_of, make_numbers, mesh, paint_noise, rig
from helpers.recorded_faces import TASK, needs_model

from actalker_core.faces import topology
from actalker_core.faces.landmarker import Landmarker
from actalker_core.geometry.drawn_eyes import fit_drawn_eyes
from actalker_core.geometry.photograph import Photograph
from actalker_core.synthetic.demo import SEED
from actalker_core.synthetic.identities import FaceState, make_identity
from actalker_core.synthetic.rendering import SCLERA, render_face, stack_images

pytestmark = needs_model
FACES = pytest.mark.parametrize("seed", [SEED, SEED + 1, SEED + 2, SEED + 3, SEED + 6, SEED + 8])
"""Pale and dark faces with grey, blue, green and brown irises, with and without glasses."""
EYES = {"eye_left": topology.LEFT_EYE, "eye_right": topology.RIGHT_EYE}


@cache
def draw(seed):
    return render_face(make_identity(seed), FaceState())


@cache
def find_landmarks(seed):
    (image,) = stack_images([draw(seed).image])
    face = Landmarker(TASK).find(image, "largest")[0]
    return np.asarray(face.landmarks, np.float64)


@cache
def open_drawn(seed):
    return Photograph(draw(seed).image, find_landmarks(seed), mesh(), rig())


def inside(outline):
    mask = np.zeros((128, 128), np.uint8)
    cv2.fillPoly(mask, [np.rint(outline).astype(np.int32)], 1)
    return mask > 0


def like(image, colour, limit):
    return np.linalg.norm(image.astype(float) - colour, axis=-1) < limit


@FACES
def test_at_rest_nothing_changes(seed):
    frame = open_drawn(seed).render(make_numbers())
    assert np.array_equal(frame.image, draw(seed).image)


@FACES
def test_shut_lids_leave_no_white(seed):
    shut = open_drawn(seed).render(make_numbers(eyeBlink=1)).image
    for name in EYES:
        eye = inside(draw(seed).landmarks[name])
        assert like(draw(seed).image, SCLERA, 25)[eye].sum() > 30
        assert not like(shut, SCLERA, 25)[eye].any()


@FACES
def test_shut_lids_leave_no_iris(seed):
    iris = make_identity(seed).iris
    shut = open_drawn(seed).render(make_numbers(eyeBlink=1)).image
    for name in EYES:
        eye = inside(draw(seed).landmarks[name])
        before = like(draw(seed).image, iris, 20)[eye].sum()
        assert like(shut, iris, 20)[eye].sum() < 0.1 * before


@FACES
@pytest.mark.parametrize("aside", [-0.25, 0.25])
def test_the_whole_iris_looks_aside(seed, aside):
    iris = make_identity(seed).iris
    frame = open_drawn(seed).render(make_numbers(gaze=(aside, 0))).image
    for name in EYES:
        eye = inside(draw(seed).landmarks[name])
        before, after = (
            np.argwhere(like(image, iris, 40) & eye) for image in (draw(seed).image, frame)
        )
        half_width = np.ptp(draw(seed).landmarks[name][:, 0]) / 2
        shift_px = (after.mean(0) - before.mean(0))[1]
        assert shift_px == pytest.approx(aside * half_width, rel=0.35)
        assert len(after) > 0.6 * len(before)


@FACES
def test_outlines_enclose_what_is_drawn(seed):
    landmarks = find_landmarks(seed)
    result = fit_drawn_eyes(draw(seed).image, landmarks)
    for name, outline in EYES.items():
        eye = inside(draw(seed).landmarks[name])
        before, after = (inside(points[list(outline), :2]) for points in (landmarks, result))
        assert (before & eye).sum() < 0.7 * eye.sum()
        assert (after & eye).sum() > 0.95 * eye.sum()
        assert after.sum() < 1.6 * eye.sum()


def test_closed_eyes_and_noise_stay_as_they_are():
    landmarks = find_landmarks(SEED)
    shut = render_face(make_identity(SEED), FaceState(eye_left=0, eye_right=0)).image
    assert fit_drawn_eyes(shut, landmarks) is landmarks
    points = landmarks_of(mesh(), (120, 120), 150)
    assert fit_drawn_eyes(paint_noise(240, 240), points) is points


def test_one_eye_alone_stays_as_it_is():
    landmarks = find_landmarks(SEED)
    wink = render_face(make_identity(SEED), FaceState(eye_left=0)).image
    assert fit_drawn_eyes(wink, landmarks) is landmarks
