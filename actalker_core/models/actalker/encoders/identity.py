"""The face -> who it is (ArcFace)."""

import torch
from torch import Tensor, nn

from ....faces import Box
from ....faces.portrait import crop_and_resize
from ....ops.finite import check_encoded
from ....ops.layers import FUSED_LAYERS
from ....ops.protocol import LayerOps
from ..config import ArcFaceConfig

INPUT_PX = 112


class ArcFace(nn.Module):
    """IResNet under insightface's key names. Source: Deng et al., arXiv 1801.07698."""

    def __init__(self, config: ArcFaceConfig, ops: LayerOps = FUSED_LAYERS) -> None:
        super().__init__()
        widths = [config.width * 2**i for i in range(4)]
        incoming = [config.width, *widths[:-1]]
        self.conv1 = ops.Conv2d(3, config.width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(config.width)
        self.prelu = nn.PReLU(config.width)
        for i, (a, b, blocks) in enumerate(zip(incoming, widths, config.layers, strict=True), 1):
            self.add_module(f"layer{i}", _build_stage(a, b, blocks, ops))
        self.bn2 = nn.BatchNorm2d(widths[-1])
        self.fc = ops.Linear(widths[-1] * (INPUT_PX // 16) ** 2, config.output_dim)
        self.features = nn.BatchNorm1d(config.output_dim)

    def forward(self, image: Tensor) -> Tensor:
        """(b, 3, 112, 112) in −1…1 -> (b, features)."""
        x = self.prelu(self.bn1(self.conv1(image)))
        for i in range(1, 5):
            x = self.get_submodule(f"layer{i}")(x)
        out: Tensor = self.features(self.fc(self.bn2(x).flatten(1)))
        return out


class IdentityBlock(nn.Module):
    """Norm, convolution, norm, PReLU, strided convolution, norm, beside a shortcut."""

    def __init__(self, in_channels: int, channels: int, stride: int, ops: LayerOps) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv1 = ops.Conv2d(in_channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.prelu = nn.PReLU(channels)
        self.conv2 = ops.Conv2d(channels, channels, 3, stride=stride, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels)
        self.downsample = None
        if stride != 1:
            shortcut = ops.Conv2d(in_channels, channels, 1, stride=stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) -> (b, c', h/stride, w/stride)."""
        h = self.prelu(self.bn2(self.conv1(self.bn1(x))))
        shortcut = x if self.downsample is None else self.downsample(x)
        out: Tensor = self.bn3(self.conv2(h)) + shortcut
        return out


def _build_stage(in_channels: int, channels: int, blocks: int, ops: LayerOps) -> nn.Sequential:
    return nn.Sequential(
        IdentityBlock(in_channels, channels, 2, ops),
        *(IdentityBlock(channels, channels, 1, ops) for _ in range(blocks - 1)),
    )


@torch.inference_mode()
def encode_identity(encoder: ArcFace, portrait: Tensor, face: Box) -> Tensor:
    """The features of the face in a portrait.

    Args:
        portrait: (3, H, W) in 0…1. face: its box, not aligned any further.

    Returns:
        (1, features).
    """
    head = crop_and_resize(portrait[None], face, INPUT_PX) * 2 - 1
    like = encoder.conv1.weight
    features: Tensor = encoder(head.to(like))
    return check_encoded("Identity encoder", features.float())
