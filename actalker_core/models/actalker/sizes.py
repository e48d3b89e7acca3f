"""Whether the networks of a configuration fit each other, before any of them is built."""

from collections.abc import Iterator

from ...errors import InputError
from .config import ModelConfig, ResNetConfig, UNetConfig, WhisperConfig

MAX_TRANSFORMERS = 64
"""Of a denoiser, four times the released one's; each takes some 20 ms to build."""
POSE_NUMBERS = 6
STAGES = 4
VAE_GROUPS = 32

Row = tuple[str, object, object]
"""Name, expected value, value."""


def check_sizes(config: ModelConfig) -> None:
    """Refuse networks that cannot be built, or of which one does not read what another makes.

    Raises:
        InputError: says what was expected and found.
    """
    for name, expected, value in _rows(config):
        if value != expected:
            raise InputError(f"{name}: expected {expected}, got {value}")


def _rows(config: ModelConfig) -> Iterator[Row]:
    yield from _unet_rows(config.unet)
    yield from _projection_rows(config)
    yield from _encoder_rows(config)
    levels = config.vae.block_out_channels
    yield "vae levels", STAGES, len(levels)
    yield from (_multiple("vae channels", channels, VAE_GROUPS) for channels in levels)
    yield "unet.out_channels", config.vae.latent_channels, config.unet.out_channels
    yield "unet.in_channels", 2 * config.vae.latent_channels, config.unet.in_channels
    rises = config.sampling.sigma_min < config.sampling.sigma_max
    yield "sigma_min below sigma_max", True, rises


def _unet_rows(unet: UNetConfig) -> Iterator[Row]:
    yield "unet.num_attention_heads", unet.levels, len(unet.num_attention_heads)
    for channels, heads in zip(unet.block_out_channels, unet.num_attention_heads, strict=True):
        yield _multiple("unet channels of so many heads", channels, heads)
        yield _multiple("unet channels of so many groups", channels, unet.norm_num_groups)
        yield _multiple("unet channels", channels, 2)
    embedding, width = unet.addition_time_embed_dim, unet.projection_class_embeddings_input_dim
    yield _multiple("unet.addition_time_embed_dim", embedding, 2)
    yield "unet.projection_class_embeddings_input_dim", 3 * embedding, width
    yield "unet.signal_scales", 2, len(unet.signal_scales)
    blocks = (unet.levels - 1) * (2 * unet.layers_per_block + 1) + 1
    transformers = blocks * unet.transformer_layers_per_block
    limit = min(transformers, MAX_TRANSFORMERS)
    yield "unet transformers at most", limit, transformers


def _projection_rows(config: ModelConfig) -> Iterator[Row]:
    width = config.unet.cross_attention_dim
    audio, expression = config.audio_projection, config.expression_projection
    identity, pose = config.identity_projection, config.pose_guider
    yield "audio_projection.output_dim", width, audio.output_dim
    yield "audio_projection.blocks", config.audio_encoder.encoder_layers + 1, audio.blocks
    yield "audio_projection.channels", config.audio_encoder.d_model, audio.channels
    yield "identity_projection.output_dim", width, identity.output_dim
    yield "identity_projection.input_dim", config.identity_encoder.output_dim, identity.input_dim
    yield "expression_projection.output_dim", width - POSE_NUMBERS, expression.output_dim
    features = config.expression_encoder.output_dim
    yield "expression_projection.input_dim", features, expression.input_dim
    channels = config.unet.block_out_channels[0]
    embedding = pose.conditioning_embedding_channels
    yield "pose_guider.conditioning_embedding_channels", channels, embedding
    yield "pose_guider.conditioning_channels", 3, pose.conditioning_channels
    yield "pose_guider levels", STAGES, len(pose.block_out_channels)


def _encoder_rows(config: ModelConfig) -> Iterator[Row]:
    audio = config.audio_encoder
    yield (
        "audio_encoder.max_source_positions",
        WhisperConfig().max_source_positions,
        audio.max_source_positions,
    )
    yield _multiple("audio_encoder.d_model", audio.d_model, audio.encoder_attention_heads)
    yield "identity_encoder stages", STAGES, len(config.identity_encoder.layers)
    yield "head_pose_encoder.output_dim", POSE_NUMBERS, config.head_pose_encoder.output_dim
    yield from _resnet_rows("expression_encoder", config.expression_encoder)
    yield from _resnet_rows("head_pose_encoder", config.head_pose_encoder)


def _resnet_rows(name: str, resnet: ResNetConfig) -> Iterator[Row]:
    yield f"{name} stages", STAGES, len(resnet.layers)
    yield _multiple(f"{name}.width", resnet.width, resnet.norm_groups)


def _multiple(name: str, number: int, divisor: int) -> Row:
    return name, f"a multiple of {divisor}" if number % divisor else number, number
