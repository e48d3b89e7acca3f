"""ACTalker without a user interface: model, sampler, checkpoints and media.

The names below are all that a first program needs. They are fetched when they are first used:
importing this package touches neither torch, nor the network, nor a GPU, nor ComfyUI. Start
reading at `models/actalker/pipeline.py`, where a plan becomes a video.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .control.signals import Signals, load_signals, save_signals
    from .errors import ACTalkerError
    from .faces import Face, find_face, open_finder, track_face
    from .faces.portrait import paste_back, prepare_portrait
    from .media import VideoFrames, load_audio, load_image, write_video
    from .models.actalker.encode import encode_signals
    from .models.actalker.load import load_model
    from .models.actalker.pipeline import generate
    from .models.actalker.plan import RegionChoice, plan_video

__version__ = "0.1.0"

_HOMES = {
    "ACTalkerError": "errors",
    "Face": "faces",
    "RegionChoice": "models.actalker.plan",
    "Signals": "control.signals",
    "VideoFrames": "media",
    "encode_signals": "models.actalker.encode",
    "find_face": "faces",
    "generate": "models.actalker.pipeline",
    "load_audio": "media",
    "load_image": "media",
    "load_model": "models.actalker.load",
    "load_signals": "control.signals",
    "open_finder": "faces",
    "paste_back": "faces.portrait",
    "plan_video": "models.actalker.plan",
    "prepare_portrait": "faces.portrait",
    "save_signals": "control.signals",
    "track_face": "faces",
    "write_video": "media",
}
"""Where each exported name lives."""

__all__ = [
    "ACTalkerError",
    "Face",
    "RegionChoice",
    "Signals",
    "VideoFrames",
    "encode_signals",
    "find_face",
    "generate",
    "load_audio",
    "load_image",
    "load_model",
    "load_signals",
    "open_finder",
    "paste_back",
    "plan_video",
    "prepare_portrait",
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
