"""Media -> identity and signals."""

from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ...actalker_core import faces, limits
from ...actalker_core.control.signals import AudioSignal, ExpressionSignal, PoseSignal
from ...actalker_core.errors import InputError, check_choice
from ...actalker_core.faces import Box, Track
from ...actalker_core.faces.face import advise
from ...actalker_core.faces.portrait import Portrait
from ...actalker_core.media import Audio
from ...actalker_core.models.actalker.encoders import audio as audio_encoder
from ...actalker_core.models.actalker.encoders import identity as identity_encoder
from ...actalker_core.models.actalker.encoders.audio import CUTS, DEFAULT_CUT
from ...actalker_core.models.actalker.encoders.motion import encode_expression, encode_pose
from ..common import checks, convert, sockets
from ..common.defaults import to_option
from ..common.files import open_face_finder
from ..common.node_text import show_warnings
from ..common.peaks import describe_sound
from ..common.progress import Bar
from ..face.portrait import (
    FACE_CHOICES,
    WHOLE_IMAGE,
    face_box_input,
    face_choice,
    face_inputs,
    manual_box,
)
from .bridge.load import EncoderBox

FOLLOWING = "Following the face"
"""A stage's name."""


class EncodeIdentity(checks.Node):
    """Portrait -> who it is."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Encode Identity",
            "signals",
            "Who is shown, from the face of a portrait; usually the one that is animated.",
            [
                sockets.Encoders.Input("encoders", tooltip="Of Load Model."),
                sockets.Portrait.Input("portrait", tooltip="Of Prepare Portrait."),
            ],
            [sockets.Identity.Output("identity", tooltip="For Conditioning.")],
            aliases=["face embedding", "face id", "identity embedding"],
        )

    @classmethod
    def execute(cls, encoders: EncoderBox, portrait: Portrait) -> io.NodeOutput:
        return io.NodeOutput(encode_identity(encoders, portrait))


def encode_identity(encoders: EncoderBox, portrait: Portrait) -> Tensor:
    """(1, features) on the CPU."""
    network = encoders.load()
    image = portrait.image.to(network.device)
    return identity_encoder.encode_identity(
        network.identity_encoder, image, portrait.face.box
    ).cpu()


class EncodeAudio(checks.Node):
    """AUDIO -> audio signal."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Encode Audio",
            "signals",
            "What the speech says, for the lips.",
            [
                sockets.Encoders.Input("encoders", tooltip="Of Load Model."),
                io.Audio.Input("audio", tooltip="Speech of any rate; channels are mixed."),
                checks.with_check(
                    sockets.fraction_input(
                        "max_seconds",
                        0.0,
                        0.0,
                        limits.SECONDS.maximum,
                        "Encode only so much. 0 encodes all.",
                        0.1,
                    ),
                    lambda value: to_option(value, limits.SECONDS, meaning="all"),
                ),
                io.Combo.Input(
                    "cut",
                    options=list(CUTS),
                    default=DEFAULT_CUT,
                    tooltip="For speech over 30 s: seamless overlaps pieces, released has a seam "
                    "every 30 s as the released script.",
                ),
                sockets.fps_input("fps", "Of the video; only to count its frames."),
            ],
            [
                sockets.AudioSignal.Output("audio_signal", tooltip="For Conditioning."),
                io.Int.Output("frame_count", tooltip="Frames that the speech lasts at fps."),
                io.Audio.Output("trimmed_audio", tooltip="As long as those frames."),
            ],
            aliases=["lip sync", "speech encoder", "audio encoder", "audio driven", "voice"],
            advanced=["cut", "fps"],
        )

    @classmethod
    def execute(
        cls,
        encoders: EncoderBox,
        audio: dict[str, Any] | None,
        max_seconds: float,
        cut: str,
        fps: float,
    ) -> io.NodeOutput:
        """One call, and the sound cut to whole frames."""
        sound = convert.from_audio(audio, "Encode Audio")
        fps = to_option(fps, limits.FPS) or encoders.config.sampling.fps
        if max_seconds:
            limits.SECONDS.check(max_seconds, "0 for all")
            sound = sound.trim(min(max_seconds, sound.seconds))
        signal = encode_audio(encoders, sound, cut)
        frames = signal.count_frames(fps)
        if frames < 1:
            raise InputError(
                f"Encode Audio: expected at least one frame at {fps:g} fps ({1 / fps:.2f} s), got "
                f"{sound.seconds:.2f} s. Give a longer sound."
            )
        sound_out = convert.to_audio(sound.trim(frames / fps))
        return io.NodeOutput(signal, frames, sound_out, ui=describe_sound(sound))


def encode_audio(encoders: EncoderBox, sound: Audio, cut: str = DEFAULT_CUT) -> AudioSignal:
    """The audio signal, with a progress bar."""
    check_choice("cut", cut, CUTS)
    network, bar = encoders.load(), Bar()
    return audio_encoder.encode_audio(network.audio_encoder, sound, cut=cut, on_chunk=bar.count)


class EncodeMotion(checks.Node):
    """Frames -> expression and pose signals."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Encode Motion",
            "signals",
            "What the face in a driving clip expresses, and how its head is held.",
            [
                sockets.Encoders.Input("encoders", tooltip="Of Load Model."),
                sockets.frames_input("frames", "The driving clip: IMAGE of any loader, or VIDEO."),
                sockets.driving_fps_input(),
                sockets.fps_input("signal_fps", "Values per second; those of the video suffice."),
                *face_inputs(),
                io.Int.Input(
                    "max_frames",
                    default=0,
                    min=0,
                    max=limits.FRAMES.maximum,
                    tooltip="Encode at most so many frames, counted at signal_fps. 0 encodes all.",
                ),
                io.Mask.Input(
                    "face_mask",
                    optional=True,
                    tooltip="The face in white, for all frames, instead of following it.",
                ),
                face_box_input("x0,y0,x1,y1 in pixels for all frames. Empty follows the face."),
            ],
            [
                sockets.ExpressionSignal.Output(
                    "expression_signal", tooltip="Expression and gaze."
                ),
                sockets.PoseSignal.Output("pose_signal", tooltip="Rotation of the head."),
                sockets.Track.Output(
                    "face_track",
                    tooltip="The face in each frame, for masks and monitor. Empty if it was not "
                    "followed.",
                ),
                io.Int.Output("motion_frame_count", tooltip="Frames at signal_fps."),
            ],
            aliases=[
                "face reenactment",
                "driving video",
                "expression transfer",
                "motion transfer",
                "head pose",
                "face tracking",
            ],
            hidden=[io.Hidden.unique_id],
            advanced=["signal_fps", "face_index", "face_box"],
        )

    @classmethod
    @show_warnings
    def execute(
        cls,
        encoders: EncoderBox,
        frames: object,
        frames_per_second: float,
        signal_fps: float,
        face: str,
        face_index: int,
        max_frames: int,
        face_mask: Tensor | None = None,
        face_box: str = "",
    ) -> io.NodeOutput:
        """Follow the face, unless a mask (f, h, w) or a box says where it is, then encode it."""
        fps = to_option(signal_fps, limits.FPS) or encoders.config.sampling.fps
        clip = convert.read_frames(frames, frames_per_second, fps, max_frames or None)
        size = (int(clip.images.shape[2]), int(clip.images.shape[3]))
        box = manual_box(size, face_mask, face_box)
        with advise("Or give face_box or face_mask."):
            track = None if box or face == WHOLE_IMAGE else track_face(clip, face, face_index)
        expression, pose = encode_motion(encoders, clip, track, box)
        return io.NodeOutput(expression, pose, track, len(clip.images))


def track_face(clip: convert.Frames, face: str, index: int) -> Track:
    """The face in each frame."""
    check_choice("face", face, FACE_CHOICES)
    bar = Bar(len(clip.images), FOLLOWING)
    choice = face_choice(face, index)
    return faces.track_face(
        open_face_finder(), clip.images, choice, on_frame=bar.count, fps=clip.fps
    )


def encode_motion(
    encoders: EncoderBox, clip: convert.Frames, track: Track | None, box: Box | None
) -> tuple[ExpressionSignal, PoseSignal]:
    """Expression and pose, with a progress bar over both."""
    network, frames = encoders.load(), clip.images
    bar = Bar(2 * len(frames))
    boxes = [box] * len(frames) if track is None else [f.box for f in track.faces]
    expression = encode_expression(
        network.expression_encoder,
        frames,
        boxes,
        rate_hz=clip.fps,
        on_batch=bar.count,
    )
    pose = encode_pose(
        network.head_pose_encoder,
        frames,
        boxes[0],
        rate_hz=clip.fps,
        on_batch=lambda done: bar.count(len(frames) + done),
    )
    return expression, pose
