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

COLOURS = {"audio": "#ff8a5c", "expression": "#5ccf5c"}
"""Those of the page's timelines."""
ANGLES = {"pitch": "#7aa2f7", "yaw": "#e0af68", "roll": "#bb9af7"}
SIDES = {"left eye": "#7aa2f7", "right eye": "#e0af68"}
MOUTH_COLOUR, GAP_COLOUR = "#ff7b9c", "#7d8294"
GROUND, INK, FAINT = "#17181c", "#d5d7de", "#3a3d47"
"""As dark as the page."""
THUMBNAILS = 8
THUMBNAIL_PX = 320
PORTRAIT_BRIGHTNESS, MASK_OPACITY = 0.75, 0.45
"""Of thumbnails, so that colours show on light skin and the face through them."""
WIDTH_INCHES, ROW_INCHES, DPI = 6.4, 0.95, 200
"""Letters are as large as the page's on a node of 500 pixels, and sharp on one of twice that."""
FONT_POINTS = 9.0
WAVEFORM_POINTS = 4000
STYLE: Any = {
    "font.size": FONT_POINTS,
    "axes.titlesize": FONT_POINTS,
    "axes.labelsize": FONT_POINTS,
    "figure.facecolor": GROUND,
    "axes.facecolor": GROUND,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.4,
}


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
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if rows.frames < 1:
        raise InputError(
            f"Monitor: expected at least one frame, got {rows.frames}. Give longer signals."
        )
    panels = [(_draw_masks, 1.8), (_draw_audio, 1.4)]
    panels += [(_draw_rotation, 1.2)] * (rows.rotation_degrees is not None)
    has_landmarks = rows.track is not None and rows.track.landmarks is not None
    panels += [(_draw_head, 1.2), (_draw_eyes, 1.2), (_draw_mouth, 1.0)] * has_landmarks
    heights = [height for _, height in panels]
    with rc_context(STYLE):
        size = (WIDTH_INCHES, ROW_INCHES * sum(heights))
        figure = Figure(size, DPI, layout="constrained")
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
        axis.grid(visible=True)
        axis.set_axisbelow(True)
        axis.tick_params(labelbottom=axis is axes[-1])
        axis.spines["top"].set_visible(axis is axes[0])
    axes[-1].set_xlabel(f"frame, at {rows.fps:g} a second")
    seconds_axis = axes[0].secondary_xaxis(
        "top", functions=(lambda frame: frame / rows.fps, lambda s: s * rows.fps)
    )
    seconds_axis.set_xlabel("seconds")


def _draw_masks(axis: Any, rows: MonitorRows) -> None:
    frames = choose_thumbnail_frames(rows)
    thumbnails = [_draw_thumbnail(rows, frame) for frame in frames]
    axis.imshow(np.concatenate(thumbnails, axis=1))
    width = thumbnails[0].shape[1]
    labels = ["" if len(frames) == 1 else f"{frame}" for frame in frames]
    axis.set_xticks([width * (i + 0.5) for i in range(len(frames))], labels)
    axis.tick_params(length=0)
    axis.set_yticks([])
    for spine in axis.spines.values():
        spine.set_visible(False)
    for name, offset, side in (("audio", -8, "right"), ("expression", 8, "left")):
        axis.annotate(
            *(f"{name}: region, gate", (0.5, 1.0), (offset, 4)),
            xycoords="axes fraction",
            textcoords="offset points",
            color=COLOURS[name],
            ha=side,
            va="bottom",
        )


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
    """The waveform, and the gates over it: shut at the bottom, open at the top."""
    if rows.audio is not None:
        wave = rows.audio.trim(rows.frames / rows.fps).samples.mean(0)
        points = min(WAVEFORM_POINTS, len(wave))
        edges = np.linspace(0, len(wave), points, endpoint=False).astype(int)
        frames = edges / rows.audio.rate_hz * rows.fps - 0.5  # frame 0 is drawn from -0.5 to 0.5
        low, high = np.minimum.reduceat(wave, edges), np.maximum.reduceat(wave, edges)
        axis.fill_between(*(frames, 0.5 + low / 2, 0.5 + high / 2), color=GAP_COLOUR, linewidth=0.3)
    frame_edges = np.arange(rows.frames + 1) - 0.5
    for (name, gate), style in zip(rows.gates.items(), ("-", "--"), strict=False):
        axis.stairs(
            *(gate.cpu(), frame_edges),
            baseline=None,
            color=COLOURS[name],
            linewidth=1.8,
            linestyle=style,
        )
    axis.set_ylim(-0.06, 1.06)
    axis.set_yticks([0, 0.5, 1])
    axis.set_ylabel("sound, gates" if rows.audio is not None else "gates, no sound")


def _draw_rotation(axis: Any, rows: MonitorRows) -> None:
    assert rows.rotation_degrees is not None
    for (name, colour), values in zip(ANGLES.items(), rows.rotation_degrees.T, strict=True):
        axis.plot(values.cpu(), label=name, color=colour)
    axis.set_ylabel("head\n(model), °")
    _add_legend(axis)


def _draw_head(axis: Any, rows: MonitorRows) -> None:
    rotation = measure.head_rotation_degrees(_landmarks(rows))
    for (name, colour), values in zip(ANGLES.items(), rotation.T, strict=True):
        axis.plot(values, label=name, color=colour)
    _mark_gaps(axis, rows)
    axis.set_ylabel("head\n(clip), °")
    _add_legend(axis)


def _draw_eyes(axis: Any, rows: MonitorRows) -> None:
    openness = measure.eye_openness(_landmarks(rows))
    for (name, colour), values in zip(SIDES.items(), openness.T, strict=True):
        axis.plot(values, label=name, color=colour)
    _mark_gaps(axis, rows)
    axis.set_ylim(bottom=0)
    axis.set_ylabel("eyes\nopen")
    _add_legend(axis)


def _draw_mouth(axis: Any, rows: MonitorRows) -> None:
    axis.plot(measure.mouth_openness(_landmarks(rows)), color=MOUTH_COLOUR)
    _mark_gaps(axis, rows)
    axis.set_ylim(bottom=0)
    axis.set_ylabel("mouth\nopen")


def _add_legend(axis: Any) -> None:
    axis.legend(
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=3,
        frameon=False,
        borderpad=0,
        borderaxespad=0.1,
        handlelength=1.4,
        columnspacing=1.2,
    )


def _landmarks(rows: MonitorRows) -> NDArray[np.float32]:
    assert rows.track is not None
    assert rows.track.landmarks is not None
    return rows.track.landmarks[: rows.frames]


def _mark_gaps(axis: Any, rows: MonitorRows) -> None:
    assert rows.track is not None
    for frame in rows.track.gaps:
        axis.axvspan(frame - 0.5, frame + 0.5, color=GAP_COLOUR, alpha=0.35)
