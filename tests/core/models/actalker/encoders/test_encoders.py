"""Audio, identity and motion encoders."""

from functools import partial
from itertools import repeat

import pytest
import torch
from helpers.formula import fill_weights
from helpers.tiny import tiny_model
from torch import Tensor

from actalker_core.errors import InputError
from actalker_core.models.actalker.config import WhisperConfig
from actalker_core.models.actalker.encoders.audio import (
    CHUNK_SAMPLES,
    WhisperEncoder,
    compute_hidden_states,
    count_states,
    log_mel,
    window_audio_states,
)
from actalker_core.models.actalker.encoders.identity import encode_identity
from actalker_core.models.actalker.encoders.motion import encode_expression, encode_pose
from actalker_core.models.actalker.networks import ACTalker


@pytest.fixture(scope="module")
def model() -> ACTalker:
    return tiny_model()


def noise(samples: int) -> Tensor:
    return 0.1 * torch.randn(samples, generator=torch.Generator().manual_seed(samples))


# Audio -------------------------------------------------------------------------------------------


def test_whisper_is_transformers_whisper() -> None:
    from transformers import WhisperConfig as TheirConfig
    from transformers.models.whisper.modeling_whisper import WhisperEncoder as TheirEncoder

    config = WhisperConfig(d_model=32, encoder_layers=3, encoder_attention_heads=4)
    ours = fill_weights(WhisperEncoder(config), 5)
    theirs = TheirEncoder(
        TheirConfig(d_model=32, encoder_layers=3, encoder_attention_heads=4, encoder_ffn_dim=1536)
    ).eval()
    theirs.load_state_dict(ours.state_dict())
    mel = log_mel(noise(50_000), 80)
    with torch.no_grad():
        want = torch.stack(theirs(mel, output_hidden_states=True).hidden_states, dim=2)
    assert torch.allclose(ours(mel), want, atol=1e-4)


@pytest.mark.parametrize("samples", [640, 1279, 1280, 16_000, 52_801])
def test_states_per_sample(model: ACTalker, samples: int) -> None:
    states = compute_hidden_states(model.audio_encoder, noise(samples))
    assert states.shape == (count_states(samples), 3, 32)
    assert count_states(samples) == 2 * (samples // 640)


def test_released_cut_hears_every_30_seconds_alone(model: ACTalker) -> None:
    samples = noise(CHUNK_SAMPLES + 6_400)
    states = compute_hidden_states(model.audio_encoder, samples, "released")
    tail = compute_hidden_states(model.audio_encoder, samples[CHUNK_SAMPLES:])
    assert states.shape[0] == 1500 + 20
    assert torch.allclose(states[1500:], tail, atol=1e-5)


@pytest.mark.parametrize("samples", [0, 1, 639])
def test_too_short_audio(model: ACTalker, samples: int) -> None:
    with pytest.raises(InputError, match=f"got {samples}"):
        compute_hidden_states(model.audio_encoder, noise(samples))


def test_windows_at_12_5_fps_are_the_released_ones() -> None:
    states = torch.arange(1, 41, dtype=torch.float32)[:, None, None]
    windows = window_audio_states(states, 10, 12.5, 10)[..., 0, 0]
    assert windows[0].tolist() == [0, 0, 0, 0, 1, 2, 3, 4, 5, 6]
    assert windows[5].tolist() == list(range(17, 27))
    assert windows[9].tolist() == [33, 34, 35, 36, 37, 38, 39, 40, 0, 0]


@pytest.mark.parametrize("fps", [8, 12.5, 24, 25, 29.97, 30, 50])
def test_windows_stay_with_the_sound_at_any_rate(fps: float) -> None:
    states = torch.arange(500, dtype=torch.float32)[:, None, None]
    windows = window_audio_states(states, int(10 * fps), fps, 10)
    centres = windows[2:, 4, 0, 0]
    want = torch.arange(2, len(windows)) / fps * 50
    assert (centres - want).abs().max() <= 0.5 + 1e-4


# Identity and motion -----------------------------------------------------------------------------


def pictures(count: int) -> Tensor:
    random = torch.Generator().manual_seed(3)
    return torch.randint(0, 256, (count, 3, 40, 60), generator=random, dtype=torch.uint8)


def test_identity_looks_at_the_face_only(model: ACTalker) -> None:
    portrait = pictures(1)[0] / 255
    face = (10.0, 5.0, 30.0, 35.0)
    outside = portrait.clone()
    outside[:, :, 31:] = 0
    result = encode_identity(model.identity_encoder, portrait, face)
    assert result.shape == (1, 32)
    assert torch.equal(result, encode_identity(model.identity_encoder, outside, face))
    outside[:, 10:20, 15:25] = 0
    assert not torch.equal(result, encode_identity(model.identity_encoder, outside, face))


BOX = (10, 5, 40, 35)


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_expression_does_not_depend_on_the_batch(model: ACTalker, batch: int) -> None:
    frames, reports = pictures(7), []
    encode = partial(encode_expression, model.expression_encoder, rate_hz=25.0)
    signal = encode(iter(frames), repeat(BOX), batch_size=batch, on_batch=reports.append)
    alone = encode([frames[6]], [BOX])
    assert signal.features.shape == (7, 32)
    assert torch.allclose(signal.features[6:], alone.features, atol=1e-5)
    assert reports[-1] == 7


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_pose_does_not_depend_on_the_batch(model: ACTalker, batch: int) -> None:
    frames = pictures(7)
    encode = partial(encode_pose, model.head_pose_encoder, rate_hz=25.0)
    signal, alone = encode(iter(frames), BOX, batch_size=batch), encode([frames[6]], BOX)
    assert torch.allclose(signal.rotation_degrees[6:], alone.rotation_degrees, atol=1e-3)
    assert signal.rotation_degrees.abs().max() <= 180
    assert signal.translation.abs().max() <= 2


def test_motion_needs_frames_and_a_face_inside(model: ACTalker) -> None:
    encode = partial(encode_expression, model.expression_encoder, rate_hz=25.0)
    with pytest.raises(InputError, match="no frames"):
        encode([], [])
    with pytest.raises(InputError, match="inside 60x40"):
        encode(pictures(1), [(100, 0, 120, 20)])


def test_expression_token_ends_with_rotation_and_no_translation(model: ACTalker) -> None:
    rotation = torch.tensor([[10.0, -20.0, 30.0]])
    token = model.expression_tokens(torch.randn(1, 32), rotation)
    assert token.shape == (1, 1, 48)
    assert token[0, 0, -6:].tolist() == [10, -20, 30, 0, 0, 0]
