"""Media -> what the model reads of them: signals, and the portrait's latent and identity."""

from collections.abc import Iterable, Sized
from dataclasses import replace
from functools import partial
from itertools import islice, repeat

from torch import Tensor

from ...control.signals import Signals
from ...faces import Box, Track
from ...faces.portrait import Portrait
from ...limits import FPS, FRAMES
from ...media import Audio
from ...progress import Report, report_nothing
from .encoders.audio import DEFAULT_CUT, encode_audio
from .encoders.identity import encode_identity
from .encoders.motion import encode_expression, encode_pose
from .networks import ACTalker, Encoders
from .vae import encode_image


def encode_signals(
    encoders: Encoders,
    *,
    audio: Audio | None = None,
    driving: Iterable[Tensor] | None = None,
    driving_face: Track | Box | None = None,
    head: Iterable[Tensor] | None = None,
    head_box: Box | None = None,
    signals: Signals | None = None,
    fps: float | None = None,
    max_frames: int | None = None,
    audio_cut: str = DEFAULT_CUT,
    report: Report = report_nothing,
) -> Signals:
    """The signals of all media that are given; see `control.signals` for their shapes.

    Args:
        audio: speech.
        driving: (3, H, W) frames uint8 or in 0…1 whose expression is followed, and whose head pose
            unless `head` is given. They are read twice, so an iterator is not enough.
        driving_face: the face in them, followed or as one box in pixels; None for whole frames.
        head: frames of another video, for the head pose alone.
        head_box: the face in its first frame; None for whole frames.
        signals: encoded before; each is kept where no medium above gives one of its kind.
        fps: of the frames; None for the model's own.
        max_frames: read at most so many, and as much audio as they last; None for all.
        audio_cut: how speech over 30 s is cut; see `encoders.audio.compute_hidden_states`.
        report: called as the work goes on; may raise to cancel.

    Raises:
        InputError: media that are too short, or a box outside the frames.
        NotFiniteError: an encoder gives NaN or infinity.
    """
    fps = FPS.check(encoders.config.sampling.fps if fps is None else fps)
    if max_frames is not None:
        FRAMES.check(max_frames)
    signals = signals or Signals()
    if audio is not None:
        states = encode_audio(
            encoders.audio_encoder,
            audio,
            seconds=None if max_frames is None else max_frames / fps,
            cut=audio_cut,
            on_chunk=partial(report, "Encoding audio"),
        )
        signals = replace(signals, audio=states)
    if driving is not None:
        total = _count(driving, max_frames)
        expression = encode_expression(
            encoders.expression_encoder,
            islice(driving, max_frames),
            [f.box for f in driving_face.faces]
            if isinstance(driving_face, Track)
            else repeat(driving_face),
            rate_hz=fps,
            on_batch=lambda done: report("Encoding expression", done, total),
        )
        signals = replace(signals, expression=expression)
    if head is None:
        head = driving
        head_box = driving_face.faces[0].box if isinstance(driving_face, Track) else driving_face
    if head is not None:
        total_head = _count(head, max_frames)
        pose = encode_pose(
            encoders.head_pose_encoder,
            islice(head, max_frames),
            head_box,
            rate_hz=fps,
            on_batch=lambda done: report("Encoding head pose", done, total_head),
        )
        signals = replace(signals, pose=pose)
    return signals


def _count(frames: Iterable[Tensor], max_frames: int | None) -> int | None:
    """How many frames will be read, if that is known before; a file tells only in the end."""
    if not isinstance(frames, Sized):
        return max_frames
    return len(frames) if max_frames is None else min(len(frames), max_frames)


def encode_portrait(model: ACTalker, portrait: Portrait) -> tuple[Tensor, Tensor]:
    """The portrait's latent (1, 4, h, w), unscaled, and the features (1, features) of who it shows.

    Raises:
        NotFiniteError: a network gives NaN or infinity.
    """
    image = portrait.image.to(model.device)
    identity = encode_identity(model.identity_encoder, image, portrait.face.box)
    return encode_image(model.vae, image[None]), identity
