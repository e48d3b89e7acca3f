"""Motion that is measured is the motion that was made, whatever the size and the pose."""

from dataclasses import fields

import numpy as np
import pytest
from helpers.recorded_faces import Recording
from hypothesis import given, settings
from hypothesis import strategies as st

from actalker_core.errors import FaceError, InputError
from actalker_core.faces.blendshapes import NAMES
from actalker_core.geometry import rings
from actalker_core.geometry.deform import Deformation
from actalker_core.geometry.mesh import FaceMesh
from actalker_core.geometry.numbers import SHAPES
from actalker_core.geometry.pose import fit_pose, make_rotation, move_pose, to_head_space, to_image
from actalker_core.geometry.retarget import (
    SHUT_RATIO,
    FaceMotion,
    choose_neutral,
    eye_gaps,
    measure_motion,
)
from actalker_core.geometry.rig import Rig, lid_openings, mouth_scales

LID_VERTICES = [i for pairs in rings.LID_PAIRS for pair in pairs for i in pair]
SMILES = [i for i, name in enumerate(NAMES) if name.startswith("mouthSmile")]


@pytest.fixture(scope="module")
def rig(mesh: FaceMesh) -> Rig:
    return Rig(mesh)


@pytest.fixture(scope="module")
def landmarks(recording: Recording) -> np.ndarray:
    return np.asarray(recording["landmarks_px"], np.float64)


@pytest.fixture(scope="module")
def blendshapes(recording: Recording) -> np.ndarray:
    return np.asarray(recording["blendshapes"], np.float64)


def close_eyes(landmarks: np.ndarray, share: float) -> np.ndarray:
    """(478, 3) with so much of the opening of both eyes."""
    result = landmarks.copy()
    for upper, lower in (pair for pairs in rings.LID_PAIRS for pair in pairs):
        result[upper] = landmarks[lower] + share * (landmarks[upper] - landmarks[lower])
    return result


def test_numbers_and_detail_are_the_motion_itself(
    landmarks: np.ndarray, blendshapes: np.ndarray, mesh: FaceMesh, rig: Rig
) -> None:
    """All but the lids, which go by their openings."""
    motion = measure_motion(landmarks, blendshapes, mesh, rig)
    head = to_head_space(landmarks, fit_pose(landmarks, mesh))[:, :468]
    rest = head[motion.neutral]
    change = mouth_scales(rest, mesh) * (rig.displace(motion.blendshapes) + motion.detail)
    skin = np.setdiff1d(np.arange(468), LID_VERTICES)
    assert np.allclose((rest + change)[:, skin], head[:, skin], atol=1e-9)


def test_a_driver_on_itself_is_itself(
    landmarks: np.ndarray, blendshapes: np.ndarray, mesh: FaceMesh, rig: Rig
) -> None:
    """Lids by their openings, lips that do not cross, and all else to rounding."""
    motion = measure_motion(landmarks, blendshapes, mesh, rig)
    head = to_head_space(landmarks, fit_pose(landmarks, mesh))[:, :468]
    deformation = Deformation(head[motion.neutral], mesh, rig, None)
    result = np.stack([deformation.move(motion.frame(i)) for i in range(len(motion))])
    lips = [i for pair in rings.LIP_PAIRS for i in pair]
    skin = np.setdiff1d(np.arange(468), [*LID_VERTICES, *lips])
    assert np.allclose(result[:, skin], head[:, skin], atol=1e-9)
    assert np.abs(result[:, lips] - head[:, lips]).max() < 0.1
    width = np.ptp(head[:, LID_VERTICES, 0])
    assert np.abs(result[:, LID_VERTICES] - head[:, LID_VERTICES]).mean() < 0.02 * width
    upper, lower = (list(side) for side in zip(*rings.LIP_PAIRS, strict=True))
    assert (result[:, lower, 1] >= result[:, upper, 1] - 1e-9).all()


def test_the_head_is_where_it_was(
    landmarks: np.ndarray, blendshapes: np.ndarray, mesh: FaceMesh, rig: Rig
) -> None:
    motion = measure_motion(landmarks, blendshapes, mesh, rig)
    poses = fit_pose(landmarks, mesh)
    width = np.ptp(landmarks[motion.neutral, :, 0])
    for i in range(len(landmarks)):
        numbers = motion.frame(i)
        pose = move_pose(
            poses[motion.neutral],
            numbers.rotation_degrees,
            numbers.translation,
            numbers.scale,
            width,
        )
        assert np.allclose(pose.rotation, poses[i].rotation, atol=1e-8)
        assert np.allclose(pose.translation[:2], poses[i].translation[:2])
        assert np.allclose(pose.scale, poses[i].scale)


def test_the_neutral_frame_is_at_rest(
    landmarks: np.ndarray, blendshapes: np.ndarray, mesh: FaceMesh, rig: Rig
) -> None:
    for neutral in (0, 4, None):
        motion = measure_motion(landmarks, blendshapes, mesh, rig, neutral)
        numbers = motion.frame(motion.neutral)
        for name in SHAPES:
            value = getattr(numbers, name) - (name == "scale")
            assert np.abs(value).max() < 1e-5, name


@settings(deadline=None, max_examples=15)
@given(
    scale=st.floats(0.05, 30),
    shift=st.tuples(*[st.floats(-500, 500)] * 3),
)
def test_size_and_place_of_the_face_do_not_matter(
    landmarks: np.ndarray,
    blendshapes: np.ndarray,
    mesh: FaceMesh,
    rig: Rig,
    scale: float,
    shift: tuple[float, ...],
) -> None:
    motion = measure_motion(landmarks, blendshapes, mesh, rig, 0)
    other_motion = measure_motion(landmarks * scale + shift, blendshapes, mesh, rig, 0)
    for name in SHAPES:
        assert np.allclose(getattr(motion, name), getattr(other_motion, name), atol=1e-4), name


def test_a_turn_of_the_head_is_no_expression(
    landmarks: np.ndarray, blendshapes: np.ndarray, mesh: FaceMesh, rig: Rig
) -> None:
    still = landmarks[0]
    pose = fit_pose(still, mesh)
    turn = np.array([8.0, -15.0, 5.0])
    moved_pose = move_pose(pose, turn, np.array([0.1, 0.2]), np.array([1.2]), np.ptp(still[:, 0]))
    frames = np.stack([still, to_image(to_head_space(still, pose), moved_pose)])
    motion = measure_motion(frames, blendshapes[[0, 0]], mesh, rig, 0)
    assert np.allclose(motion.rotation_degrees[1], turn, atol=1e-6)
    assert np.allclose(motion.translation[1], [0.1, 0.2])
    assert np.allclose(motion.scale[1], 1.2)
    assert np.allclose(motion.detail, 0, atol=1e-9)
    # Irises are read in the image, where those of a turned head are elsewhere between their lids.
    lids = ("eyeLook", "eyeBlink", "eyeWide")
    muscles = [i for i, name in enumerate(NAMES) if not name.startswith(lids)]
    assert np.allclose(motion.blendshapes[:, muscles], 0, atol=1e-6)
    assert np.allclose(lid_openings(motion.blendshapes, motion.gaze), 1)


@pytest.mark.parametrize(("share", "expected"), [(SHUT_RATIO, 0), (1, 1), (0.1, 0), (0.635, 0.5)])
def test_lids_go_by_their_ratio(
    landmarks: np.ndarray,
    blendshapes: np.ndarray,
    mesh: FaceMesh,
    rig: Rig,
    share: float,
    expected: float,
) -> None:
    """Whatever the network says of blinks and squints."""
    frames = np.stack([landmarks[0], close_eyes(landmarks[0], share)])
    numbers = blendshapes[[0, 0]].copy()
    numbers[1, [i for i, name in enumerate(NAMES) if name.startswith("eyeSquint")]] += 0.3
    motion = measure_motion(frames, numbers, mesh, rig, 0)
    openings = lid_openings(motion.blendshapes[1], motion.gaze[1])
    assert openings == pytest.approx(expected, abs=1e-6)
    assert np.abs(motion.detail[1, LID_VERTICES]).max() < 0.05


def test_the_neutral_frame_is_calm_and_has_open_eyes(
    landmarks: np.ndarray, blendshapes: np.ndarray
) -> None:
    frames, numbers = landmarks.copy(), blendshapes.copy()
    numbers[3] = 0
    frames[3] = close_eyes(frames[3], 0.3)
    assert choose_neutral(frames, numbers) != 3
    numbers[5, SMILES] = numbers[5, SMILES] + 0.01
    numbers[6] = 0
    assert choose_neutral(frames, numbers) == 6


def test_a_clip_that_always_smiles_is_told_of(
    landmarks: np.ndarray, blendshapes: np.ndarray, mesh: FaceMesh, rig: Rig
) -> None:
    calm = blendshapes * 0.1
    assert measure_motion(landmarks, calm, mesh, rig).doubt == ""
    calm[:, SMILES] = 0.7
    motion = measure_motion(landmarks, calm, mesh, rig)
    assert "mouthSmile 0.70" in motion.doubt
    assert f"frame, {motion.neutral}," in motion.doubt
    assert np.abs(motion.blendshapes[:, SMILES]).max() == 0


def test_absolute_lips_count_from_shut_ones(
    landmarks: np.ndarray, blendshapes: np.ndarray, mesh: FaceMesh, rig: Rig
) -> None:
    """Whichever frame is taken for neutral, the gap is the driver's own."""
    head = to_head_space(landmarks, fit_pose(landmarks, mesh))[:, :468]
    upper, lower = (list(side) for side in zip(*rings.LIP_PAIRS, strict=True))
    gaps = head[:, lower, 1] - head[:, upper, 1]
    for neutral in (0, 5):
        motion = measure_motion(landmarks, blendshapes, mesh, rig, neutral, lips="absolute")
        change = rig.displace(motion.blendshapes) + motion.detail
        change *= mouth_scales(head[neutral], mesh)
        expected = gaps - np.minimum(gaps[neutral], 0)
        assert np.allclose(change[:, lower, 1] - change[:, upper, 1], expected, atol=1e-9)


def test_irises_say_where_the_eyes_look(
    landmarks: np.ndarray, blendshapes: np.ndarray, mesh: FaceMesh, rig: Rig
) -> None:
    pose = fit_pose(landmarks[0], mesh)
    head = to_head_space(landmarks[0], pose)
    head[468:, :2] += (0.3, -0.1)
    frames = np.stack([landmarks[0], to_image(head, pose)])
    motion = measure_motion(frames, blendshapes[[0, 0]], mesh, rig, 0)
    assert (motion.gaze[1] > 0).all()
    by_name = dict(zip(NAMES, motion.blendshapes[1], strict=True))
    assert by_name["eyeLookOutLeft"] > 0 < by_name["eyeLookInRight"]
    assert by_name["eyeLookInLeft"] == by_name["eyeLookDownLeft"] == 0 < by_name["eyeLookUpLeft"]


def test_fields_are_those_of_a_frame() -> None:
    assert set(SHAPES) <= {field.name for field in fields(FaceMotion)}


def test_frames_that_are_none_are_refused(
    landmarks: np.ndarray, blendshapes: np.ndarray, mesh: FaceMesh, rig: Rig
) -> None:
    wrong = landmarks.copy()
    wrong[3, 7] = np.nan
    with pytest.raises(InputError, match="Landmarks: expected finite"):
        measure_motion(wrong, blendshapes, mesh, rig)
    for frames in (landmarks[:0], landmarks[0], landmarks[:, :468]):
        with pytest.raises(InputError, match="Landmarks: expected one or more frames"):
            measure_motion(frames, blendshapes, mesh, rig)
    for numbers in (blendshapes[:-1], blendshapes[:, :-1], np.full_like(blendshapes, np.nan)):
        with pytest.raises(InputError, match="Blendshapes: expected"):
            measure_motion(landmarks, numbers, mesh, rig)
    for neutral in (-1, len(landmarks)):
        with pytest.raises(InputError, match="Neutral frame"):
            measure_motion(landmarks, blendshapes, mesh, rig, neutral)
    with pytest.raises(InputError, match="Lips: expected"):
        measure_motion(landmarks, blendshapes, mesh, rig, lips="wet")
    with pytest.raises(FaceError, match="one place"):
        measure_motion(np.zeros_like(landmarks), blendshapes, mesh, rig, 0)


def test_an_open_eye_is_wider_than_a_shut_one(landmarks: np.ndarray) -> None:
    frames = np.stack([landmarks[0], close_eyes(landmarks[0], 0.5)])
    gaps = eye_gaps(frames)
    assert gaps[1] == pytest.approx(gaps[0] / 2)
    angles = np.array([0, 0, 30.0])
    assert eye_gaps(frames @ make_rotation(angles).T) == pytest.approx(gaps)
