"""Everything that the model reads besides the noisy latent, as one bundle."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from ...control.regions import box_mask
from ...control.signals import AudioSignal, ExpressionSignal
from ...errors import InputError, NotFiniteError
from ...faces.box import enlarge_box
from ...ops.finite import is_finite
from .encoders.audio import STATES_PER_SECOND, window_audio_states
from .networks import Encoders
from .plan import VideoPlan
from .token_regions import Regions


@dataclass(frozen=True)
class GatedCondition:
    """One signal over the frames of a clip.

    Attributes:
        tokens: (f, s, c) tokens of each frame.
        null_embedding: (1, s, c) what stands in place of a missing signal: the projection
            of zeros.
        gate: (f,) strength in each frame; 0 is off, 1 is full, what lies between was not trained.
    """

    tokens: Tensor
    null_embedding: Tensor
    gate: Tensor

    def __post_init__(self) -> None:
        """Refuse a gate of another length."""
        if self.gate.shape != self.tokens.shape[:1]:
            raise InputError(
                f"A gate needs one number per frame: expected {self.tokens.shape[0]}, got "
                f"{tuple(self.gate.shape)}. Make its curve as long as the signal."
            )

    def pad(self, frames: int) -> "GatedCondition":
        """The clip followed by frames without the signal; the gate holds its last value."""
        tokens = torch.cat([self.tokens, self.null_embedding.expand(frames, -1, -1)])
        gate = F.pad(self.gate[None], (0, frames), mode="replicate")[0]
        return replace(self, tokens=tokens, gate=gate)

    def to(self, device: torch.device) -> "GatedCondition":
        """The same on another device."""
        return GatedCondition(
            self.tokens.to(device), self.null_embedding.to(device), self.gate.to(device)
        )

    def is_active(self, frames: Sequence[int]) -> bool:
        """Whether on some of these frames the signal differs from its null embedding."""
        return any(self._active[i] for i in frames)

    def select(self, frames: Sequence[int], *, conditional: bool) -> Tensor | None:
        """The gated tokens or null embeddings (f, s, c); None where the gate is shut."""
        if not any(self._open[i] for i in frames):
            return None
        index = torch.tensor(frames, device=self.gate.device)
        tokens = self.tokens[index] if conditional else self.null_embedding
        return tokens * self.gate[index, None, None]

    # On the host once: each window asks, and a device would be waited for each time.

    @cached_property
    def _open(self) -> list[bool]:
        return list((self.gate != 0).tolist())

    @cached_property
    def _active(self) -> list[bool]:
        differs = (self.tokens != self.null_embedding).flatten(1).any(dim=1)
        return list(((self.gate != 0) & differs).tolist())


@dataclass(frozen=True)
class Conditioning:
    """All that the denoiser reads for a clip.

    Attributes:
        image_latent: (1, 4, h, w) portrait latent, unscaled.
        identity: (1, s, c) identity token.
        audio, expression: the two signals, of one length.
        regions: where each signal applies; None for everywhere.
        pose: (1, 1, c, h, w) map of the pose guider.
        time_ids: (1, 3) frame rate in Hz, motion bucket, motion bucket of the expression.
    """

    image_latent: Tensor
    identity: Tensor
    audio: GatedCondition
    expression: GatedCondition
    regions: Regions | None
    pose: Tensor
    time_ids: Tensor

    def __post_init__(self) -> None:
        """Refuse signals of different lengths."""
        lengths = [len(self.audio.gate), len(self.expression.gate)]
        if lengths[0] != lengths[1]:
            raise InputError(
                "Audio and expression must have one length in frames, got "
                f"{lengths[0]} and {lengths[1]}. Trim the longer one first."
            )

    @property
    def frames(self) -> int:
        """Length of the clip."""
        return len(self.audio.gate)

    def pad(self, frames: int) -> "Conditioning":
        """The clip followed by frames without signals."""
        return replace(self, audio=self.audio.pad(frames), expression=self.expression.pad(frames))

    def to(self, device: torch.device) -> "Conditioning":
        """The same on another device; itself if it is there already."""
        if self.image_latent.device == device:
            return self
        return Conditioning(
            image_latent=self.image_latent.to(device),
            identity=self.identity.to(device),
            audio=self.audio.to(device),
            expression=self.expression.to(device),
            regions=None if self.regions is None else self.regions.to(device),
            pose=self.pose.to(device),
            time_ids=self.time_ids.to(device),
        )


def check_conditioning(conditioning: Conditioning) -> None:
    """Refuse what would make every frame NaN before the first step.

    Raises:
        NotFiniteError: names the first part that is not finite, and the network that made it.
    """
    audio, expression = conditioning.audio, conditioning.expression
    parts = {
        "portrait latent (autoencoder)": [conditioning.image_latent],
        "identity (identity encoder and projection)": [conditioning.identity],
        "audio tokens (audio projection)": [audio.tokens, audio.null_embedding],
        "expression tokens (expression projection)": [expression.tokens, expression.null_embedding],
        "gates": [audio.gate, expression.gate],
        "pose map (pose guider)": [conditioning.pose],
    }
    for name, tensors in parts.items():
        if not all(map(is_finite, tensors)):
            raise NotFiniteError(
                f"Conditioning: expected finite numbers, got NaN or infinity: they began in the "
                f"{name}. Check the signals and masks, and get or convert the checkpoint again."
            )


def condition(
    encoders: Encoders, plan: VideoPlan, image_latent: Tensor, identity: Tensor
) -> Conditioning:
    """Everything that the denoiser reads, on the encoders' device.

    Args:
        image_latent: (1, 4, h, w) of the portrait, unscaled; see `encode_portrait`.
        identity: (1, d) features of who it shows.

    Raises:
        InputError: signals of another model.
        NotFiniteError: something of it is NaN or infinite; names what made it.
    """
    sampling, portrait, device = encoders.config.sampling, plan.portrait, encoders.device
    face = enlarge_box(portrait.face.box, sampling.face_enlarged)
    pose_image = box_mask(face, portrait.height, portrait.width).expand(-1, 3, -1, -1)
    with torch.inference_mode():
        conditioning = Conditioning(
            image_latent=image_latent.to(device),
            identity=encoders.identity_projection(identity.to(device))[:, None],
            audio=_condition_on_audio(encoders, plan),
            expression=_condition_on_expression(encoders, plan),
            regions=Regions.from_masks(
                plan.masks["audio"],
                plan.masks["expression"],
                (image_latent.shape[2], image_latent.shape[3]),
                encoders.config.unet.levels,
            ).to(device),
            pose=encoders.pose_guider(pose_image.to(device))[:, None],
            time_ids=torch.tensor(
                [[plan.fps, sampling.motion_bucket_id, sampling.motion_bucket_id_exp]],
                device=device,
            ),
        )
    check_conditioning(conditioning)
    return conditioning


def _condition_on_audio(encoders: Encoders, plan: VideoPlan) -> GatedCondition:
    sizes = encoders.config.audio_projection
    null_embedding = encoders.audio_tokens(
        torch.zeros(1, sizes.seq_len, sizes.blocks, sizes.channels)
    )
    signal = plan.signals.audio
    if signal is None:
        return _unconditional(null_embedding, plan.frames)
    signal = _check_features(signal, (sizes.blocks, sizes.channels)).resample(STATES_PER_SECOND)
    windows = window_audio_states(signal.states, plan.frames, plan.fps, sizes.seq_len)
    gate = plan.gates["audio"].to(encoders.device)
    return GatedCondition(encoders.audio_tokens(windows), null_embedding, gate)


def _condition_on_expression(encoders: Encoders, plan: VideoPlan) -> GatedCondition:
    width = encoders.config.expression_projection.input_dim
    null_embedding = encoders.expression_tokens(torch.zeros(1, width), torch.zeros(1, 3))
    expression, pose = plan.signals.expression, plan.signals.pose
    if expression is None and pose is None:
        return _unconditional(null_embedding, plan.frames)
    features = torch.zeros(plan.frames, width)
    rotation_degrees = torch.zeros(plan.frames, 3)
    if expression is not None:
        features = _check_features(expression, (width,)).sample(plan.frames, plan.fps).features
    if pose is not None:
        rotation_degrees = pose.sample(plan.frames, plan.fps).rotation_degrees
    tokens = encoders.expression_tokens(features, rotation_degrees)
    return GatedCondition(tokens, null_embedding, plan.gates["expression"].to(encoders.device))


FeatureSignal = TypeVar("FeatureSignal", AudioSignal, ExpressionSignal)


def _check_features(signal: FeatureSignal, sizes: tuple[int, ...]) -> FeatureSignal:
    """The signal, if it has the sizes that this model reads."""
    (track,) = signal.tracks.values()
    if tuple(track.shape[1:]) != sizes:
        raise InputError(
            f"{type(signal).__name__}: this model reads {sizes} numbers at a time, got "
            f"{tuple(track.shape[1:])}. Encode the signal with this model."
        )
    return signal


def _unconditional(null_embedding: Tensor, frames: int) -> GatedCondition:
    return GatedCondition(
        null_embedding.expand(frames, -1, -1), null_embedding, null_embedding.new_zeros(frames)
    )
