"""One image of all that drives a clip, frame by frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..errors import InputError
from ..faces import Track, measure
from ..media import Audio

COLOURS = {"audio": "tab:blue", "expression": "tab:orange"}
THUMBNAILS = 8
THUMBNAIL_PX = 320
PORTRAIT_BRIGHTNESS, MASK_OPACITY = 0.75, 0.45
"""Of thumbnails, so that colours show on light skin and the face through them."""
WIDTH_INCHES, ROW_INCHES, DPI = 12.0, 1.7, 100
WAVEFORM_POINTS = 4000


@dataclass(frozen=True)
class MonitorRows:
    """What the rows of the monitor show; all of it covers the same frames.

    Attributes:
        frames, fps: of the clip.
        audio: sound, or None.
        gates: (frames,) by signal.
        portrait: (3, H, W) in 0…1.
        masks: (f, 1, H, W) by signal, f = 1 for all frames.
        rotation_degrees: (frames, 3) as the model reads them, or None.
        track: the driving face in each frame, or None; a shorter one ends early.
    """

    frames: int
    fps: float
    audio: Audio | None
    gates: dict[str, Tensor]
    portrait: Tensor
    masks: dict[str, Tensor]
    rotation_degrees: Tensor | None = None
    track: Track | None = None


def draw_monitor(rows: MonitorRows) -> Tensor:
    """The image: (3, H, W) in 0…1.

    Raises:
        InputError: no frames.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if rows.frames < 1:
        raise InputError(
            f"Monitor: expected at least one frame, got {rows.frames}. Give longer signals."
        )
    panels = [(_draw_masks, 1.6), (_draw_audio, 1.0), (_draw_gates, 0.8)]
    panels += [(_draw_rotation, 1.2)] * (rows.rotation_degrees is not None)
    has_landmarks = rows.track is not None and rows.track.landmarks is not None
    panels += [(_draw_head, 1.2), (_draw_eyes, 1.2), (_draw_mouth, 1.0)] * has_landmarks
    heights = [height for _, height in panels]
    figure = Figure((WIDTH_INCHES, ROW_INCHES * sum(heights)), DPI, layout="constrained")
    canvas: Any = FigureCanvasAgg(figure)
    axes = np.atleast_1d(figure.subplots(len(panels), 1, height_ratios=heights))
    for axis, (draw, _) in zip(axes, panels, strict=True):
        draw(axis, rows)
    _share_frames(list(axes[1:]), rows)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    return torch.from_numpy(pixels).permute(2, 0, 1).float() / 255


def _share_frames(axes: Sequence[Any], rows: MonitorRows) -> None:
    """All rows below the thumbnails have one axis of frames, with seconds above it."""
    for axis in axes:
        axis.set_xlim(-0.5, rows.frames - 0.5)
        axis.grid(alpha=0.3)
        axis.tick_params(labelbottom=axis is axes[-1])
    axes[-1].set_xlabel(f"frame (at {rows.fps:g} fps)")
    seconds_axis = axes[0].secondary_xaxis(
        "top", functions=(lambda frame: frame / rows.fps, lambda s: s * rows.fps)
    )
    seconds_axis.set_xlabel("seconds")


def _draw_masks(axis: Any, rows: MonitorRows) -> None:
    frames = choose_thumbnail_frames(rows)
    thumbnails = [_draw_thumbnail(rows, frame) for frame in frames]
    axis.imshow(np.concatenate(thumbnails, axis=1))
    width = thumbnails[0].shape[1]
    labels = ["regions" if len(frames) == 1 else f"frame {frame}" for frame in frames]
    axis.set_xticks([width * (i + 0.5) for i in range(len(frames))], labels)
    axis.set_yticks([])
    axis.set_title("blue: audio · orange: expression · both where they overlap", fontsize="small")


def choose_thumbnail_frames(rows: MonitorRows) -> list[int]:
    """One frame if the masks stand still, else some that are spread over the clip."""
    if all(len(mask) == 1 for mask in rows.masks.values()):
        return [0]
    frames = np.linspace(0, rows.frames - 1, min(THUMBNAILS, rows.frames)).round().astype(int)
    return [int(frame) for frame in dict.fromkeys(frames)]


def _draw_thumbnail(rows: MonitorRows, frame: int) -> NDArray[np.float32]:
    """The portrait with its masks in colour: (h, w, 3)."""
    from matplotlib.colors import to_rgb

    scale = THUMBNAIL_PX / rows.portrait.shape[1]
    size = (THUMBNAIL_PX, max(round(rows.portrait.shape[2] * scale), 1))
    image = PORTRAIT_BRIGHTNESS * F.interpolate(rows.portrait[None], size, mode="area")[0]
    for name, mask in rows.masks.items():
        frame_mask = mask[frame if len(mask) > 1 else 0][None].float()
        opacity = MASK_OPACITY * F.interpolate(frame_mask, size, mode="area")[0]
        colour = torch.tensor(to_rgb(COLOURS[name]))[:, None, None]
        image = image + opacity * (colour - image)
    return np.asarray(image.clamp(0, 1).permute(1, 2, 0).numpy(), np.float32)


def _draw_audio(axis: Any, rows: MonitorRows) -> None:
    axis.set_ylabel("audio")
    axis.set_ylim(-1, 1)
    if rows.audio is None:
        axis.text(0.5, 0.5, "no audio", transform=axis.transAxes, ha="center", va="center")
        return
    wave = rows.audio.trim(rows.frames / rows.fps).samples.mean(0)
    edges = np.linspace(0, len(wave), min(WAVEFORM_POINTS, len(wave)), endpoint=False).astype(int)
    frames = edges / rows.audio.rate_hz * rows.fps - 0.5  # frame 0 is drawn from -0.5 to 0.5
    low, high = np.minimum.reduceat(wave, edges), np.maximum.reduceat(wave, edges)
    axis.fill_between(frames, low, high, color=COLOURS["audio"], linewidth=0.3)


def _draw_gates(axis: Any, rows: MonitorRows) -> None:
    for name, gate in rows.gates.items():
        edges = np.arange(rows.frames + 1) - 0.5
        axis.stairs(gate.cpu(), edges, baseline=None, color=COLOURS[name], label=name)
    axis.set_ylim(-0.05, 1.05)
    axis.set_ylabel("gates")
    _add_legend(axis)


def _draw_rotation(axis: Any, rows: MonitorRows) -> None:
    assert rows.rotation_degrees is not None
    for i, values in enumerate(rows.rotation_degrees.T, start=1):
        axis.plot(values.cpu(), label=f"angle {i}")
    axis.set_ylabel("head rotation\n(model, degrees)")
    _add_legend(axis)


def _draw_head(axis: Any, rows: MonitorRows) -> None:
    rotation = measure.head_rotation_degrees(_landmarks(rows))
    for name, values in zip(("pitch", "yaw", "roll"), rotation.T, strict=True):
        axis.plot(values, label=name)
    _mark_gaps(axis, rows)
    axis.set_ylabel("driving head\n(landmarks, degrees)")
    _add_legend(axis)


def _draw_eyes(axis: Any, rows: MonitorRows) -> None:
    left, right = measure.eye_openness(_landmarks(rows)).T
    axis.plot(left, label="left eye")
    axis.plot(right, label="right eye")
    _mark_gaps(axis, rows)
    axis.set_ylim(bottom=0)
    axis.set_ylabel("eye openness\n(height/width)")
    _add_legend(axis)


def _draw_mouth(axis: Any, rows: MonitorRows) -> None:
    axis.plot(measure.mouth_openness(_landmarks(rows)), color="tab:red")
    _mark_gaps(axis, rows)
    axis.set_ylim(bottom=0)
    axis.set_ylabel("mouth openness\n(gap/eye distance)")


def _add_legend(axis: Any) -> None:
    axis.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize="small", frameon=False)


def _landmarks(rows: MonitorRows) -> NDArray[np.float32]:
    assert rows.track is not None
    assert rows.track.landmarks is not None
    return rows.track.landmarks[: rows.frames]


def _mark_gaps(axis: Any, rows: MonitorRows) -> None:
    assert rows.track is not None
    for frame in rows.track.gaps:
        axis.axvspan(frame - 0.5, frame + 0.5, color="tab:grey", alpha=0.3)
