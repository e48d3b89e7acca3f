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
from actalker_core.training.dataset import (
    SPEECH_SECONDS,
    EncodedMotion,
    EncodedSignals,
    EncodedSpeech,
    SampleDataset,
)
from actalker_core.training.samples import (
    AUDIO,
    EXPRESSION,
    GATES,
    MODES,
    Sample,
    draw_mode_masks,
    random_contrast,
    random_mode,
)

REST = FaceState(yaw=2, smile=0.1)
DRIVING = FaceState(
    yaw=12, pitch=-3, roll=5, brows=0.8, eye_left=0.1, gaze_x=0.5, smile=-0.7, open=0.9
)
MOUTH = np.array([0.6, -0.4, 0.3])


def state(mode: str, audio: float, expression: float) -> FaceState:
    gates = np.array([[audio, expression]])
    sample = Sample(make_identity(0), REST, [DRIVING], MOUTH[None], gates, mode)
    return sample.target_states()[0]


def of(face_state: FaceState, names: tuple[str, ...]) -> list[float]:
    return [getattr(face_state, name) for name in names]


@pytest.mark.parametrize("mode", MODES)
def test_shut_gates_leave_the_portrait(mode: str) -> None:
    assert state(mode, 0, 0) == REST


@pytest.mark.parametrize("mode", ["audio", "paper", "released"])
def test_audio_owns_the_mouth(mode: str) -> None:
    open_mouth = state(mode, 1, 0)
    assert of(open_mouth, MOUTH_NAMES) == pytest.approx(MOUTH)
    assert replace(open_mouth, open=0, wide=0, round=0) == REST


@pytest.mark.parametrize("mode", ["paper", "released"])
def test_beside_audio_expression_owns_everything_but_the_mouth(mode: str) -> None:
    face_state = state(mode, 1, 1)
    assert of(face_state, MOUTH_NAMES) == pytest.approx(MOUTH)
    assert of(face_state, (*HEAD_NAMES, *EYE_NAMES)) == of(DRIVING, (*HEAD_NAMES, *EYE_NAMES))
    assert face_state.smile == REST.smile


def test_expression_alone_owns_the_whole_face() -> None:
    alone = state("expression", 0, 1)
    assert alone == replace(DRIVING, x=REST.x, y=REST.y)


def test_a_gate_between_goes_part_of_the_way() -> None:
    half = state("paper", 0.5, 0.25)
    assert half.open == pytest.approx(0.3)
    assert half.yaw == pytest.approx(0.75 * 2 + 0.25 * 12)


def test_setups_and_gates_are_drawn_as_said() -> None:
    rng = np.random.default_rng(0)
    modes = [random_mode(rng, 10) for _ in range(400)]
    assert {mode for mode, _ in modes} == set(MODES)
    for mode, gates in modes:
        assert gates.shape == (10, 2)
        assert gates.min() >= 0
        assert gates.max() <= 1
        if mode == "audio":
            assert not gates[:, 1].any()
        if mode == "expression":
            assert not gates[:, 0].any()
    states = {tuple(gates[0]) for _, gates in modes if (gates == gates[0]).all()}
    assert states >= set(GATES)
    assert any((gates != gates[0]).any() for _, gates in modes)


def test_only_a_signal_that_is_there_says_something_else() -> None:
    rng = np.random.default_rng(0)
    results = {mode: {random_contrast(rng, mode) for _ in range(20)} for mode in MODES}
    assert results == {
        "audio": {AUDIO},
        "expression": {EXPRESSION},
        "paper": {AUDIO, EXPRESSION},
        "released": {AUDIO, EXPRESSION},
    }


@pytest.fixture(scope="module")
def samples() -> list[dict[str, torch.Tensor]]:
    """Pairs of a small library of signals that no network has heard or watched."""
    config, rng = VARIANTS["built-in"], np.random.default_rng(0)
    sizes = config.audio_projection
    states = [torch.full((700, sizes.blocks, sizes.channels), float(i)) for i in range(2)]
    speeches = [
        EncodedSpeech(random_speech(rng, SPEECH_SECONDS), speech_states) for speech_states in states
    ]
    states_of_motions = [random_motion(rng, 20, 12.5) for _ in range(3)]
    motions = [
        EncodedMotion(m, torch.full((20, 4), i), torch.full((20, 3), i))
        for i, m in enumerate(states_of_motions)
    ]
    samples = SampleDataset(EncodedSignals(speeches, motions), config, seed=0)
    return [samples[i] for i in range(8)]


def test_films_of_a_pair_differ_in_one_signal_alone(samples: list[dict[str, torch.Tensor]]) -> None:
    assert {int(sample["contrast"]) for sample in samples} == {AUDIO, EXPRESSION}
    for sample in samples:
        pair = sample[("features", "windows")[sample["contrast"]]]
        assert torch.equal(pair[0], pair[1])
        first, second = sample["images"][1:].chunk(2)
        gate = sample["gates"][:, sample["contrast"]]
        assert first.shape == second.shape
        assert torch.equal(first[gate == 0], second[gate == 0])
        if sample["contrast"] == AUDIO:  # the head stays, so that only the mouth may have moved
            difference = (first - second).abs().amax(dim=(0, 1))
            assert difference[:40].max() == 0


def test_the_head_may_be_that_of_another_clip() -> None:
    motion = EncodedMotion(
        [FaceState(yaw=1, open=0.5, eye_left=0.2)], torch.zeros(1, 4), torch.zeros(1, 3)
    )
    head_motion = EncodedMotion(
        [FaceState(yaw=9, open=0.9, eye_left=0.8)], torch.ones(1, 4), torch.ones(1, 3)
    )
    result = motion.replace_head(head_motion)
    assert result.states == [FaceState(yaw=9, open=0.5, eye_left=0.2)]
    assert torch.equal(result.features, motion.features)
    assert torch.equal(result.rotation_degrees, head_motion.rotation_degrees)


def test_masks_are_the_portraits() -> None:
    face = render_face(make_identity(0), REST).face_box
    results = {mode: draw_mode_masks(mode, face) for mode in MODES}
    assert not results["audio"][1].any()
    assert not results["expression"][0].any()
    mouth, rest = results["paper"]
    assert not (mouth * rest).any()
    assert mouth.any()
    assert rest.any()
    assert all(mask.all() for mask in results["released"])


def test_motion_is_smooth_and_within_reach() -> None:
    states = random_motion(np.random.default_rng(3), 100, 25.0)
    assert len(states) == 100
    for name, limit in (("yaw", 16), ("pitch", 8), ("roll", 9), ("brows", 1), ("smile", 1)):
        track = np.array([getattr(face_state, name) for face_state in states])
        assert np.abs(track).max() <= limit
        assert np.abs(np.diff(track)).max() < 0.25 * limit
    assert all(0 <= face_state.eye_left <= 1 for face_state in states)


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
    assert max(abs(face_state.yaw) for face_state in states) <= 4
    assert all(face_state.open == 0 for face_state in states)
