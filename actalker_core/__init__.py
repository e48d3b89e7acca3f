"""ACTalker without a user interface: model, sampler, checkpoints and media.

The names below are all that a first program needs. They are fetched when they are first used:
importing this package touches neither torch, nor the network, nor a GPU, nor ComfyUI. Start
reading at `models/actalker/pipeline.py`, where a plan becomes a video, or at
`models/photograph/pipeline.py`, where one does without weights.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .control.motion.clip import move_by_frames
    from .control.motion.hand import move_by_text
    from .control.motion.idle import move_idly
    from .control.motion.mix import mix_motion
    from .control.motion.signal import MotionSignal, load_motion, save_motion
    from .control.motion.speech import move_by_speech
    from .control.motion.words import move_by_words
    from .control.signals import Signals, load_signals, save_signals
    from .errors import ACTalkerError
    from .faces import Face, find_face, open_finder, open_landmarker, track_face
    from .faces.portrait import paste_back, prepare_portrait
    from .geometry.mesh import load_mesh
    from .geometry.portrait import open_photograph
    from .media import VideoFrames, load_audio, load_image, write_video
    from .models.actalker.encode import encode_signals
    from .models.actalker.load import load_model
    from .models.actalker.pipeline import generate
    from .models.actalker.plan import RegionChoice, plan_video
    from .models.photograph.pipeline import animate
    from .models.photograph.plan import plan_photograph

__version__ = "0.1.0"

_HOMES = {
    "ACTalkerError": "errors",
    "Face": "faces",
    "MotionSignal": "control.motion.signal",
    "RegionChoice": "models.actalker.plan",
    "Signals": "control.signals",
    "VideoFrames": "media",
    "animate": "models.photograph.pipeline",
    "encode_signals": "models.actalker.encode",
    "find_face": "faces",
    "generate": "models.actalker.pipeline",
    "load_audio": "media",
    "load_image": "media",
    "load_mesh": "geometry.mesh",
    "load_model": "models.actalker.load",
    "load_motion": "control.motion.signal",
    "load_signals": "control.signals",
    "mix_motion": "control.motion.mix",
    "move_by_frames": "control.motion.clip",
    "move_by_speech": "control.motion.speech",
    "move_by_text": "control.motion.hand",
    "move_by_words": "control.motion.words",
    "move_idly": "control.motion.idle",
    "open_finder": "faces",
    "open_landmarker": "faces",
    "open_photograph": "geometry.portrait",
    "paste_back": "faces.portrait",
    "plan_photograph": "models.photograph.plan",
    "plan_video": "models.actalker.plan",
    "prepare_portrait": "faces.portrait",
    "save_motion": "control.motion.signal",
    "save_signals": "control.signals",
    "track_face": "faces",
    "write_video": "media",
}
"""Where each exported name lives."""

__all__ = [
    "ACTalkerError",
    "Face",
    "MotionSignal",
    "RegionChoice",
    "Signals",
    "VideoFrames",
    "animate",
    "encode_signals",
    "find_face",
    "generate",
    "load_audio",
    "load_image",
    "load_mesh",
    "load_model",
    "load_motion",
    "load_signals",
    "mix_motion",
    "move_by_frames",
    "move_by_speech",
    "move_by_text",
    "move_by_words",
    "move_idly",
    "open_finder",
    "open_landmarker",
    "open_photograph",
    "paste_back",
    "plan_photograph",
    "plan_video",
    "prepare_portrait",
    "save_motion",
    "save_signals",
    "track_face",
    "write_video",
]


def __getattr__(name: str) -> object:
    """Fetch an exported name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
