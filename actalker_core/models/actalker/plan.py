"""What is decided before any frame is made: length, gates and regions over time."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from ...control import curves, regions
from ...control.monitor import MonitorRows
from ...control.signals import DrivingSignal, Signals
from ...errors import InputError, check_choice
from ...faces import Track
from ...faces.portrait import Portrait, faces_in_portrait, resize_mask
from ...limits import FPS, FRAMES, GROW_PX
from ...media import Audio
from .config import SamplingConfig

log = logging.getLogger(__name__)

UNSEEN_S = 0.5
"""A signal that is longer than the video by so much is worth a word."""

Gate = str | curves.Curve | curves.DrawnCurve
"""Strength of a signal over time: a curve, or its text (see `curves.parse_curve`)."""

EXTENSIONS: dict[str, Callable[[DrivingSignal, float], DrivingSignal]] = {
    "hold": lambda signal, seconds: signal.hold(seconds),
    "loop": lambda signal, seconds: signal.loop(seconds),
    "ping-pong": lambda signal, seconds: signal.ping_pong(seconds),
}
"""What a driving clip may do when it is shorter than the audio."""


@dataclass(frozen=True)
class RegionChoice:
    """Where in the image each signal acts.

    Attributes:
        style: one of `regions.STYLES`. Of two signals, `paper` gives each its own part of the
            face, as the model was trained.
        audio, expression: instead of the style's, the parts of a face (see `regions.draw_region`)
            or masks (f, 1, H, W) in 0…1 over the portrait, f = 1 or the number of frames.
        grow_px: how far drawn regions reach further, in pixels of the prepared portrait; below 0
            they shrink. Masks stay as they are.
        track: the face in each frame of a clip that shows the same as the portrait, so that drawn
            regions follow it; None for the portrait's own face.

    Raises:
        InputError: an unknown style or part, or a distance outside `limits.GROW_PX`.
    """

    style: str = regions.DEFAULT_STYLE
    audio: str | Tensor | None = None
    expression: str | Tensor | None = None
    grow_px: int = 0
    track: Track | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn before anything is encoded."""
        check_choice("Masks", self.style, regions.STYLES)
        GROW_PX.check(self.grow_px)
        for region in (self.audio, self.expression):
            if isinstance(region, str):
                regions.parse_region(region)


@dataclass(frozen=True)
class VideoPlan:
    """All that is decided before the first frame is made.

    Attributes:
        portrait: the image that is animated.
        signals: at least as long as the video.
        frames: of the video. fps: frames per second.
        gates: (frames,) in 0…1 for `audio` and for `expression`; a missing signal's is 0.
        masks: (f, 1, H, W) in 0…1 for each, f = 1 or the number of frames.
        sound: as long as the video, or None.
    """

    portrait: Portrait
    signals: Signals
    frames: int
    fps: float
    gates: dict[str, Tensor]
    masks: dict[str, Tensor]
    sound: Audio | None


def plan_video(
    portrait: Portrait,
    signals: Signals,
    sampling: SamplingConfig,
    *,
    fps: float | None = None,
    max_frames: int | None = None,
    extend: str | None = None,
    audio_gate: Gate = "1",
    expression_gate: Gate = "1",
    regions: RegionChoice | None = None,
    sound: Audio | None = None,
) -> VideoPlan:
    """Lay signals, gates and regions over the frames of a video.

    Args:
        sampling: the model's own values.
        fps: frames per second; None for the model's own.
        max_frames: at most so many; None for as long as the signals last.
        extend: one of `EXTENSIONS` for a driving clip that is shorter than the audio; None ends
            the video there.
        audio_gate, expression_gate: when each signal acts. Written ones follow `sound`.
        regions: where each signal acts; None for `RegionChoice()`.
        sound: what is heard in the video.

    Raises:
        InputError: no signal at all, both gates shut throughout, numbers outside their limits, or
            lengths and sizes that do not fit.
    """
    fps = FPS.check(sampling.fps if fps is None else fps)
    signals = _extend_motion(signals, extend)
    frames = _count_frames(signals, fps, max_frames)
    is_driven = {
        "audio": signals.audio is not None,
        "expression": bool(signals.expression or signals.pose),
    }
    gates = {
        name: _lay_gate(gate, sound, frames, fps)
        if is_driven[name]
        else curves.constant_curve(0, frames)
        for name, gate in (("audio", audio_gate), ("expression", expression_gate))
    }
    if not any(bool(gate.any()) for gate in gates.values()):
        raise InputError(
            "Both gates are 0 in every frame, so that nothing drives the portrait. Open the gate "
            "of a signal that is there."
        )
    for name, gate in gates.items():
        curves.report_experimental(name, gate)
    return VideoPlan(
        portrait=portrait,
        signals=signals,
        frames=frames,
        fps=fps,
        gates=gates,
        masks=_draw_masks(
            regions or RegionChoice(), portrait, is_driven, frames, sampling.face_enlarged
        ),
        sound=None if sound is None else sound.trim(frames / fps),
    )


def make_monitor_rows(plan: VideoPlan, track: Track | None) -> MonitorRows:
    """What the monitor shows of a plan.

    Args:
        track: the driving face in each frame, or None.
    """
    pose = plan.signals.pose
    return MonitorRows(
        frames=plan.frames,
        fps=plan.fps,
        audio=plan.sound,
        gates=plan.gates,
        portrait=plan.portrait.image,
        masks=plan.masks,
        rotation_degrees=None
        if pose is None
        else pose.sample(plan.frames, plan.fps).rotation_degrees,
        track=track,
    )


# Time --------------------------------------------------------------------------------------------


def _extend_motion(signals: Signals, extend: str | None) -> Signals:
    """Expression and pose as long as the audio."""
    if extend is None or signals.audio is None:
        return signals
    check_choice("Extend", extend, EXTENSIONS)
    seconds = signals.audio.seconds
    for name in ("expression", "pose"):
        signal = signals.present.get(name)
        if signal is not None and signal.seconds < seconds:
            signals = signals.edit(lambda s: EXTENSIONS[extend](s, seconds), name)
    return signals


def _count_frames(signals: Signals, fps: float, max_frames: int | None) -> int:
    """Frames of the video: the shortest signal ends it."""
    counts = {name: signal.count_frames(fps) for name, signal in signals.present.items()}
    if not counts:
        raise InputError("Nothing drives the portrait: give audio, a driving clip or both.")
    shortest = min(counts, key=lambda name: counts[name])
    if max_frames is not None and FRAMES.check(max_frames) <= counts[shortest]:
        return max_frames
    if counts[shortest] < 1:
        raise InputError(
            f"The {shortest} signal is shorter than one frame at {fps:g} fps. Give a longer one."
        )
    _tell_end(counts, shortest, fps)
    return counts[shortest]


def _tell_end(counts: dict[str, int], shortest: str, fps: float) -> None:
    """Say which signal ends the video; warn where that leaves out what another one has."""
    frames = counts[shortest]
    log.info("The clip has %d frames: the %s signal ends there.", frames, shortest)
    longest = max(counts, key=lambda name: counts[name])
    if counts[longest] - frames > UNSEEN_S * fps:
        log.warning(
            "The video ends with the %s signal after %.2f s; the %s signal lasts %.2f s. %s",
            *(shortest, frames / fps, longest, counts[longest] / fps),
            "Give longer audio to use more of it."
            if shortest == "audio"
            else "Choose what the clip does then (extend), or give a longer one.",
        )


def _lay_gate(gate: Gate, sound: Audio | None, frames: int, fps: float) -> Tensor:
    """(frames,) in 0…1."""
    curve = curves.Curve(gate, sound) if isinstance(gate, str) else gate
    return curve.sample(frames, fps)


# Regions -----------------------------------------------------------------------------------------


def _draw_masks(
    choice: RegionChoice,
    portrait: Portrait,
    is_driven: dict[str, bool],
    frames: int,
    face_scale: float,
) -> dict[str, Tensor]:
    """Audio and expression mask (f, 1, H, W) of the prepared portrait."""
    shape = portrait.height, portrait.width
    faces = portrait.face if choice.track is None else faces_in_portrait(choice.track, portrait)
    style_masks = regions.draw_style_masks(
        choice.style,
        faces,
        *shape,
        with_audio=is_driven["audio"],
        with_expression=is_driven["expression"],
        face_scale=face_scale,
    )
    masks: dict[str, Tensor] = {}
    for name, region, mask in zip(
        ("audio", "expression"), (choice.audio, choice.expression), style_masks, strict=True
    ):
        if isinstance(region, Tensor):
            mask = resize_mask(region, portrait.crop)
        else:
            if region is not None:
                mask = regions.draw_region(region, faces, *shape, face_scale)
            mask = regions.grow_mask(mask, choice.grow_px)
        masks[name] = _fit_frames(mask, frames, name)
    share = regions.overlap_share(masks["audio"], masks["expression"])
    if share > 0:
        log.info("The two regions share %.0f %% of the smaller one.", 100 * share)
    return masks


def _fit_frames(mask: Tensor, frames: int, name: str) -> Tensor:
    """One mask, or one for each frame: (f, 1, H, W), f = 1 or `frames`."""
    if len(mask) == 1 or len(mask) >= frames:
        return mask[:frames]
    raise InputError(
        f"The {name} mask: expected 1 or {frames} (one per frame), got {len(mask)}. Give one for "
        "the clip, or a mask clip that is as long as the video."
    )
