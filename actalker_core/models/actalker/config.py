"""Every size of every network, as data. A variant of the model is a row of `VARIANTS`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import Annotated, Any, TypeVar, cast, get_args, get_origin, get_type_hints

from ...control.regions import FACE_SCALE
from ...errors import InputError, quote
from ...limits import GUIDANCE


@dataclass(frozen=True)
class Range:
    """What a number may be when it is read from a file: far more than any model has."""

    minimum: float
    maximum: float


Width = Annotated[int, Range(1, 2**16)]
Depth = Annotated[int, Range(1, 64)]
Layers = Annotated[int, Range(1, 8)]
Count = Annotated[int, Range(1, 2**12)]
Motion = Annotated[int, Range(0, 1023)]
Rate = Annotated[float, Range(1, 120)]
Sigma = Annotated[float, Range(1e-6, 1e5)]
Factor = Annotated[float, Range(1e-3, 100)]
Strength = Annotated[float, Range(-100, 100)]
Scale = Annotated[float, Range(GUIDANCE.minimum, GUIDANCE.maximum)]
MAX_LEVELS = 6
"""Numbers in a list of sizes."""


@dataclass(frozen=True)
class UNetConfig:
    """The denoiser. Names follow diffusers where diffusers has the same thing.

    Attributes:
        num_frames: frames of a window.
        signal_scales: strength of the audio and the expression term of every cross attention;
            empty for a plain UNet without them.
        has_mamba: whether the transformers of the down and up blocks hold a Mamba layer.
        state, expand, directions: of that layer.
        scan_across_frames: whether it walks through all frames of a window as one sequence, as in
            the paper, or through each alone, as in the release.
        mask_drop: whether signals leave out the tokens outside a signal's region.
    """

    in_channels: Width = 8
    out_channels: Width = 4
    block_out_channels: tuple[Width, ...] = (320, 640, 1280, 1280)
    layers_per_block: Layers = 2
    transformer_layers_per_block: Layers = 1
    num_attention_heads: tuple[Width, ...] = (5, 10, 20, 20)
    cross_attention_dim: Width = 1024
    addition_time_embed_dim: Width = 256
    projection_class_embeddings_input_dim: Width = 768
    norm_num_groups: Width = 32
    num_frames: Count = 25
    signal_scales: tuple[Strength, ...] = (1.25, 1.25)
    has_mamba: bool = True
    state: Width = 16
    expand: Layers = 2
    directions: Layers = 2
    scan_across_frames: bool = False
    mask_drop: bool = True

    @property
    def time_channels(self) -> int:
        """Width of the time embedding."""
        return 4 * self.block_out_channels[0]

    @property
    def levels(self) -> int:
        """Number of grids, each half the one before."""
        return len(self.block_out_channels)

    def heads_at(self, level: int) -> int | None:
        """Attention heads of a level; the deepest one has no attention."""
        return None if level == self.levels - 1 else self.num_attention_heads[level]


@dataclass(frozen=True)
class PoseGuiderConfig:
    """Pose image -> map that is added after the UNet's first convolution."""

    conditioning_channels: Width = 3
    conditioning_embedding_channels: Width = 320
    block_out_channels: tuple[Width, ...] = (16, 32, 96, 256)


@dataclass(frozen=True)
class AudioProjectionConfig:
    """Whisper states around a frame -> audio tokens.

    Attributes:
        seq_len: hidden states per frame. blocks: layers of Whisper. channels: their width.
    """

    seq_len: Depth = 10
    blocks: Depth = 5
    channels: Width = 384
    intermediate_dim: Width = 1024
    output_dim: Width = 1024
    context_tokens: Count = 32


@dataclass(frozen=True)
class IdentityProjectionConfig:
    """ArcFace features -> identity token."""

    input_dim: Width = 512
    intermediate_dim: Width = 1024
    output_dim: Width = 1024


@dataclass(frozen=True)
class ExpressionProjectionConfig:
    """Expression features -> the expression token without its six head-pose numbers."""

    input_dim: Width = 512
    output_dim: Width = 1018


@dataclass(frozen=True)
class WhisperConfig:
    """The encoder half of Whisper. Names follow transformers."""

    num_mel_bins: Width = 80
    d_model: Width = 384
    encoder_layers: Depth = 4
    encoder_attention_heads: Width = 6
    encoder_ffn_dim: Width = 1536
    max_source_positions: Width = 1500


@dataclass(frozen=True)
class ResNetConfig:
    """An image network: expression (bottleneck blocks) and head pose (basic blocks)."""

    layers: tuple[Depth, ...]
    bottleneck: bool
    norm_groups: Width
    output_dim: Width
    width: Width = 64


@dataclass(frozen=True)
class ArcFaceConfig:
    """The identity network (IResNet)."""

    layers: tuple[Depth, ...] = (3, 4, 14, 3)
    width: Width = 64
    output_dim: Width = 512


@dataclass(frozen=True)
class VAEConfig:
    """The temporal autoencoder, as Stable Video Diffusion has it."""

    block_out_channels: tuple[Width, ...] = (128, 256, 512, 512)
    layers_per_block: Layers = 2
    latent_channels: Width = 4
    scaling_factor: Factor = 0.18215


@dataclass(frozen=True)
class SamplingConfig:
    """How the model was trained to be sampled; the defaults of the pipeline.

    Attributes:
        fps: frames per second of the video.
        short_side_px: default shorter side of the image.
        sigma_min, sigma_max, rho: of the karras schedule.
        face_enlarged: factor on the face box for the pose image and the face masks.
    """

    fps: Rate = 12.5
    motion_bucket_id: Motion = 12
    motion_bucket_id_exp: Motion = 20
    short_side_px: Count = 576
    steps: Count = 25
    sigma_min: Sigma = 0.002
    sigma_max: Sigma = 700.0
    rho: Factor = 7.0
    appearance_scale: Scale = 2.0
    audio_scale: Scale = 7.5
    expression_scale: Scale = 3.0
    shift_frames: Motion = 7
    face_enlarged: Factor = FACE_SCALE
    decode_frames: Count = 10


EXPRESSION_RESNET = ResNetConfig((3, 4, 6, 3), bottleneck=True, norm_groups=1, output_dim=512)
HEAD_POSE_RESNET = ResNetConfig((2, 2, 2, 2), bottleneck=False, norm_groups=32, output_dim=6)


@dataclass(frozen=True)
class ModelConfig:
    """All networks of one variant."""

    unet: UNetConfig = field(default_factory=UNetConfig)
    pose_guider: PoseGuiderConfig = field(default_factory=PoseGuiderConfig)
    audio_projection: AudioProjectionConfig = field(default_factory=AudioProjectionConfig)
    identity_projection: IdentityProjectionConfig = field(default_factory=IdentityProjectionConfig)
    expression_projection: ExpressionProjectionConfig = field(
        default_factory=ExpressionProjectionConfig
    )
    audio_encoder: WhisperConfig = field(default_factory=WhisperConfig)
    identity_encoder: ArcFaceConfig = field(default_factory=ArcFaceConfig)
    expression_encoder: ResNetConfig = EXPRESSION_RESNET
    head_pose_encoder: ResNetConfig = HEAD_POSE_RESNET
    vae: VAEConfig = field(default_factory=VAEConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)


VARIANTS: dict[str, ModelConfig] = {
    "released": ModelConfig(),
    "built-in": ModelConfig(
        unet=UNetConfig(
            block_out_channels=(32, 64, 96),
            layers_per_block=1,
            num_attention_heads=(1, 2, 3),
            cross_attention_dim=64,
            addition_time_embed_dim=32,
            projection_class_embeddings_input_dim=96,
            norm_num_groups=8,
            num_frames=10,
            state=4,
        ),
        pose_guider=PoseGuiderConfig(
            conditioning_embedding_channels=32, block_out_channels=(8, 16, 24, 32)
        ),
        audio_projection=AudioProjectionConfig(
            blocks=3, channels=64, intermediate_dim=128, output_dim=64, context_tokens=4
        ),
        identity_projection=IdentityProjectionConfig(
            input_dim=32, intermediate_dim=64, output_dim=64
        ),
        expression_projection=ExpressionProjectionConfig(input_dim=10, output_dim=58),
        audio_encoder=WhisperConfig(
            d_model=64, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=128
        ),
        identity_encoder=ArcFaceConfig(layers=(1, 1, 1, 1), width=16, output_dim=32),
        expression_encoder=ResNetConfig(
            (1, 1, 1, 1), bottleneck=True, norm_groups=8, output_dim=10, width=16
        ),
        head_pose_encoder=ResNetConfig(
            (1, 1, 1, 1), bottleneck=False, norm_groups=4, output_dim=6, width=16
        ),
        vae=VAEConfig(block_out_channels=(64, 32, 32, 128), layers_per_block=1),
        sampling=SamplingConfig(
            short_side_px=128,
            steps=12,
            sigma_min=0.02,
            sigma_max=40.0,
            shift_frames=3,
            appearance_scale=1.0,
            audio_scale=1.5,
            expression_scale=1.5,
        ),
    ),
}


def to_dict(config: ModelConfig) -> dict[str, Any]:
    """Plain numbers and lists, ready for JSON."""
    return asdict(config)


T = TypeVar("T")


def from_dict(kind: type[T], values: Mapping[str, Any]) -> T:
    """The inverse of `to_dict`, for any of the dataclasses above.

    Raises:
        InputError: a name that the dataclass does not have, a missing one, or a value of
            another type or out of its range.
    """
    if not isinstance(values, Mapping):
        raise InputError(f"{kind.__name__}: expected names and values, got {quote(values)}.")
    hints = get_type_hints(kind, include_extras=True)
    unknown = sorted(set(values) - set(hints))
    if unknown:
        raise InputError(
            f"{kind.__name__}: does not know {', '.join(map(quote, unknown[:4]))}. "
            "The file may come from a newer version of this pack: update it."
        )
    fields = {
        name: _restore(hints[name], value, f"{kind.__name__}.{name}")
        for name, value in values.items()
    }
    try:
        return kind(**fields)
    except TypeError as error:
        raise InputError(f"{kind.__name__}: a size is missing. {error}") from error


def _restore(hint: Any, value: Any, name: str) -> Any:
    if is_dataclass(hint):
        return from_dict(cast(type, hint), value)
    if get_origin(hint) is tuple and isinstance(value, list | tuple):
        if not 1 <= len(value) <= MAX_LEVELS:
            raise InputError(f"{name}: expected 1 to {MAX_LEVELS} numbers, got {len(value)}.")
        return tuple(_restore(get_args(hint)[0], item, name) for item in value)
    kind, *ranges = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    kinds = {int: (int,), float: (int, float), bool: (bool,)}.get(kind, ())
    if not isinstance(value, kinds) or (isinstance(value, bool) and kind is not bool):
        raise InputError(f"{name}: expected {getattr(kind, '__name__', kind)}, got {quote(value)}.")
    for bounds in ranges:
        if not bounds.minimum <= value <= bounds.maximum:
            raise InputError(
                f"{name}: expected {bounds.minimum:g} to {bounds.maximum:g}, got {quote(value)}."
            )
    return value
