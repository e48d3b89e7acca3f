"""The rig: zero is zero, sides are mirror images, and shapes do what their names say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from actalker_core.errors import InputError
from actalker_core.faces.blendshapes import NAMES
from actalker_core.geometry import rings
from actalker_core.geometry.mesh import FaceMesh
from actalker_core.geometry.rig import JAW_OPEN, MAX_LOOKS, Rig, lid_openings, limit_gaze

NUMBERS = arrays(np.float64, len(NAMES), elements=st.floats(-1, 1))
OPPOSITES = {"Left": "Right", "Right": "Left"}
AHEAD = np.zeros(4)
CORNER, OTHER_CORNER = rings.MOUTH_CORNERS[1], rings.MOUTH_CORNERS[0]
UPPER_LIP, LOWER_LIP, CHIN = 13, 14, 152


@pytest.fixture(scope="module")
def rig(mesh: FaceMesh) -> Rig:
    return Rig(mesh)


def numbers_of(**values: float) -> np.ndarray:
    """(52,) by name; a name without a side is both sides'."""
    return np.array(
        [values.get(n, values.get(n.removesuffix("Left").removesuffix("Right"), 0)) for n in NAMES],
        np.float64,
    )


def mirror_name(name: str) -> str:
    for side, opposite in OPPOSITES.items():
        if name.endswith(side):
            return name.removesuffix(side) + opposite
    return name


def test_no_number_moves_nothing(rig: Rig) -> None:
    assert not rig.displace(np.zeros(52)).any()
    assert not rig.displace(np.zeros((4, 52))).any()
    assert lid_openings(np.zeros(52), AHEAD).tolist() == [1, 1]


@pytest.mark.parametrize("name", NAMES[1:])
def test_the_other_side_is_the_mirror_image(rig: Rig, mesh: FaceMesh, name: str) -> None:
    motion = rig.displace(numbers_of(**{name: 1.0}))
    mirror_image = rig.displace(numbers_of(**{mirror_name(name): 1.0}))
    assert np.allclose(motion[mesh.mirror] * (-1, 1, 1), mirror_image, atol=1e-4)


@settings(deadline=None, max_examples=20)
@given(first=NUMBERS, second=NUMBERS)
def test_all_but_the_jaw_is_linear(rig: Rig, first: np.ndarray, second: np.ndarray) -> None:
    first[JAW_OPEN] = second[JAW_OPEN] = 0
    total = rig.displace(first) + 2 * rig.displace(second)
    assert np.allclose(rig.displace(first + 2 * second), total, atol=1e-9)


@settings(deadline=None, max_examples=10)
@given(numbers=arrays(np.float64, (3, len(NAMES)), elements=st.floats(-1, 1)))
def test_frames_are_as_one_after_the_other(rig: Rig, numbers: np.ndarray) -> None:
    assert np.allclose(rig.displace(numbers), [rig.displace(row) for row in numbers])


@settings(deadline=None, max_examples=20)
@given(numbers=NUMBERS)
def test_lids_and_the_forehead_stay(rig: Rig, numbers: np.ndarray) -> None:
    motion = rig.displace(numbers)
    assert not motion[[*rings.LEFT_EYE, *rings.RIGHT_EYE, *rings.UPPER_OVAL]].any()


def test_the_jaw_keeps_its_distance_from_its_joint(rig: Rig, mesh: FaceMesh) -> None:
    joint = np.array([0, -0.67, 2.44])
    still = mesh.vertices[CHIN]
    for opening in (0.2, 0.6, 1.0):
        place = still + rig.displace(numbers_of(jawOpen=opening))[CHIN]
        assert np.linalg.norm(place - joint) == pytest.approx(np.linalg.norm(still - joint))
        assert place[1] > still[1]


@pytest.mark.parametrize(
    ("shape", "vertex", "axis", "sign"),
    [
        ("jawOpen", LOWER_LIP, 1, 1),
        ("jawForward", CHIN, 2, -1),
        ("jawLeft", CHIN, 0, 1),
        ("jawRight", CHIN, 0, -1),
        ("mouthLeft", LOWER_LIP, 0, 1),
        ("mouthSmile", CORNER, 1, -1),
        ("mouthSmile", CORNER, 0, 1),
        ("mouthSmile", OTHER_CORNER, 0, -1),
        ("mouthFrown", CORNER, 1, 1),
        ("mouthPucker", CORNER, 0, -1),
        ("mouthPucker", UPPER_LIP, 2, -1),
        ("mouthStretch", CORNER, 0, 1),
        ("mouthUpperUp", UPPER_LIP, 1, -1),
        ("mouthLowerDown", LOWER_LIP, 1, 1),
        ("cheekPuff", 280, 0, 1),
        ("noseSneer", 358, 1, -1),
        ("browDown", 285, 1, 1),
        ("browInnerUp", 285, 1, -1),
        ("browOuterUp", 300, 1, -1),
    ],
)
def test_shapes_do_what_their_names_say(
    rig: Rig, shape: str, vertex: int, axis: int, sign: int
) -> None:
    assert sign * rig.displace(numbers_of(**{shape: 1.0}))[vertex, axis] > 0.05


@pytest.mark.parametrize("shape", ["mouthSmile", "mouthFrown", "mouthPucker", "mouthPress"])
def test_shut_lips_stay_shut(rig: Rig, shape: str) -> None:
    """What moves both lips moves the inner ones together."""
    motion = rig.displace(numbers_of(**{shape: 1.0}))
    for upper, lower in rings.LIP_PAIRS:
        assert abs(motion[lower, 1] - motion[upper, 1]) < 0.08


def test_openings_of_the_eyes() -> None:
    def openings(**shapes: float) -> np.ndarray:
        return lid_openings(numbers_of(**shapes), AHEAD)

    assert openings(eyeBlink=1.0).tolist() == [0, 0]
    assert openings(eyeBlinkLeft=0.5).tolist() == [0.5, 1]
    assert (openings(eyeWide=1.0) > 1).all()
    assert (openings(eyeSquint=1.0) < 1).all()
    assert (openings(eyeBlink=1.0, eyeSquint=1.0) == 0).all()


def test_lids_follow_the_gaze_and_a_blink_shuts_them_anywhere() -> None:
    looks = np.array([[0, -9, 0, 9], [0, -0.3, 0, 0.3], [0.7, 0, -0.7, 0]])
    far, near, aside = lid_openings(np.zeros(52), looks)
    assert 0.4 < far[0] < near[0] < 1 < near[1] < far[1] < 1.5
    assert aside.tolist() == [1, 1]
    assert not lid_openings(numbers_of(eyeBlink=1.0), looks).any()


def test_a_gaze_stays_in_the_eye() -> None:
    courses = np.linspace(-3, 3, 61)[:, None] * np.ones(4)
    limits = limit_gaze(courses)
    assert (np.diff(limits, axis=0) > 0).all()
    assert (np.abs(limits) <= np.tile(MAX_LOOKS, 2)).all()
    small = np.abs(courses) <= np.tile(MAX_LOOKS, 2) / 2
    assert np.allclose(limits[small], courses[small], rtol=0.02)
    assert np.allclose(limit_gaze(-courses), -limits)


@pytest.mark.parametrize("wrong", [np.zeros(51), np.full(52, np.nan), np.full(52, np.inf)])
def test_numbers_that_are_none_are_refused(rig: Rig, wrong: np.ndarray) -> None:
    with pytest.raises(InputError, match="Blendshapes: expected"):
        rig.displace(wrong)
