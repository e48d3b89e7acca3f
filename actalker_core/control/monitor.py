"""One picture of all that drives a clip, frame by frame."""

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
WIDTH_INCHES, ROW_INCHES, DPI = 12.0, 1.7, 100
WAVEFORM_POINTS = 4000


@dataclass(frozen=True)
class MonitorRows:
    """What is shown; all of it covers the same frames.

    Attributes:
        frames, fps: of the clip.
        audio: sound, or None.
        gates: curves (f,) by branch.
        portrait: (3, H, W) in 0…1.
        masks: (n, 1, H, W) by branch, n = 1 or frames.
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


def draw_monitor(shown: MonitorRows) -> Tensor:
    """The picture: (3, H, W) in 0…1.

    Raises:
        InputError: no frames.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if shown.frames < 1:
        raise InputError(f"Monitor: expected at least one frame, got {shown.frames}.")
    rows = [(_draw_masks, 1.6), (_draw_sound, 1.0), (_draw_gates, 0.8)]
    rows += [(_draw_rotation, 1.2)] * (shown.rotation_degrees is not None)
    has_landmarks = shown.track is not None and shown.track.landmarks is not None
    rows += [(_draw_head, 1.2), (_draw_eyes, 1.2), (_draw_mouth, 1.0)] * has_landmarks
    heights = [height for _, height in rows]
    figure = Figure((WIDTH_INCHES, ROW_INCHES * sum(heights)), DPI, layout="constrained")
    canvas: Any = FigureCanvasAgg(figure)
    axes = np.atleast_1d(figure.subplots(len(rows), 1, height_ratios=heights))
    for axis, (draw, _) in zip(axes, rows, strict=True):
        draw(axis, shown)
    _share_frames(list(axes[1:]), shown)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    return torch.from_numpy(pixels).permute(2, 0, 1).float() / 255


def _share_frames(axes: Sequence[Any], shown: MonitorRows) -> None:
    """All rows below the thumbnails have one axis of frames, with seconds above it."""
    for axis in axes:
        axis.set_xlim(-0.5, shown.frames - 0.5)
        axis.grid(alpha=0.3)
        axis.tick_params(labelbottom=axis is axes[-1])
    axes[-1].set_xlabel(f"frame (at {shown.fps:g} fps)")
    above = axes[0].secondary_xaxis(
        "top", functions=(lambda frame: frame / shown.fps, lambda s: s * shown.fps)
    )
    above.set_xlabel("seconds")


def _draw_masks(axis: Any, shown: MonitorRows) -> None:
    chosen = thumbnail_frames(shown)
    pictures = [_overlaid(shown, frame) for frame in chosen]
    axis.imshow(np.concatenate(pictures, axis=1))
    width = pictures[0].shape[1]
    labels = ["regions" if len(chosen) == 1 else f"frame {frame}" for frame in chosen]
    axis.set_xticks([width * (i + 0.5) for i in range(len(chosen))], labels)
    axis.set_yticks([])
    axis.set_title("blue: audio · orange: expression · both where they overlap", fontsize="small")


def thumbnail_frames(shown: MonitorRows) -> list[int]:
    """One frame if the masks stand still, else some that are spread over the clip."""
    if all(len(mask) == 1 for mask in shown.masks.values()):
        return [0]
    spread = np.linspace(0, shown.frames - 1, min(THUMBNAILS, shown.frames))
    return [int(frame) for frame in dict.fromkeys(spread.round().astype(int))]


def _overlaid(shown: MonitorRows, frame: int) -> NDArray[np.float32]:
    """The portrait with its masks in colour: (h, w, 3)."""
    from matplotlib.colors import to_rgb

    scale = THUMBNAIL_PX / shown.portrait.shape[1]
    size = (THUMBNAIL_PX, max(round(shown.portrait.shape[2] * scale), 1))
    picture = F.interpolate(shown.portrait[None], size, mode="area")[0] * 0.75
    for name, mask in shown.masks.items():
        one = mask[frame if len(mask) > 1 else 0][None].float()
        share = 0.45 * F.interpolate(one, size, mode="area")[0]
        colour = torch.tensor(to_rgb(COLOURS[name]))[:, None, None]
        picture = picture + share * (colour - picture)
    return np.asarray(picture.clamp(0, 1).permute(1, 2, 0).numpy(), np.float32)


def _draw_sound(axis: Any, shown: MonitorRows) -> None:
    axis.set_ylabel("audio")
    axis.set_ylim(-1, 1)
    if shown.audio is None:
        axis.text(0.5, 0.5, "no audio", transform=axis.transAxes, ha="center", va="center")
        return
    wave = shown.audio.trim(shown.frames / shown.fps).samples.mean(0)
    edges = np.linspace(0, len(wave), min(WAVEFORM_POINTS, len(wave)), endpoint=False).astype(int)
    at = edges / shown.audio.rate_hz * shown.fps - 0.5
    low, high = np.minimum.reduceat(wave, edges), np.maximum.reduceat(wave, edges)
    axis.fill_between(at, low, high, color=COLOURS["audio"], linewidth=0.3)


def _draw_gates(axis: Any, shown: MonitorRows) -> None:
    for name, gate in shown.gates.items():
        edges = np.arange(shown.frames + 1) - 0.5
        axis.stairs(gate.cpu(), edges, baseline=None, color=COLOURS[name], label=name)
    axis.set_ylim(-0.05, 1.05)
    axis.set_ylabel("gates")
    _name_lines(axis)


def _draw_rotation(axis: Any, shown: MonitorRows) -> None:
    assert shown.rotation_degrees is not None
    for i, values in enumerate(shown.rotation_degrees.T, start=1):
        axis.plot(values.cpu(), label=f"angle {i}")
    axis.set_ylabel("head rotation\n(model, degrees)")
    _name_lines(axis)


def _draw_head(axis: Any, shown: MonitorRows) -> None:
    rotation = measure.head_rotation_degrees(_landmarks(shown))
    for name, values in zip(("pitch", "yaw", "roll"), rotation.T, strict=True):
        axis.plot(values, label=name)
    _mark_missed(axis, shown)
    axis.set_ylabel("driving head\n(landmarks, degrees)")
    _name_lines(axis)


def _draw_eyes(axis: Any, shown: MonitorRows) -> None:
    left, right = measure.eye_openness(_landmarks(shown)).T
    axis.plot(left, label="left eye")
    axis.plot(right, label="right eye")
    _mark_missed(axis, shown)
    axis.set_ylim(bottom=0)
    axis.set_ylabel("eye openness\n(height/width)")
    _name_lines(axis)


def _draw_mouth(axis: Any, shown: MonitorRows) -> None:
    axis.plot(measure.mouth_openness(_landmarks(shown)), color="tab:red")
    _mark_missed(axis, shown)
    axis.set_ylim(bottom=0)
    axis.set_ylabel("mouth openness\n(gap/eye distance)")


def _name_lines(axis: Any) -> None:
    axis.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize="small", frameon=False)


def _landmarks(shown: MonitorRows) -> NDArray[np.float32]:
    assert shown.track is not None
    assert shown.track.landmarks is not None
    return shown.track.landmarks[: shown.frames]


def _mark_missed(axis: Any, shown: MonitorRows) -> None:
    assert shown.track is not None
    for frame in shown.track.gaps:
        axis.axvspan(frame - 0.5, frame + 0.5, color="tab:grey", alpha=0.3)
