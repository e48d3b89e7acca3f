"""The sizes of the smallest model that has every part.

It imports nothing of the pack: in a ComfyUI, whose tests it also serves, the pack has another name.
"""

from types import ModuleType
from typing import Any


def tiny_config(sizes: ModuleType) -> Any:
    """Its `ModelConfig`, of the classes of a module: `models.actalker.config`."""
    return sizes.ModelConfig(
        unet=sizes.UNetConfig(
            block_out_channels=(32, 64, 64, 64),
            layers_per_block=1,
            num_attention_heads=(1, 2, 2, 2),
            cross_attention_dim=48,
            addition_time_embed_dim=32,
            projection_class_embeddings_input_dim=96,
        ),
        pose_guider=sizes.PoseGuiderConfig(
            conditioning_embedding_channels=32, block_out_channels=(8, 16, 24, 32)
        ),
        audio_projection=sizes.AudioProjectionConfig(
            blocks=3, channels=32, intermediate_dim=64, output_dim=48, context_tokens=8
        ),
        identity_projection=sizes.IdentityProjectionConfig(
            input_dim=32, intermediate_dim=48, output_dim=48
        ),
        expression_projection=sizes.ExpressionProjectionConfig(input_dim=32, output_dim=42),
        audio_encoder=sizes.WhisperConfig(
            d_model=32, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=64
        ),
        identity_encoder=sizes.ArcFaceConfig(layers=(1, 1, 1, 1), width=8, output_dim=32),
        expression_encoder=sizes.ResNetConfig(
            (1, 1, 1, 1), bottleneck=True, norm_groups=1, output_dim=32, width=8
        ),
        head_pose_encoder=sizes.ResNetConfig(
            (1, 1, 1, 1), bottleneck=False, norm_groups=8, output_dim=6, width=8
        ),
        vae=sizes.VAEConfig(block_out_channels=(32, 32, 32, 32), layers_per_block=1),
        sampling=sizes.SamplingConfig(short_side_px=128, steps=10),
    )
