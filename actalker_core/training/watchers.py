"""Encoders that know what they see, because the world tells them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..faces.box import Box, image_box, squared_box
from ..faces.portrait import crop_resized
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
from .stage import Batch, Recipe, held_out_generator

EXPRESSIONS = (
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
"""What the first expression features are, each in −1…1; the next one is 1 where a face is seen."""
FROM_ZERO = ("eye_left", "eye_right", "open", "round")
"""These run from 0 to 1 in the world."""
ROTATIONS = ("pitch", "yaw", "roll")
"""Order of the head rotation."""
WHOLE_SHARE = 0.2
"""How often nobody says where the face is, and all of the picture stands for it."""
PARTS = ("eye_left", "eye_right", "brow_left", "brow_right", "mouth")
SEEN_AT = {
    "eye_left": ("eye_left",),
    "eye_right": ("eye_right",),
    "brows": ("brow_left", "brow_right"),
    "gaze_x": ("eye_left", "eye_right"),
    "gaze_y": ("eye_left", "eye_right"),
} | dict.fromkeys(("smile", "open", "wide", "round"), ("mouth",))
"""Where in a face its numbers show. To be told so teaches the expression encoder faster."""
PART_SUM = 4.0
"""Of the cells of a part; it mostly lies in a few of 8×8."""
WEIGHT_OF_PARTS = 1.0
HELD_OUT_FACES = 32
SPARSE_LEVEL, SPARSE_GAIN = 1.5, 6.0
"""A feature speaks from so many spreads above its mean on, and how loud."""
DEGREES_PER_UNIT = 10.0
"""An error of so many degrees counts as much as one of 1 elsewhere."""


def expression_of(state: FaceState) -> list[float]:
    """What the expression encoder shall say about a face."""
    values = [getattr(state, name) for name in EXPRESSIONS]
    scaled = [2 * v - 1 if n in FROM_ZERO else v for n, v in zip(EXPRESSIONS, values, strict=True)]
    return [*scaled, 1.0]


def rotation_of(state: FaceState) -> list[float]:
    """What the pose encoder shall say about a head, in degrees."""
    return [getattr(state, name) for name in ROTATIONS]


def description_of(person: Identity) -> list[float]:
    """What can be read off a face about whose it is, each number of order 1."""
    colours = [(v - 128) / 64 for c in (person.skin, person.hair, person.lips) for v in c]
    shape = [person.width, person.height, person.jaw, person.eye_size, person.brow, person.nose]
    kinds = [
        float(kind == which)
        for which, count in (
            (person.hair_style, HAIR_STYLE_COUNT),
            (person.glasses, GLASSES_COUNT),
            (person.beard, BEARD_COUNT),
        )
        for kind in range(count)
    ]
    return colours + [4 * (v - 1) for v in shape] + kinds


@dataclass(frozen=True)
class Task:
    """What one of the networks that watch shall learn.

    Attributes:
        part: its name in the whole model.
        shape: what it sees, from the box of a face. side_px: how large.
        truth: what it shall say about somebody in some state.
        unit: an error of so much counts as 1.
    """

    part: str
    shape: Callable[[Box], Box]
    side_px: int
    truth: Callable[[Identity, FaceState], list[float]]
    unit: float = 1.0


TASKS = {
    "expression": Task(
        "expression_encoder", squared_box, INPUT_PX, lambda person, state: expression_of(state)
    ),
    "head_pose": Task(
        "head_pose_encoder",
        head_pose_box,
        INPUT_PX,
        lambda person, state: rotation_of(state),
        DEGREES_PER_UNIT,
    ),
    "identity": Task(
        "identity_encoder", lambda box: box, HEAD_PX, lambda person, state: description_of(person)
    ),
}


class Watcher:
    """One of the networks that watch, learning from drawn people.

    Args:
        name: of its task.
    """

    def __init__(self, name: str, config: ModelConfig, recipe: Recipe) -> None:
        self.name, self.recipe, self.task = name, recipe, TASKS[name]
        encoder: Any = Encoders(config).get_submodule(self.task.part)
        self.encoder = encoder
        self.network: Any = nn.ModuleDict({self.task.part: self.encoder})
        if name == "identity":
            told = len(description_of(make_identity(0)))
            self.network["describe"] = nn.Linear(config.identity_encoder.output_dim, told)
        else:
            wake(self.encoder)
        if name == "expression":
            features: int = self.encoder.resnet50.fc.in_features
            self.network["locate"] = nn.Conv2d(features, len(PARTS) + len(SEEN_AT), 1)

    def batch(self, rng: np.random.Generator) -> Batch:
        """Anybody as the network sees them, and the truth about them."""
        return watched(rng, self.recipe.batch, self.task)

    def loss(self, batch: Batch) -> Tensor:
        """Squared error of what it says, and of where it sees the parts of a face."""
        if self.name != "expression":
            return self._error(self._say(batch["seen"]), batch)
        resnet = self.encoder.resnet50
        features = resnet.features(batch["seen"])
        where = F.mse_loss(self.network["locate"](features), batch["parts"])
        return self._error(resnet.fc(features.mean(dim=(2, 3))), batch) + WEIGHT_OF_PARTS * where

    def held_out(self) -> dict[str, float]:
        """The error on people that are never trained on."""
        batch = watched(held_out_generator(), HELD_OUT_FACES, self.task)
        device = next(self.network.parameters()).device
        batch = {name: field.to(device) for name, field in batch.items()}
        return {"error": float(self._error(self._say(batch["seen"]), batch))}

    def _say(self, seen: Tensor) -> Tensor:
        says: dict[str, Callable[[], Tensor]] = {
            "expression": lambda: self.encoder(seen),
            "head_pose": lambda: self.encoder(seen * 2 - 1)[0],
            "identity": lambda: self.network["describe"](self.encoder(seen * 2 - 1)),
        }
        return says[self.name]()

    def _error(self, said: Tensor, batch: Batch) -> Tensor:
        return ((said - batch["truth"]) / self.task.unit).square().mean()


def wake(network: Any) -> None:
    """Begin so that edges count and flat colour does not, and that few features speak at a time.

    The last features are averaged over the whole picture. Where most of them are on everywhere,
    an eye that closes drowns in what never changes, and learning hardly begins.
    """
    resnet: Any = next(m for m in network.modules() if isinstance(m, ResNet))
    for module in resnet.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    last = resnet.layer4[-1]
    norm = last.gn3 if hasattr(last, "gn3") else last.bn2
    with torch.no_grad():
        resnet.conv1.weight -= resnet.conv1.weight.mean((1, 2, 3), keepdim=True)
        norm.weight.fill_(SPARSE_GAIN)
        norm.bias.fill_(-SPARSE_LEVEL * SPARSE_GAIN)
        shortcut = last.downsample if hasattr(last, "downsample") else last.shortcut
        for norm_of_shortcut in list(shortcut)[1:]:
            norm_of_shortcut.weight.zero_()
        resnet.fc.weight.zero_()
        resnet.fc.bias.zero_()


def watched(rng: np.random.Generator, count: int, task: Task) -> Batch:
    """Crops of anybody (n, 3, side, side) in 0…1, and the truth about them (n, numbers).

    `parts` (n, maps, side/32, side/32) says where the parts of the face are, and what is there.
    """
    seen, truth, parts = [], [], []
    for _ in range(count):
        person, state = make_identity(int(rng.integers(1 << 31))), random_state(rng)
        drawn = render_face(person, state)
        picture = stack_images([drawn.image])
        box = task.shape(loosely(rng, drawn.face_box))
        seen.append(crop_resized(picture, box, task.side_px))
        where = F.avg_pool2d(crop_resized(_parts(drawn), box, task.side_px // 4), 8)
        parts.append(_told_where(where, expression_of(state)))
        truth.append(task.truth(person, state))
    return {
        "seen": torch.cat(seen),
        "truth": torch.tensor(truth),
        "parts": torch.cat(parts),
    }


def _told_where(parts: Tensor, expression: list[float]) -> Tensor:
    """Shares of the parts (1, parts, h, w) -> these, and each number at its own (1, maps, h, w)."""
    there = parts / parts.sum((2, 3), keepdim=True).clamp(min=1e-6) * PART_SUM
    numbers = [
        value * there[:, [PARTS.index(part) for part in SEEN_AT[number]]].mean(1, keepdim=True)
        for number, value in zip(EXPRESSIONS, expression, strict=False)
    ]
    return torch.cat([there, *numbers], dim=1)


def _parts(drawn: Rendering) -> Tensor:
    """(1, parts, 128, 128) masks of the parts of a face."""
    masks = np.zeros((len(PARTS), SIDE_PX, SIDE_PX), np.float32)
    for mask, name in zip(masks, PARTS, strict=True):
        points = np.rint(drawn.landmarks[name]).astype(np.int32)
        if name.startswith("brow"):
            cv2.polylines(mask, [points], False, (1.0,), 2)
        else:
            cv2.fillPoly(mask, [points], (1.0,))
    return torch.from_numpy(masks)[None]


def loosely(rng: np.random.Generator, box: Box) -> Box:
    """A box as a finder or a hand may draw it: moved by up to 8 %, sized within 10 %, or all."""
    if rng.random() < WHOLE_SHARE:
        return image_box(SIDE_PX, SIDE_PX)
    width, height = box[2] - box[0], box[3] - box[1]
    x, y = rng.uniform(-0.08, 0.08, 2) * (width, height)
    grow_x, grow_y = rng.uniform(-0.05, 0.05, 2) * (width, height)
    return box[0] + x - grow_x, box[1] + y - grow_y, box[2] + x + grow_x, box[3] + y + grow_y
