"""Landmarks of drawn faces lie on what is drawn, and say what the state says."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from actalker_core.faces.blendshapes import NAMES
from actalker_core.faces.measure import gaze
from actalker_core.geometry import rings
from actalker_core.geometry.mesh import FaceMesh
from actalker_core.geometry.pose import fit_pose, measure_rotation
from actalker_core.geometry.retarget import eye_gaps
from actalker_core.synthetic.identities import FaceState, make_identity
from actalker_core.synthetic.landmarks import DrawnLandmarks, name_blendshapes
from actalker_core.synthetic.motion import random_state
from actalker_core.synthetic.rendering import MOUTH_INSIDE, SCLERA, SIDE_PX, render_face

quick = settings(max_examples=20, deadline=None)
SEEDS = st.integers(0, 10_000)
STATES = SEEDS.map(lambda seed: random_state(np.random.default_rng(seed)))
NEAR_PX = 0.75
FRONTAL = FaceState()


@pytest.fixture(scope="module")
def landmarks(mesh: FaceMesh) -> DrawnLandmarks:
    return DrawnLandmarks(mesh)


def distance_to(line: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """From each point (n, 2) to a closed line (m, 2)."""
    outline = line.astype(np.float32)[:, None]
    return np.array([abs(cv2.pointPolygonTest(outline, tuple(p), True)) for p in points.tolist()])


@quick
@given(SEEDS, STATES)
def test_outlines_lie_on_what_is_drawn(
    landmarks: DrawnLandmarks, seed: int, state: FaceState
) -> None:
    identity = make_identity(seed)
    outlines = render_face(identity, state).landmarks
    points = landmarks.place(identity, state)[:, :2]
    mouth = (*rings.UPPER_LIP_ROWS[0], *rings.LOWER_LIP_ROWS[0])
    for part, vertices in (
        ("face", rings.OVAL),
        ("mouth", mouth),
        ("eye_left", rings.LEFT_EYE),
        ("eye_right", rings.RIGHT_EYE),
    ):
        assert distance_to(outlines[part], points[list(vertices)]).max() < NEAR_PX, part
    for part, brow in (("brow_left", rings.LEFT_BROW), ("brow_right", rings.RIGHT_BROW)):
        middle = np.concatenate([outlines[part], outlines[part][::-1]])
        assert distance_to(middle, points[list(brow)]).max() < 2 + NEAR_PX, part


@quick
@given(SEEDS)
def test_openings_hold_what_is_seen_through_them(landmarks: DrawnLandmarks, seed: int) -> None:
    identity = make_identity(seed)
    state = replace(FRONTAL, open=1.0, eye_left=1.0, eye_right=1.0)
    image, points = render_face(identity, state).image, landmarks.place(identity, state)
    for colour, vertices in ((MOUTH_INSIDE, [rings.INNER_LIPS]), (SCLERA, rings.EYES)):
        mask = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
        for ring in vertices:
            cv2.fillPoly(mask, [np.int32(np.rint(points[list(ring), :2] * 16))], 1, shift=4)
        is_seen = np.abs(image.astype(float) - colour).max(2) < 12
        assert is_seen.sum() > 20
        assert (is_seen & (mask > 0)).sum() > 0.95 * is_seen.sum()


@quick
@given(SEEDS, st.floats(-16, 16), st.floats(-8, 8), st.floats(-9, 9))
def test_the_head_turns_as_the_state_says(
    landmarks: DrawnLandmarks, mesh: FaceMesh, seed: int, yaw: float, pitch: float, roll: float
) -> None:
    identity = make_identity(seed)
    states = (FRONTAL, replace(FRONTAL, yaw=yaw, pitch=pitch, roll=roll))
    points = np.stack([landmarks.place(identity, state) for state in states])
    before, after = measure_rotation(fit_pose(points, mesh).rotation)
    change = after - before
    assert change == pytest.approx([pitch, yaw, roll], abs=2.5)


@quick
@given(SEEDS, st.floats(0.1, 1), st.floats(0.1, 1))
def test_lids_open_as_the_state_says(
    landmarks: DrawnLandmarks, seed: int, left: float, right: float
) -> None:
    identity = make_identity(seed)
    states = [replace(FRONTAL, eye_left=x, eye_right=y) for x, y in ((left, right), (1.0, 1.0))]
    gaps, widest = eye_gaps(np.stack([landmarks.place(identity, state) for state in states]))
    assert gaps / widest == pytest.approx([left, right], abs=0.05)


@pytest.mark.parametrize(("x", "y"), [(1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)])
def test_irises_look_as_the_state_says(landmarks: DrawnLandmarks, x: float, y: float) -> None:
    identity = make_identity(0)
    states = (FRONTAL, replace(FRONTAL, gaze_x=x, gaze_y=y))
    points = np.stack([landmarks.place(identity, state) for state in states])
    rest, look = gaze(points.astype(np.float32))
    assert np.argmax(np.abs(look - rest)) == (0 if x else 1)
    assert np.sign(look - rest)[0 if x else 1] == (x or y)


@quick
@given(SEEDS)
def test_the_mesh_does_not_fold_on_a_face_that_looks_ahead(
    landmarks: DrawnLandmarks, mesh: FaceMesh, seed: int
) -> None:
    def areas(points: NDArray[np.float64]) -> NDArray[np.float64]:
        a, b, c = np.moveaxis(points[mesh.skin_triangles][..., :2], 1, 0)
        (ux, uy), (vx, vy) = (b - a).T, (c - a).T
        return np.asarray(ux * vy - uy * vx)

    sizes = areas(landmarks.place(make_identity(seed), FRONTAL))
    is_folded = sizes * areas(mesh.vertices) < 0
    assert np.abs(sizes[is_folded]).sum() < 0.015 * np.abs(sizes).sum(), "slivers at most"


@quick
@given(STATES)
def test_blendshapes_are_numbers_of_the_state(state: FaceState) -> None:
    numbers = dict(zip(NAMES, name_blendshapes(state).tolist(), strict=True))
    assert all(0 <= value <= 1 for value in numbers.values())
    assert numbers["jawOpen"] == pytest.approx(0.7 * state.open)
    assert numbers["mouthSmileLeft"] - numbers["mouthFrownLeft"] == pytest.approx(state.smile)
    assert numbers["browInnerUp"] - numbers["browDownLeft"] == pytest.approx(state.brows)
    assert not any(name_blendshapes(FRONTAL))
