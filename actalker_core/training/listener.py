"""The encoder that knows what it hears: the shape of the mouth behind every sound."""

from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ..models.actalker.config import ModelConfig
from ..models.actalker.encoders.audio import (
    CHUNK_SAMPLES,
    STATES_PER_SECOND,
    WhisperEncoder,
    count_states,
    log_mel,
)
from ..synthetic.speech import RATE_HZ, Speech, random_speech
from .stage import Batch, Recipe, held_out_generator

Array = NDArray[np.float64]


class Listener:
    """Hidden states of speech from which the mouth can be read off."""

    name = "listener"
    pieces = 60
    """Half minutes of speech in the library that is trained on."""

    def __init__(self, config: ModelConfig, recipe: Recipe) -> None:
        self.recipe = recipe
        self.encoder = WhisperEncoder(config.audio_encoder)
        with torch.no_grad():
            self.encoder.embed_positions.weight.copy_(_waves(self.encoder.embed_positions.weight))
        self.mel_bins = config.audio_encoder.num_mel_bins
        self.read = nn.Linear(config.audio_encoder.d_model, 3)
        self.network: nn.Module = nn.ModuleDict({"audio_encoder": self.encoder, "read": self.read})

    @cached_property
    def _library(self) -> list[Batch]:
        seeded = np.random.default_rng(self.recipe.seed)
        return [_piece(seeded, self.mel_bins) for _ in range(self.pieces)]

    def batch(self, rng: np.random.Generator) -> Batch:
        """One piece of the library."""
        return self._library[int(rng.integers(self.pieces))]

    def loss(self, batch: Batch) -> Tensor:
        """Squared error of open, wide and round at every hidden state."""
        mouth = batch["mouth"]
        states = self.encoder(batch["mel"])[:, : len(mouth)]
        last: Tensor = self.read(states[0, :, -1])
        return F.mse_loss(last, mouth)

    def held_out(self) -> dict[str, float]:
        """The same on voices and words that are never trained on."""
        device = self.read.weight.device
        piece = _piece(held_out_generator(), self.mel_bins)
        return {"mouth": float(self.loss({k: v.to(device) for k, v in piece.items()}))}


def _piece(rng: np.random.Generator, mel_bins: int) -> Batch:
    """Up to half a minute by two voices: mel (1, mels, 3000) and the mouth at each state (s, 3)."""
    seconds = rng.uniform(1, 15, 2)
    said = [random_speech(rng, float(s)) for s in seconds]
    samples = torch.from_numpy(np.concatenate([s.samples for s in said]))[:CHUNK_SAMPLES]
    mouth = np.concatenate([mouth_at_states(s) for s in said])[: count_states(len(samples))]
    return {"mel": log_mel(samples, mel_bins), "mouth": torch.from_numpy(mouth).float()}


def mouth_at_states(speech: Speech) -> Array:
    """(s, 3) the mouth in the middle of each hidden state."""
    count = len(speech.samples) * STATES_PER_SECOND // RATE_HZ
    return speech.interpolate_mouth((np.arange(count) + 0.5) / STATES_PER_SECOND)


def _waves(like: Tensor) -> Tensor:
    """Sinusoidal positions, as Whisper's. Source: arXiv 1706.03762, section 3.5."""
    length, width = like.shape
    rates = torch.exp(-np.log(10_000) * torch.arange(width // 2) / (width // 2 - 1))
    angles = torch.arange(length)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)
