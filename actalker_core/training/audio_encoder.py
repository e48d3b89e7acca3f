"""The audio encoder's stage: it learns the shape of the mouth behind every sound."""

from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ..learning.trainer import Batch, TrainConfig, validation_generator
from ..models.actalker.config import ModelConfig
from ..models.actalker.encoders.audio import (
    CHUNK_SAMPLES,
    STATES_PER_SECOND,
    WhisperEncoder,
    count_states,
    log_mel,
)
from ..synthetic.speech import RATE_HZ, Speech, random_speech

Array = NDArray[np.float64]


class AudioEncoderObjective:
    """Learns hidden states of speech that a linear layer reads the mouth from."""

    name = "audio_encoder"
    clip_count = 60
    """Clips of up to half a minute that are trained on."""

    def __init__(self, model_config: ModelConfig, config: TrainConfig) -> None:
        self.config = config
        self.encoder = WhisperEncoder(model_config.audio_encoder)
        with torch.no_grad():
            self.encoder.embed_positions.weight.copy_(
                _sinusoids(self.encoder.embed_positions.weight)
            )
        self.mel_bins = model_config.audio_encoder.num_mel_bins
        self.mouth_head = nn.Linear(model_config.audio_encoder.d_model, 3)
        self.network: nn.Module = nn.ModuleDict(
            {"audio_encoder": self.encoder, "mouth_head": self.mouth_head}
        )

    @cached_property
    def _clips(self) -> list[Batch]:
        rng = np.random.default_rng(self.config.seed)
        return [_make_clip(rng, self.mel_bins) for _ in range(self.clip_count)]

    def make_batch(self, rng: np.random.Generator) -> Batch:
        """One of the clips: mel (1, mels, 3000) and the mouth (s, 3) at each hidden state."""
        return self._clips[int(rng.integers(self.clip_count))]

    def compute_loss(self, batch: Batch) -> Tensor:
        """Squared error () of the mouth (s, 3), read from the last hidden states."""
        mouth = batch["mouth"]
        states = self.encoder(batch["mel"])[:, : len(mouth)]
        outputs: Tensor = self.mouth_head(states[0, :, -1])
        return F.mse_loss(outputs, mouth)

    def validate(self) -> dict[str, float]:
        """The same error on voices and babble that are never trained on."""
        device = self.mouth_head.weight.device
        clip = _make_clip(validation_generator(), self.mel_bins)
        return {"mouth": float(self.compute_loss({k: v.to(device) for k, v in clip.items()}))}


def _make_clip(rng: np.random.Generator, mel_bins: int) -> Batch:
    """Up to half a minute of two voices; see `AudioEncoderObjective.make_batch`."""
    lengths = rng.uniform(1, 15, 2)
    speeches = [random_speech(rng, float(seconds)) for seconds in lengths]
    samples = torch.from_numpy(np.concatenate([s.samples for s in speeches]))[:CHUNK_SAMPLES]
    mouth = np.concatenate([mouth_targets(s) for s in speeches])[: count_states(len(samples))]
    return {"mel": log_mel(samples, mel_bins), "mouth": torch.from_numpy(mouth).float()}


def mouth_targets(speech: Speech) -> Array:
    """The mouth (s, 3) in the middle of each hidden state."""
    count = len(speech.samples) * STATES_PER_SECOND // RATE_HZ
    return speech.interpolate_mouth((np.arange(count) + 0.5) / STATES_PER_SECOND)


def _sinusoids(like: Tensor) -> Tensor:
    """Sinusoidal positions (l, c), as Whisper has them. Source: arXiv 1706.03762, section 3.5."""
    length, width = like.shape
    rates = torch.exp(-np.log(10_000) * torch.arange(width // 2) / (width // 2 - 1))
    angles = torch.arange(length)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)
