"""The trip from a plan to frames: a few are drawn at a time, in order, while they are read."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, repeat

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...faces import Box, Track
from ...faces.face import to_pixels
from ...geometry.mouth import MouthPixels
from ...geometry.photograph import RenderedFrame
from ...geometry.pose import move_pose, to_image
from ...media import Audio
from ...parallel import map_in_order, read_ahead
from .plan import PhotographPlan

MAX_THREADS = 4
"""More wait for each other: a frame is drawn in a few large steps that need memory's speed."""


@dataclass(frozen=True)
class AnimatedVideo:
    """The result; its frames are drawn while they are read.

    Attributes:
        chunks: (1, 3, H, W) uint8, of the photograph's size: each frame as soon as it is drawn, so
            that the next ones are drawn while it is encoded. frames: how many there are in all.
        fps: frames per second.
        audio: as long as the frames, or None.
    """

    chunks: Iterator[Tensor]
    frames: int
    fps: float
    audio: Audio | None


def animate(plan: PhotographPlan, *, threads: int | None = None) -> AnimatedVideo:
    """Move a photograph as planned by `plan_photograph`; see `render_frames`."""
    frames = render_frames(plan, threads=threads)
    chunks = (_to_tensor(frame)[None] for frame in frames)
    return AnimatedVideo(chunks, plan.frames, plan.fps, plan.sound)


def render_frames(plan: PhotographPlan, *, threads: int | None = None) -> Iterator[RenderedFrame]:
    """Each frame (H, W, 3) of a plan with what of it is invented (H, W), in order.

    Args:
        threads: frames that are drawn at the same time; None for as many as there are cores, at
            most `MAX_THREADS`.
    """
    count = threads or min(os.cpu_count() or 1, MAX_THREADS)
    frames = zip(range(plan.frames), _read_mouths(plan), strict=False)
    yield from map_in_order(lambda item: _render(plan, *item), frames, count)


@dataclass(frozen=True)
class MovedFrames:
    """A moved photograph as a driving clip: frames (3, H, W) uint8, drawn anew by each loop."""

    plan: PhotographPlan

    def __len__(self) -> int:
        return self.plan.frames

    def __iter__(self) -> Iterator[Tensor]:
        for frame in render_frames(self.plan):
            yield _to_tensor(frame)


def trace_face(plan: PhotographPlan, face: Box) -> Track:
    """Where the face of a moved photograph is in each frame; without landmarks, as nobody looks.

    Args:
        face: its box in the photograph, which may be drawn by hand and hold more than landmarks do.
    """
    photograph, boxes = plan.photograph, []
    rest = _box_of(to_image(photograph.vertices, photograph.pose))
    margins = (np.array(face) - rest) / np.tile(rest[2:] - rest[:2], 2)
    for i in range(plan.frames):
        numbers = plan.motion.frame(i)
        pose = move_pose(
            photograph.pose,
            numbers.rotation_degrees,
            numbers.translation,
            numbers.scale,
            photograph.face_width,
        )
        box = _box_of(to_image(photograph.move(numbers, plan.lips), pose))
        boxes.append(box + margins * np.tile(box[2:] - box[:2], 2))
    size = photograph.image.shape[0], photograph.image.shape[1]
    confidence = np.ones(plan.frames, np.float32)
    return Track(np.array(boxes, np.float32), None, confidence, size)


def _box_of(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(468, 3) -> (4,) the box around them."""
    return np.concatenate([points[:, :2].min(0), points[:, :2].max(0)])


def _render(plan: PhotographPlan, index: int, mouth: MouthPixels | None) -> RenderedFrame:
    frame = plan.photograph.render(plan.motion.frame(index), lips=plan.lips, mouth=mouth)
    return frame if plan.mask is None else _mask_frame(plan, frame, plan.mask)


def _mask_frame(
    plan: PhotographPlan, frame: RenderedFrame, mask: NDArray[np.float32]
) -> RenderedFrame:
    """The photograph (H, W, 3) where the mask (H, W) is black, the frame where it is white."""
    place = plan.photograph.box.slices
    still, share = plan.photograph.image[place], mask[place]
    mix = still + (frame.image[place].astype(np.float32) - still) * share[..., None]
    frame.image[place] = np.rint(mix).astype(np.uint8)
    frame.invented_mask[place] = np.rint(frame.invented_mask[place] * share).astype(np.uint8)
    return frame


def _to_tensor(frame: RenderedFrame) -> Tensor:
    """(3, H, W) uint8, a view: nothing is copied."""
    return torch.from_numpy(frame.image).movedim(-1, 0)


def _read_mouths(plan: PhotographPlan) -> Iterator[MouthPixels | None]:
    """The driver's frame for each frame of the video, without end where there is no driver."""
    if plan.driver is None:
        yield from repeat(None)
        return
    frames = read_ahead(islice(plan.driver.frames, plan.frames))
    for frame, landmarks in zip(frames, plan.driver.landmarks, strict=False):
        yield MouthPixels(to_pixels(frame), landmarks)
    yield from repeat(None)  # a file that changed since it was measured ends earlier
