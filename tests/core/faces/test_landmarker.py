"""The landmarker, held against MediaPipe and against images that show the same in another way."""

import zipfile
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.recorded_faces import (
    DRIVING,
    PORTRAIT,
    TASK,
    Array,
    Recording,
    needs_driving,
    needs_model,
    needs_portrait,
)
from numpy.typing import NDArray
from torch import Tensor

from actalker_core.faces import Box, Face, Track, choose_face, measure, topology, track_face
from actalker_core.faces.blendshapes import INPUTS, NAMES
from actalker_core.faces.box import box_part, enlarge_box
from actalker_core.faces.cuts import find_cuts, make_thumbnails
from actalker_core.faces.face import face_in_box
from actalker_core.faces.landmarker import Landmarker
from actalker_core.faces.tflite import read_float16_tensors
from actalker_core.media import load_image, read_frames

DRIVING_FRAMES = 283


@pytest.fixture(scope="module")
def portrait() -> Tensor:
    return load_image(PORTRAIT)


@pytest.fixture(scope="module")
def face(landmarker: Landmarker, portrait: Tensor) -> Face:
    """The face of the portrait."""
    return landmarker.find(portrait)[0]


@pytest.fixture(scope="module")
def couple(landmarker: Landmarker, portrait: Tensor) -> list[Face]:
    """The faces of the portrait beside its mirror image."""
    return landmarker.find(torch.cat([portrait, portrait.flip(2)], dim=2))


@pytest.fixture(scope="module")
def driving(landmarker: Landmarker) -> Track:
    return track_face(landmarker, read_frames(DRIVING, 25))


@pytest.fixture(scope="module")
def recorded_frames(recording: Recording) -> list[Tensor]:
    """The first three of the recorded frames."""
    numbers = recording["frames"][:3].tolist()
    frames = islice(read_frames(DRIVING, 25), max(numbers) + 1)
    return [image for i, image in enumerate(frames) if i in numbers]


def resize(image: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(image[None], (height, width), mode="bilinear", antialias=True)[0]


def eyes_px(landmarks: Array) -> float:
    return float(np.linalg.norm(landmarks[33, :2] - landmarks[263, :2]))


def largest_error(landmarks: Array, expected: Array) -> float:
    """How far any point is off, as a share of the eye distance."""
    distance = np.linalg.norm((landmarks - expected)[:, :2], axis=1).max()
    return float(distance / eyes_px(expected))


# Blendshapes -------------------------------------------------------------------------------------


def test_blendshapes_are_named_once() -> None:
    assert len(NAMES) == len(set(NAMES)) == 52
    assert len(INPUTS) == len(set(INPUTS)) == 146
    assert set(INPUTS) <= set(range(topology.COUNT))


@needs_model
def test_weights_are_read_without_tensorflow() -> None:
    with zipfile.ZipFile(TASK) as file:
        weights = dict(read_float16_tensors(file.read("face_blendshapes.tflite")))
    assert weights
    for value in weights.values():
        assert value.dtype == np.float32
        assert np.isfinite(value).all()
        assert value.any()


@needs_model
def test_blendshapes_are_those_of_mediapipe(landmarker: Landmarker, recording: Recording) -> None:
    result = landmarker.blendshapes(recording["landmarks_px"])
    assert result.dtype == np.float32
    assert np.abs(result - recording["blendshapes"]).max() < 1e-4


@needs_model
def test_blendshapes_of_many_faces_are_those_of_each(
    landmarker: Landmarker, recording: Recording
) -> None:
    landmarks = recording["landmarks_px"]
    single_faces = [landmarker.blendshapes(points[None])[0] for points in landmarks]
    assert np.allclose(landmarker.blendshapes(landmarks), single_faces, atol=1e-5)
    assert np.allclose(landmarker.blendshapes(landmarks[::-1]), single_faces[::-1], atol=1e-5)
    assert landmarker.blendshapes(landmarks[:0]).shape == (0, 52)


@needs_model
def test_blendshapes_do_not_depend_on_size_and_place(
    landmarker: Landmarker, recording: Recording
) -> None:
    landmarks = recording["landmarks_px"]
    shifted_landmarks = landmarks * np.float32(0.3) + np.float32(200)
    assert np.allclose(
        landmarker.blendshapes(shifted_landmarks), recording["blendshapes"], atol=1e-3
    )


@needs_model
@pytest.mark.parametrize("side", ["Left", "Right"])
def test_the_eye_that_closes_blinks(
    landmarker: Landmarker, recording: Recording, side: str
) -> None:
    landmarks = recording["landmarks_px"][1:2].copy()
    upper, lower = topology.LEFT_LIDS if side == "Left" else topology.RIGHT_LIDS
    landmarks[:, upper] = landmarks[:, lower]
    shapes = dict(zip(NAMES, landmarker.blendshapes(landmarks)[0], strict=True))
    open_side = "Right" if side == "Left" else "Left"
    assert shapes[f"eyeBlink{side}"] > 0.4 > shapes[f"eyeBlink{open_side}"]


# Real faces --------------------------------------------------------------------------------------


@needs_driving
def test_the_driving_clip_is_followed_without_a_gap(driving: Track) -> None:
    assert len(driving) == DRIVING_FRAMES
    assert driving.gaps == []
    assert driving.size == (512, 508)
    assert driving.landmarks.shape == (DRIVING_FRAMES, topology.COUNT, 3)
    assert driving.confidence.min() > 0.5
    assert driving.confidence.max() <= 1


@needs_driving
def test_a_track_moves_smoothly(driving: Track) -> None:
    middles = driving.landmarks[:, :, :2].mean(1)
    steps = np.linalg.norm(np.diff(middles, axis=0), axis=1)
    assert steps.max() < 0.3 * measure.eye_distance(driving.landmarks).min()


@needs_driving
@pytest.mark.parametrize("faster", [1, 2, 3])
def test_a_clip_of_one_shot_has_no_cut(driving: Track, faster: int) -> None:
    pairs = zip(read_frames(DRIVING, 25), driving.faces, strict=True)
    looks = [make_thumbnails(frame, face) for frame, face in pairs]
    assert find_cuts(looks[::faster]) == []


@needs_driving
def test_landmarks_are_those_of_mediapipe(driving: Track, recording: Recording) -> None:
    ours = driving.landmarks[recording["frames"]]
    for landmarks, expected in zip(ours, recording["landmarks_px"], strict=True):
        assert largest_error(landmarks, expected) < 0.03


@needs_driving
def test_depths_are_those_of_mediapipe(driving: Track, recording: Recording) -> None:
    ours = driving.landmarks[recording["frames"]]
    for landmarks, expected in zip(ours, recording["landmarks_px"], strict=True):
        assert np.abs(landmarks - expected)[:, 2].max() < 0.05 * eyes_px(expected)


@needs_driving
def test_blendshapes_of_our_landmarks_are_those_of_mediapipe(
    landmarker: Landmarker, driving: Track, recording: Recording
) -> None:
    result = landmarker.blendshapes(driving.landmarks[recording["frames"]])
    assert np.abs(result - recording["blendshapes"]).max() < 0.03


def posed_degrees(pose: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n, 4, 4) with x right, y up and z to the viewer -> (n, 3) as `head_rotation_degrees`."""
    pitch = np.arcsin(pose[:, 1, 2])
    yaw = np.arctan2(pose[:, 0, 2], pose[:, 2, 2])
    roll = np.arctan2(-pose[:, 1, 0], pose[:, 1, 1])
    return np.degrees(np.stack([pitch, yaw, roll], axis=1))


@needs_driving
@pytest.mark.parametrize("angle", [0, 1, 2], ids=["pitch", "yaw", "roll"])
def test_the_head_turns_as_in_mediapipe(driving: Track, recording: Recording, angle: int) -> None:
    ours = measure.head_rotation_degrees(driving.landmarks[recording["frames"]])[:, angle]
    theirs = posed_degrees(recording["pose_matrix"])[:, angle]
    assert np.corrcoef(ours, theirs)[0, 1] > 0.97
    assert 0.8 < np.polyfit(theirs, ours, 1)[0] < 1.5


@needs_driving
def test_boxes_are_around_the_landmarks(driving: Track) -> None:
    flat = driving.landmarks[..., :2]
    assert np.allclose(driving.boxes, np.concatenate([flat.min(1), flat.max(1)], 1), atol=1e-3)


@needs_driving
def test_a_frame_alone_shows_what_it_shows_in_the_clip(
    landmarker: Landmarker, driving: Track, recording: Recording, recorded_frames: list[Tensor]
) -> None:
    for number, image in zip(recording["frames"].tolist(), recorded_frames, strict=False):
        (face,) = landmarker.find(image)
        assert largest_error(face.landmarks, driving.landmarks[number]) < 0.01


@needs_driving
def test_a_dark_frame_in_a_real_clip_is_bridged(
    landmarker: Landmarker, recorded_frames: list[Tensor]
) -> None:
    first, _, last = recorded_frames
    track = track_face(landmarker, [first, torch.zeros_like(first), last])
    assert track.gaps == [1]
    expected = (track.landmarks[0] + track.landmarks[2]) / 2
    assert np.allclose(track.landmarks[1], expected, atol=1e-2)


@needs_portrait
def test_a_portrait_shows_one_face(face: Face, landmarker: Landmarker, portrait: Tensor) -> None:
    assert len(landmarker.find(portrait)) == 1
    assert 0.5 < face.confidence <= 1
    assert face.landmarks.shape == (topology.COUNT, 3)
    assert face.landmarks.dtype == np.float32
    assert 0 < face.box[0] < face.box[2] < 1024
    assert 0 < face.box[1] < face.box[3] < 1024


def as_bytes(image: Tensor) -> Tensor:
    return (image * 255).round().byte()


@needs_portrait
@pytest.mark.parametrize("kind", ["uint8", "float64", "float16", "strided", "overdriven"])
def test_all_kinds_of_pictures_agree(
    landmarker: Landmarker, portrait: Tensor, face: Face, kind: str
) -> None:
    image = {
        "uint8": as_bytes(portrait),
        "float64": portrait.double(),
        "float16": portrait.half(),
        "strided": portrait.permute(2, 1, 0).contiguous().permute(2, 1, 0),
        "overdriven": torch.where(portrait >= portrait.max(), 1.5, portrait),
    }[kind]
    (result,) = landmarker.find(image)
    assert largest_error(result.landmarks, face.landmarks) < 0.005
    assert result.confidence == pytest.approx(face.confidence, abs=0.01)


@needs_portrait
def test_a_grey_image_shows_the_same_face(
    landmarker: Landmarker, portrait: Tensor, face: Face
) -> None:
    (result,) = landmarker.find(portrait.mean(0, keepdim=True).expand(3, -1, -1))
    assert largest_error(result.landmarks, face.landmarks) < 0.03


@needs_portrait
@pytest.mark.parametrize("factor", [0.5, 2])
def test_landmarks_scale_with_the_image(
    landmarker: Landmarker, portrait: Tensor, face: Face, factor: float
) -> None:
    side = int(1024 * factor)
    (result,) = landmarker.find(resize(portrait, side, side))
    assert largest_error(result.landmarks / factor, face.landmarks) < 0.02
    depth = np.abs(result.landmarks / factor - face.landmarks)[:, 2].max()
    assert depth < 0.05 * eyes_px(face.landmarks)


@needs_portrait
@pytest.mark.parametrize("margins", [(200, 0, 0, 0), (0, 300, 100, 400), (40, 40, 0, 700)])
def test_landmarks_move_with_the_image(
    landmarker: Landmarker, portrait: Tensor, face: Face, margins: tuple[int, int, int, int]
) -> None:
    (result,) = landmarker.find(F.pad(portrait, margins))
    shifted_landmarks = face.landmarks + np.float32([margins[0], margins[2], 0])
    assert largest_error(result.landmarks, shifted_landmarks) < 0.03


@needs_portrait
def test_a_mirrored_face_looks_the_other_way(
    landmarker: Landmarker, portrait: Tensor, face: Face
) -> None:
    (result,) = landmarker.find(portrait.flip(2))
    pair = np.stack([face.landmarks, result.landmarks])
    pitch, yaw, roll = (measure.head_rotation_degrees(pair) * [[1, 1, 1], [1, -1, -1]]).T
    for original, mirror in (pitch, yaw, roll):
        assert original == pytest.approx(mirror, abs=2)
    x0, y0, x1, y1 = face.box
    tolerance = 0.05 * eyes_px(face.landmarks)
    assert result.box == pytest.approx((1024 - x1, y0, 1024 - x0, y1), abs=tolerance)


@needs_portrait
@pytest.mark.parametrize("degrees", [-20, -10, 10, 20])
def test_landmarks_turn_with_the_image(
    landmarker: Landmarker, portrait: Tensor, face: Face, degrees: int
) -> None:
    matrix = cv2.getRotationMatrix2D((511.5, 511.5), -degrees, 1)
    pixels = np.ascontiguousarray(portrait.permute(1, 2, 0).numpy())
    image = torch.from_numpy(cv2.warpAffine(pixels, matrix, (1024, 1024))).permute(2, 0, 1)
    (result,) = landmarker.find(image)
    expected = face.landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    assert largest_error(result.landmarks[:, :2], expected) < 0.05
    leans = measure.head_rotation_degrees(np.stack([face.landmarks, result.landmarks]))[:, 2]
    assert leans[1] - leans[0] == pytest.approx(degrees, abs=2)


@needs_portrait
def test_both_of_two_faces_are_found(couple: list[Face], face: Face) -> None:
    assert len(couple) == 2
    size = (1024, 2048)
    left, right = (choose_face(couple, choice, size, "portrait") for choice in ("left", "right"))
    tolerance = 0.1 * eyes_px(face.landmarks)
    x0, y0, x1, y1 = left.box
    assert left.box == pytest.approx(face.box, abs=tolerance)
    assert right.box == pytest.approx((2048 - x1, y0, 2048 - x0, y1), abs=tolerance)
    assert all(face.confidence > 0.5 for face in couple)
    assert choose_face(couple, "0", size, "portrait") is left
    assert choose_face(couple, "1", size, "portrait") is right


@needs_portrait
@pytest.mark.parametrize(("x", "y"), [(0, 0), (955, 430)])
def test_a_small_face_in_a_wide_image_is_found(
    landmarker: Landmarker, portrait: Tensor, face: Face, x: int, y: int
) -> None:
    image = torch.zeros(3, 1000, 2000)
    image[:, y : y + 90, x : x + 90] = resize(portrait, 90, 90)
    (result,) = landmarker.find(image)
    expected = face.landmarks * np.float32(90 / 1024) + np.float32([x, y, 0])
    assert largest_error(result.landmarks, expected) < 0.15


@needs_portrait
@pytest.mark.parametrize("size", [(300, 2400), (2400, 300)])
def test_a_face_in_a_long_strip_is_found(
    landmarker: Landmarker, portrait: Tensor, size: tuple[int, int]
) -> None:
    image = torch.zeros(3, *size)
    image[:, -300:, -300:] = resize(portrait, 300, 300)
    assert len(landmarker.find(image)) == 1


@needs_model
@pytest.mark.parametrize(
    "size", [(1, 1), (1, 300), (300, 1), (1, 3000), (2, 2), (300, 400)], ids=str
)
@pytest.mark.parametrize("kind", ["black", "white", "noise", "nan"])
def test_nothing_is_found_where_there_is_nothing(
    landmarker: Landmarker, size: tuple[int, int], kind: str
) -> None:
    image = {
        "black": torch.zeros(3, *size),
        "white": torch.full((3, *size), 255, dtype=torch.uint8),
        "noise": torch.rand(3, *size, generator=torch.Generator().manual_seed(1)),
        "nan": torch.full((3, *size), float("nan")),
    }[kind]
    assert landmarker.find(image) == []
    assert landmarker.find_near(image, (0, 0, 1, 1)) is None


@needs_portrait
@pytest.mark.parametrize("factor", [0.7, 1, 1.5])
@pytest.mark.parametrize(("x", "y"), [(0, 0), (0.2, -0.1), (-0.1, 0.2)])
def test_a_rough_box_leads_to_the_same_landmarks(
    landmarker: Landmarker, portrait: Tensor, face: Face, factor: float, x: float, y: float
) -> None:
    box = enlarge_box(box_part(face.box, (x, y, x + 1, y + 1)), factor)
    result = face_in_box(portrait, box, landmarker)
    assert result.box == box
    assert largest_error(result.landmarks, face.landmarks) < 0.03


@needs_portrait
@pytest.mark.parametrize("factor", [2.2, 2.5, 3])
def test_a_box_around_head_and_shoulders_leads_to_the_face(
    landmarker: Landmarker, portrait: Tensor, face: Face, factor: float
) -> None:
    result = face_in_box(portrait, enlarge_box(face.box, factor), landmarker)
    assert result.landmarks is not None
    assert largest_error(result.landmarks, face.landmarks) < 0.03


@needs_portrait
@pytest.mark.parametrize("box", [(0, 0, 60, 60), (900, 0, 1024, 120), (0, 900, 100, 1000)])
def test_no_face_is_near_a_box_beside_it(
    landmarker: Landmarker, portrait: Tensor, box: Box
) -> None:
    assert landmarker.find_near(portrait, box) is None
    assert face_in_box(portrait, box, landmarker).landmarks is None


@needs_portrait
@pytest.mark.parametrize("factor", [0.8, 1, 1.3])
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_boxed_face_is_not_its_neighbour(
    landmarker: Landmarker, portrait: Tensor, face: Face, side: str, factor: float
) -> None:
    """Two faces cheek to cheek; a box drawn by hand around one touches the other."""
    x0, x1 = int(face.box[0]) - 5, int(face.box[2]) + 5
    tight = portrait[:, :, x0:x1]
    image = torch.cat([tight, tight.flip(2)], dim=2)
    expected = choose_face(landmarker.find(image), side, (1024, 2 * (x1 - x0)), "portrait")
    result = face_in_box(image, enlarge_box(expected.box, factor), landmarker)
    assert largest_error(result.landmarks, expected.landmarks) < 0.1


@needs_portrait
def test_the_chosen_of_two_real_faces_is_followed(landmarker: Landmarker, portrait: Tensor) -> None:
    small = resize(portrait, 384, 384)
    image = torch.cat([small, small.flip(2)], dim=2)
    only_left = image.clone()
    only_left[:, :, 384:] = 0
    track = track_face(landmarker, [image, only_left, image], "right")
    assert track.gaps == [1]
    right = choose_face(landmarker.find(image), "right", (384, 768), "portrait")
    assert np.allclose(track.boxes, right.box, atol=0.05 * eyes_px(right.landmarks))


@needs_portrait
def test_several_threads_find_what_one_finds(landmarker: Landmarker, portrait: Tensor) -> None:
    shades = [(portrait * (0.5 + 0.05 * i)).clamp(0, 1) for i in range(8)]
    alone = [landmarker.find(image, "whole") for image in shades]
    with ThreadPoolExecutor(4) as pool:
        pool_faces = list(pool.map(lambda image: landmarker.find(image, "whole"), shades))
    for (face,), (expected,) in zip(pool_faces, alone, strict=True):
        assert face.box == expected.box
        assert np.array_equal(face.landmarks, expected.landmarks)
