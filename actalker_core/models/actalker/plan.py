"""What is decided before the first frame is made: portrait, signals, length, gates and regions."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice, repeat

from torch import Tensor

from ...control import curves, regions
from ...control.signals import DrivingSignal, Signals
from ...diffusion.guidance_cache import GuidanceInterval
from ...diffusion.windows import Windows
from ...errors import InputError, check_choice
from ...faces import Box, Face, Track
from ...faces.box import check_box, image_box
from ...faces.portrait import Portrait, prepare_portrait, resize_mask, to_rgb
from ...limits import FPS, FRAMES, GROW_PX, PASSES, SEED, STEPS
from ...media import Audio
from .encoders.audio import encode_audio
from .encoders.motion import encode_expression, encode_pose
from .guidance import Guidance
from .networks import Encoders

log = logging.getLogger(__name__)

Report = Callable[[str, int, int | None], None]
"""Called with a stage, how much of it is done, and how much there is if that is known."""


EXTENSIONS: dict[str, Callable[[DrivingSignal, float], DrivingSignal]] = {
    "hold": lambda signal, seconds: signal.hold(seconds),
    "loop": lambda signal, seconds: signal.loop(seconds),
    "ping-pong": lambda signal, seconds: signal.ping_pong(seconds),
}
"""What a driving clip may do when it is shorter than the audio."""


@dataclass(frozen=True)
class Inputs:
    """What the artist brings.

    Attributes:
        portrait: (3, H, W) in 0…1.
        face: the face in it; None for the whole picture.
        audio: speech, or None.
        driving: clip whose expression is followed, and whose head pose unless `head` is given:
            (3, H, W) pictures at the video's frame rate, which can be read more than once.
        driving_face: the face in it, followed frame by frame or as one box; None for whole frames.
        head: another clip, for the head pose alone. head_box: the face in its first frame.
        signals: encoded before; each is used where no medium above gives one of its kind.
        sound: what is heard; None for `audio`.
        audio_mask, expression_mask: (n, 1, H, W) in 0…1 over the portrait, instead of those of
            `Settings`; n is 1 or the number of frames.
        mask_track: the face in each frame of a clip that shows the same as the portrait, whole
            or prepared, so that the masks of `Settings` follow it; None for that of the portrait.
    """

    portrait: Tensor
    face: Face | None = None
    audio: Audio | None = None
    driving: Iterable[Tensor] | None = None
    driving_face: Track | Box | None = None
    head: Iterable[Tensor] | None = None
    head_box: Box | None = None
    signals: Signals = field(default_factory=Signals)
    sound: Audio | None = None
    audio_mask: Tensor | None = None
    expression_mask: Tensor | None = None
    mask_track: Track | None = None


@dataclass(frozen=True)
class Settings:
    """How the clip is made; None takes the model's own value.

    Attributes:
        frames: at most so many; None for as long as the signals last.
        fps: frames per second.
        short_side_px, expand, aspect: see `portrait.fit`.
        audio_cut: see `encoders.audio.compute_hidden_states`.
        extend: one of `EXTENSIONS` for a driving clip that is shorter than the audio; None ends
            the clip there.
        audio_gate, expression_gate: a curve, or its text; see `curves.parse`.
        masks: one of `regions.STYLES`.
        audio_region, expression_region: instead of those of `masks`; see `regions.region`.
        grow_px: how far the regions above reach further, in pixels of the prepared portrait.
        schedule: one of `sampler.schedule.SCHEDULES`.
        shortcuts: what sampling may leave out; None for nothing.
        passes_at_once: how many guidance passes share a batch; None for as many as fit into the
            memory that is free.

    Raises:
        InputError: a number outside its `limits`.
    """

    frames: int | None = None
    fps: float | None = None
    short_side_px: int | None = None
    expand: float | None = None
    aspect: float | None = None
    steps: int | None = None
    seed: int = 0
    audio_cut: str = "seamless"
    extend: str | None = None
    audio_gate: str | curves.Curve | curves.DrawnCurve = "1"
    expression_gate: str | curves.Curve | curves.DrawnCurve = "1"
    masks: str = "released"
    audio_region: str | None = None
    expression_region: str | None = None
    grow_px: int = 0
    guidance: Guidance | None = None
    windows: Windows | None = None
    schedule: str = "karras"
    shortcuts: GuidanceInterval | None = None
    passes_at_once: int | None = None

    def __post_init__(self) -> None:
        """Refuse numbers that nobody means."""
        given = {
            FRAMES: self.frames,
            FPS: self.fps,
            STEPS: self.steps,
            SEED: self.seed,
            GROW_PX: self.grow_px,
            PASSES: self.passes_at_once,
        }
        for limits, value in given.items():
            if value is not None:
                limits.check(value)


@dataclass(frozen=True)
class Plan:
    """All that is decided before the first frame is made.

    Attributes:
        signals: as long as the clip.
        gates: (frames,) by branch, `audio` and `expression`.
        masks: (n, 1, H, W) by branch.
    """

    portrait: Portrait
    signals: Signals
    frames: int
    fps: float
    gates: dict[str, Tensor]
    masks: dict[str, Tensor]
    sound: Audio | None


def report_nothing(stage: str, done: int, total: int | None) -> None:
    """Report nothing."""


def make_plan(
    model: Encoders, inputs: Inputs, settings: Settings, report: Report = report_nothing
) -> Plan:
    """Cut the portrait, encode the signals, and lay out gates and regions over time."""
    sampling = model.config.sampling
    fps = settings.fps or sampling.fps
    portrait = prepare(inputs, settings, settings.short_side_px or sampling.short_side_px)
    signals = encode(model, inputs, settings, fps, report)
    return lay_out(portrait, signals, inputs, settings, fps)


def lay_out(
    portrait: Portrait, signals: Signals, inputs: Inputs, settings: Settings, fps: float
) -> Plan:
    """Signals, gates and regions over the frames of the clip.

    Args:
        inputs: its masks and sound; its media are encoded already.

    Raises:
        InputError: no signal at all, both gates shut throughout, or lengths that do not fit.
    """
    FPS.check(fps)
    signals = _extended(signals, settings.extend)
    frames = _length(settings.frames, signals, fps)
    gated = _gates(inputs, settings, signals, frames, fps)
    if not any(bool(gate.any()) for gate in gated.values()):
        raise InputError(
            "Both gates are 0 in every frame, so that nothing drives the portrait. Open the gate "
            "of a signal that is there."
        )
    for name, gate in gated.items():
        curves.report_experimental(name, gate)
    sound = inputs.sound or inputs.audio
    return Plan(
        portrait=portrait,
        signals=signals,
        frames=frames,
        fps=fps,
        gates=gated,
        masks=_masks(inputs, settings, portrait, signals, frames),
        sound=None if sound is None else sound.trim(frames / fps),
    )


def prepare(inputs: Inputs, settings: Settings, short_side_px: int) -> Portrait:
    """The portrait as it will be animated."""
    image = to_rgb(inputs.portrait)
    height, width = image.shape[1:]
    face = inputs.face or Face(image_box(width, height), confidence=1.0)
    check_box(face.box, width, height, "portrait")
    return prepare_portrait(
        image, face, short_side_px, expand=settings.expand, aspect=settings.aspect
    )


def _gates(
    inputs: Inputs, settings: Settings, signals: Signals, frames: int, fps: float
) -> dict[str, Tensor]:
    """Each branch's gate over the clip; without a signal it is shut."""
    heard = inputs.audio or inputs.sound
    written = {"audio": settings.audio_gate, "expression": settings.expression_gate}
    there = {
        "audio": signals.audio is not None,
        "expression": bool(signals.expression or signals.pose),
    }
    gate_curves = {
        name: curves.Curve(gate, heard) if isinstance(gate, str) else gate
        for name, gate in written.items()
    }
    return {
        name: curve.sample(frames, fps) if there[name] else curves.constant_curve(0, frames)
        for name, curve in gate_curves.items()
    }


# Signals -----------------------------------------------------------------------------------------


def encode(
    model: Encoders, inputs: Inputs, settings: Settings, fps: float, report: Report = report_nothing
) -> Signals:
    """The signals of all media, and those that were encoded before where a medium is missing."""
    signals, most = inputs.signals, settings.frames
    if inputs.audio is not None:
        audio = encode_audio(
            model.audio_encoder,
            inputs.audio,
            seconds=None if most is None else most / fps,
            cut=settings.audio_cut,
            on_chunk=partial(report, "Hearing"),
        )
        signals = replace(signals, audio=audio)
    if inputs.driving is not None:
        expression = encode_expression(
            model.expression_encoder,
            islice(inputs.driving, most),
            _boxes(inputs.driving_face),
            rate_hz=fps,
            on_batch=lambda done: report("Watching the face", done, most),
        )
        signals = replace(signals, expression=expression)
    head, box = inputs.head, inputs.head_box
    if head is None:
        head, box = inputs.driving, _first_box(inputs.driving_face)
    if head is not None:
        pose = encode_pose(
            model.head_pose_encoder,
            islice(head, most),
            box,
            rate_hz=fps,
            on_batch=lambda done: report("Watching the head", done, most),
        )
        signals = replace(signals, pose=pose)
    return signals


def _boxes(face: Track | Box | None) -> Iterable[Box | None]:
    """The face's box in each frame."""
    return [f.box for f in face.faces] if isinstance(face, Track) else repeat(face)


def _first_box(face: Track | Box | None) -> Box | None:
    return face.faces[0].box if isinstance(face, Track) else face


def _extended(signals: Signals, extend: str | None) -> Signals:
    """Expression and pose made as long as the audio, if asked."""
    if extend is None or signals.audio is None:
        return signals
    check_choice("Extend", extend, EXTENSIONS)
    seconds = signals.audio.seconds
    for name in ("expression", "pose"):
        signal = signals.present.get(name)
        if signal is not None and signal.seconds < seconds:
            signals = signals.edit(lambda s: EXTENSIONS[extend](s, seconds), name)
    return signals


def _length(wanted: int | None, signals: Signals, fps: float) -> int:
    """Frames of the clip: the shortest signal ends it."""
    known = {name: int(s.seconds * fps + 1e-6) for name, s in signals.present.items()}
    if not known:
        raise InputError("Nothing drives the portrait: give audio, a driving clip or both.")
    shortest = min(known, key=lambda name: known[name])
    if wanted is not None and wanted <= known[shortest]:
        return wanted
    if known[shortest] < 1:
        raise InputError(f"The {shortest} signal is shorter than one frame at {fps:g} fps.")
    log.info("The clip has %d frames: the %s signal ends there.", known[shortest], shortest)
    return known[shortest]


# Regions -----------------------------------------------------------------------------------------


def _masks(
    inputs: Inputs, settings: Settings, portrait: Portrait, signals: Signals, frames: int
) -> dict[str, Tensor]:
    """Audio and expression mask (n, 1, H, W) of the prepared portrait."""
    shape = portrait.height, portrait.width
    faces = portrait.face if inputs.mask_track is None else faces_of(inputs.mask_track, portrait)
    styled = regions.draw_style_masks(
        settings.masks,
        faces,
        *shape,
        with_audio=signals.audio is not None,
        with_expression=bool(signals.expression or signals.pose),
    )
    found = dict(zip(("audio", "expression"), styled, strict=True))
    for name, text in (
        ("audio", settings.audio_region),
        ("expression", settings.expression_region),
    ):
        if text is not None:
            found[name] = regions.draw_region(text, faces, *shape)
    found = {name: regions.grow_mask(mask, settings.grow_px) for name, mask in found.items()}
    for name, mask in (("audio", inputs.audio_mask), ("expression", inputs.expression_mask)):
        if mask is not None:
            found[name] = resize_mask(mask, portrait.crop)
    found = {name: _over_frames(mask, frames, name) for name, mask in found.items()}
    share = regions.overlap_share(found["audio"], found["expression"])
    if share > 0:
        log.info("The two regions share %.0f %% of the smaller one.", 100 * share)
    return found


def faces_of(track: Track, portrait: Portrait) -> Sequence[Face]:
    """The faces of a clip in the portrait's pixels.

    Raises:
        InputError: the clip has neither the size of the picture nor that of the portrait.
    """
    crop = portrait.crop
    if track.size == crop.shape:
        return track.faces
    if track.size == crop.source_shape:
        return [crop.to_portrait(face) for face in track.faces]
    raise InputError(
        f"The clip whose face the regions follow has frames of {track.size} (height, width); "
        f"expected {crop.shape} as the result or {crop.source_shape} as the portrait."
    )


def _over_frames(mask: Tensor, frames: int, name: str) -> Tensor:
    """One mask, or one for each frame."""
    if len(mask) == 1 or len(mask) == frames:
        return mask
    if len(mask) > frames:
        return mask[:frames]
    raise InputError(
        f"The {name} mask: expected 1 or {frames} (one per frame), got {len(mask)}. Give one for "
        "the clip, or a mask clip that is as long as the video."
    )
