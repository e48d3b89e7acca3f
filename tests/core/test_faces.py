"""Faces are found, chosen, followed and measured."""

import hashlib
import logging
import re
import shutil
import socket
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import load_file
from torch import Tensor

from actalker_core.errors import ACTalkerError, CheckpointError, FaceError, InputError
from actalker_core.faces import (
    DEFAULT_PATH,
    Box,
    Face,
    Track,
    choose,
    download_landmarker,
    finder,
    measure,
    open_finder,
    topology,
    track,
)
from actalker_core.faces.blendshapes import INPUTS, NAMES
from actalker_core.faces.box import area, centre, check, enlarged, overlap, part, square, whole
from actalker_core.faces.face import box_of_mask, boxed_face, first_face
from actalker_core.faces.landmarker import Landmarker
from actalker_core.faces.tflite import half_tensors
from actalker_core.media import load_image, read_frames

SHARED = Path(__file__).parents[2].parent / "shared"
TASK = SHARED / "models" / "face_landmarker.task"
DRIVING, PORTRAIT = SHARED / "media" / "driving.mp4", SHARED / "media" / "portrait.png"
DRIVING_FRAMES = 283
RECORDED = Path(__file__).parents[1] / "data" / "mediapipe_driving.safetensors"
NETWORKS = ("face_detector", "face_landmarks_detector", "face_blendshapes")
HEIGHT, WIDTH = 60, 80

needs_model = pytest.mark.skipif(not TASK.is_file(), reason="no face_landmarker.task in shared/")
needs_portrait = pytest.mark.skipif(
    not (TASK.is_file() and PORTRAIT.is_file()), reason="no portrait or no model in shared/"
)
needs_driving = pytest.mark.skipif(
    not (TASK.is_file() and DRIVING.is_file()), reason="no driving clip or no model in shared/"
)

Array = NDArray[np.float32]
Recorded = dict[str, NDArray[Any]]


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    """What MediaPipe itself says about ten frames of the driving clip."""
    return load_file(RECORDED)


@pytest.fixture(scope="module")
def landmarker() -> Landmarker:
    return Landmarker(TASK)


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
    return track(landmarker, read_frames(DRIVING, 25))


@pytest.fixture(scope="module")
def recorded_frames(recorded: Recorded) -> list[Tensor]:
    """The first three of the recorded frames."""
    numbers = recorded["frames"][:3].tolist()
    frames = islice(read_frames(DRIVING, 25), max(numbers) + 1)
    return [picture for i, picture in enumerate(frames) if i in numbers]


def resized(picture: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(picture[None], (height, width), mode="bilinear", antialias=True)[0]


def eyes_px(landmarks: Array) -> float:
    return float(np.linalg.norm(landmarks[33, :2] - landmarks[263, :2]))


def farthest(found: Array, expected: Array) -> float:
    """How far any point is off, as a share of the eye distance."""
    off = np.linalg.norm((found - expected)[:, :2], axis=1).max()
    return float(off / eyes_px(expected))


# Rectangles --------------------------------------------------------------------------------------

EDGES = st.floats(-1000, 1000)
SIDES = st.floats(0.1, 1000)
BOXES = st.builds(lambda x, y, w, h: (x, y, x + w, y + h), EDGES, EDGES, SIDES, SIDES)


@given(BOXES, BOXES)
def test_overlap_is_symmetric_and_a_share(a: Box, b: Box) -> None:
    assert overlap(a, b) == pytest.approx(overlap(b, a))
    assert 0 <= overlap(a, b) <= 1


@given(BOXES, st.floats(1, 500))
def test_a_box_overlaps_itself_and_nothing_beside_it(a: Box, gap: float) -> None:
    width = a[2] - a[0] + gap
    assert overlap(a, a) == pytest.approx(1)
    assert overlap(a, (a[0] + width, a[1], a[2] + width, a[3])) == 0


@given(BOXES)
def test_a_part_overlaps_by_its_share(a: Box) -> None:
    assert overlap(a, part(a, (0, 0, 0.5, 0.5))) == pytest.approx(0.25)
    assert overlap(a, part(a, (0.2, 0.4, 0.7, 0.6))) == pytest.approx(0.1)
    assert part(a, (0, 0, 1, 1)) == pytest.approx(a)


@given(BOXES)
def test_the_square_of_a_box_contains_it(a: Box) -> None:
    x0, y0, x1, y1 = square(a)
    assert x1 - x0 == pytest.approx(y1 - y0)
    assert x1 - x0 == pytest.approx(max(a[2] - a[0], a[3] - a[1]))
    assert x0 <= a[0] + 1e-6
    assert y0 <= a[1] + 1e-6
    assert x1 >= a[2] - 1e-6
    assert y1 >= a[3] - 1e-6
    assert centre(square(a)) == pytest.approx(centre(a))


@given(BOXES, st.floats(0.1, 10))
def test_an_enlarged_box_keeps_its_centre_and_shape(a: Box, factor: float) -> None:
    larger = enlarged(a, factor)
    assert centre(larger) == pytest.approx(centre(a))
    assert larger[2] - larger[0] == pytest.approx(factor * (a[2] - a[0]))
    assert area(larger) == pytest.approx(factor**2 * area(a))
    assert enlarged(larger, 1 / factor) == pytest.approx(a, abs=1e-6)


@pytest.mark.parametrize(
    "box", [(0, 0, 80, 60), (-5, -5, 1, 1), (79, 59, 200, 200), (10.5, 10.5, 11.5, 11.5)]
)
def test_boxes_that_touch_the_picture_are_taken_as_they_are(box: Box) -> None:
    assert check(box, WIDTH, HEIGHT, "portrait") == box
    assert check(whole(WIDTH, HEIGHT), WIDTH, HEIGHT, "portrait") == (0, 0, WIDTH, HEIGHT)


@pytest.mark.parametrize(
    "box",
    [
        (10, 10, 10, 20),
        (20, 10, 10, 30),
        (80, 0, 90, 10),
        (0, 60, 10, 70),
        (-10, 0, 0, 10),
        (float("nan"), 0, 10, 10),
        (0, 0, float("inf"), 10),
    ],
)
def test_boxes_that_show_nothing_are_refused(box: Box) -> None:
    with pytest.raises(InputError, match=r"portrait.*80x60"):
        check(box, WIDTH, HEIGHT, "portrait")


# Choosing ----------------------------------------------------------------------------------------


def face_at(x: float, y: float = 20.0, side: float = 20.0, known: bool = True) -> Face:
    """A face with a corner there, and landmarks along its diagonal if they are known."""
    along = np.linspace(0, side, topology.COUNT, dtype=np.float32)
    landmarks = np.stack([x + along, y + along, -along], axis=1)
    return Face((x, y, x + side, y + side), 0.9, landmarks if known else None)


THREE = (face_at(52, side=12), face_at(2, side=26), face_at(34, 25, 10))


@pytest.mark.parametrize(
    ("choice", "expected"),
    [("0", 1), ("1", 2), ("2", 0), ("largest", 1), ("left", 1), ("right", 0), ("centre", 2)],
)
def test_a_face_is_chosen_by_place_or_size(choice: str, expected: int) -> None:
    assert choose(THREE, choice, (HEIGHT, WIDTH), "portrait") is THREE[expected]


def test_the_centre_is_that_of_a_wide_picture() -> None:
    tall_centre, wide_centre = face_at(90, 190), face_at(190, 90)
    found = [tall_centre, wide_centre]
    assert choose(found, "centre", (200, 400), "portrait") is wide_centre
    assert choose(found, "centre", (400, 200), "portrait") is tall_centre


@pytest.mark.parametrize("choice", ["3", "-1", "99"])
def test_an_index_beyond_the_faces_says_how_many_there_are(choice: str) -> None:
    with pytest.raises(FaceError, match=rf"{choice} of the portrait.*0 to 2"):
        choose(THREE, choice, (HEIGHT, WIDTH), "portrait")


@pytest.mark.parametrize("choice", ["biggest", "", "1.0", "--1", "²", "1-"])
def test_an_unknown_choice_names_the_known_ones(choice: str) -> None:
    with pytest.raises(InputError, match="largest, left, right, centre"):
        choose(THREE, choice, (HEIGHT, WIDTH), "portrait")


def test_no_face_to_choose_from_names_the_picture() -> None:
    with pytest.raises(FaceError, match="portrait of 80x60"):
        choose([], "largest", (HEIGHT, WIDTH), "portrait")


# Following ---------------------------------------------------------------------------------------

Shown = Mapping[int, Sequence[Face]]


class Script:
    """A finder that knows beforehand which frame shows what; frames are told by their grey."""

    def __init__(self, seen: Shown, hidden: Shown | None = None) -> None:
        """`hidden` faces are seen only in a deep search or near their place."""
        self.seen, self.hidden = seen, hidden or {}

    def find(self, picture: Tensor, deep: bool = True) -> list[Face]:
        i = int(picture[0, 0, 0])
        return [*self.seen.get(i, []), *(self.hidden.get(i, []) if deep else [])]

    def find_near(self, picture: Tensor, box: Box) -> Face | None:
        near = [face for face in self.find(picture) if overlap(face.box, box) > 0]
        return max(near, key=lambda face: overlap(face.box, box), default=None)


def greys(count: int) -> list[Tensor]:
    return [torch.full((3, HEIGHT, WIDTH), i, dtype=torch.uint8) for i in range(count)]


def lefts(followed: Track) -> list[float]:
    return followed.boxes[:, 0].tolist()


def test_a_face_seen_in_every_frame_is_kept_as_found(caplog: pytest.LogCaptureFixture) -> None:
    faces = [face_at(10 + 2 * i) for i in range(5)]
    with caplog.at_level(logging.DEBUG):
        followed = track(Script({i: [face] for i, face in enumerate(faces)}), greys(5))
    assert len(followed) == 5
    assert followed.missed == []
    assert followed.size == (HEIGHT, WIDTH)
    assert np.array_equal(followed.boxes, [face.box for face in faces])
    assert np.array_equal(followed.landmarks, [face.landmarks for face in faces])
    assert np.allclose(followed.confidence, 0.9)
    assert not caplog.records


def test_a_track_is_a_list_of_faces() -> None:
    followed = track(Script({0: [face_at(10)], 2: [face_at(14)]}), greys(3))
    assert [face.box for face in followed.faces] == [face_at(x).box for x in (10, 12, 14)]
    assert [face.confidence for face in followed.faces] == pytest.approx([0.9, 0, 0.9])
    assert np.array_equal(followed.faces[2].landmarks, face_at(14).landmarks)


def test_missed_frames_are_filled_from_their_neighbours() -> None:
    followed = track(Script({2: [face_at(10)], 6: [face_at(18, 24)]}), greys(9))
    assert followed.missed == [0, 1, 3, 4, 5, 7, 8]
    assert lefts(followed) == pytest.approx([10, 10, 10, 12, 14, 16, 18, 18, 18])
    assert followed.boxes[:, 1].tolist() == pytest.approx([20, 20, 20, 21, 22, 23, 24, 24, 24])
    for i, x in enumerate(lefts(followed)):
        expected = face_at(x, followed.boxes[i, 1]).landmarks
        assert np.allclose(followed.landmarks[i], expected, atol=1e-3)


@settings(deadline=None, max_examples=30)
@given(st.dictionaries(st.integers(0, 11), st.floats(10, 20), min_size=1))
def test_whatever_is_missed_a_track_is_whole(places: dict[int, float]) -> None:
    followed = track(Script({i: [face_at(x)] for i, x in places.items()}), greys(12))
    at = sorted(places)
    between = np.interp(range(12), at, [places[i] for i in at])
    assert followed.missed == [i for i in range(12) if i not in places]
    assert np.allclose(lefts(followed), between, atol=1e-4)
    assert np.allclose(followed.landmarks[:, 0, 0], between, atol=1e-4)


def test_missed_frames_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    shown = {i: [face_at(10)] for i in range(30) if i not in (3, 11, 12, 13)}
    with caplog.at_level(logging.WARNING, "actalker_core.faces.track"):
        track(Script(shown), greys(30), where="head clip")
    assert [record.name for record in caplog.records] == ["actalker_core.faces.track"]
    assert re.search(r"head clip.*4 of 30 frames.*\b3\b.*\b11\b.*\b13\b", caplog.text)


@pytest.mark.parametrize("frames", [0, 1, 30])
def test_a_clip_without_a_face_is_named(frames: int) -> None:
    with pytest.raises(FaceError, match="head clip"):
        track(Script({}), greys(frames), where="head clip")


def test_boxes_are_followed_without_landmarks() -> None:
    shown = {0: [face_at(10, known=False)], 2: [face_at(14, known=False)]}
    followed = track(Script(shown), greys(3))
    assert followed.landmarks is None
    assert lefts(followed) == pytest.approx([10, 12, 14])
    assert all(face.landmarks is None for face in followed.faces)


def test_another_face_far_away_does_not_take_over() -> None:
    here, there = face_at(2), face_at(55)
    followed = track(Script({0: [here], 1: [there], 2: [there], 3: [here, there]}), greys(4))
    assert followed.missed == [1, 2]
    assert np.allclose(lefts(followed), 2)


def test_a_face_that_never_comes_back_is_held() -> None:
    shown = {i: [face_at(55)] for i in range(1, 10)}
    followed = track(Script({0: [face_at(2)], **shown}), greys(10))
    assert followed.missed == list(range(1, 10))
    assert np.allclose(lefts(followed), 2)


@pytest.mark.parametrize(("choice", "start"), [("left", 10), ("right", 50), ("0", 10), ("1", 50)])
def test_the_chosen_face_is_followed_among_two(choice: str, start: int) -> None:
    """Both move to the right by more than the half of what parts them, and change order."""
    pairs = [[face_at(10 + 3 * i), face_at(50 + 3 * i)] for i in range(10)]
    shown = {i: pair[:: 1 - 2 * (i % 2)] for i, pair in enumerate(pairs)}
    followed = track(Script(shown), greys(10), choice)
    assert followed.missed == []
    assert lefts(followed) == [start + 3 * i for i in range(10)]


def test_a_face_that_moved_on_while_it_was_missed_is_found_again() -> None:
    """It is alone and moves by a tenth of its side per frame, before, meanwhile and after."""
    shown = {i: [face_at(2 + 2 * i)] for i in range(20) if not 5 <= i <= 12}
    followed = track(Script(shown), greys(20))
    assert followed.missed == list(range(5, 13))
    assert lefts(followed) == pytest.approx([2 + 2 * i for i in range(20)])


def test_the_largest_face_stays_chosen_when_another_outgrows_it() -> None:
    shown = {i: [face_at(5, side=20), face_at(50, 10, 10 + 5 * i)] for i in range(5)}
    followed = track(Script(shown), greys(5), "largest")
    assert np.allclose(lefts(followed), 5)


def test_a_face_touching_the_chosen_one_does_not_take_over() -> None:
    """Cheek to cheek, one is hidden for a moment; faces are taller than wide."""
    chosen, other = Face((10, 10, 30, 34), 0.9), Face((30, 10, 50, 34), 0.9)
    shown = {i: [other] if i == 2 else [chosen, other] for i in range(5)}
    followed = track(Script(shown), greys(5), "left")
    assert followed.missed == [2]
    assert np.allclose(lefts(followed), 10)


def test_a_face_lost_in_the_whole_picture_is_looked_for_where_it_was() -> None:
    other = face_at(50)
    hidden = {i: [face_at(5 + i)] for i in range(8)}
    followed = track(Script({i: [other] for i in range(8)}, hidden), greys(8), "left")
    assert followed.missed == []
    assert lefts(followed) == [5 + i for i in range(8)]


def test_a_small_face_after_a_dark_beginning_is_found() -> None:
    hidden = {i: [face_at(10)] for i in range(3, 60)}
    followed = track(Script({}, hidden), greys(60))
    assert len(followed) == 60
    assert 59 not in followed.missed


def test_who_is_chosen_is_settled_by_the_first_frame_with_faces() -> None:
    shown = {2: [face_at(50), face_at(10)], 3: [face_at(10)], 4: [face_at(50)]}
    followed = track(Script(shown), greys(5), "1")
    assert followed.missed == [0, 1, 3]
    assert np.allclose(lefts(followed), 50)


@pytest.mark.parametrize(("choice", "error"), [("2", FaceError), ("tallest", InputError)])
def test_a_clip_refuses_a_choice_that_cannot_be_met(choice: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        track(Script({1: [face_at(10), face_at(50)]}), greys(3), choice)


def test_frames_are_read_one_at_a_time() -> None:
    done: list[int] = []

    def frames() -> Iterator[Tensor]:
        for i, picture in enumerate(greys(6)):
            assert done == list(range(1, i + 1))
            yield picture

    track(Script({0: [face_at(10)]}), frames(), on_frame=done.append)
    assert done == [1, 2, 3, 4, 5, 6]


# A face given by hand ----------------------------------------------------------------------------

HAND_DRAWN = (8.0, 16.0, 32.0, 44.0)


def test_a_boxed_face_keeps_its_box() -> None:
    seen = face_at(10)
    boxed = boxed_face(greys(1)[0], HAND_DRAWN, Script({0: [face_at(50), seen]}))
    assert (boxed.box, boxed.confidence) == (HAND_DRAWN, 1)
    assert np.array_equal(boxed.landmarks, seen.landmarks)


@pytest.mark.parametrize("helper", [None, Script({}), Script({0: [face_at(50)]})])
def test_a_boxed_face_needs_no_finder_to_see_it(helper: Script | None) -> None:
    boxed = boxed_face(greys(1)[0], HAND_DRAWN, helper)
    assert boxed.box == HAND_DRAWN
    assert boxed.landmarks is None


@settings(deadline=None)
@given(st.integers(0, 79), st.integers(0, 59), st.integers(1, 80), st.integers(1, 60))
def test_a_mask_becomes_the_box_around_its_white(x: int, y: int, width: int, height: int) -> None:
    mask = torch.full((HEIGHT, WIDTH), 0.4)
    mask[y : y + height, x : x + width] = 0.6
    expected = (x, y, min(x + width, WIDTH), min(y + height, HEIGHT))
    assert box_of_mask(mask, (HEIGHT, WIDTH)) == expected


@pytest.mark.parametrize(
    "mask", [torch.zeros(60, 80), torch.ones(80, 60), torch.ones(61, 80), torch.zeros(0, 0)]
)
def test_a_mask_of_nothing_or_of_another_size_is_refused(mask: Tensor) -> None:
    with pytest.raises(InputError, match="80x60"):
        box_of_mask(mask, (HEIGHT, WIDTH))


def test_the_first_face_is_that_of_the_first_frame_with_one() -> None:
    script = Script({2: [face_at(10), face_at(50)], 3: [face_at(30)]})
    assert first_face(script, greys(4), "right", "head clip").box == face_at(50).box


def test_the_first_face_may_be_small_and_come_late() -> None:
    hidden = {i: [face_at(10)] for i in range(1, 60)}
    assert first_face(Script({}, hidden), greys(60), "left", "head clip").box == face_at(10).box


@pytest.mark.parametrize("frames", [0, 3])
def test_no_first_face_names_the_clip(frames: int) -> None:
    with pytest.raises(FaceError, match="head clip"):
        first_face(Script({}), greys(frames), "left", "head clip")


# Measuring ---------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=30)
@given(st.floats(0.01, 100), st.tuples(*[st.floats(-1000, 1000)] * 3))
@pytest.mark.parametrize(
    "measured",
    [
        measure.head_rotation_degrees,
        measure.eye_openness,
        measure.mouth_openness,
        measure.gaze,
    ],
)
def test_measures_do_not_depend_on_size_and_place(
    measured: Any, recorded: Recorded, scale: float, shift: tuple[float, float, float]
) -> None:
    landmarks = recorded["landmarks_px"]
    moved = (landmarks + np.float32(shift)) * np.float32(scale)
    assert measured(moved) == pytest.approx(measured(landmarks), rel=0.01, abs=0.01)


def test_eye_distance_is_in_the_unit_of_the_landmarks(recorded: Recorded) -> None:
    landmarks = recorded["landmarks_px"]
    expected = np.linalg.norm(landmarks[:, 33] - landmarks[:, 263], axis=1)
    assert np.allclose(measure.eye_distance(landmarks), expected)
    assert np.allclose(measure.eye_distance(3 * landmarks), 3 * expected)


def head() -> Array:
    """(478, 3) a head that faces the viewer; x grows to the right, y down, z away."""
    points = np.zeros((topology.COUNT, 3), np.float32)
    points[topology.FOREHEAD], points[topology.CHIN] = (0, -10, 0), (0, 10, 0)
    points[topology.RIGHT_TEMPLE], points[topology.LEFT_TEMPLE] = (-7, 0, 0), (7, 0, 0)
    points[topology.NOSE_TIP] = (0, 0, -5)
    return points


def turned(landmarks: Array, axes: str, degrees: float) -> Array:
    """Turned in a plane, from its first axis towards its second."""
    one, other = ("xyz".index(axis) for axis in axes)
    sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
    moved = landmarks.copy()
    moved[:, one] = cosine * landmarks[:, one] - sine * landmarks[:, other]
    moved[:, other] = sine * landmarks[:, one] + cosine * landmarks[:, other]
    return moved


@pytest.mark.parametrize("degrees", [-80, -40, -5, 0, 5, 40, 80])
@pytest.mark.parametrize(("angle", "axes"), [(0, "zy"), (1, "xz"), (2, "xy")])
def test_one_turn_is_one_angle(angle: int, axes: str, degrees: float) -> None:
    """Of a nose that goes up, a nose that goes right and a head that leans right."""
    expected = np.zeros(3)
    expected[angle] = degrees
    found = measure.head_rotation_degrees(turned(head(), axes, degrees)[None])[0]
    assert found == pytest.approx(expected, abs=1e-3)


@given(*[st.floats(-60, 60)] * 3)
def test_pitch_and_yaw_are_where_the_nose_points(pitch: float, yaw: float, roll: float) -> None:
    face = turned(turned(turned(head(), "xy", roll), "zy", pitch), "xz", yaw)
    x, y, z = face[topology.NOSE_TIP] / 5
    found = measure.head_rotation_degrees(face[None])[0]
    assert found[0] == pytest.approx(np.degrees(np.arcsin(-y)), abs=0.01)
    assert found[1] == pytest.approx(np.degrees(np.arctan2(x, -z)), abs=0.01)


def test_the_forehead_of_a_head_that_leans_clockwise_goes_right() -> None:
    leaning = turned(head(), "xy", 20)
    assert leaning[topology.FOREHEAD, 0] > 0
    assert measure.head_rotation_degrees(leaning[None])[0, 2] > 0


def test_closed_lids_have_no_opening(recorded: Recorded) -> None:
    landmarks = recorded["landmarks_px"].copy()
    was_open = measure.eye_openness(landmarks)
    upper, lower = topology.LEFT_LIDS
    landmarks[:, upper] = landmarks[:, lower]
    assert np.allclose(measure.eye_openness(landmarks)[:, 0], 0)
    assert np.array_equal(measure.eye_openness(landmarks)[:, 1], was_open[:, 1])
    upper, lower = topology.RIGHT_LIDS
    landmarks[:, upper] = landmarks[:, lower]
    assert np.allclose(measure.eye_openness(landmarks), 0)


def test_mouth_openness_grows_with_the_gap(recorded: Recorded) -> None:
    landmarks = recorded["landmarks_px"][:1].copy()
    upper, lower = topology.INNER_LIPS
    opened = []
    for share in (0, 0.1, 0.2, 0.4):
        landmarks[:, lower] = landmarks[:, upper]
        landmarks[:, lower, 1] += share * measure.eye_distance(landmarks)
        opened.append(measure.mouth_openness(landmarks).item())
    assert opened == pytest.approx([0, 0.1, 0.2, 0.4], abs=1e-4)


def with_gaze(landmarks: Array, x: float, y: float) -> Array:
    """Irises between the corners of their eyes, moved by pixels of the picture."""
    moved = landmarks.copy()
    for iris, corners in (
        (topology.LEFT_IRIS, topology.LEFT_CORNERS),
        (topology.RIGHT_IRIS, topology.RIGHT_CORNERS),
    ):
        moved[:, iris] = landmarks[:, corners].mean(1)
        moved[:, iris, :2] += (x, y)
    return moved


def test_gaze_is_positive_to_the_right_and_up(recorded: Recorded) -> None:
    landmarks = recorded["landmarks_px"]
    assert np.allclose(measure.gaze(with_gaze(landmarks, 0, 0)), 0, atol=1e-5)
    assert (measure.gaze(with_gaze(landmarks, 5, 0))[:, 0] > 0.1).all()
    assert (measure.gaze(with_gaze(landmarks, -5, 0))[:, 0] < -0.1).all()
    assert (measure.gaze(with_gaze(landmarks, 0, -5))[:, 1] > 0.1).all()
    assert (measure.gaze(with_gaze(landmarks, 0, 5))[:, 1] < -0.1).all()


def test_gaze_into_a_corner_is_one(recorded: Recorded) -> None:
    landmarks = recorded["landmarks_px"].copy()
    landmarks[:, topology.LEFT_IRIS] = landmarks[:, 263]  # the outer corner
    landmarks[:, topology.RIGHT_IRIS] = landmarks[:, 133]  # the inner corner
    assert np.allclose(measure.gaze(landmarks), (1, 0), atol=1e-5)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_gaze_is_a_number_however_the_head_lies(recorded: Recorded, quarters: int) -> None:
    lying = with_gaze(recorded["landmarks_px"][:1], 0, 0)
    for one, other in (topology.LEFT_CORNERS, topology.RIGHT_CORNERS):
        lying[:, other, 1] = lying[:, one, 1]
    for _ in range(quarters):
        lying[..., 0], lying[..., 1] = -lying[..., 1], lying[..., 0].copy()
    assert np.isfinite(measure.gaze(lying)).all()


def test_left_is_the_left_of_the_person(recorded: Recorded) -> None:
    landmarks = recorded["landmarks_px"]
    for left, right in (
        (topology.LEFT_EYE, topology.RIGHT_EYE),
        (topology.LEFT_BROW, topology.RIGHT_BROW),
        ([topology.LEFT_IRIS], [topology.RIGHT_IRIS]),
        ([topology.LEFT_TEMPLE], [topology.RIGHT_TEMPLE]),
    ):
        assert (landmarks[:, left, 0].min(1) > landmarks[:, right, 0].max(1)).all()


@pytest.mark.parametrize(
    ("name", "measured", "sign"),
    [
        ("jawOpen", lambda points: measure.mouth_openness(points), 1),
        ("eyeBlinkLeft", lambda points: measure.eye_openness(points)[:, 0], -1),
        ("eyeBlinkRight", lambda points: measure.eye_openness(points)[:, 1], -1),
        ("eyeLookOutLeft", lambda points: measure.gaze(points)[:, 0], 1),
        ("eyeLookInRight", lambda points: measure.gaze(points)[:, 0], 1),
    ],
)
def test_measures_go_with_the_blendshapes(
    recorded: Recorded, name: str, measured: Any, sign: int
) -> None:
    known = recorded["blendshapes"][:, NAMES.index(name)]
    together = np.corrcoef(measured(recorded["landmarks_px"]), known)[0, 1]
    assert sign * together > 0.7


# Blendshapes -------------------------------------------------------------------------------------


def test_blendshapes_are_named_once() -> None:
    assert len(NAMES) == len(set(NAMES)) == 52
    assert len(INPUTS) == len(set(INPUTS)) == 146
    assert set(INPUTS) <= set(range(topology.COUNT))


@needs_model
def test_weights_are_read_without_tensorflow() -> None:
    with zipfile.ZipFile(TASK) as file:
        weights = dict(half_tensors(file.read("face_blendshapes.tflite")))
    assert weights
    for value in weights.values():
        assert value.dtype == np.float32
        assert np.isfinite(value).all()
        assert value.any()


@needs_model
def test_blendshapes_are_those_of_mediapipe(landmarker: Landmarker, recorded: Recorded) -> None:
    found = landmarker.blendshapes(recorded["landmarks_px"])
    assert found.dtype == np.float32
    assert np.abs(found - recorded["blendshapes"]).max() < 1e-4


@needs_model
def test_blendshapes_of_many_faces_are_those_of_each(
    landmarker: Landmarker, recorded: Recorded
) -> None:
    landmarks = recorded["landmarks_px"]
    alone = [landmarker.blendshapes(one[None])[0] for one in landmarks]
    assert np.allclose(landmarker.blendshapes(landmarks), alone, atol=1e-5)
    assert np.allclose(landmarker.blendshapes(landmarks[::-1]), alone[::-1], atol=1e-5)
    assert landmarker.blendshapes(landmarks[:0]).shape == (0, 52)


@needs_model
def test_blendshapes_do_not_depend_on_size_and_place(
    landmarker: Landmarker, recorded: Recorded
) -> None:
    landmarks = recorded["landmarks_px"]
    moved = landmarks * np.float32(0.3) + np.float32(200)
    assert np.allclose(landmarker.blendshapes(moved), recorded["blendshapes"], atol=1e-3)


@needs_model
@pytest.mark.parametrize("side", ["Left", "Right"])
def test_the_eye_that_closes_blinks(landmarker: Landmarker, recorded: Recorded, side: str) -> None:
    landmarks = recorded["landmarks_px"][1:2].copy()
    upper, lower = topology.LEFT_LIDS if side == "Left" else topology.RIGHT_LIDS
    landmarks[:, upper] = landmarks[:, lower]
    found = dict(zip(NAMES, landmarker.blendshapes(landmarks)[0], strict=True))
    other = "Right" if side == "Left" else "Left"
    assert found[f"eyeBlink{side}"] > 0.4 > found[f"eyeBlink{other}"]


# Real faces --------------------------------------------------------------------------------------


@needs_driving
def test_the_driving_clip_is_followed_without_a_gap(driving: Track) -> None:
    assert len(driving) == DRIVING_FRAMES
    assert driving.missed == []
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
def test_landmarks_are_those_of_mediapipe(driving: Track, recorded: Recorded) -> None:
    ours = driving.landmarks[recorded["frames"]]
    for found, expected in zip(ours, recorded["landmarks_px"], strict=True):
        assert farthest(found, expected) < 0.03


@needs_driving
def test_depths_are_those_of_mediapipe(driving: Track, recorded: Recorded) -> None:
    ours = driving.landmarks[recorded["frames"]]
    for found, expected in zip(ours, recorded["landmarks_px"], strict=True):
        assert np.abs(found - expected)[:, 2].max() < 0.05 * eyes_px(expected)


@needs_driving
def test_blendshapes_of_our_landmarks_are_those_of_mediapipe(
    landmarker: Landmarker, driving: Track, recorded: Recorded
) -> None:
    found = landmarker.blendshapes(driving.landmarks[recorded["frames"]])
    assert np.abs(found - recorded["blendshapes"]).max() < 0.03


def posed_degrees(pose: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n, 4, 4) with x right, y up and z to the viewer -> (n, 3) as `head_rotation_degrees`."""
    pitch = np.arcsin(pose[:, 1, 2])
    yaw = np.arctan2(pose[:, 0, 2], pose[:, 2, 2])
    roll = np.arctan2(-pose[:, 1, 0], pose[:, 1, 1])
    return np.degrees(np.stack([pitch, yaw, roll], axis=1))


@needs_driving
@pytest.mark.parametrize("angle", [0, 1, 2], ids=["pitch", "yaw", "roll"])
def test_the_head_turns_as_in_mediapipe(driving: Track, recorded: Recorded, angle: int) -> None:
    ours = measure.head_rotation_degrees(driving.landmarks[recorded["frames"]])[:, angle]
    theirs = posed_degrees(recorded["pose_matrix"])[:, angle]
    assert np.corrcoef(ours, theirs)[0, 1] > 0.97
    assert 0.8 < np.polyfit(theirs, ours, 1)[0] < 1.5


@needs_driving
def test_boxes_are_around_the_landmarks(driving: Track) -> None:
    flat = driving.landmarks[..., :2]
    assert np.allclose(driving.boxes, np.concatenate([flat.min(1), flat.max(1)], 1), atol=1e-3)


@needs_driving
def test_a_frame_alone_shows_what_it_shows_in_the_clip(
    landmarker: Landmarker, driving: Track, recorded: Recorded, recorded_frames: list[Tensor]
) -> None:
    for number, picture in zip(recorded["frames"].tolist(), recorded_frames, strict=False):
        (alone,) = landmarker.find(picture)
        assert farthest(alone.landmarks, driving.landmarks[number]) < 0.01


@needs_driving
def test_a_dark_frame_in_a_real_clip_is_bridged(
    landmarker: Landmarker, recorded_frames: list[Tensor]
) -> None:
    first, _, last = recorded_frames
    followed = track(landmarker, [first, torch.zeros_like(first), last])
    assert followed.missed == [1]
    expected = (followed.landmarks[0] + followed.landmarks[2]) / 2
    assert np.allclose(followed.landmarks[1], expected, atol=1e-2)


@needs_portrait
def test_a_portrait_shows_one_face(face: Face, landmarker: Landmarker, portrait: Tensor) -> None:
    assert len(landmarker.find(portrait)) == 1
    assert 0.5 < face.confidence <= 1
    assert face.landmarks.shape == (topology.COUNT, 3)
    assert face.landmarks.dtype == np.float32
    assert 0 < face.box[0] < face.box[2] < 1024
    assert 0 < face.box[1] < face.box[3] < 1024


def as_bytes(picture: Tensor) -> Tensor:
    return (picture * 255).round().byte()


@needs_portrait
@pytest.mark.parametrize("kind", ["uint8", "float64", "float16", "strided", "overdriven"])
def test_all_kinds_of_pictures_agree(
    landmarker: Landmarker, portrait: Tensor, face: Face, kind: str
) -> None:
    picture = {
        "uint8": as_bytes(portrait),
        "float64": portrait.double(),
        "float16": portrait.half(),
        "strided": portrait.permute(2, 1, 0).contiguous().permute(2, 1, 0),
        "overdriven": torch.where(portrait >= portrait.max(), 1.5, portrait),
    }[kind]
    (found,) = landmarker.find(picture)
    assert farthest(found.landmarks, face.landmarks) < 0.005
    assert found.confidence == pytest.approx(face.confidence, abs=0.01)


@needs_portrait
def test_a_grey_picture_shows_the_same_face(
    landmarker: Landmarker, portrait: Tensor, face: Face
) -> None:
    (found,) = landmarker.find(portrait.mean(0, keepdim=True).expand(3, -1, -1))
    assert farthest(found.landmarks, face.landmarks) < 0.03


@needs_portrait
@pytest.mark.parametrize("factor", [0.5, 2])
def test_landmarks_scale_with_the_picture(
    landmarker: Landmarker, portrait: Tensor, face: Face, factor: float
) -> None:
    side = int(1024 * factor)
    (found,) = landmarker.find(resized(portrait, side, side))
    assert farthest(found.landmarks / factor, face.landmarks) < 0.02
    depth = np.abs(found.landmarks / factor - face.landmarks)[:, 2].max()
    assert depth < 0.05 * eyes_px(face.landmarks)


@needs_portrait
@pytest.mark.parametrize("margins", [(200, 0, 0, 0), (0, 300, 100, 400), (40, 40, 0, 700)])
def test_landmarks_move_with_the_picture(
    landmarker: Landmarker, portrait: Tensor, face: Face, margins: tuple[int, int, int, int]
) -> None:
    (found,) = landmarker.find(F.pad(portrait, margins))
    moved = face.landmarks + np.float32([margins[0], margins[2], 0])
    assert farthest(found.landmarks, moved) < 0.03


@needs_portrait
def test_a_mirrored_face_looks_the_other_way(
    landmarker: Landmarker, portrait: Tensor, face: Face
) -> None:
    (found,) = landmarker.find(portrait.flip(2))
    both = np.stack([face.landmarks, found.landmarks])
    pitch, yaw, roll = (measure.head_rotation_degrees(both) * [[1, 1, 1], [1, -1, -1]]).T
    for one, other in (pitch, yaw, roll):
        assert one == pytest.approx(other, abs=2)
    x0, y0, x1, y1 = face.box
    tolerance = 0.05 * eyes_px(face.landmarks)
    assert found.box == pytest.approx((1024 - x1, y0, 1024 - x0, y1), abs=tolerance)


@needs_portrait
@pytest.mark.parametrize("degrees", [-20, -10, 10, 20])
def test_landmarks_turn_with_the_picture(
    landmarker: Landmarker, portrait: Tensor, face: Face, degrees: int
) -> None:
    matrix = cv2.getRotationMatrix2D((511.5, 511.5), -degrees, 1)
    pixels = np.ascontiguousarray(portrait.permute(1, 2, 0).numpy())
    picture = torch.from_numpy(cv2.warpAffine(pixels, matrix, (1024, 1024))).permute(2, 0, 1)
    (found,) = landmarker.find(picture)
    expected = face.landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    assert farthest(found.landmarks[:, :2], expected) < 0.05
    leans = measure.head_rotation_degrees(np.stack([face.landmarks, found.landmarks]))[:, 2]
    assert leans[1] - leans[0] == pytest.approx(degrees, abs=2)


@needs_portrait
def test_both_of_two_faces_are_found(couple: list[Face], face: Face) -> None:
    assert len(couple) == 2
    size = (1024, 2048)
    left, right = (choose(couple, choice, size, "portrait") for choice in ("left", "right"))
    tolerance = 0.1 * eyes_px(face.landmarks)
    x0, y0, x1, y1 = left.box
    assert left.box == pytest.approx(face.box, abs=tolerance)
    assert right.box == pytest.approx((2048 - x1, y0, 2048 - x0, y1), abs=tolerance)
    assert all(found.confidence > 0.5 for found in couple)
    assert choose(couple, "0", size, "portrait") is left
    assert choose(couple, "1", size, "portrait") is right


@needs_portrait
@pytest.mark.parametrize(("x", "y"), [(0, 0), (955, 430)])
def test_a_small_face_in_a_wide_picture_is_found(
    landmarker: Landmarker, portrait: Tensor, face: Face, x: int, y: int
) -> None:
    picture = torch.zeros(3, 1000, 2000)
    picture[:, y : y + 90, x : x + 90] = resized(portrait, 90, 90)
    (found,) = landmarker.find(picture)
    expected = face.landmarks * np.float32(90 / 1024) + np.float32([x, y, 0])
    assert farthest(found.landmarks, expected) < 0.15


@needs_portrait
@pytest.mark.parametrize("size", [(300, 2400), (2400, 300)])
def test_a_face_in_a_long_strip_is_found(
    landmarker: Landmarker, portrait: Tensor, size: tuple[int, int]
) -> None:
    picture = torch.zeros(3, *size)
    picture[:, -300:, -300:] = resized(portrait, 300, 300)
    assert len(landmarker.find(picture)) == 1


@needs_model
@pytest.mark.parametrize(
    "size", [(1, 1), (1, 300), (300, 1), (1, 3000), (2, 2), (300, 400)], ids=str
)
@pytest.mark.parametrize("kind", ["black", "white", "noise", "nan"])
def test_nothing_is_found_where_there_is_nothing(
    landmarker: Landmarker, size: tuple[int, int], kind: str
) -> None:
    picture = {
        "black": torch.zeros(3, *size),
        "white": torch.full((3, *size), 255, dtype=torch.uint8),
        "noise": torch.rand(3, *size, generator=torch.Generator().manual_seed(1)),
        "nan": torch.full((3, *size), float("nan")),
    }[kind]
    assert landmarker.find(picture) == []
    assert landmarker.find_near(picture, (0, 0, 1, 1)) is None


@needs_portrait
@pytest.mark.parametrize("factor", [0.7, 1, 1.5])
@pytest.mark.parametrize(("x", "y"), [(0, 0), (0.2, -0.1), (-0.1, 0.2)])
def test_a_rough_box_leads_to_the_same_landmarks(
    landmarker: Landmarker, portrait: Tensor, face: Face, factor: float, x: float, y: float
) -> None:
    box = enlarged(part(face.box, (x, y, x + 1, y + 1)), factor)
    boxed = boxed_face(portrait, box, landmarker)
    assert boxed.box == box
    assert farthest(boxed.landmarks, face.landmarks) < 0.03


@needs_portrait
@pytest.mark.parametrize("factor", [2.2, 2.5, 3])
def test_a_box_around_head_and_shoulders_leads_to_the_face(
    landmarker: Landmarker, portrait: Tensor, face: Face, factor: float
) -> None:
    boxed = boxed_face(portrait, enlarged(face.box, factor), landmarker)
    assert boxed.landmarks is not None
    assert farthest(boxed.landmarks, face.landmarks) < 0.03


@needs_portrait
@pytest.mark.parametrize("box", [(0, 0, 60, 60), (900, 0, 1024, 120), (0, 900, 100, 1000)])
def test_no_face_is_near_a_box_beside_it(
    landmarker: Landmarker, portrait: Tensor, box: Box
) -> None:
    assert landmarker.find_near(portrait, box) is None
    assert boxed_face(portrait, box, landmarker).landmarks is None


@needs_portrait
@pytest.mark.parametrize("factor", [0.8, 1, 1.3])
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_boxed_face_is_not_its_neighbour(
    landmarker: Landmarker, portrait: Tensor, face: Face, side: str, factor: float
) -> None:
    """Two faces cheek to cheek; a box drawn by hand around one touches the other."""
    x0, x1 = int(face.box[0]) - 5, int(face.box[2]) + 5
    tight = portrait[:, :, x0:x1]
    picture = torch.cat([tight, tight.flip(2)], dim=2)
    meant = choose(landmarker.find(picture), side, (1024, 2 * (x1 - x0)), "portrait")
    boxed = boxed_face(picture, enlarged(meant.box, factor), landmarker)
    assert farthest(boxed.landmarks, meant.landmarks) < 0.1


@needs_portrait
def test_the_chosen_of_two_real_faces_is_followed(landmarker: Landmarker, portrait: Tensor) -> None:
    small = resized(portrait, 384, 384)
    picture = torch.cat([small, small.flip(2)], dim=2)
    only_left = picture.clone()
    only_left[:, :, 384:] = 0
    followed = track(landmarker, [picture, only_left, picture], "right")
    assert followed.missed == [1]
    right = choose(landmarker.find(picture), "right", (384, 768), "portrait")
    assert np.allclose(followed.boxes, right.box, atol=0.05 * eyes_px(right.landmarks))


# Which finder is there ---------------------------------------------------------------------------


@needs_model
def test_the_landmarker_at_its_usual_place_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    DEFAULT_PATH.parent.mkdir(parents=True)
    shutil.copy(TASK, DEFAULT_PATH)
    assert isinstance(open_finder(), Landmarker)


def test_the_usual_place_is_below_the_models() -> None:
    assert Path("models/actalker/face_landmarker.task") == DEFAULT_PATH


def zipped(path: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
    return path


@pytest.mark.parametrize("kind", ["missing", "folder", "empty", "text", "no networks", "some"])
def test_a_file_that_is_no_landmarker_is_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "face_landmarker.task"
    if kind == "folder":
        path.mkdir()
    elif kind in ("no networks", "some"):
        zipped(path, {"readme.txt" if kind == "no networks" else f"{NETWORKS[0]}.tflite": b"?"})
    elif kind != "missing":
        path.write_bytes({"empty": b"", "text": b"not a zip"}[kind])
    with pytest.raises(CheckpointError, match=r"face_landmarker\.task"):
        open_finder(path)


@needs_model
@pytest.mark.parametrize("kind", ["half", "one byte"])
def test_a_damaged_landmarker_is_named(tmp_path: Path, kind: str) -> None:
    content = bytearray(TASK.read_bytes())
    content[100_000] ^= 0xFF
    path = tmp_path / "face_landmarker.task"
    path.write_bytes(content if kind == "one byte" else content[: len(content) // 2])
    with pytest.raises(CheckpointError, match=r"face_landmarker\.task"):
        open_finder(path)


@needs_model
@pytest.mark.parametrize("content", [b"", b"nonsense" * 100], ids=["empty", "nonsense"])
@pytest.mark.parametrize("network", NETWORKS)
def test_a_network_that_cannot_be_read_names_the_file(
    tmp_path: Path, network: str, content: bytes
) -> None:
    with zipfile.ZipFile(TASK) as file:
        files = {f"{name}.tflite": file.read(f"{name}.tflite") for name in NETWORKS}
    path = zipped(tmp_path / "face_landmarker.task", files | {f"{network}.tflite": content})
    with pytest.raises(CheckpointError, match=r"face_landmarker\.task"):
        open_finder(path)


@needs_model
def test_another_network_in_the_place_of_the_blendshapes_names_the_file(tmp_path: Path) -> None:
    with zipfile.ZipFile(TASK) as file:
        files = {f"{name}.tflite": file.read(f"{name}.tflite") for name in NETWORKS}
    files["face_blendshapes.tflite"] = files["face_detector.tflite"]
    path = zipped(tmp_path / "face_landmarker.task", files)
    with pytest.raises(CheckpointError, match=r"face_landmarker\.task"):
        open_finder(path)


def test_nothing_to_find_with_says_what_to_put_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(finder.Haar, "is_there", staticmethod(lambda: False))
    with pytest.raises(FaceError, match=re.escape(str(DEFAULT_PATH))):
        open_finder()


class Cascade:
    """What OpenCV 4 has and OpenCV 5 has not: two faces, as corner and size."""

    found: Any = np.array([[10, 5, 20, 30], [50, 20, 20, 20]], np.int32)

    def __init__(self, path: str) -> None:
        assert Path(path).is_file()

    def detectMultiScale(self, grey: NDArray[np.uint8], *_: Any, **__: Any) -> Any:  # noqa: N802
        assert grey.shape == (HEIGHT, WIDTH)
        assert grey.dtype == np.uint8
        return self.found


@pytest.fixture
def cascade(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[Cascade]:
    """OpenCV 4, far from any model file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "haarcascade_frontalface_default.xml").write_text("<xml/>")
    folder = SimpleNamespace(haarcascades=str(tmp_path))
    monkeypatch.setattr(cv2, "data", folder, raising=False)
    monkeypatch.setattr(cv2, "CascadeClassifier", Cascade, raising=False)
    return Cascade


def test_without_the_file_a_cascade_finds_boxes_and_says_so(
    cascade: type[Cascade], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        haar = open_finder()
    assert str(DEFAULT_PATH) in caplog.text
    found = haar.find(greys(1)[0])
    assert [face.box for face in found] == [(10, 5, 30, 35), (50, 20, 70, 40)]
    assert all(face.landmarks is None and 0 < face.confidence <= 1 for face in found)
    near = haar.find_near(greys(1)[0], (45, 15, 65, 35))
    assert near is not None
    assert near.box == (50, 20, 70, 40)
    assert haar.find_near(greys(1)[0], (0, 50, 5, 55)) is None


def test_a_cascade_follows_boxes(cascade: type[Cascade]) -> None:
    followed = track(open_finder(), greys(3), "right")
    assert followed.missed == []
    assert followed.landmarks is None
    assert np.allclose(followed.boxes, (50, 20, 70, 40))


def test_a_cascade_may_find_nothing(
    cascade: type[Cascade], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cascade, "found", ())
    assert open_finder().find(torch.zeros(3, HEIGHT, WIDTH)) == []


def test_a_given_path_is_never_replaced_by_a_cascade(
    cascade: type[Cascade], tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match=r"mine\.task"):
        open_finder(tmp_path / "mine.task")


# Fetching ----------------------------------------------------------------------------------------

CONTENT = b"three networks"
SUM = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a file to fetch."""
    monkeypatch.setenv("no_proxy", "*")
    path = tmp_path / "offered.task"
    path.write_bytes(CONTENT)
    return path.as_uri()


def test_a_file_with_the_right_checksum_appears(tmp_path: Path, offered: str) -> None:
    path = tmp_path / "new" / "folder" / "face_landmarker.task"
    assert download_landmarker(path, offered, SUM) == path
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]


def test_a_file_with_another_checksum_is_not_kept(tmp_path: Path, offered: str) -> None:
    path, expected = tmp_path / "new" / "face_landmarker.task", "0" * 64
    with pytest.raises(CheckpointError, match=f"{expected}.*{SUM}"):
        download_landmarker(path, offered, expected)
    assert not path.parent.exists() or not list(path.parent.iterdir())


def test_a_wrong_download_leaves_the_file_that_is_there(tmp_path: Path, offered: str) -> None:
    path = tmp_path / "face_landmarker.task"
    path.write_bytes(b"old")
    with pytest.raises(CheckpointError):
        download_landmarker(path, offered, "0" * 64)
    assert path.read_bytes() == b"old"
    download_landmarker(path, offered, SUM)
    assert path.read_bytes() == CONTENT


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_without_a_connection_one_is_told_where_to_put_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "*")
    path = tmp_path / "face_landmarker.task"
    with pytest.raises(CheckpointError, match=re.escape(str(path))):
        download_landmarker(path, f"http://127.0.0.1:{closed_port()}/x.task", SUM)
    assert not list(tmp_path.iterdir())


class Failing(BaseHTTPRequestHandler):
    """Answers by what the address names."""

    def do_GET(self) -> None:
        if self.path == "/absent":
            self.send_error(404)
        elif self.path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(CONTENT)
        else:
            self.wfile.write(b"not HTTP\r\n\r\n")

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@pytest.fixture(scope="module")
def failing_server() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Failing)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("kind", ["absent", "cut", "garbled"])
def test_a_connection_that_fails_is_told_from_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing_server: str, kind: str
) -> None:
    monkeypatch.setenv("no_proxy", "*")
    path = tmp_path / "face_landmarker.task"
    with pytest.raises(CheckpointError, match=re.escape(str(path))):
        download_landmarker(path, f"{failing_server}/{kind}", SUM)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, offered: str) -> None:
    (tmp_path / "models").write_text("a file where a folder should be")
    with pytest.raises(ACTalkerError, match="models"):
        download_landmarker(tmp_path / "models" / "face_landmarker.task", offered, SUM)
