"""Driving frames -> expression features and head pose."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ....control.signals import ExpressionSignal, PoseSignal
from ....errors import InputError
from ....faces.box import Box, check_box, enlarge_box, image_box, square_box
from ....faces.portrait import crop_and_resize, to_rgb
from ....ops.finite import check_encoded
from ....ops.layers import FUSED_LAYERS
from ....ops.protocol import LayerOps
from ..config import ResNetConfig

INPUT_PX = 256

OnBatch = Callable[[int], None]


class BasicBlock(nn.Module):
    """Two 3×3 convolutions, as the head-pose network names them."""

    expansion = 1
    stem_norm = "bn1"

    def __init__(
        self, in_channels: int, channels: int, stride: int, groups: int, ops: LayerOps
    ) -> None:
        super().__init__()
        self.conv1 = ops.Conv2d(in_channels, channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = ops.GroupNorm(groups, channels)
        self.conv2 = ops.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = ops.GroupNorm(groups, channels)
        self.shortcut = _build_shortcut(in_channels, channels, stride, groups, ops)

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) -> (b, c', h/stride, w/stride)."""
        h = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(h)) + self.shortcut(x))


class Bottleneck(nn.Module):
    """1×1, strided 3×3 and 1×1 convolutions, as the expression network names them."""

    expansion = 4
    stem_norm = "gn1"

    def __init__(
        self, in_channels: int, channels: int, stride: int, groups: int, ops: LayerOps
    ) -> None:
        super().__init__()
        out_channels = channels * self.expansion
        self.conv1 = ops.Conv2d(in_channels, channels, 1, bias=False)
        self.gn1 = ops.GroupNorm(groups, channels)
        self.conv2 = ops.Conv2d(channels, channels, 3, stride=stride, padding=1, bias=False)
        self.gn2 = ops.GroupNorm(groups, channels)
        self.conv3 = ops.Conv2d(channels, out_channels, 1, bias=False)
        self.gn3 = ops.GroupNorm(groups, out_channels)
        self.downsample = _build_shortcut(in_channels, out_channels, stride, groups, ops)

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) -> (b, 4c', h/stride, w/stride)."""
        h = F.relu(self.gn1(self.conv1(x)))
        h = F.relu(self.gn2(self.conv2(h)))
        return F.relu(self.gn3(self.conv3(h)) + self.downsample(x))


def _build_shortcut(
    in_channels: int, out_channels: int, stride: int, groups: int, ops: LayerOps
) -> nn.Sequential:
    if stride == 1 and in_channels == out_channels:
        return nn.Sequential()
    conv = ops.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False)
    return nn.Sequential(conv, ops.GroupNorm(groups, out_channels))


class ResNet(nn.Module):
    """A residual network with group norms. Source: He et al., arXiv 1512.03385."""

    def __init__(self, config: ResNetConfig, ops: LayerOps = FUSED_LAYERS) -> None:
        super().__init__()
        block = Bottleneck if config.bottleneck else BasicBlock
        groups, width = config.norm_groups, config.width
        self.conv1 = ops.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.stem_norm = block.stem_norm
        self.add_module(self.stem_norm, ops.GroupNorm(groups, width))
        channels = width
        for i, blocks in enumerate(config.layers):
            stage = nn.Sequential()
            for j in range(blocks):
                stride = 2 if i and not j else 1
                stage.append(block(channels, width * 2**i, stride, groups, ops))
                channels = width * 2**i * block.expansion
            self.add_module(f"layer{i + 1}", stage)
        self.fc = ops.Linear(channels, config.output_dim)

    def features(self, image: Tensor) -> Tensor:
        """(b, 3, H, W) -> (b, channels, H/32, W/32), what is averaged in the end."""
        x = F.relu(self.get_submodule(self.stem_norm)(self.conv1(image)))
        x = F.max_pool2d(x, 3, stride=2, padding=1)
        for i in range(1, 5):
            x = self.get_submodule(f"layer{i}")(x)
        return x

    def forward(self, image: Tensor) -> Tensor:
        """(b, 3, H, W) -> (b, output_dim)."""
        out: Tensor = self.fc(self.features(image).mean(dim=(2, 3)))
        return out


class HeadExpression(nn.Module):
    """The expression of a face crop."""

    def __init__(self, config: ResNetConfig, ops: LayerOps = FUSED_LAYERS) -> None:
        super().__init__()
        self.resnet50 = ResNet(config, ops)

    def forward(self, image: Tensor) -> Tensor:
        """(b, 3, 256, 256) in 0…1 -> (b, features)."""
        out: Tensor = self.resnet50(image)
        return out


class HeadPose(nn.Module):
    """Rotation and translation of a head."""

    def __init__(self, config: ResNetConfig, ops: LayerOps = FUSED_LAYERS) -> None:
        super().__init__()
        self.head_pose_net = ResNet(config, ops)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(b, 3, 256, 256) in −1…1 -> (b, 3) degrees in ±180 and (b, 3) shares in ±2."""
        rotation, translation = torch.sigmoid(self.head_pose_net(image)).split(3, dim=1)
        return rotation * 360 - 180, translation * 4 - 2


@torch.inference_mode()
def encode_expression(
    network: HeadExpression,
    frames: Iterable[Tensor],
    boxes: Iterable[Box | None],
    *,
    rate_hz: float,
    source: str = "driving clip",
    batch_size: int = 8,
    on_batch: OnBatch | None = None,
) -> ExpressionSignal:
    """The expression features (f, features) of a face in driving frames, cut to a square.

    Args:
        frames: (3, H, W) uint8 or in 0…1; read one batch at a time.
        boxes: the face's box in each frame; None for all of it.
        rate_hz: frames per second.
        on_batch: called with the number of frames done after each batch.

    Raises:
        InputError: no frames, or a box outside them.
    """
    crops = (_crop(frame, box, square_box) for frame, box in zip(frames, boxes, strict=False))
    like = network.resnet50.conv1.weight
    outputs = [network(b.to(like)).float().cpu() for b in _batches(crops, batch_size, on_batch)]
    features = check_encoded("Expression encoder", _join(outputs))
    return ExpressionSignal(rate_hz=rate_hz, source=source, features=features)


@torch.inference_mode()
def encode_pose(
    network: HeadPose,
    frames: Iterable[Tensor],
    box: Box | None,
    *,
    rate_hz: float,
    source: str = "driving clip",
    batch_size: int = 8,
    on_batch: OnBatch | None = None,
) -> PoseSignal:
    """How a head is held in driving frames: rotation (f, 3) in degrees, translation (f, 3).

    The network sees the same part of every frame, or a moving crop would hide that the head moves:
    the face box of the first one, grown by its own size on each side and made square.

    Args:
        frames, rate_hz, on_batch: as in `encode_expression`.
        box: of the face in the first frame; None for all of it.

    Raises:
        InputError: no frames, or a box outside them.
    """
    crops = (_crop(frame, box, head_pose_box) for frame in frames)
    like = network.head_pose_net.conv1.weight
    outputs = [network(b.to(like) * 2 - 1) for b in _batches(crops, batch_size, on_batch)]
    rotation, translation = (_join([y[i].float().cpu() for y in outputs]) for i in (0, 1))
    check_encoded("Head pose encoder", torch.cat([rotation, translation]))
    return PoseSignal(
        rate_hz=rate_hz, source=source, rotation_degrees=rotation, translation=translation
    )


def head_pose_box(box: Box) -> Box:
    """The part of a video that the head-pose network sees, from the face in its first frame."""
    return square_box(enlarge_box(box, 3))


def _crop(frame: Tensor, box: Box | None, shape: Callable[[Box], Box]) -> Tensor:
    """(3, H, W) -> (1, 3, 256, 256) in 0…1."""
    height, width = frame.shape[1:]
    box = check_box(box or image_box(width, height), width, height, "driving clip")
    return crop_and_resize(to_rgb(frame)[None], shape(box), INPUT_PX)


def _batches(crops: Iterable[Tensor], size: int, on_batch: OnBatch | None) -> Iterator[Tensor]:
    """Crops joined to batches, each reported when the next one is asked for."""
    crops, done = iter(crops), 0
    while batch := list(islice(crops, size)):
        yield torch.cat(batch)
        done += len(batch)
        if on_batch is not None:
            on_batch(done)


def _join(parts: list[Tensor]) -> Tensor:
    """Results (b, …) of all batches as one (f, …)."""
    if not parts:
        raise InputError("The driving clip has no frames. Choose another one, or none at all.")
    return torch.cat(parts)
