"""Speech -> Whisper hidden states at 50 Hz -> the states around each video frame."""

import math
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from actalker_core.config import WhisperConfig
from actalker_core.errors import InputError
from actalker_core.model.attention import Ops, attention

SAMPLE_RATE_HZ = 16_000
STATES_PER_SECOND = 50
STATES_AFTER = 6
"""A frame hears a little of what follows it."""
PIECE_SAMPLES = 30 * SAMPLE_RATE_HZ
"""Whisper hears 30 seconds at a time."""


class WhisperEncoder(nn.Module):
    """The encoder of Whisper under its own key names, returning every layer.

    Source: Radford et al., arXiv 2212.04356.
    """

    def __init__(self, config: WhisperConfig, ops: Ops = nn) -> None:
        super().__init__()
        width = config.d_model
        self.config = config
        self.conv1 = ops.Conv1d(config.num_mel_bins, width, 3, padding=1)
        self.conv2 = ops.Conv1d(width, width, 3, stride=2, padding=1)
        self.embed_positions = ops.Embedding(config.max_source_positions, width)
        self.layers = nn.ModuleList(WhisperLayer(config, ops) for _ in range(config.encoder_layers))
        self.layer_norm = ops.LayerNorm(width)

    def forward(self, mel: Tensor) -> Tensor:
        """(b, mels, 3000) -> (b, 1500, layers + 1, width).

        The states are the embedding, every layer but the last, and the last one normalised.
        """
        x = F.gelu(self.conv2(F.gelu(self.conv1(mel)))).transpose(1, 2)
        x = x + self.embed_positions(torch.arange(x.shape[1], device=x.device))
        states = [x]
        for layer in self.layers:
            states.append(layer(states[-1]))
        states[-1] = self.layer_norm(states[-1])
        return torch.stack(states, dim=2)


class WhisperLayer(nn.Module):
    """Self attention and a two-layer perceptron, each normalised before."""

    def __init__(self, config: WhisperConfig, ops: Ops = nn) -> None:
        super().__init__()
        width = config.d_model
        self.self_attn = WhisperAttention(width, config.encoder_attention_heads, ops)
        self.self_attn_layer_norm = ops.LayerNorm(width)
        self.fc1 = ops.Linear(width, config.encoder_ffn_dim)
        self.fc2 = ops.Linear(config.encoder_ffn_dim, width)
        self.final_layer_norm = ops.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """(b, l, c) -> (b, l, c)."""
        x = x + self.self_attn(self.self_attn_layer_norm(x))
        out: Tensor = x + self.fc2(F.gelu(self.fc1(self.final_layer_norm(x))))
        return out


class WhisperAttention(nn.Module):
    """Self attention; the keys have no bias."""

    def __init__(self, width: int, heads: int, ops: Ops = nn) -> None:
        super().__init__()
        self.heads = heads
        self.attend = getattr(ops, "attend", attention)
        self.k_proj = ops.Linear(width, width, bias=False)
        self.v_proj = ops.Linear(width, width)
        self.q_proj = ops.Linear(width, width)
        self.out_proj = ops.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(b, l, c) -> (b, l, c)."""
        attended = self.attend(self.q_proj(x), self.k_proj(x), self.v_proj(x), self.heads)
        out: Tensor = self.out_proj(attended)
        return out


def log_mel(samples: Tensor, mel_bins: int) -> Tensor:
    """Whisper's log-mel picture of up to 30 s of 16-kHz mono audio: (t,) -> (1, mels, 3000)."""
    from transformers import WhisperFeatureExtractor

    extract = WhisperFeatureExtractor(feature_size=mel_bins)
    # NumPy, because new transformers refuse to hand tensors to an old torch.
    features = extract(samples.cpu().numpy(), sampling_rate=SAMPLE_RATE_HZ, return_tensors="np")
    return torch.from_numpy(features.input_features).float()


@torch.inference_mode()
def encode_audio(
    encoder: WhisperEncoder,
    samples: Tensor,
    on_piece: Callable[[int, int], None] | None = None,
) -> Tensor:
    """Hidden states of speech of any length, cut every 30 seconds as the release does.

    Args:
        samples: (t,) mono, 16 kHz, −1…1.
        on_piece: called with (done, total) after each piece of 30 s.

    Returns:
        (states, layers, channels) at 50 Hz; 2·floor(t / 640) of them exist.

    Raises:
        InputError: audio shorter than one state pair (40 ms).
    """
    total = math.ceil(samples.shape[0] / PIECE_SAMPLES)
    pieces = []
    for done, piece in enumerate(_pieces(samples), start=1):
        like = encoder.conv1.weight
        mel = log_mel(piece, encoder.config.num_mel_bins).to(like.device, like.dtype)
        pieces.append(encoder(mel)[0, : states_in(piece.shape[0])].float().cpu())
        if on_piece is not None:
            on_piece(done, total)
    if not pieces or not sum(len(p) for p in pieces):
        raise InputError(
            f"The audio is too short: expected at least 640 samples at 16 kHz (40 ms), got "
            f"{samples.shape[0]}. Give a longer recording, or none at all."
        )
    return torch.cat(pieces)


def states_in(samples: int) -> int:
    """How many hidden states a number of 16-kHz samples has."""
    return 2 * (samples // 640)


def _pieces(samples: Tensor) -> Iterator[Tensor]:
    for start in range(0, samples.shape[0], PIECE_SAMPLES):
        yield samples[start : start + PIECE_SAMPLES]


def samples_for(frames: int, fps: float) -> int:
    """How many 16-kHz samples the first frames can hear: whole pieces, as nothing hears further."""
    seconds = frames / fps + STATES_AFTER / STATES_PER_SECOND
    return math.ceil(seconds * SAMPLE_RATE_HZ / PIECE_SAMPLES) * PIECE_SAMPLES


def frames_in(states: int, fps: float) -> int:
    """How many whole video frames a number of hidden states covers."""
    return math.floor(states * fps / STATES_PER_SECOND + 1e-6)


def audio_windows(states: Tensor, frames: int, fps: float, length: int = 10) -> Tensor:
    """The states around each frame: frame i at 12.5 fps reads 4i − 4 … 4i + 5.

    Args:
        states: (s, layers, channels) at 50 Hz; zeros stand outside.
        fps: video frames per second.
        length: states per frame.

    Returns:
        (frames, length, layers, channels).
    """
    centres = torch.round(torch.arange(frames) * (STATES_PER_SECOND / fps)).long()
    index = centres[:, None] + torch.arange(length) - (length - 2) // 2
    inside = (index >= 0) & (index < states.shape[0])
    windows = states[index.clamp(0, states.shape[0] - 1)]
    return windows * inside[..., None, None]
