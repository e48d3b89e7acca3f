"""What is read from the pixels of a motion face is what was motion."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from actalker_core.synthetic.identities import FaceState, make_identity
from actalker_core.synthetic.motion import random_motion, random_portrait_state
from actalker_core.synthetic.rendering import ImageArray, render_face
from actalker_core.training.inverse_rendering import fit_states, mean_error_255

CLOSE = {"yaw": 1.5, "pitch": 1.5, "roll": 1.0, "brows": 0.15, "open": 0.12}


def degrade(image: ImageArray, seed: int) -> ImageArray:
    """As a model may show it: a little blurred, and noisy."""
    soft = cv2.GaussianBlur(image, (0, 0), 0.8).astype(float)
    noise = np.random.default_rng(seed).normal(0, 5, image.shape)
    return np.clip(soft + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("seed", [11, 12])
def test_states_are_read_back(seed: int) -> None:
    rng = np.random.default_rng(seed)
    identity, rest = make_identity(seed), random_portrait_state(rng)
    motion = random_motion(rng, 8, 12.5)
    states = [replace(state, x=rest.x, y=rest.y) for state in motion]
    images = [degrade(render_face(identity, state).image, i) for i, state in enumerate(states)]
    results = fit_states(identity, rest, images)
    for name, limit in CLOSE.items():
        errors = [
            abs(getattr(a, name) - getattr(b, name)) for a, b in zip(states, results, strict=True)
        ]
        assert np.mean(errors) < limit, name


def test_an_opening_mouth_is_followed() -> None:
    identity, rest = make_identity(3), FaceState()
    openness = [0, 0.2, 0.5, 0.9, 0.4, 0]
    images = [degrade(render_face(identity, FaceState(open=value)).image, 0) for value in openness]
    results = [state.open for state in fit_states(identity, rest, images)]
    assert np.corrcoef(results, openness)[0, 1] > 0.97


@pytest.mark.parametrize("seed", [5, 7])
def test_shut_eyes_are_seen_to_open(seed: int) -> None:
    """Nothing in the picture of a shut eye tells which way it opens."""
    identity = make_identity(seed)
    eyes = [(0, 0, -0.7), (1, 0, 0.7), (0, 1, -0.7), (1, 1, 0.7), (0, 0, 0)]
    states = [FaceState(eye_left=left, eye_right=right, brows=brows) for left, right, brows in eyes]
    images = [degrade(render_face(identity, state).image, i) for i, state in enumerate(states)]
    results = fit_states(identity, FaceState(eye_left=0, eye_right=0), images)
    assert np.allclose(
        [(f.eye_left, f.eye_right) for f in results], np.array(eyes)[:, :2], atol=0.15
    )


def blotchy(image: ImageArray, rng: np.random.Generator) -> ImageArray:
    """As the built-in model shows it: skin that is not of one colour."""
    blots = cv2.GaussianBlur(rng.normal(0, 1, image.shape), (0, 0), 3.0)
    soft = cv2.GaussianBlur(image, (0, 0), 1.0).astype(float)
    return np.clip(soft + 18 * blots / blots.std(), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("seed", [34, 38])
def test_a_blotchy_face_does_not_lead_astray(seed: int) -> None:
    """A frame read wrongly must not mislead those that follow it."""
    rng = np.random.default_rng(seed)
    identity, rest = make_identity(seed), random_portrait_state(rng)
    states = [replace(state, x=rest.x, y=rest.y) for state in random_motion(rng, 20, 12.5)]
    images = [blotchy(render_face(identity, state).image, rng) for state in states]
    results = fit_states(identity, rest, images)
    for name, limit in {"eye_left": 0.03, "eye_right": 0.03, "smile": 0.2}.items():
        errors = [
            abs(getattr(a, name) - getattr(b, name)) for a, b in zip(states, results, strict=True)
        ]
        assert np.mean(errors) < limit, name


def test_the_difference_tells_people_apart() -> None:
    identity, state = make_identity(4), FaceState(yaw=5)
    image = degrade(render_face(identity, state).image, 0)
    error = mean_error_255(identity, state, image)
    other_errors = [mean_error_255(make_identity(seed), state, image) for seed in range(20, 30)]
    assert error < min(other_errors) / 4
