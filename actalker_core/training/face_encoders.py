"""The stages of the three face encoders (expression, head pose, identity), on rendered faces."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..faces.box import Box, image_box, square_box
from ..faces.portrait import crop_and_resize
from ..learning.trainer import Batch, TrainConfig, validation_generator
from ..models.actalker.config import ModelConfig
from ..models.actalker.encoders.identity import INPUT_PX as HEAD_PX
from ..models.actalker.encoders.motion import INPUT_PX, ResNet, head_pose_box
from ..models.actalker.networks import Encoders
from ..synthetic.identities import (
    BEARD_COUNT,
    GLASSES_COUNT,
    HAIR_STYLE_COUNT,
    FaceState,
    Identity,
    make_identity,
)
from ..synthetic.motion import random_state
from ..synthetic.rendering import SIDE_PX, Rendering, render_face, stack_images

EXPRESSION_NAMES = (
    "eye_left",
    "eye_right",
    "brows",
    "gaze_x",
    "gaze_y",
    "smile",
    "open",
    "wide",
    "round",
)
"""The first expression features, each in −1…1; the next one is always 1."""
UNIT_RANGE_NAMES = ("eye_left", "eye_right", "open", "round")
"""Fields of a `FaceState` that run from 0 to 1."""
ROTATION_NAMES = ("pitch", "yaw", "roll")
"""Order of the head rotation."""
FULL_FRAME_PROBABILITY = 0.2
"""Of face boxes that are the frame itself, as where no face was looked for."""
FACE_PARTS = ("eye_left", "eye_right", "brow_left", "brow_right", "mouth")
EXPRESSION_PARTS = {
    "eye_left": ("eye_left",),
    "eye_right": ("eye_right",),
    "brows": ("brow_left", "brow_right"),
    "gaze_x": ("eye_left", "eye_right"),
    "gaze_y": ("eye_left", "eye_right"),
} | dict.fromkeys(("smile", "open", "wide", "round"), ("mouth",))
"""Where in a face a field shows; with that as a second target, the expression is learnt faster."""
HEATMAP_SUM = 4.0
"""Sum of a part's heatmap; a part lies in a few of 8×8 cells."""
HEATMAP_WEIGHT = 1.0
VALIDATION_FACES = 32
SPARSE_LEVEL, SPARSE_GAIN = 1.5, 6.0
"""A last feature is active from so many deviations above its mean on, and how strongly."""
DEGREES_PER_UNIT = 10.0
"""An error of so many degrees counts as much as one of 1 elsewhere."""


def expression_target(state: FaceState) -> list[float]:
    """What the expression encoder shall say about a state, each number in −1…1."""
    values = {name: getattr(state, name) for name in EXPRESSION_NAMES}
    return [2 * v - 1 if name in UNIT_RANGE_NAMES else v for name, v in values.items()] + [1.0]


def rotation_target(state: FaceState) -> list[float]:
    """What the pose encoder shall say about a state, in degrees."""
    return [getattr(state, name) for name in ROTATION_NAMES]


def identity_target(identity: Identity) -> list[float]:
    """What a face shows of its identity, each number of order 1."""
    colours = [(v - 128) / 64 for c in (identity.skin, identity.hair, identity.lips) for v in c]
    sizes = [identity.width, identity.height, identity.jaw]
    sizes += [identity.eye_size, identity.brow, identity.nose]
    kinds = (
        (identity.hair_style, HAIR_STYLE_COUNT),
        (identity.glasses, GLASSES_COUNT),
        (identity.beard, BEARD_COUNT),
    )
    one_hot = [float(kind == index) for kind, count in kinds for index in range(count)]
    return colours + [4 * (v - 1) for v in sizes] + one_hot


@dataclass(frozen=True)
class EncoderTask:
    """What one of the encoders learns.

    Attributes:
        part: its name in the model.
        widen_box: from the box of a face to the crop. side_px: of the crop.
        make_target: what it shall say about an identity in a state.
        unit: an error of so much counts as 1.
    """

    part: str
    widen_box: Callable[[Box], Box]
    side_px: int
    make_target: Callable[[Identity, FaceState], list[float]]
    unit: float = 1.0


FACE_ENCODERS = {
    "expression": EncoderTask(
        "expression_encoder", square_box, INPUT_PX, lambda _, state: expression_target(state)
    ),
    "head_pose": EncoderTask(
        "head_pose_encoder",
        head_pose_box,
        INPUT_PX,
        lambda _, state: rotation_target(state),
        DEGREES_PER_UNIT,
    ),
    "identity": EncoderTask(
        "identity_encoder", lambda box: box, HEAD_PX, lambda identity, _: identity_target(identity)
    ),
}


class FaceEncoderObjective:
    """One of the encoders, learning from rendered faces.

    Args:
        name: of its task, in `FACE_ENCODERS`.
    """

    def __init__(self, name: str, model_config: ModelConfig, config: TrainConfig) -> None:
        self.name, self.config, self.task = name, config, FACE_ENCODERS[name]
        encoder: Any = Encoders(model_config).get_submodule(self.task.part)
        self.encoder = encoder
        self.network: Any = nn.ModuleDict({self.task.part: self.encoder})
        if name == "identity":
            count = len(identity_target(make_identity(0)))
            output_dim = model_config.identity_encoder.output_dim
            self.network["identity_head"] = nn.Linear(output_dim, count)
        else:
            initialize_sparse(self.encoder)
        if name == "expression":
            features: int = self.encoder.resnet50.fc.in_features
            maps = len(FACE_PARTS) + len(EXPRESSION_PARTS)
            self.network["heatmap_head"] = nn.Conv2d(features, maps, 1)

    def make_batch(self, rng: np.random.Generator) -> Batch:
        """As `render_crops` makes it."""
        return render_crops(rng, self.config.batch_size, self.task)

    def compute_loss(self, batch: Batch) -> Tensor:
        """Squared error () of the targets (b, n), and of heatmaps (b, maps, h, w) of the parts.

        An average over the image tells neither where a feature was nor that it belongs to an eye;
        heatmaps give every cell an error of its own.
        """
        if self.name != "expression":
            return self._compute_error(self._predict(batch["images"]), batch)
        resnet = self.encoder.resnet50
        features = resnet.features(batch["images"])
        heatmap_error = F.mse_loss(self.network["heatmap_head"](features), batch["heatmaps"])
        error = self._compute_error(resnet.fc(features.mean(dim=(2, 3))), batch)
        return error + HEATMAP_WEIGHT * heatmap_error

    def validate(self) -> dict[str, float]:
        """The error on faces that are never trained on."""
        batch = render_crops(validation_generator(), VALIDATION_FACES, self.task)
        device = next(self.network.parameters()).device
        batch = {name: field.to(device) for name, field in batch.items()}
        return {"error": float(self._compute_error(self._predict(batch["images"]), batch))}

    def _predict(self, images: Tensor) -> Tensor:
        if self.name == "expression":
            return self.encoder(images)  # type: ignore[no-any-return]
        outputs: Any = self.encoder(images * 2 - 1)
        outputs = outputs[0] if self.name == "head_pose" else self.network["identity_head"](outputs)
        return outputs  # type: ignore[no-any-return]

    def _compute_error(self, outputs: Tensor, batch: Batch) -> Tensor:
        return ((outputs - batch["targets"]) / self.task.unit).square().mean()


def initialize_sparse(network: Any) -> None:
    """Initial weights for which edges count and flat colour does not, and few features are active.

    The last features are averaged over the image. Where most of them are active everywhere, an eye
    that closes drowns in what never changes, and learning hardly begins.
    """
    resnet: Any = next(m for m in network.modules() if isinstance(m, ResNet))
    for module in resnet.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    block = resnet.layer4[-1]
    norm = block.gn3 if hasattr(block, "gn3") else block.bn2
    with torch.no_grad():
        # Kernels of mean 0 answer to edges alone.
        resnet.conv1.weight -= resnet.conv1.weight.mean((1, 2, 3), keepdim=True)
        # A threshold above the mean of what the norm leaves, and no shortcut that passes it by.
        norm.weight.fill_(SPARSE_GAIN)
        norm.bias.fill_(-SPARSE_LEVEL * SPARSE_GAIN)
        shortcut = block.downsample if hasattr(block, "downsample") else block.shortcut
        for shortcut_norm in list(shortcut)[1:]:
            shortcut_norm.weight.zero_()
        resnet.fc.weight.zero_()
        resnet.fc.bias.zero_()


def render_crops(rng: np.random.Generator, count: int, task: EncoderTask) -> Batch:
    """Random faces, cropped: images (b, 3, side, side) in 0…1 and targets (b, n).

    Heatmaps (b, maps, side/32, side/32) say where the parts of the face are, and their state.
    """
    images, targets, heatmaps = [], [], []
    for _ in range(count):
        identity, state = make_identity(int(rng.integers(1 << 31))), random_state(rng)
        rendering = render_face(identity, state)
        box = task.widen_box(jitter_box(rng, rendering.face_box))
        images.append(crop_and_resize(stack_images([rendering.image]), box, task.side_px))
        masks = crop_and_resize(_draw_part_masks(rendering), box, task.side_px // 4)
        heatmaps.append(_make_heatmaps(F.avg_pool2d(masks, 8), expression_target(state)))
        targets.append(task.make_target(identity, state))
    return {
        "images": torch.cat(images),
        "targets": torch.tensor(targets),
        "heatmaps": torch.cat(heatmaps),
    }


def _make_heatmaps(masks: Tensor, expression: list[float]) -> Tensor:
    """Masks (1, parts, h, w) -> these, normalised, and each number at its parts (1, maps, h, w)."""
    parts = masks / masks.sum((2, 3), keepdim=True).clamp(min=1e-6) * HEATMAP_SUM
    numbers = [
        value
        * parts[:, [FACE_PARTS.index(p) for p in EXPRESSION_PARTS[name]]].mean(1, keepdim=True)
        for name, value in zip(EXPRESSION_NAMES, expression, strict=False)
    ]
    return torch.cat([parts, *numbers], dim=1)


def _draw_part_masks(rendering: Rendering) -> Tensor:
    """(1, parts, 128, 128) masks of the parts of a face."""
    masks = np.zeros((len(FACE_PARTS), SIDE_PX, SIDE_PX), np.float32)
    for mask, name in zip(masks, FACE_PARTS, strict=True):
        points = np.rint(rendering.landmarks[name]).astype(np.int32)
        if name.startswith("brow"):
            cv2.polylines(mask, [points], False, (1.0,), 2)
        else:
            cv2.fillPoly(mask, [points], (1.0,))
    return torch.from_numpy(masks)[None]


def jitter_box(rng: np.random.Generator, box: Box) -> Box:
    """A box as a face finder or a user draws it: moved by up to 8 %, resized by 10 %, or all."""
    if rng.random() < FULL_FRAME_PROBABILITY:
        return image_box(SIDE_PX, SIDE_PX)
    width, height = box[2] - box[0], box[3] - box[1]
    x, y = rng.uniform(-0.08, 0.08, 2) * (width, height)
    grow_x, grow_y = rng.uniform(-0.05, 0.05, 2) * (width, height)
    return box[0] + x - grow_x, box[1] + y - grow_y, box[2] + x + grow_x, box[3] + y + grow_y
