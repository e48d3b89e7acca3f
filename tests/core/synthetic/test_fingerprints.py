"""What a seed draws stays what it was: else the built-in model was trained on another world.

The numbers are coarse enough for any build of NumPy and OpenCV, and fine enough that a random
number more, fewer or in another order changes them.
"""

import numpy as np
import pytest

from actalker_core.synthetic import demo
from actalker_core.synthetic.identities import make_identity
from actalker_core.synthetic.motion import random_motion, random_portrait_state, random_state
from actalker_core.synthetic.rendering import render_face
from actalker_core.synthetic.speech import random_speech

IDENTITY = [110.310719, 78.305711, 54.584556, 0.640877, 0.928308, 0.0, 0.0]
STATES = [
    [9.64078289, 0.13417261, 0.58679857],
    [-1.72639069, 0.8, 0.0],
    [-7.61693024, 0.83886968, 1.0],
]
NEXT_AFTER_STATES = 0.053029674858421805
MEAN_COLOURS = [
    [157.672, 131.755, 121.651],
    [185.558, 145.786, 124.577],
    [184.974, 168.085, 160.067],
    [176.46, 138.627, 127.24],
]
MOUTH_BOXES = [
    [51.4839, 86.1432, 65.7773, 108.1817],
    [36.8892, 85.6319, 79.5646, 99.0679],
    [53.877, 85.9985, 86.6156, 100.022],
    [58.7137, 82.8733, 80.484, 103.1145],
]
SAMPLES = [-0.037594, -0.025732, -0.014398, -0.010456]
POWER = 0.0029148277826607227
MOUTH = [0.38694634, -0.08041951, 0.23368293]
NEXT_AFTER_SPEECH = 0.8757627233481784
PORTRAIT = 0.589126
DRIVING = 0.507569
DRIVING_BOX = [18.3121, 1.5217, 102.7503, 121.7675]


def test_identities() -> None:
    identity = make_identity(7)
    numbers = [*identity.skin, identity.jaw, identity.mouth, identity.glasses, identity.beard]
    assert numbers == pytest.approx(IDENTITY, abs=1e-4)


def test_states() -> None:
    rng = np.random.default_rng(3)
    states = [random_state(rng), random_portrait_state(rng), random_motion(rng, 20, 12.5)[-1]]
    assert [[s.yaw, s.eye_left, s.open] for s in states] == [
        pytest.approx(row, abs=1e-6) for row in STATES
    ]
    assert rng.random() == pytest.approx(NEXT_AFTER_STATES)


@pytest.mark.parametrize("seed", range(4))
def test_renderings(seed: int) -> None:
    rendering = render_face(make_identity(seed), random_state(np.random.default_rng(seed)))
    mean = rendering.image.mean((0, 1))
    assert mean == pytest.approx(MEAN_COLOURS[seed], abs=0.02)
    assert rendering.mouth_box == pytest.approx(MOUTH_BOXES[seed], abs=1e-3)


def test_speech() -> None:
    rng = np.random.default_rng(5)
    speech = random_speech(rng, 2.0)
    assert speech.samples[8000:8004] == pytest.approx(SAMPLES, abs=1e-4)
    assert float(np.square(speech.samples).mean()) == pytest.approx(POWER, rel=1e-3)
    assert speech.mouth[150] == pytest.approx(MOUTH, abs=1e-6)
    assert rng.random() == pytest.approx(NEXT_AFTER_SPEECH)


def test_demo() -> None:
    assert float(demo.render_portrait().mean()) == pytest.approx(PORTRAIT, abs=1e-4)
    assert float(demo.render_driving_frames(0.4).mean()) == pytest.approx(DRIVING, abs=1e-4)
    assert demo.locate_driving_face() == pytest.approx(DRIVING_BOX, abs=1e-3)
