"""Pictures, sound and video in and out: OpenCV for images, PyAV for the rest."""

from .audio import Audio, as_float
from .audio_file import load_audio
from .images import check_image_place, load_image, save_image
from .video import VideoFrames, nominal_fps, read_frames
from .writing import check_video_place, write_video

__all__ = [
    "Audio",
    "VideoFrames",
    "as_float",
    "check_image_place",
    "check_video_place",
    "load_audio",
    "load_image",
    "nominal_fps",
    "read_frames",
    "save_image",
    "write_video",
]
