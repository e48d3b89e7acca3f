"""The network of lips learns, is written as what it infers, and goes on as if not interrupted."""

from pathlib import Path

import numpy as np
import pytest
import torch

from actalker_core.control.motion.lips.features import FEATURES, HOP, PIECE_ROWS, RATE_HZ
from actalker_core.control.motion.lips.network import LOOK_AHEAD_ROWS, OUTPUTS, load_network
from actalker_core.learning.trainer import BatchDataset, TrainConfig, Trainer
from actalker_core.synthetic.speech import random_speech
from actalker_core.training.lips import takes
from actalker_core.training.lips.corpus import VoiceSpeech
from actalker_core.training.lips.disturbance import colour, encode
from actalker_core.training.lips.network import LipTrainee
from actalker_core.training.lips.noises import make_noise, synthesize_music
from actalker_core.training.lips.objective import LipObjective
from actalker_core.training.lips.takes import TakeMaker
from actalker_core.training.lips.voices import TRAINING, CorpusVoice

CPU = torch.device("cpu")
RECIPE = TrainConfig(
    steps=100, batch_size=2, learning_rate=2e-3, muon_rate=0.02, warmup_steps=1, log_every=1000
)


def babble(seed: int, synthesiser: str) -> VoiceSpeech:
    speech = random_speech(np.random.default_rng(seed), 4.0)
    rows = len(speech.samples) // HOP
    columns = np.zeros((rows, 6), np.float32)
    columns[:, :3] = speech.interpolate_mouth((np.arange(rows) + 0.5) / 100)
    pulses = (speech.samples * 32767).astype(np.int16)
    voice = CorpusVoice(TRAINING, synthesiser, "babble", "en", 4.0, seed)
    return VoiceSpeech(voice, pulses, columns, np.array([0, rows // 2, rows]))


@pytest.fixture
def maker(monkeypatch: pytest.MonkeyPatch) -> TakeMaker:
    monkeypatch.setattr(takes, "SOUNDS", 2)
    monkeypatch.setattr(takes, "TAKE_ROWS", 100)
    monkeypatch.setattr(takes, "make_music", synthesize_music)
    return TakeMaker([babble(0, "espeak"), babble(1, "flite")])


def test_takes_follow_from_their_generator_and_hold_numbers(maker: TakeMaker) -> None:
    empty = 0
    for seed in range(30):
        take = maker.make_take(np.random.default_rng(seed))
        again = maker.make_take(np.random.default_rng(seed))
        np.testing.assert_array_equal(take.features, again.features)
        assert take.features.shape == (100, FEATURES)
        assert take.columns.shape == (100, OUTPUTS)
        assert np.isfinite(take.features).all()
        empty += bool(take.columns[:, 5].all())
    assert empty >= 1


def test_disturbances_keep_the_length_and_the_time() -> None:
    rng = np.random.default_rng(0)
    samples = random_speech(rng, 3.0).samples
    for result in (colour(samples, rng, True, True), encode(samples, rng)):
        assert result.shape == samples.shape
        delays = np.correlate(result, samples[1000:-1000], "valid").argmax() - 1000
        assert abs(delays) <= 0.005 * RATE_HZ
    noise = make_noise(rng, RATE_HZ)
    assert noise.shape == (RATE_HZ,)
    assert abs(noise.std() - 1) < 0.1


def test_it_learns_and_goes_on_where_it_stood(maker: TakeMaker, tmp_path: Path) -> None:
    straight = LipObjective(maker, maker, RECIPE)
    batch = BatchDataset(straight)[0]
    state = {name: values.clone() for name, values in straight.network.state_dict().items()}
    first = float(straight.compute_loss(batch).detach())
    straight.network.load_state_dict(state)
    Trainer(straight, tmp_path / "straight", CPU).train(last_step=6)
    end = {name: values.clone() for name, values in straight.network.state_dict().items()}
    assert float(straight.compute_loss(batch).detach()) < first
    halves = LipObjective(maker, maker, RECIPE)
    halves.network.load_state_dict(state)
    Trainer(halves, tmp_path / "halves", CPU).train(last_step=3)
    rest = LipObjective(maker, maker, RECIPE)
    Trainer(rest, tmp_path / "halves", CPU).train(last_step=6)
    for name, values in rest.network.state_dict().items():
        torch.testing.assert_close(values, end[name], msg=name)


def test_the_file_infers_what_the_trainee_infers(tmp_path: Path) -> None:
    torch.manual_seed(0)
    trainee = LipTrainee()
    features = torch.randn(2, FEATURES, 10 * PIECE_ROWS)
    for _ in range(5):
        trainee(features)
    trainee.train(False)
    trainee.export(tmp_path / "lips.safetensors")
    with torch.no_grad():
        expected = trainee(features[:1])[0].T.numpy()
    stream = load_network(tmp_path / "lips.safetensors").start()
    pieces = features[0].T.numpy().reshape(-1, PIECE_ROWS, FEATURES)
    outputs = np.concatenate([stream.step(piece) for piece in pieces])[LOOK_AHEAD_ROWS:]
    np.testing.assert_allclose(outputs, expected, atol=0.01)
