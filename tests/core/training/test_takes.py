"""What the model is asked to show: each signal in its own region, as far as its gate is open."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from actalker_core.models.actalker.config import VARIANTS
from actalker_core.synthetic.identities import (
    EYE_NAMES,
    HEAD_NAMES,
    MOUTH_NAMES,
    FaceState,
    make_identity,
)
from actalker_core.synthetic.motion import (
    blink_track,
    random_motion,
    random_portrait_state,
    smooth_noise_track,
)
from actalker_core.synthetic.rendering import render_face
from actalker_core.synthetic.speech import random_speech
from actalker_core.training.library import SPEECH_SECONDS, DrawnTakes, Heard, Library, Watched
from actalker_core.training.takes import (
    AUDIO,
    EXPRESSION,
    GATES,
    SETUPS,
    Take,
    random_setup,
    random_signal,
    setup_masks,
)

REST = FaceState(yaw=2, smile=0.1)
DRIVING = FaceState(
    yaw=12, pitch=-3, roll=5, brows=0.8, eye_left=0.1, gaze_x=0.5, smile=-0.7, open=0.9
)
SPOKEN = np.array([0.6, -0.4, 0.3])


def state(setup: str, audio: float, expression: float) -> FaceState:
    gates = np.array([[audio, expression]])
    take = Take(make_identity(0), REST, [DRIVING], SPOKEN[None], gates, setup)
    return take.states()[0]


def of(one: FaceState, names: tuple[str, ...]) -> list[float]:
    return [getattr(one, name) for name in names]


@pytest.mark.parametrize("setup", SETUPS)
def test_shut_gates_leave_the_portrait(setup: str) -> None:
    assert state(setup, 0, 0) == REST


@pytest.mark.parametrize("setup", ["audio", "paper", "released"])
def test_audio_owns_the_mouth(setup: str) -> None:
    open_mouth = state(setup, 1, 0)
    assert of(open_mouth, MOUTH_NAMES) == pytest.approx(SPOKEN)
    assert replace(open_mouth, open=0, wide=0, round=0) == REST


@pytest.mark.parametrize("setup", ["paper", "released"])
def test_beside_audio_expression_owns_everything_but_the_mouth(setup: str) -> None:
    both = state(setup, 1, 1)
    assert of(both, MOUTH_NAMES) == pytest.approx(SPOKEN)
    assert of(both, (*HEAD_NAMES, *EYE_NAMES)) == of(DRIVING, (*HEAD_NAMES, *EYE_NAMES))
    assert both.smile == REST.smile


def test_expression_alone_owns_the_whole_face() -> None:
    alone = state("expression", 0, 1)
    assert alone == replace(DRIVING, x=REST.x, y=REST.y)


def test_a_gate_between_goes_part_of_the_way() -> None:
    half = state("paper", 0.5, 0.25)
    assert half.open == pytest.approx(0.3)
    assert half.yaw == pytest.approx(0.75 * 2 + 0.25 * 12)


def test_setups_and_gates_are_drawn_as_said() -> None:
    rng = np.random.default_rng(0)
    drawn = [random_setup(rng, 10) for _ in range(400)]
    assert {setup for setup, _ in drawn} == set(SETUPS)
    for setup, gates in drawn:
        assert gates.shape == (10, 2)
        assert gates.min() >= 0
        assert gates.max() <= 1
        if setup == "audio":
            assert not gates[:, 1].any()
        if setup == "expression":
            assert not gates[:, 0].any()
    states = {tuple(gates[0]) for _, gates in drawn if (gates == gates[0]).all()}
    assert states >= set(GATES)
    assert any((gates != gates[0]).any() for _, gates in drawn)


def test_only_a_signal_that_is_there_says_something_else() -> None:
    rng = np.random.default_rng(0)
    found = {setup: {random_signal(rng, setup) for _ in range(20)} for setup in SETUPS}
    assert found == {
        "audio": {AUDIO},
        "expression": {EXPRESSION},
        "paper": {AUDIO, EXPRESSION},
        "released": {AUDIO, EXPRESSION},
    }


@pytest.fixture(scope="module")
def drawn() -> list[dict[str, torch.Tensor]]:
    """Pairs of a small library of signals that no network has heard or watched."""
    config, rng = VARIANTS["built-in"], np.random.default_rng(0)
    sizes = config.audio_projection
    states = [torch.full((700, sizes.blocks, sizes.channels), float(i)) for i in range(2)]
    heard = [Heard(random_speech(rng, SPEECH_SECONDS), one) for one in states]
    moved = [random_motion(rng, 20, 12.5) for _ in range(3)]
    seen = [Watched(m, torch.full((20, 4), i), torch.full((20, 3), i)) for i, m in enumerate(moved)]
    takes = DrawnTakes(Library(heard, seen), config, seed=0)
    return [takes[i] for i in range(8)]


def test_films_of_a_pair_differ_in_one_signal_alone(drawn: list[dict[str, torch.Tensor]]) -> None:
    assert {int(take["differs"]) for take in drawn} == {AUDIO, EXPRESSION}
    for take in drawn:
        same = take[("features", "windows")[take["differs"]]]
        assert torch.equal(same[0], same[1])
        first, second = take["pictures"][1:].chunk(2)
        gate = take["gates"][:, take["differs"]]
        assert first.shape == second.shape
        assert torch.equal(first[gate == 0], second[gate == 0])
        if take["differs"] == AUDIO:  # the head stays, so that only the mouth may have moved
            moved = (first - second).abs().amax(dim=(0, 1))
            assert moved[:40].max() == 0


def test_the_head_may_be_that_of_another_clip() -> None:
    own = Watched([FaceState(yaw=1, open=0.5, eye_left=0.2)], torch.zeros(1, 4), torch.zeros(1, 3))
    other = Watched([FaceState(yaw=9, open=0.9, eye_left=0.8)], torch.ones(1, 4), torch.ones(1, 3))
    both = own.with_head_of(other)
    assert both.states == [FaceState(yaw=9, open=0.5, eye_left=0.2)]
    assert torch.equal(both.features, own.features)
    assert torch.equal(both.rotation_degrees, other.rotation_degrees)


def test_masks_are_the_portraits() -> None:
    face = render_face(make_identity(0), REST).face_box
    found = {setup: setup_masks(setup, face) for setup in SETUPS}
    assert not found["audio"][1].any()
    assert not found["expression"][0].any()
    mouth, rest = found["paper"]
    assert not (mouth * rest).any()
    assert mouth.any()
    assert rest.any()
    assert all(mask.all() for mask in found["released"])


def test_motion_is_smooth_and_within_reach() -> None:
    states = random_motion(np.random.default_rng(3), 100, 25.0)
    assert len(states) == 100
    for name, most in (("yaw", 16), ("pitch", 8), ("roll", 9), ("brows", 1), ("smile", 1)):
        track = np.array([getattr(one, name) for one in states])
        assert np.abs(track).max() <= most
        assert np.abs(np.diff(track)).max() < 0.25 * most
    assert all(0 <= one.eye_left <= 1 for one in states)


def test_blinks_shut_the_eyes_now_and_then() -> None:
    lids = blink_track(np.random.default_rng(0), 500, 25.0)
    shut = np.flatnonzero(np.diff((lids < 0.3).astype(int)) == 1)
    assert 4 <= len(shut) <= 15
    assert lids.max() == 1


def test_wander_keeps_to_its_rates() -> None:
    slow, fast = (
        np.abs(np.diff(smooth_noise_track(np.random.default_rng(0), 400, 25.0, *rates))).mean()
        for rates in ((0.05, 0.1), (1.0, 2.0))
    )
    assert fast > 5 * slow


def test_people_sit_nearly_frontal() -> None:
    states = [random_portrait_state(np.random.default_rng(i)) for i in range(50)]
    assert max(abs(one.yaw) for one in states) <= 4
    assert all(one.open == 0 for one in states)
