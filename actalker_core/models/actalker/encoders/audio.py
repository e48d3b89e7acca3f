"""Speech -> Whisper hidden states at 50 Hz -> the states around each video frame."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ....control.signals import AudioSignal
from ....errors import InputError, check_choice
from ....media import Audio
from ....ops.attention import scaled_dot_product_attention
from ....ops.finite import check_encoded
from ....ops.layers import FUSED_LAYERS
from ....ops.protocol import LayerOps
from ..config import WhisperConfig

SAMPLE_RATE_HZ = 16_000
STATES_PER_SECOND = 50
STATES_AFTER = 6
"""Those that a frame reads of what follows it."""
SAMPLES_PER_STATE = SAMPLE_RATE_HZ // STATES_PER_SECOND
CHUNK_SAMPLES = 30 * SAMPLE_RATE_HZ
"""Whisper was trained on 30 seconds at a time, no more and no less."""
RESAMPLING_SECONDS = 1.0
"""Much more than what a resampler looks ahead."""
SEAMLESS = "seamless"
CUTS = (SEAMLESS, "released")
DEFAULT_CUT = SEAMLESS
FADE_START_SECONDS, FADE_END_SECONDS = 3.0, 5.0
"""How far from a border the states are purely of the bridge across it, and from where no more."""

OnChunk = Callable[[int, int], None]


class WhisperEncoder(nn.Module):
    """The encoder of Whisper under its own key names, returning every layer.

    Source: Radford et al., arXiv 2212.04356.
    """

    def __init__(self, config: WhisperConfig, ops: LayerOps = FUSED_LAYERS) -> None:
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

    def __init__(self, config: WhisperConfig, ops: LayerOps = FUSED_LAYERS) -> None:
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

    def __init__(self, width: int, heads: int, ops: LayerOps = FUSED_LAYERS) -> None:
        super().__init__()
        self.heads = heads
        self.attend = getattr(ops, "attend", scaled_dot_product_attention)
        self.k_proj = ops.Linear(width, width, bias=False)
        self.v_proj = ops.Linear(width, width)
        self.q_proj = ops.Linear(width, width)
        self.out_proj = ops.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(b, l, c) -> (b, l, c)."""
        values = self.attend(self.q_proj(x), self.k_proj(x), self.v_proj(x), self.heads)
        out: Tensor = self.out_proj(values)
        return out


def log_mel(samples: Tensor, mel_bins: int) -> Tensor:
    """Whisper's log-mel spectrogram of up to 30 s of 16-kHz mono audio: (t,) -> (1, mels, 3000)."""
    from transformers import WhisperFeatureExtractor

    extract = WhisperFeatureExtractor(feature_size=mel_bins)
    # NumPy, because new transformers refuse to hand tensors to an old torch.
    features = extract(samples.cpu().numpy(), sampling_rate=SAMPLE_RATE_HZ, return_tensors="np")
    return torch.from_numpy(features.input_features).float()


def encode_audio(
    encoder: WhisperEncoder,
    audio: Audio,
    *,
    source: str = "audio",
    seconds: float | None = None,
    cut: str = DEFAULT_CUT,
    on_chunk: OnChunk | None = None,
) -> AudioSignal:
    """Speech as Whisper's hidden states (l, layers, c).

    Args:
        seconds: encode only so much of the beginning; its states are those of the whole.
        cut: see `compute_hidden_states`.
        on_chunk: called with (done, total) after each batch of chunks.

    Raises:
        InputError: audio shorter than one state pair (40 ms).
    """
    samples = audio.to_mono(SAMPLE_RATE_HZ)
    if seconds is not None and not 0 <= seconds < math.inf:
        raise InputError(
            f"Audio: expected a time of 0 seconds or more to encode, got {seconds:g}. Change it."
        )
    if seconds is not None:
        samples = samples[: count_samples(min(seconds, len(samples) / SAMPLE_RATE_HZ))]
    states = compute_hidden_states(encoder, samples, cut, on_chunk=on_chunk)
    check_encoded("Audio encoder", states)
    return AudioSignal(rate_hz=float(STATES_PER_SECOND), source=source, states=states)


@torch.inference_mode()
def compute_hidden_states(
    encoder: WhisperEncoder,
    samples: Tensor,
    cut: str = DEFAULT_CUT,
    batch_size: int = 4,
    on_chunk: OnChunk | None = None,
) -> Tensor:
    """Whisper's hidden states of speech of any length.

    Whisper reads 30 seconds at a time. `released` puts such chunks side by side, so that no state
    knows what lies across a border. `seamless` encodes each border again in the middle of a bridge,
    a chunk of its own, and fades over to it and back; further away both are the same.

    Args:
        samples: (t,) mono, 16 kHz, −1…1.
        cut: one of `CUTS`.
        batch_size: how many chunks are encoded together.
        on_chunk: called with (done, total) after each batch.

    Returns:
        (l, layers, c) at 50 Hz, l = 2·floor(t / 640).

    Raises:
        InputError: audio shorter than one state pair (40 ms), or an unknown cut.
    """
    check_choice("Cut", cut, CUTS)
    total = samples.shape[0]
    if not count_states(total):
        raise InputError(
            f"The audio is too short: expected at least 640 samples at 16 kHz (40 ms), got "
            f"{total}. Give a longer recording, or none at all."
        )
    chunks = [samples[i : i + CHUNK_SAMPLES] for i in range(0, total, CHUNK_SAMPLES)]
    borders = range(CHUNK_SAMPLES, total, CHUNK_SAMPLES) if cut == SEAMLESS else range(0)
    half = CHUNK_SAMPLES // 2
    bridges = [samples[border - half : border + half] for border in borders]
    outputs = _encode_chunks(encoder, [*chunks, *bridges], batch_size, on_chunk)
    states = torch.cat(outputs[: len(chunks)])
    for border, bridge in zip(borders, outputs[len(chunks) :], strict=True):
        _fade_over(states, bridge, count_states(border))
    return states


def _encode_chunks(
    encoder: WhisperEncoder, chunks: list[Tensor], batch_size: int, on_chunk: OnChunk | None
) -> list[Tensor]:
    """The states (l, layers, c) of each chunk of up to 30 s."""
    like = encoder.conv1.weight
    outputs: list[Tensor] = []
    for start in range(0, len(chunks), batch_size):
        batch = chunks[start : start + batch_size]
        mel = torch.cat([log_mel(chunk, encoder.config.num_mel_bins) for chunk in batch])
        states = encoder(mel.to(like.device, like.dtype)).float().cpu()
        # A short chunk is filled with silence, whose states are no part of the audio.
        outputs += [s[: count_states(len(chunk))] for s, chunk in zip(states, batch, strict=True)]
        if on_chunk is not None:
            on_chunk(len(outputs), len(chunks))
    return outputs


def _fade_over(states: Tensor, bridge: Tensor, border: int) -> None:
    """Fade states (l, layers, c), in place, around a border to those of the bridge across it."""
    start = border - CHUNK_SAMPLES // (2 * SAMPLES_PER_STATE)
    seconds = (torch.arange(len(bridge)) + start - border + 0.5).abs() / STATES_PER_SECOND
    fade_seconds = FADE_END_SECONDS - FADE_START_SECONDS
    share = ((FADE_END_SECONDS - seconds) / fade_seconds).clamp(0, 1)[:, None, None]
    stretch = states[start : start + len(bridge)]
    stretch += share[: len(stretch)] * (bridge[: len(stretch)] - stretch)


def count_states(samples: int) -> int:
    """How many hidden states a number of 16-kHz samples has."""
    return 2 * (samples // (2 * SAMPLES_PER_STATE))


def required_seconds(seconds: float) -> float:
    """How much of a sound must be read to encode its beginning as in the whole of it."""
    return count_samples(seconds) / SAMPLE_RATE_HZ + RESAMPLING_SECONDS


def count_samples(seconds: float) -> int:
    """How many samples the states of a beginning depend on: its chunks and the last bridge."""
    samples = (seconds + STATES_AFTER / STATES_PER_SECOND) * SAMPLE_RATE_HZ
    return math.ceil(samples / CHUNK_SAMPLES) * CHUNK_SAMPLES + CHUNK_SAMPLES // 2


def window_audio_states(states: Tensor, frames: int, fps: float, length: int) -> Tensor:
    """The states around each frame: frame i at 12.5 fps reads 4i − 4 … 4i + 5.

    Args:
        states: (l, layers, c) at 50 Hz; zeros stand outside.
        fps: video frames per second.
        length: states per frame.

    Returns:
        (f, length, layers, c).
    """
    centres = torch.round(torch.arange(frames) * (STATES_PER_SECOND / fps)).long()
    index = centres[:, None] + torch.arange(length) - (length - 2) // 2
    inside = (index >= 0) & (index < states.shape[0])
    windows = states[index.clamp(0, states.shape[0] - 1)]
    return windows * inside[..., None, None]
