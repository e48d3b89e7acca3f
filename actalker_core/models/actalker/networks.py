"""All networks of one variant, under one roof and one set of state-dict keys."""

import torch
from torch import Tensor, nn

from ...ops.layers import FUSED_LAYERS
from ...ops.protocol import LayerOps
from .config import ModelConfig
from .encoders.audio import WhisperEncoder
from .encoders.identity import ArcFace
from .encoders.motion import HeadExpression, HeadPose
from .encoders.pose_guider import PoseGuider
from .encoders.projections import AudioProjection, ExpressionProjection, IdentityProjection
from .unet.unet import UNet
from .vae import build_vae

FLOAT32_LEAVES = ("A_logs", "Ds", "dt_projs_bias")
"""Scan parameters that lose too much in half precision; they stay float32 everywhere."""


class Encoders(nn.Module):
    """Every network between the media and what the denoiser reads.

    Args:
        config: a row of `config.VARIANTS`, or one read from a checkpoint.
        ops: where the layers come from (see `ops.protocol`).
    """

    def __init__(self, config: ModelConfig, ops: LayerOps = FUSED_LAYERS) -> None:
        super().__init__()
        self.config = config
        self.pose_guider = PoseGuider(config.pose_guider, ops)
        self.audio_projection = AudioProjection(config.audio_projection, ops)
        self.identity_projection = IdentityProjection(config.identity_projection, ops)
        self.expression_projection = ExpressionProjection(config.expression_projection, ops)
        self.audio_encoder = WhisperEncoder(config.audio_encoder, ops)
        self.identity_encoder = ArcFace(config.identity_encoder, ops)
        self.expression_encoder = HeadExpression(config.expression_encoder, ops)
        self.head_pose_encoder = HeadPose(config.head_pose_encoder, ops)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.pose_guider.parameters()).device

    def audio_tokens(self, windows: Tensor) -> Tensor:
        """The states around each frame (f, l, layers, c) -> tokens (f, s, c')."""
        tokens: Tensor = self.audio_projection(windows.to(self.device))
        return tokens

    def expression_tokens(self, features: Tensor, rotation_degrees: Tensor) -> Tensor:
        """(f, features) and (f, 3) -> (f, 1, c).

        The last six numbers of a token are the rotation and, as released, no translation.
        """
        rotation = rotation_degrees.to(self.device)
        head_pose = torch.cat([rotation, torch.zeros_like(rotation)], dim=1)
        expression = self.expression_projection(features.to(self.device))
        return torch.cat([expression, head_pose], dim=1)[:, None]


class ACTalker(Encoders):
    """The whole model: encoders, denoiser and autoencoder."""

    def __init__(self, config: ModelConfig, ops: LayerOps = FUSED_LAYERS) -> None:
        super().__init__(config, ops)
        self.unet = UNet(config.unet, ops)
        self.vae = build_vae(config.vae)


def choose_weight_dtype(name: str, unet_dtype: torch.dtype, dimensions: int) -> torch.dtype:
    """The type that a parameter of the model is kept in.

    The UNet takes `unet_dtype`, all else and the scan parameters are float32: the small networks
    and the autoencoder gain nothing from half precision and may lose range. Eight bits are for the
    weights of layers alone, which cast them when they are used.
    """
    leaf = name.rsplit(".", 1)[-1]
    if not name.startswith("unet.") or leaf in FLOAT32_LEAVES:
        return torch.float32
    if unet_dtype.itemsize == 1 and (leaf != "weight" or dimensions < 2):
        return torch.float16
    return unet_dtype


def choose_stored_dtype(name: str, dtype: torch.dtype, model_dtype: torch.dtype) -> torch.dtype:
    """The type that a tensor of the model is written in; one of whole numbers stays what it is.

    Args:
        dtype: for all floating tensors but the scan parameters, which stay float32.
        model_dtype: what it is in the model.
    """
    if not model_dtype.is_floating_point:
        return model_dtype
    return torch.float32 if name.rsplit(".", 1)[-1] in FLOAT32_LEAVES else dtype
